/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/checker.h - asks one server over and over whether it is well:
 * a GET of a path, by a connection of its own that is closed after the head of
 * the answer. At most one connection at a time; bounded in time (`timeout_us`
 * for all of it) and bytes. All on the thread of the loop; nothing blocks. */
#ifndef YETT_UPSTREAM_CHECKER_H
#define YETT_UPSTREAM_CHECKER_H

#include <sys/socket.h>

#include "gateway/loop/loop.h"
#include "gateway/tls/tls.h"
#include "gateway/upstream/health.h"

#define CHECK_REASON_MAX 96

struct check;
/* After a result that changed what is thought of the server, the first one
 * included; last thing of all, so that it may stop the check and free it. */
typedef void check_changed_f(struct check *, enum health_change);

/* Texts and TLS live as long as the check is started. */
struct check_options {
	struct loop *loop;
	struct sockaddr_storage address;
	socklen_t address_bytes;
	struct tls_client *tls; /* NULL: plain */
	const char *tls_name;
	const char *host, *path; /* as they stand in the request */
	struct health_conf health;
	int64_t timeout_us;
	check_changed_f *changed;
	void *data;
};

struct check_try;
/* Embedded in its owner, who reads it and writes nothing. */
struct check {
	unsigned magic; /* 0: not started */
	struct check_options options;
	struct health health;
	uint32_t in_a_row; /* equal results up to now */
	bool last_good; /* the last of them */
	int64_t since_us; /* monotonic, of the last change */
	uint64_t made, failed; /* checks that came to a result */
	char reason[CHECK_REASON_MAX]; /* of the last result: "status 503" */
	int64_t began_us; /* the last check */
	struct loop_timer timer; /* the next check, or the end of this one */
	struct check_try *attempt; /* NULL between checks */
};

/* All of `check` is overwritten; the first check is made within an interval. */
void check_start(struct check *, const struct check_options *);
/* No-op where it is not started (all zero). */
void check_stop(struct check *);

#endif
