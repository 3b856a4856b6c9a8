/* SPDX-License-Identifier: Apache-2.0 */
/* DNS: c-ares on a loop. */
#include "config.h"

#include "gateway/upstream/dns.h"

#include <arpa/nameser.h>
#include <netinet/in.h>

#include <ares.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"

/* What passes all networks in one piece (DNS flag day 2020). */
#define EDNS_BYTES 1232
#define TRIES 2
/* Records of one message: no more fit into its 64 KiB (a record with a compressed
 * name has 12 bytes and its data). */
#define RECORDS_MAX 4096

struct dns_socket {
	struct loop_io io;
	struct dns *dns;
	int fd; /* -1: free */
	struct dns_socket *next;
};

#define DNS_MAGIC 0xd2500001u
struct dns {
	unsigned magic;
	struct loop *loop;
	ares_channel channel;
	struct loop_timer timer;
	struct dns_socket *sockets;
	unsigned inside; /* calls into c-ares that have not returned */
	unsigned ndots;
	unsigned n_domains;
	char *domains[DNS_DOMAINS_MAX];
};

static void
set_timer(struct dns *dns)
{
	struct timeval tv;

	if (dns->channel == NULL || ares_timeout(dns->channel, NULL, &tv) == NULL)
		loop_timer_stop(&dns->timer);
	else
		loop_timer_set(
		    &dns->timer, (int64_t)tv.tv_sec * CLOCK_SECOND + tv.tv_usec);
}

static void
process(struct dns *dns, int read_fd, int write_fd)
{
	dns->inside++;
	ares_process_fd(dns->channel, read_fd, write_fd);
	dns->inside--;
	set_timer(dns);
}

static void
socket_ready(struct loop_io *io, unsigned events)
{
	struct dns_socket *s = io->data;

	CHECK_OBJ(s->dns, DNS_MAGIC);
	process(s->dns, (events & LOOP_READ) != 0 ? s->fd : ARES_SOCKET_BAD,
	    (events & LOOP_WRITE) != 0 ? s->fd : ARES_SOCKET_BAD);
}

