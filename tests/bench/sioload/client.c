#define _GNU_SOURCE
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 512
#define CLIENTS_PER_ADDRESS 20000 /* a source address has about 28,000 ports */
#define RETRY_FIRST SECOND        /* like the official client: 1, 2, 4, 5, 5 s, each ± half */
#define RETRY_MOST (5 * SECOND)

Client *clients;
uint64_t *room_size, *room_top;
int ready, dead;
bool sending, reconnecting;
uint64_t counted_from = UINT64_MAX, lost_at, expected, run_id;
Counts counts;
Latencies ack_latency, delivery_latency, across_latency;
static int epoll;

void make_clients(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  run_id = (uint64_t)time(NULL) << 10 | ((uint64_t)getpid() & 1023);
  srand48((long)run_id);
  epoll = epoll_create1(0);
  clients = calloc((size_t)client_count, sizeof *clients);
  room_size = calloc((size_t)room_count, sizeof *room_size);
  room_top = calloc((size_t)room_count, sizeof *room_top);
  if (!clients || !room_size || !room_top) fail("out of memory");
  for (int i = 0; i < client_count; i++) {
    clients[i].room = i % room_count;
    clients[i].place = i / room_count % port_count;
  }
}

/* Sending. */

/* One text frame, masked as clients must, with a mask of zero. */
static void put(Client *c, const char *text, size_t size) {
  char frame[16384];
  size_t head = 2;
  if (size + 8 > sizeof frame) fail("what is to be sent is too long");
  frame[0] = (char)0x81;
  if (size < 126) {
    frame[1] = (char)(0x80 | size);
  } else {
    frame[1] = (char)(0x80 | 126);
    frame[2] = (char)(size >> 8);
    frame[3] = (char)(size & 255);
    head = 4;
  }
  memset(frame + head, 0, 4);
  memcpy(frame + head + 4, text, size);
  size += head + 4;
  if (send(c->fd, frame, size, MSG_NOSIGNAL) != (ssize_t)size) counts.errors++;
}

static const char *name_of(Client *c) {
  const char *name = auth_count ? names[(c - clients) % auth_count] : NULL;
  return name ? name : "";
}

static size_t fill(char *out, size_t room, const char *template, Client *c) {
  size_t size = 0;
  for (; *template && size + 128 < room; template++) {
    if (*template != '%') {
      out[size++] = *template;
      continue;
    }
    switch (*++template) {
      case 'd': size += (size_t)sprintf(out + size, "%d", c->room); break;
      case 's': size += (size_t)snprintf(out + size, 128, "%s", name_of(c)); break;
      case 'u':
        size += (size_t)sprintf(out + size, "%llx-%x-%llx", (unsigned long long)run_id,
                                (unsigned)(c - clients), (unsigned long long)c->sent);
        break;
      case 't':
        size += (size_t)sprintf(out + size, "@%llu.%d", (unsigned long long)now(), c->place);
        break;
      default: fail("a template knows %d, %s, %u and %t");
    }
  }
  return size;
}

static void emit(Client *c, const char *template, uint64_t ack_id) {
  char text[8192];
  size_t size = (size_t)sprintf(text, "42%s,%llu", namespace, (unsigned long long)ack_id);
  c->sent_at[ack_id % SENT_KEPT] = now();
  size += fill(text + size, sizeof text - size, template, c);
  put(c, text, size);
}

void send_one(Client *c) {
  c->in_flight++;
  counts.sends++;
  emit(c, send_event, ++c->sent);
}

void fill_window(Client *c) {
  bool sends = sending && rate == 0 && c - clients < sender_count;
  while (sends && c->state == READY && c->in_flight < window) send_one(c);
}

/* CONNECT, with the last received number if the client was connected before. */
static void say_who(Client *c) {
  char text[8192];
  int size = snprintf(text, sizeof text, "40%s,%s", namespace,
                      auth_count ? auths[(c - clients) % auth_count] : "");
  if (numbered && c->seq && auth_count)
    size += snprintf(text + size - 1, sizeof text - (size_t)size, ",\"since\":{\"%s%s\":%llu}}",
                     numbered, name_of(c), (unsigned long long)c->seq) - 1;
  put(c, text, (size_t)size);
}

/* Connecting and disconnecting. */

