/* SPDX-License-Identifier: Apache-2.0 */
/* ratelimit/inspect.h - one key of a limit looked at, or made full again, by hand:
 * what this process knows of it, and its bucket in Redis. Any thread; what speaks
 * to Redis on the loop of that connection. */
#ifndef YETT_RATELIMIT_INSPECT_H
#define YETT_RATELIMIT_INSPECT_H

#include "ratelimit/bucket.h"
#include "ratelimit/key.h"
#include "ratelimit/limiter.h"

struct inspect_key { uint32_t limit; struct key key; };

/* The key as records have it: "login|192.0.2.7|/login". */
enum err_code inspect_text(struct inspect_key *key_r, const struct limits *,
    struct span text, struct err *);
/* The key of a request with these values, one for each part of the key of the limit
 * that key_r->limit says; of a header or cookie the value itself. An absent span: a
 * request without it. */
enum err_code inspect_values(struct inspect_key *key_r, const struct limits *,
    const struct span *values, size_t n, struct err *);

/* What this process has of it. Alone that is the bucket; with Redis it is tokens on
 * lease, until when it is denied, and the bucket of doing without Redis. */
struct inspect_here {
	uint32_t remaining, lease;
	int64_t denied_us;		/* for so long yet; 0: not denied */
	int64_t reset_us;
};
void inspect_here(struct limits *, const struct inspect_key *, int64_t now_us,
    struct inspect_here *here_r);
/* Forgets what this process has: a full bucket, not denied. */
void inspect_forget(struct limits *, const struct inspect_key *, int64_t now_us);

/* The bucket in Redis, without taking anything. False as redis_send has it. */
bool inspect_ask(struct limits *, struct redis *, struct redis_ask *,
    const struct inspect_key *);
/* Reads what came; NULL, or why it can't be read (static text). */
const char *inspect_read(const struct limits *, const struct inspect_key *,
    const struct redis_ask *, const struct redis_value *, struct bucket_answer *answer_r);
/* Removes it: a full bucket. */
bool inspect_erase(struct redis *, struct redis_ask *, const struct inspect_key *);

#endif