static void
timer_over(struct loop_timer *timer)
{
	struct dns *dns;

	CAST_OBJ(dns, timer->data, DNS_MAGIC);
	process(dns, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static struct dns_socket *
socket_of(struct dns *dns, int fd)
{
	struct dns_socket *s;

	for (s = dns->sockets; s != NULL && s->fd != fd; s = s->next)
		continue;
	return (s);
}

/* Its memory stays for the next one: this may run inside the watcher's own
 * callback. There are as many as c-ares opens at once, two for each server. */
static void
socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
	unsigned events = (readable ? LOOP_READ : 0u) | (writable ? LOOP_WRITE : 0u);
	struct dns_socket *s;
	struct dns *dns;

	CAST_OBJ(dns, data, DNS_MAGIC);
	s = socket_of(dns, fd);
	if (s == NULL && events == 0)
		return;
	if (s == NULL && (s = socket_of(dns, -1)) == NULL) {
		s = mem_zalloc(sizeof(*s));
		s->dns = dns;
		s->fd = -1;
		s->next = dns->sockets;
		dns->sockets = s;
	}
	if (s->fd == -1) {
		s->fd = fd;
		loop_io_init(&s->io, dns->loop, fd, socket_ready, s);
	}
	loop_io_want(&s->io, events);
	if (events == 0)
		s->fd = -1;
}

/* --- a channel ------------------------------------------------------------- */

static void
take_search_list(struct dns *dns)
{
	struct ares_options options;
	int mask, i;

	memset(&options, 0, sizeof(options));
	if (ares_save_options(dns->channel, &options, &mask) == ARES_SUCCESS) {
		dns->ndots = options.ndots > 0 ? (unsigned)options.ndots : 0;
		for (i = 0; i < options.ndomains && dns->n_domains < DNS_DOMAINS_MAX; i++)
			dns->domains[dns->n_domains++] = mem_strdup(options.domains[i]);
	}
	ares_destroy_options(&options);
}

enum err_code
dns_new(struct dns **dns_r, struct loop *loop, const struct resolve_options *ro,
    struct err *e)
{
	struct ares_options options;
	struct dns *dns;
	int rc;

	*dns_r = NULL;
	dns = mem_zalloc(sizeof(*dns));
	dns->magic = DNS_MAGIC;
	dns->loop = loop;
	dns->ndots = 1;
	loop_timer_init(&dns->timer, loop, timer_over, dns);
	memset(&options, 0, sizeof(options));
	options.flags = ARES_FLAG_EDNS;
	options.ednspsz = EDNS_BYTES;
	options.timeout =
	    (int)((ro->timeout_us > 0 ? ro->timeout_us : RESOLVE_TIMEOUT_US) / CLOCK_MS);
	options.tries = TRIES;
	options.sock_state_cb = socket_state;
	options.sock_state_cb_data = dns;
	/* The hosts file is ours. */
	options.lookups = mem_strdup("b");
	rc = ares_init_options(&dns->channel, &options,
	    ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
		ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS);
	free(options.lookups);
	if (rc == ARES_SUCCESS && ro->servers != NULL)
		rc = ares_set_servers_ports_csv(dns->channel, ro->servers);
	else if (rc == ARES_SUCCESS)
		take_search_list(dns);
	if (rc != ARES_SUCCESS) {
		dns_free(&dns);
		return (err_set(e, ERR_IO, "DNS: %s%s%s",
		    ro->servers != NULL ? ro->servers : "",
		    ro->servers != NULL ? ": " : "", ares_strerror(rc)));
	}
	*dns_r = dns;
	return (ERR_OK);
}

void
dns_free(struct dns **dns_p)
{
	struct dns_socket *s;
	struct dns *dns;
	unsigned i;

	CAST_OBJ(dns, *dns_p, DNS_MAGIC);
	*dns_p = NULL;
	CHECK(dns->inside == 0);
	dns->inside++;
	if (dns->channel != NULL)
		ares_destroy(dns->channel);
	dns->channel = NULL;
	loop_timer_stop(&dns->timer);
	while ((s = dns->sockets) != NULL) {
		CHECK(s->fd == -1);
		dns->sockets = s->next;
		free(s);
	}
	for (i = 0; i < dns->n_domains; i++)
		free(dns->domains[i]);
	dns->magic = 0;
	free(dns);
}

/* --- a question ------------------------------------------------------------- */

struct question {
	dns_done_f *done;
	void *data;
	enum netaddr_family family;
};

static void
note_ttl(struct dns_answer *answer, int ttl)
{
	int64_t us = (int64_t)ttl * CLOCK_SECOND;

	if (us < RESOLVE_TTL_LEAST_US) /* also one with its highest bit set */
		us = RESOLVE_TTL_LEAST_US;
	if (us < answer->ttl_us)
		answer->ttl_us = us;
}

static int
read_a(struct dns_answer *answer, const unsigned char *p, int n)
{
	struct ares_addrttl *records = mem_alloc(RECORDS_MAX * sizeof(*records));
	struct netaddr addr = { .family = NETADDR_IP4 };
	int n_records = RECORDS_MAX, rc, i;

	rc = ares_parse_a_reply(p, n, NULL, records, &n_records);
	for (i = 0; rc == ARES_SUCCESS && i < n_records; i++) {
		memcpy(addr.ip, &records[i].ipaddr, 4);
		resolve_set_add(&answer->set, &addr);
		note_ttl(answer, records[i].ttl);
	}
	free(records);
	return (rc);
}

static int
read_aaaa(struct dns_answer *answer, const unsigned char *p, int n)
{
	struct ares_addr6ttl *records = mem_alloc(RECORDS_MAX * sizeof(*records));
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	int n_records = RECORDS_MAX, rc, i;
	struct netaddr addr;

	rc = ares_parse_aaaa_reply(p, n, NULL, records, &n_records);
	for (i = 0; rc == ARES_SUCCESS && i < n_records; i++) {
		memcpy(&in6.sin6_addr, &records[i].ip6addr, sizeof(in6.sin6_addr));
		if (netaddr_from_sockaddr(
			&addr, (const struct sockaddr *)(const void *)&in6, sizeof(in6)))
			resolve_set_add(&answer->set, &addr);
		note_ttl(answer, records[i].ttl);
	}
	free(records);
	return (rc);
}

static void
answered(void *data, int status, int timeouts, unsigned char *p, int n)
{
	struct question *q = data;
	struct dns_answer answer;

	(void)timeouts;
	memset(&answer, 0, sizeof(answer));
	answer.ttl_us = RESOLVE_TTL_MOST_US;
	if (status == ARES_SUCCESS)
		status = q->family == NETADDR_IP4 ? read_a(&answer, p, n)
						  : read_aaaa(&answer, p, n);
	/* An alias that leads to none of this family. */
	if (status == ARES_SUCCESS && answer.set.n == 0)
		status = ARES_ENODATA;
	if (status == ARES_SUCCESS)
		answer.verdict = DNS_FOUND;
	else if (status == ARES_ENOTFOUND || status == ARES_ENODATA ||
		 status == ARES_EBADNAME)
		answer.verdict = DNS_NONE;
	else
		answer.verdict = DNS_FAILED;
	answer.why = ares_strerror(status);
	q->done(q->data, &answer);
	free(q);
}

void
dns_ask(struct dns *dns, const char *name, enum netaddr_family family, dns_done_f *done,
    void *data)
{
	struct question *q = mem_zalloc(sizeof(*q));

	CHECK_OBJ(dns, DNS_MAGIC);
	q->done = done;
	q->data = data;
	q->family = family;
	dns->inside++;
	ares_query(dns->channel, name, ns_c_in,
	    family == NETADDR_IP4 ? ns_t_a : ns_t_aaaa, answered, q);
	dns->inside--;
	set_timer(dns);
}

bool
dns_form(const struct dns *dns, const char *name, unsigned i, char out[DNS_NAME_MAX])
{
	unsigned dots = 0, at;
	const char *p;

	CHECK_OBJ(dns, DNS_MAGIC);
	for (p = name; *p != '\0'; p++)
		dots += *p == '.';
	if (dns->n_domains == 0 || (p > name && p[-1] == '.')) {
		(void)snprintf(out, DNS_NAME_MAX, "%s", name);
		return (i == 0);
	}
	/* As it is comes first for a name with dots enough, last for others. */
	at = dots >= dns->ndots ? 0 : dns->n_domains;
	if (i > dns->n_domains)
		return (false);
	if (i == at)
		(void)snprintf(out, DNS_NAME_MAX, "%s", name);
	else
		(void)snprintf(
		    out, DNS_NAME_MAX, "%s.%s", name, dns->domains[i - (i > at)]);
	return (true);
}
