/*
 * The load of the benchmark against iptables mode, without a runtime in the way of what is measured:
 *
 *   load serve PORT                              answers each byte with a byte, until its connection ends
 *   load connect ADDRESS PORT COUNT              connects one after the other; prints microseconds of each
 *   load rr ADDRESS PORT CLIENTS MILLISECONDS    requests on one connection a client; prints their count
 *   load crr ADDRESS PORT CLIENTS MILLISECONDS   a connection for each request; prints their count
 *   load run COMMAND…                            runs it; last line: microseconds wall, user, system, KiB at most
 *
 * Clients are processes. They end connections with a RST, so that no port waits for two minutes to be used again.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Connections of one run without keep-alive: fewer than there are ports, so that none is used twice. */
#define MOST_CONNECTIONS 50000

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static struct sockaddr_in target(const char *address, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		fail(address);
	return to;
}

static int connected(const struct sockaddr_in *to)
{
	static const struct linger reset = { .l_onoff = 1 };
	static const int yes = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0)
		fail("connect");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	return fd;
}

static void ask(int fd)
{
	char byte = 'x';
	if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
		fail("request");
}

static void accept_all(int listening, int poll)
{
	for (;;) {
		int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
		int yes = 1;
		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
	}
}

static void serve(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int yes = 1, poll = epoll_create1(0);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listening };
	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listening, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(listening, 4096) != 0)
		fail("listen");
	epoll_ctl(poll, EPOLL_CTL_ADD, listening, &event);
	puts("listening");
	fflush(stdout);
	for (;;) {
		struct epoll_event events[64];
		int count = epoll_wait(poll, events, 64, -1);
		for (int index = 0; index < count; index++) {
			char bytes[64];
			int fd = events[index].data.fd;
			if (fd == listening) {
				accept_all(listening, poll);
				continue;
			}
			ssize_t got = read(fd, bytes, sizeof(bytes));
			if (got > 0 ? write(fd, bytes, got) != got : got == 0 || errno != EAGAIN)
				close(fd);
		}
	}
}

static void time_connects(const struct sockaddr_in *to, int count)
{
	while (count-- > 0) {
		double start = now();
		int fd = connected(to);
		printf("%.1f\n", now() - start);
		close(fd);
	}
}

static long requests(const struct sockaddr_in *to, int keeps, long most, double end)
{
	long count = 0;
	int fd = keeps ? connected(to) : -1;
	while (now() < end && (keeps || count < most)) {
		if (!keeps)
			fd = connected(to);
		ask(fd);
		if (!keeps)
			close(fd);
		count++;
	}
	return count;
}

/* Prints how many requests there were, and how many microseconds it took. */
static void load(const struct sockaddr_in *to, int keeps, int clients, double microseconds)
{
	int counts[2], status;
	long all = 0, one;
	double start = now();
	if (pipe(counts) != 0)
		fail("pipe");
	for (int client = 0; client < clients; client++) {
		pid_t child = fork();
		if (child < 0)
			fail("fork");
		if (child > 0)
			continue;
		one = requests(to, keeps, MOST_CONNECTIONS / clients, start + microseconds);
		_exit(write(counts[1], &one, sizeof(one)) != sizeof(one));
	}
	close(counts[1]);
	while (wait(&status) > 0)
		if (status != 0)
			exit(1);
	while (read(counts[0], &one, sizeof(one)) == sizeof(one))
		all += one;
	printf("%ld %.0f\n", all, now() - start);
}

static void run(char **command)
{
	int status;
	struct rusage usage;
	double start = now();
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(command[0], command);
		fail(command[0]);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) != child)
		fail("fork");
	double wall = now() - start;
	if (status != 0)
		exit(1);
	printf("%.0f %.0f %.0f %ld\n", wall, usage.ru_utime.tv_sec * 1e6 + usage.ru_utime.tv_usec,
	       usage.ru_stime.tv_sec * 1e6 + usage.ru_stime.tv_usec, usage.ru_maxrss);
}

int main(int count, char **words)
{
	const char *what = count > 1 ? words[1] : "";
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(what, "serve") == 0 && count == 3) {
		serve(words[2]);
	} else if (strcmp(what, "run") == 0 && count > 2) {
		run(words + 2);
	} else if (strcmp(what, "connect") == 0 && count == 5) {
		struct sockaddr_in to = target(words[2], words[3]);
		time_connects(&to, atoi(words[4]));
	} else if ((strcmp(what, "rr") == 0 || strcmp(what, "crr") == 0) && count == 6) {
		struct sockaddr_in to = target(words[2], words[3]);
		load(&to, what[0] == 'r', atoi(words[4]), atof(words[5]) * 1e3);
	} else {
		fputs("load serve|connect|rr|crr|run …\n", stderr);
		return 2;
	}
	return 0;
}
