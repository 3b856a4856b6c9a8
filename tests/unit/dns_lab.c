/* SPDX-License-Identifier: Apache-2.0 */
/* A DNS server for tests (RFC 1035, RFC 6891). */
#include "config.h"

#include "tests/unit/dns_lab.h"

#include "gateway/base/check.h"
#include "gateway/base/hash.h"
#include "gateway/base/netaddr.h"
#include "gateway/base/span.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define ENTRIES_MAX 256u
#define TCP_MAX 16
#define MESSAGE_MAX 65535u
#define UDP_PLAIN 512u
#define HEADER 12u
#define CNAME 5u

struct entry {
	char name[128];
	unsigned type;
	bool exists;
	enum dns_lab_way way;
	uint32_t ttl;
	char *addresses; /* malloc'd */
	char alias[128]; /* "": none */
	unsigned asked;
};

struct dns_lab {
	pthread_mutex_t lock;
	pthread_t thread;
	int udp, tcp, stop[2];
	int connections[TCP_MAX];
	char address[32];
	struct entry entries[ENTRIES_MAX];
	unsigned n, asked, asked_tcp;
};

/* Big enough for any message; what does not fit is a mistake of the test. */
struct message {
	size_t n;
	uint8_t bytes[MESSAGE_MAX];
};

static void
put(struct message *m, const void *p, size_t n)
{
	assert_true(n <= sizeof(m->bytes) - m->n);
	memcpy(m->bytes + m->n, p, n);
	m->n += n;
}

static void
put16(struct message *m, unsigned v)
{
	const uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(m, b, 2);
}

static void
put32(struct message *m, uint32_t v)
{
	put16(m, v >> 16);
	put16(m, v & 0xffff);
}

static void
put_name(struct message *m, const char *name)
{
	struct span rest = span_of(name), label;
	uint8_t n;

	while (span_split(&rest, '.', &label)) {
		n = (uint8_t)label.n;
		put(m, &n, 1);
		put(m, label.p, label.n);
	}
	put(m, "", 1);
}

static struct entry *
find(struct dns_lab *lab, const char *name, unsigned type)
{
	unsigned i;

	for (i = 0; i < lab->n; i++)
		if (lab->entries[i].type == type &&
		    strcasecmp(lab->entries[i].name, name) == 0)
			return (&lab->entries[i]);
	return (NULL);
}