void open_connection(Client *c) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)ports[c->place])};
  struct sockaddr_in from = {.sin_family = AF_INET};
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  int yes = 1;
  inet_pton(AF_INET, host, &to.sin_addr);
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) fail("no socket: is `ulimit -n` too low?");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if ((ntohl(to.sin_addr.s_addr) >> 24) == 127) {
    from.sin_addr.s_addr =
        htonl(INADDR_LOOPBACK + 1 + (uint32_t)((c - clients) / CLIENTS_PER_ADDRESS));
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    bind(c->fd, (struct sockaddr *)&from, sizeof from);
  }
  connect(c->fd, (struct sockaddr *)&to, sizeof to);
  epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
  c->state = CONNECTING;
}

static void lose(Client *c) {
  if (c->state == READY) {
    ready--;
    room_size[c->room]--;
    if (!lost_at) lost_at = now();
  }
  close(c->fd);
  c->rest_size = 0;
  c->in_flight = 0;
  if (!reconnecting) {
    c->state = DEAD;
    dead++;
    return;
  }
  uint64_t pause = RETRY_FIRST << (c->attempts < 8 ? c->attempts : 8);
  if (pause > RETRY_MOST) pause = RETRY_MOST;
  c->attempts++;
  c->retry_at = now() + pause / 2 + (uint64_t)((double)pause * drand48());
  c->state = WAITING;
}

static void upgrade(Client *c) {
  char text[512];
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  int size = snprintf(text, sizeof text,
                      "GET %s?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s:%d\r\n"
                      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                      "Sec-WebSocket-Version: 13\r\n\r\n",
                      path, host, ports[c->place]);
  if (send(c->fd, text, (size_t)size, MSG_NOSIGNAL) != size) {
    lose(c);
    return;
  }
  epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
  c->state = UPGRADING;
}

static void become_ready(Client *c) {
  c->state = READY;
  c->attempts = 0;
  ready++;
  room_size[c->room]++;
  fill_window(c);
}

/* Receiving. */

static const char *find(const char *text, size_t size, const char *what) {
  return memmem(text, size, what, strlen(what));
}

/* The last number after `key` in a text; 0 if there is none. */
static uint64_t last_number(const char *text, size_t size, const char *key) {
  uint64_t number = 0;
  size_t width = strlen(key);
  for (const char *at = text; (at = find(at, (size_t)(text + size - at), key));)
    number = strtoull(at += width, NULL, 10);
  return number;
}

static void hear_number(Client *c, const char *text, size_t size) {
  char room[256];
  size_t tail = size < 240 ? size : 240;
  int width = snprintf(room, sizeof room, "{\"room\":\"%s%s\",", numbered, name_of(c));
  const char *meta = memmem(text + size - tail, tail, room, (size_t)width);
  if (!meta) return;
  uint64_t seq = last_number(meta, (size_t)(text + size - meta), "\"seq\":");
  if (seq <= c->seq) counts.repeats++;
  if (c->seq && seq > c->seq + 1) counts.gaps++;
  c->seq = seq;
  if (seq > room_top[c->room]) room_top[c->room] = seq;
}

/* Read the head of the client's room, and whether the replay was complete. */
static void hear_synced(Client *c, const char *text, size_t size) {
  char room[256];
  int width = snprintf(room, sizeof room, "\"%s%s\":{\"seq\":", numbered, name_of(c));
  const char *at = memmem(text, size, room, (size_t)width);
  if (!at) return;
  char *end;
  uint64_t head = strtoull(at + width, &end, 10);
  if (strncmp(end, ",\"recovered\":true", 17)) counts.unrecovered++;
  if (c->seq && head > c->seq) counts.gaps++;
  c->seq = head;
}

static void hear_delivery(Client *c, const char *mark) {
  char *end;
  uint64_t sent_at = strtoull(mark + 1, &end, 10);
  counts.deliveries++;
  if (sent_at < counted_from) return;
  note(&delivery_latency, sent_at);
  if (*end == '.' && atoi(end + 1) != c->place) note(&across_latency, sent_at);
}

static void on_event(Client *c, const char *text, size_t size) {
  const char *name = memchr(text, '"', size);
  if (!name) return;
  size_t width = ready_event ? strlen(ready_event) : 0;
  size_t left = (size_t)(text + size - ++name);
  if (ready_event && left > width && !memcmp(name, ready_event, width) && name[width] == '"') {
    if (numbered) hear_synced(c, text, size);
    if (c->state != READY) become_ready(c);
    return;
  }
  if (numbered) hear_number(c, text, size);
  const char *mark = find(text, size, "\"@");
  if (mark) hear_delivery(c, mark + 1);
}

