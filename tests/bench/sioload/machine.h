/* The clock, the resources used by the server's processes, and latencies. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define SECOND 1000000000ull

typedef struct {
  uint32_t *us;
  size_t count, room;
} Latencies;

_Noreturn void fail(const char *what);
uint64_t now(void);

/* A process whose CPU time and memory count as the server's. */
void add_pid(const char *text);
double server_cpu(void);
long server_rss_kb(void);

void note(Latencies *l, uint64_t since);
/* `,"name":{"p50":…}` in microseconds; prints nothing if there are none. */
void print_latency(const char *name, Latencies *l);