static struct entry *
find_or_add(struct dns_lab *lab, const char *name, unsigned type)
{
	struct entry *entry = find(lab, name, type);

	if (entry != NULL)
		return (entry);
	assert_true(lab->n < ENTRIES_MAX);
	entry = &lab->entries[lab->n++];
	(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->type = type;
	return (entry);
}

/* Records of an entry; returns how many. */
static unsigned
put_records(struct message *m, const struct entry *entry, const char *owner)
{
	struct span rest = span_of(entry->addresses), text;
	unsigned n = 0, size = entry->type == LAB_A ? 4 : 16;
	uint8_t ip[16];
	char one[64];

	while (entry->addresses != NULL && span_split(&rest, ',', &text) && text.n != 0) {
		(void)snprintf(one, sizeof(one), "%.*s", SPAN_FMT(text));
		assert_int_equal(
		    inet_pton(entry->type == LAB_A ? AF_INET : AF_INET6, one, ip), 1);
		if (owner != NULL)
			put_name(m, owner);
		else
			put16(m, entry->way == LAB_CIRCLE ? 0xc000u + (unsigned)m->n
							  : 0xc000u + HEADER);
		put16(m, entry->type);
		put16(m, 1);
		put32(m, entry->ttl);
		put16(m, entry->way == LAB_LONG         ? 999
			 : entry->way == LAB_OTHER_SIZE ? 3
							: size);
		put(m, ip, entry->way == LAB_OTHER_SIZE ? 3 : size);
		n++;
	}
	return (n);
}

static unsigned
put_alias(struct dns_lab *lab, struct message *m, const struct entry *entry)
{
	struct message *target = mem_zalloc(sizeof(*target));
	const struct entry *real;

	put_name(target, entry->alias);
	put16(m, 0xc000u + HEADER);
	put16(m, CNAME);
	put16(m, 1);
	put32(m, entry->ttl);
	put16(m, (unsigned)target->n);
	put(m, target->bytes, target->n);
	free(target);
	real = find(lab, entry->alias, entry->type);
	return (1 + (real != NULL ? put_records(m, real, entry->alias) : 0));
}

/* The question's name as text. Returns its bytes, 0 if it can't be read. */
static size_t
read_question(const uint8_t *p, size_t n, char name[128], unsigned *type_r)
{
	size_t at = HEADER, out = 0;

	name[0] = '\0';
	while (at < n && p[at] != 0) {
		if (p[at] > 63 || at + p[at] >= n || out + p[at] + 2 > 128)
			return (0);
		if (out != 0)
			name[out++] = '.';
		memcpy(name + out, p + at + 1, p[at]);
		out += p[at];
		name[out] = '\0';
		at += p[at] + 1u;
	}
	if (at + 5 > n)
		return (0);
	*type_r = (unsigned)p[at + 1] << 8 | p[at + 2];
	return (at + 5 - HEADER);
}

static void
spoil(struct message *m, enum dns_lab_way way)
{
	switch (way) {
	case LAB_EMPTY: m->n = 0; break;
	case LAB_SHORT: m->n = 5; break;
	case LAB_NOISE:
		random_bytes(m->bytes + 4, 200);
		m->n = 204;
		break;
	case LAB_MORE: m->bytes[6] = m->bytes[7] = 0xff; break;
	case LAB_OTHER_ID: m->bytes[0] ^= 1; break;
	case LAB_OTHER_NAME: m->bytes[HEADER + 1] ^= 3; break;
	default: break;
	}
}

/* False: no answer. */
static bool
answer(struct dns_lab *lab, const uint8_t *p, size_t n, bool tcp, struct message *m)
{
	unsigned type = 0, flags = 0x8180, records = 0;
	const struct entry *entry;
	struct entry *asked;
	char name[128];
	size_t question;

	question = n > HEADER ? read_question(p, n, name, &type) : 0;
	if (question == 0)
		return (false);
	lab->asked++;
	lab->asked_tcp += tcp;
	entry = asked = find_or_add(lab, name, type);
	asked->asked++;
	if (entry->way == LAB_SILENT)
		return (false);
	m->n = 0;
	put(m, p, 2);
	put16(m, 0);
	put16(m, 1);
	put32(m, 0);
	put16(m, 0);
	put(m, p + HEADER, question);
	if (entry->way == LAB_SERVFAIL)
		flags |= 2;
	else if (entry->way == LAB_REFUSED)
		flags |= 5;
	else if (entry->way == LAB_NXDOMAIN || !entry->exists)
		flags |= 3;
	else
		records = entry->alias[0] != '\0' ? put_alias(lab, m, entry)
						  : put_records(m, entry, NULL);
	/* An OPT record says how much the client takes; c-ares sends one. */
	if (!tcp && m->n > (p[11] != 0 ? 1232 : UDP_PLAIN)) {
		flags |= 0x0200;
		m->n = HEADER + question;
		records = 0;
	}
	m->bytes[2] = (uint8_t)(flags >> 8);
	m->bytes[3] = (uint8_t)flags;
	m->bytes[6] = (uint8_t)(records >> 8);
	m->bytes[7] = (uint8_t)records;
	spoil(m, entry->way);
	return (true);
}

static void
serve_udp(struct dns_lab *lab, struct message *m)
{
	struct sockaddr_storage from;
	socklen_t from_n = sizeof(from);
	uint8_t question[2048];
	bool reply;
	ssize_t n;

	n = recvfrom(lab->udp, question, sizeof(question), MSG_DONTWAIT,
	    (struct sockaddr *)&from, &from_n);
	if (n < 0)
		return;
	pthread_mutex_lock(&lab->lock);
	reply = answer(lab, question, (size_t)n, false, m);
	pthread_mutex_unlock(&lab->lock);
	if (reply)
		(void)sendto(
		    lab->udp, m->bytes, m->n, 0, (struct sockaddr *)&from, from_n);
}

/* One question at a time; the answer is small enough for the socket's buffer. */
static bool
serve_tcp(struct dns_lab *lab, int fd, struct message *m)
{
	uint8_t question[2048], size[2];
	bool reply;
	size_t n;

	if (recv(fd, size, 2, MSG_WAITALL) != 2)
		return (false);
	n = (size_t)size[0] << 8 | size[1];
	if (n > sizeof(question) || recv(fd, question, n, MSG_WAITALL) != (ssize_t)n)
		return (false);
	pthread_mutex_lock(&lab->lock);
	reply = answer(lab, question, n, true, m);
	pthread_mutex_unlock(&lab->lock);
	if (!reply)
		return (true);
	size[0] = (uint8_t)(m->n >> 8);
	size[1] = (uint8_t)m->n;
	return (send(fd, size, 2, MSG_NOSIGNAL) == 2 &&
		send(fd, m->bytes, m->n, MSG_NOSIGNAL) == (ssize_t)m->n);
}

static void
accept_tcp(struct dns_lab *lab)
{
	int fd = accept4(lab->tcp, NULL, NULL, SOCK_CLOEXEC), i;

	for (i = 0; fd >= 0 && i < TCP_MAX; i++)
		if (lab->connections[i] < 0) {
			lab->connections[i] = fd;
			return;
		}
	if (fd >= 0)
		(void)close(fd);
}

static void *
thread_main(void *data)
{
	struct message *m = mem_zalloc(sizeof(*m));
	struct pollfd fds[3 + TCP_MAX];
	struct dns_lab *lab = data;
	int i;

	for (;;) {
		fds[0] = (struct pollfd){ lab->stop[0], POLLIN, 0 };
		fds[1] = (struct pollfd){ lab->udp, POLLIN, 0 };
		fds[2] = (struct pollfd){ lab->tcp, POLLIN, 0 };
		for (i = 0; i < TCP_MAX; i++)
			fds[3 + i] = (struct pollfd){ lab->connections[i], POLLIN, 0 };
		(void)poll(fds, 3 + TCP_MAX, -1);
		if (fds[0].revents != 0)
			break;
		if (fds[1].revents != 0)
			serve_udp(lab, m);
		for (i = 0; i < TCP_MAX; i++)
			if (fds[3 + i].revents != 0 &&
			    !serve_tcp(lab, lab->connections[i], m)) {
				(void)close(lab->connections[i]);
				lab->connections[i] = -1;
			}
		if (fds[2].revents != 0)
			accept_tcp(lab);
	}
	free(m);
	return (NULL);
}

/* --- told by the test -------------------------------------------------------- */

struct dns_lab *
dns_lab_new(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct dns_lab *lab = mem_zalloc(sizeof(*lab));
	socklen_t n = sizeof(in);
	int i;

	/* The UDP port of a free TCP port may be taken; then another. */
	for (i = 0; i < 100; i++) {
		in.sin_port = 0;
		lab->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		lab->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(lab->tcp, (struct sockaddr *)&in, sizeof(in)), 0);
		assert_int_equal(getsockname(lab->tcp, (struct sockaddr *)&in, &n), 0);
		if (bind(lab->udp, (struct sockaddr *)&in, sizeof(in)) == 0)
			break;
		(void)close(lab->tcp);
		(void)close(lab->udp);
	}
	assert_true(i < 100);
	assert_int_equal(listen(lab->tcp, TCP_MAX), 0);
	assert_int_equal(pipe(lab->stop), 0);
	for (i = 0; i < TCP_MAX; i++)
		lab->connections[i] = -1;
	(void)snprintf(lab->address, sizeof(lab->address), "127.0.0.1:%u",
	    (unsigned)ntohs(in.sin_port));
	pthread_mutex_init(&lab->lock, NULL);
	assert_int_equal(pthread_create(&lab->thread, NULL, thread_main, lab), 0);
	return (lab);
}