static void on_ack(Client *c, const char *text, size_t size) {
  if (c->state == JOINING) {
    become_ready(c);
    return;
  }
  const char *comma = memchr(text, ',', size);
  uint64_t id = comma ? strtoull(comma + 1, NULL, 10) : 0;
  if (find(text, size, "\"ok\":true")) {
    counts.acks++;
    expected += room_size[c->room];
    if (c->sent_at[id % SENT_KEPT] >= counted_from) note(&ack_latency, c->sent_at[id % SENT_KEPT]);
  } else if (counts.errors++ < 3) {
    fprintf(stderr, "refused: %.*s\n", (int)(size < 300 ? size : 300), text);
  }
  if (c->in_flight) c->in_flight--;
  fill_window(c);
}

static void on_connected(Client *c) {
  if (ready_event) {
    c->state = ENTERING;
  } else if (*join_event) {
    c->state = JOINING;
    emit(c, join_event, 0);
  } else {
    become_ready(c);
  }
}

static void on_refused(Client *c, const char *text, size_t size) {
  if (counts.refused++ < 3)
    fprintf(stderr, "no entry: %.*s\n", (int)(size < 300 ? size : 300), text);
  lose(c);
}

static void on_text(Client *c, const char *text, size_t size) {
  if (text[0] == '2') put(c, "3", 1);
  if (text[0] == '0') say_who(c);
  if (text[0] != '4' || size < 2) return;
  switch (text[1]) {
    case '0': on_connected(c); break;
    case '2': on_event(c, text, size); break;
    case '3': on_ack(c, text, size); break;
    case '1':
    case '4': on_refused(c, text, size); break;
  }
}

/* The size of the frame's header, with the payload's in `payload`; 0 while it is incomplete. */
static size_t read_head(const unsigned char *at, size_t size, size_t *payload) {
  if (size < 2) return 0;
  size_t length = at[1] & 127, head = length == 126 ? 4 : length == 127 ? 10 : 2;
  if (size < head) return 0;
  if (head > 2) length = 0;
  for (size_t k = 2; k < head; k++) length = length << 8 | at[k];
  *payload = length;
  return size - head < length ? 0 : head;
}

/* The size of the upgrade response in `data`; 0 while it is incomplete. */
static size_t read_upgrade(Client *c, const char *data, size_t size) {
  const char *end = find(data, size, "\r\n\r\n");
  if (!end) return 0;
  if (strncmp(data, "HTTP/1.1 101", 12)) {
    if (counts.refused++ < 3)
      fprintf(stderr, "no upgrade: %.*s\n", (int)(size < 100 ? size : 100), data);
    lose(c);
    return 0;
  }
  c->state = OPENING;
  return (size_t)(end + 4 - data);
}

static bool is_open(const Client *c) { return c->state > UPGRADING && c->state < WAITING; }

static size_t read_frames(Client *c, char *data, size_t size) {
  size_t used = 0, payload, head;
  if (c->state == UPGRADING) used = read_upgrade(c, data, size);
  while (is_open(c) && (head = read_head((unsigned char *)data + used, size - used, &payload))) {
    char *text = data + used + head;
    int opcode = data[used] & 15;
    used += head + payload;
    if (opcode == 8) lose(c);
    if (opcode != 1 || !payload) continue;
    char after = text[payload];
    text[payload] = 0; /* so that parsing a number stops at the end of the frame */
    on_text(c, text, payload);
    text[payload] = after;
  }
  return used;
}

static void on_readable(Client *c) {
  static char data[1 << 20];
  if (c->rest_size) memcpy(data, c->rest, c->rest_size);
  ssize_t got = recv(c->fd, data + c->rest_size, sizeof data - c->rest_size - 1, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    lose(c);
    return;
  }
  size_t size = c->rest_size + (size_t)got;
  size_t used = read_frames(c, data, size);
  if (c->state >= WAITING) return;
  c->rest_size = size - used;
  free(c->rest);
  c->rest = NULL;
  if (!c->rest_size) return;
  c->rest = malloc(c->rest_size);
  if (!c->rest) fail("out of memory");
  memcpy(c->rest, data + used, c->rest_size);
}

void poll_events(int wait_ms) {
  struct epoll_event events[EVENTS_AT_ONCE];
  int count = epoll_wait(epoll, events, EVENTS_AT_ONCE, wait_ms);
  for (int k = 0; k < count; k++) {
    Client *c = events[k].data.ptr;
    if (c->state >= WAITING) continue;
    if (c->state != CONNECTING)
      on_readable(c);
    else if (events[k].events & (EPOLLERR | EPOLLHUP))
      lose(c);
    else
      upgrade(c);
  }
}
