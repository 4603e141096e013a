/*
 * The floor of the bench: sends netlink messages that were made before, and waits for the acknowledgement of each send's last
 * message, or for the end of a dump. So it costs what the kernel costs, and a system call or two for each send.
 *
 *   floor FILE…      prints for each file: microseconds, sends, messages, messages that were refused
 *
 * A file holds sends, one after the other: protocol and length (32 bits each, this machine's order), then the bytes.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int sockets[32];
static char answer[1 << 17];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int open_socket(uint32_t protocol) {
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  int size = 1 << 20, on = 1;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) fail("socket");
  if (bind(fd, (void *)&kernel, sizeof kernel) || connect(fd, (void *)&kernel, sizeof kernel)) fail("bind");
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  return fd;
}

static int socket_of(uint32_t protocol) {
  if (protocol >= sizeof sockets / sizeof *sockets) {
    fprintf(stderr, "protocol %u\n", protocol);
    exit(1);
  }
  if (sockets[protocol] == 0) sockets[protocol] = open_socket(protocol);
  return sockets[protocol];
}

/* Sends, and reads what comes back. How many messages were sent; refusals are added up. */
static unsigned long exchange(int fd, char *bytes, size_t length, unsigned long *refused) {
  unsigned long count = 0;
  uint32_t last = 0;
  for (size_t at = 0; at + sizeof(struct nlmsghdr) <= length; count++) {
    struct nlmsghdr *message = (void *)(bytes + at);
    last = message->nlmsg_seq;
    at += NLMSG_ALIGN(message->nlmsg_len);
  }
  if (send(fd, bytes, length, 0) < 0) fail("send");
  for (;;) {
    ssize_t got = recv(fd, answer, sizeof answer, 0);
    if (got < 0) fail("recv");
    size_t left = got;
    for (struct nlmsghdr *message = (void *)answer; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_ERROR && ((struct nlmsgerr *)NLMSG_DATA(message))->error != 0) ++*refused;
      if (message->nlmsg_seq != last) continue;
      if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) return count;
    }
  }
}

static char *read_whole(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END)) fail(path);
  *length = ftell(file);
  rewind(file);
  char *bytes = malloc(*length + 1);
  if (bytes == NULL || fread(bytes, 1, *length, file) != *length) fail(path);
  fclose(file);
  return bytes;
}

static void play(const char *path) {
  size_t length;
  char *bytes = read_whole(path, &length);
  unsigned long sends = 0, messages = 0, refused = 0;
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (size_t at = 0; at < length; sends++) {
    uint32_t header[2];
    memcpy(header, bytes + at, sizeof header);
    at += sizeof header;
    messages += exchange(socket_of(header[0]), bytes + at, header[1], &refused);
    at += header[1];
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  double microseconds = (end.tv_sec - start.tv_sec) * 1e6 + (end.tv_nsec - start.tv_nsec) / 1e3;
  printf("%.1f %lu %lu %lu\n", microseconds, sends, messages, refused);
  free(bytes);
}

int main(int count, char **paths) {
  for (int at = 1; at < count; at++) play(paths[at]);
  return 0;
}