void
dns_lab_free(struct dns_lab **lab_p)
{
	struct dns_lab *lab = *lab_p;
	unsigned i;

	*lab_p = NULL;
	(void)close(lab->stop[1]);
	pthread_join(lab->thread, NULL);
	(void)close(lab->stop[0]);
	(void)close(lab->udp);
	(void)close(lab->tcp);
	for (i = 0; i < TCP_MAX; i++)
		if (lab->connections[i] >= 0)
			(void)close(lab->connections[i]);
	for (i = 0; i < lab->n; i++)
		free(lab->entries[i].addresses);
	pthread_mutex_destroy(&lab->lock);
	free(lab);
}

const char *
dns_lab_address(const struct dns_lab *lab)
{
	return (lab->address);
}

void
dns_lab_set(struct dns_lab *lab, const char *name, enum dns_lab_type type, uint32_t ttl,
    const char *addresses)
{
	struct entry *entry;

	pthread_mutex_lock(&lab->lock);
	entry = find_or_add(lab, name, type);
	free(entry->addresses);
	entry->addresses = addresses != NULL ? mem_strdup(addresses) : NULL;
	entry->exists = addresses != NULL;
	entry->ttl = ttl;
	entry->alias[0] = '\0';
	pthread_mutex_unlock(&lab->lock);
}

void
dns_lab_alias(struct dns_lab *lab, const char *name, enum dns_lab_type type, uint32_t ttl,
    const char *target)
{
	struct entry *entry;

	pthread_mutex_lock(&lab->lock);
	entry = find_or_add(lab, name, type);
	entry->exists = true;
	entry->ttl = ttl;
	(void)snprintf(entry->alias, sizeof(entry->alias), "%s", target);
	pthread_mutex_unlock(&lab->lock);
}

void
dns_lab_way(
    struct dns_lab *lab, const char *name, enum dns_lab_type type, enum dns_lab_way way)
{
	pthread_mutex_lock(&lab->lock);
	find_or_add(lab, name, type)->way = way;
	pthread_mutex_unlock(&lab->lock);
}

unsigned
dns_lab_asked(struct dns_lab *lab, const char *name, enum dns_lab_type type)
{
	const struct entry *entry;
	unsigned asked;

	pthread_mutex_lock(&lab->lock);
	entry = name != NULL ? find(lab, name, type) : NULL;
	asked = name == NULL ? lab->asked : entry != NULL ? entry->asked : 0;
	pthread_mutex_unlock(&lab->lock);
	return (asked);
}

unsigned
dns_lab_asked_tcp(struct dns_lab *lab)
{
	unsigned asked;

	pthread_mutex_lock(&lab->lock);
	asked = lab->asked_tcp;
	pthread_mutex_unlock(&lab->lock);
	return (asked);
}
