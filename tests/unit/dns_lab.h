/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/dns_lab.h - a DNS server for tests on a port of 127.0.0.1, UDP and TCP,
 * on a thread of its own. It answers as it is told for each name and type, well or
 * badly; other names are NXDOMAIN. What goes wrong here fails the test. */
#ifndef YETT_DNS_LAB_H
#define YETT_DNS_LAB_H

#include <stdbool.h>
#include <stdint.h>

enum dns_lab_type { LAB_A = 1, LAB_AAAA = 28 };

enum dns_lab_way {
	LAB_GOOD = 0,
	LAB_NXDOMAIN,
	LAB_SERVFAIL,
	LAB_REFUSED,
	LAB_SILENT,
	LAB_EMPTY,		/* a datagram of no bytes */
	LAB_SHORT,		/* of five */
	LAB_NOISE,		/* the header is good, the rest chance */
	LAB_MORE,		/* says it has 65535 records */
	LAB_CIRCLE,		/* a record's name points to itself */
	LAB_LONG,		/* a record's data goes on beyond the end */
	LAB_OTHER_ID,
	LAB_OTHER_NAME,		/* answers another question */
	LAB_OTHER_SIZE,		/* addresses of three bytes */
	LAB_WAYS,
};

struct dns_lab;
struct dns_lab *dns_lab_new(void);
/* Ends the thread. NULLs the pointer. */
void dns_lab_free(struct dns_lab **);
/* "127.0.0.1:port" */
const char *dns_lab_address(const struct dns_lab *);

/* The name's addresses, separated by commas; "": it has none of this type, NULL: it
 * is no name any more. Any thread. */
void dns_lab_set(struct dns_lab *, const char *name, enum dns_lab_type, uint32_t ttl,
    const char *addresses);
/* `name` is an alias; the answer has the target's records too. */
void dns_lab_alias(struct dns_lab *, const char *name, enum dns_lab_type, uint32_t ttl,
    const char *target);
void dns_lab_way(struct dns_lab *, const char *name, enum dns_lab_type, enum dns_lab_way);
/* Questions so far, also unanswered ones; of them those over TCP. A NULL name
 * counts all. */
unsigned dns_lab_asked(struct dns_lab *, const char *name, enum dns_lab_type);
unsigned dns_lab_asked_tcp(struct dns_lab *);

#endif
