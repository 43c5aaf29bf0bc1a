/* Socket.IO clients: connecting, sending and receiving. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine.h"

#define PORTS_MAX 8
#define SENT_KEPT 64

enum State { NEW, CONNECTING, UPGRADING, OPENING, ENTERING, JOINING, READY, WAITING, DEAD };

typedef struct {
  enum State state;
  int fd, room, place, attempts;
  unsigned in_flight;
  uint64_t sent, sent_at[SENT_KEPT], retry_at;
  uint64_t seq; /* the last number received in its room */
  char *rest;   /* the incomplete frame that has arrived so far */
  size_t rest_size;
} Client;

typedef struct {
  uint64_t sends, acks, deliveries, errors, refused, gaps, repeats, unrecovered;
} Counts;

/* The options of the command line, which sioload.c explains. */
extern const char *host, *path, *namespace, *join_event, *ready_event, *send_event, *numbered;
extern int ports[PORTS_MAX], port_count, client_count, room_count, sender_count, auth_count;
extern unsigned window;
extern double rate;
extern char **auths, **names;

/* The state of the run; `expected` counts the deliveries that acknowledged sends should cause. */
extern Client *clients;
extern uint64_t *room_size, *room_top;
extern int ready, dead;
extern bool sending, reconnecting;
extern uint64_t counted_from, lost_at, expected, run_id;
extern Counts counts;
extern Latencies ack_latency, delivery_latency, across_latency;

void make_clients(void);
void open_connection(Client *c);
void send_one(Client *c);
/* Closed loop: keep the client's window of unacknowledged sends full. */
void fill_window(Client *c);
void poll_events(int wait_ms);
