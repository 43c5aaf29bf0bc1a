/* sioload: many Socket.IO clients (EIO 4, websocket only) on one epoll loop.
 *
 *   sioload -p PORT[,PORT] -c CLIENTS -r ROOMS -s SENDERS -d SECONDS [OPTION]...
 *
 * Client i belongs to room i % ROOMS and is served by port (i / ROOMS) % ports, so that the members
 * of each room are spread over the ports. The first SENDERS clients send: each keeps WINDOW sends
 * unacknowledged (closed loop), or all together make RATE sends a second (open loop).
 *
 *   -H HOST      address of the server, 127.0.0.1 when not given
 *   -x PATH      path of Engine.IO, /socket.io/
 *   -N NAME      namespace, /chat
 *   -P PID       a process whose CPU time and memory count as the server's; may be repeated
 *   -a FILE      line i has the JSON of client i's CONNECT, a tab, and the name that replaces %s
 *   -j JSON      the event that joins the client's room, with %d for the room; empty: no join
 *   -y EVENT     a client is ready when it receives EVENT, not when it has connected or joined
 *   -m JSON      the event that is sent, with %d room, %s name, %u unique id, %t timestamp
 *   -w WINDOW    -R RATE    -W SECONDS of warm-up, in which nothing is counted
 *   -i SECONDS   of idle time between connecting and sending, after which memory is read
 *   -n PREFIX    events end in {"room": PREFIX + name, "seq": n}: n must rise by one
 *   -b SECONDS   then wait for the server to die, reconnect as browsers do, with the last number
 *                received, and send again; all must be connected within SECONDS
 *
 * The timestamp is "@<nanoseconds>.<index of the port>"; an event that contains it is a delivery.
 * Each phase ends with one line of JSON on standard output. Refusals are printed on standard
 * error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

#define CONNECTING_AT_ONCE 200
#define CONNECT_WITHIN (120 * SECOND)
#define DRAIN_WITHIN (10 * SECOND)

const char *host = "127.0.0.1", *path = "/socket.io/", *namespace = "/chat";
const char *join_event = "[\"join\",{\"room\":\"r%d\"}]", *ready_event = NULL, *numbered = NULL;
const char *send_event =
    "[\"send\",{\"room\":\"r%d\",\"id\":\"%u\",\"text\":\"%t hello there, "
    "this is a chat message of a usual size, about a hundred bytes\"}]";
int ports[PORTS_MAX], port_count, client_count = 100, room_count = 1, sender_count = 1, auth_count;
unsigned window = 1;
double rate = 0;
char **auths, **names;
static double seconds = 5, warm_up = 0, quiet = 0, return_within = 0;

/* The phases. */

static void connect_all(void) {
  double cpu = server_cpu();
  long rss = server_rss_kb();
  uint64_t begin = now();
  int opened = 0;
  while (ready + dead < client_count && now() - begin < CONNECT_WITHIN) {
    while (opened < client_count && opened - ready - dead < CONNECTING_AT_ONCE)
      open_connection(&clients[opened++]);
    poll_events(100);
  }
  double took = (double)(now() - begin) / SECOND;
  double connected_cpu = server_cpu();
  for (uint64_t until = now() + (uint64_t)(quiet * SECOND); now() < until;) poll_events(20);
  printf("{\"phase\":\"connected\",\"clients\":%d,\"dead\":%d,\"refused\":%llu,\"seconds\":%.3f,"
         "\"cpu_s\":%.3f,\"rss_kb\":%ld,\"quiet_cpu_s\":%.3f}\n",
         ready, dead, (unsigned long long)counts.refused, took, connected_cpu - cpu,
         server_rss_kb() - rss, server_cpu() - connected_cpu);
}

/* Send what is due by now at `rate` sends per second; returns the number of sends so far. */
static uint64_t send_due(uint64_t begin, uint64_t done) {
  uint64_t due = (uint64_t)((double)(now() - begin) / SECOND * rate);
  for (; done < due; done++) {
    Client *c = &clients[done % (uint64_t)sender_count];
    if (c->state == READY) send_one(c);
  }
  return done;
}

static void drain(void) {
  uint64_t moved_at = now(), before = 0;
  while (now() - moved_at < DRAIN_WITHIN) {
    if (counts.acks + counts.errors >= counts.sends && counts.deliveries >= expected) return;
    poll_events(20);
    if (counts.acks + counts.deliveries != before) moved_at = now();
    before = counts.acks + counts.deliveries;
  }
}

