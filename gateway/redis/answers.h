/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/redis/answers.h - a server's bytes to values, in bounded memory: what
 * exceeds a bound breaks the reader, and the connection is given up. */
#ifndef YETT_REDIS_ANSWERS_H
#define YETT_REDIS_ANSWERS_H

#include "gateway/redis/redis.h"

/* Of one answer. The largest real one is CLUSTER SLOTS of a big cluster. */
#define ANSWER_BYTES_MAX ((size_t)1 << 20)
#define ANSWER_VALUES_MAX ((size_t)1 << 16)
#define ANSWER_DEPTH_MAX 7

struct answers;
struct answers *answers_new(void);
void answers_free(struct answers **);
/* Forgets what came so far: for a new connection. */
void answers_reset(struct answers *);
/* False when broken. Take the answers out before feeding more. */
bool answers_feed(struct answers *, struct span bytes);

enum answers_rc { ANSWERS_MORE, ANSWERS_ONE, ANSWERS_BROKEN };
/* The next whole answer; it lives until the next call of this or answers_reset. */
enum answers_rc answers_next(struct answers *, const struct redis_value **value_r);
/* Why it broke; static text. */
const char *answers_error(const struct answers *);

#endif
