#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIDS_MAX 16

static int pids[PIDS_MAX], pid_count;

uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

void fail(const char *what) {
  fprintf(stderr, "sioload: %s\n", what);
  exit(2);
}

void add_pid(const char *text) {
  if (pid_count == PIDS_MAX) fail("too many processes");
  pids[pid_count++] = atoi(text);
}

/* User and system time of all threads of the server's processes, in seconds. */
double server_cpu(void) {
  double ticks = 0;
  for (int k = 0; k < pid_count; k++) {
    char name[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(name, sizeof name, "/proc/%d/stat", pids[k]);
    FILE *file = fopen(name, "r");
    if (!file) continue;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    char *after_name = strrchr(text, ')');
    if (after_name)
      sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    ticks += (double)(user + system);
  }
  return ticks / (double)sysconf(_SC_CLK_TCK);
}

long server_rss_kb(void) {
  long sum = 0;
  for (int k = 0; k < pid_count; k++) {
    char name[64], line[256];
    long kb = 0;
    snprintf(name, sizeof name, "/proc/%d/status", pids[k]);
    FILE *file = fopen(name, "r");
    if (!file) continue;
    while (fgets(line, sizeof line, file) && sscanf(line, "VmRSS: %ld", &kb) != 1) {
    }
    sum += kb;
    fclose(file);
  }
  return sum;
}

/* Latencies. */

void note(Latencies *l, uint64_t since) {
  if (l->count == l->room) {
    l->room = l->room ? l->room * 2 : 65536;
    l->us = realloc(l->us, l->room * sizeof *l->us);
    if (!l->us) fail("out of memory");
  }
  l->us[l->count++] = (uint32_t)((now() - since) / 1000);
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

void print_latency(const char *name, Latencies *l) {
  if (!l->count) return;
  qsort(l->us, l->count, sizeof *l->us, by_size);
  printf(",\"%s\":{\"p50\":%u,\"p95\":%u,\"p99\":%u,\"max\":%u,\"count\":%zu}", name,
         l->us[l->count / 2], l->us[l->count * 95 / 100], l->us[l->count * 99 / 100],
         l->us[l->count - 1], l->count);
}