/* The figures cover the time from the end of the warm-up to the end of sending. */
static void send_all(void) {
  uint64_t begin = now(), from = begin + (uint64_t)(warm_up * SECOND), done = 0;
  uint64_t end = from + (uint64_t)(seconds * SECOND);
  double cpu = server_cpu();
  Counts at_first = counts;
  sending = true;
  for (int i = 0; i < sender_count && i < client_count; i++) fill_window(&clients[i]);
  while (now() < end) {
    if (rate > 0) done = send_due(begin, done);
    if (counted_from == UINT64_MAX && now() >= from) {
      cpu = server_cpu();
      at_first = counts;
      counted_from = now();
    }
    poll_events(rate > 0 ? 1 : 10);
  }
  sending = false;
  double took = (double)(now() - counted_from) / SECOND;
  cpu = server_cpu() - cpu;
  Counts at_last = counts;
  drain();
  printf("{\"phase\":\"sent\",\"seconds\":%.3f,\"cpu_s\":%.3f,\"acks\":%llu,\"deliveries\":%llu,"
         "\"sends_in_all\":%llu,\"acks_in_all\":%llu,\"missing\":%lld,\"errors\":%llu,"
         "\"gaps\":%llu,\"repeats\":%llu,\"dead\":%d",
         took, cpu, (unsigned long long)(at_last.acks - at_first.acks),
         (unsigned long long)(at_last.deliveries - at_first.deliveries),
         (unsigned long long)counts.sends, (unsigned long long)counts.acks,
         (long long)(expected - counts.deliveries), (unsigned long long)counts.errors,
         (unsigned long long)counts.gaps, (unsigned long long)counts.repeats, dead);
  print_latency("ack_us", &ack_latency);
  print_latency("delivery_us", &delivery_latency);
  print_latency("across_us", &across_latency);
  printf("}\n");
}

static int count_behind(void) {
  int behind = 0;
  for (int i = 0; i < client_count; i++)
    behind += clients[i].state != READY || clients[i].seq < room_top[clients[i].room];
  return behind;
}

/* Reconnect all clients after a restart of the server; connected ones send meanwhile. */
static void come_back(void) {
  uint64_t begin = now(), done = 0, limit = (uint64_t)(return_within * SECOND);
  int before = ready;
  while (!lost_at || (ready < before && now() - lost_at < limit)) {
    if (now() - begin > CONNECT_WITHIN) break;
    done = send_due(begin, done);
    for (int i = 0; i < client_count; i++)
      if (clients[i].state == WAITING && clients[i].retry_at <= now()) open_connection(&clients[i]);
    poll_events(5);
  }
  double took = lost_at ? (double)(now() - lost_at) / SECOND : 0;
  for (uint64_t from = now(); count_behind() && now() - from < DRAIN_WITHIN;) poll_events(20);
  printf("{\"phase\":\"back\",\"clients\":%d,\"seconds\":%.3f,\"refused\":%llu,\"behind\":%d,"
         "\"unrecovered\":%llu,\"gaps\":%llu,\"repeats\":%llu}\n",
         ready, took, (unsigned long long)counts.refused, count_behind(),
         (unsigned long long)counts.unrecovered, (unsigned long long)counts.gaps,
         (unsigned long long)counts.repeats);
}

/* The command line. */

static void read_ports(char *text) {
  for (char *one = strtok(text, ","); one; one = strtok(NULL, ",")) {
    if (port_count == PORTS_MAX) fail("too many ports");
    ports[port_count++] = atoi(one);
  }
}

static void read_auths(const char *file_name) {
  FILE *file = fopen(file_name, "r");
  char *line = NULL;
  size_t room = 0;
  ssize_t size;
  if (!file) fail("the file of -a cannot be read");
  while ((size = getline(&line, &room, file)) > 0) {
    auths = realloc(auths, sizeof *auths * (size_t)(auth_count + 1));
    names = realloc(names, sizeof *names * (size_t)(auth_count + 1));
    if (line[size - 1] == '\n') line[size - 1] = 0;
    char *tab = strchr(line, '\t');
    names[auth_count] = tab ? strdup(tab + 1) : NULL;
    if (tab) *tab = 0;
    auths[auth_count++] = strdup(line);
  }
  free(line);
  fclose(file);
}

static void read_options(int count, char **words) {
  for (int option; (option = getopt(count, words, "H:x:N:P:a:j:y:m:w:R:W:i:n:b:p:c:r:s:d:")) > 0;)
    switch (option) {
      case 'H': host = optarg; break;
      case 'x': path = optarg; break;
      case 'N': namespace = optarg; break;
      case 'P': add_pid(optarg); break;
      case 'a': read_auths(optarg); break;
      case 'j': join_event = optarg; break;
      case 'y': ready_event = optarg; break;
      case 'm': send_event = optarg; break;
      case 'w': window = (unsigned)atoi(optarg); break;
      case 'R': rate = atof(optarg); break;
      case 'W': warm_up = atof(optarg); break;
      case 'i': quiet = atof(optarg); break;
      case 'n': numbered = optarg; break;
      case 'b': return_within = atof(optarg); break;
      case 'p': read_ports(optarg); break;
      case 'c': client_count = atoi(optarg); break;
      case 'r': room_count = atoi(optarg); break;
      case 's': sender_count = atoi(optarg); break;
      case 'd': seconds = atof(optarg); break;
      default: fail("the head of sioload.c lists the options");
    }
  if (!port_count) fail("-p is missing");
  if (window > SENT_KEPT) fail("-w is too large");
  if (client_count < 1 || room_count < 1 || sender_count < 1) fail("-c, -r and -s begin at 1");
}

int main(int count, char **words) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  read_options(count, words);
  make_clients();
  connect_all();
  reconnecting = return_within > 0;
  if (seconds > 0) send_all();
  if (reconnecting) come_back();
  return 0;
}
