/* SPDX-License-Identifier: Apache-2.0 */
/* ratelimit/key.h - what a limit counts by, as bytes. The text of a key is
 * `LIMIT|part|part`, one part for each thing the limit counts by, and no two
 * subjects have the same. In Redis it stands as `PREFIXlimit:{text}`, in the table
 * of this process as 128 bits of a hash with a key nobody else has. Values of
 * header fields and cookies are secrets: they leave the process hashed only. */
#ifndef YETT_RATELIMIT_KEY_H
#define YETT_RATELIMIT_KEY_H

#include "gateway/base/hash.h"
#include "ratelimit/limiter.h"
#include "ratelimit/table.h"

#define KEY_PREFIX_MAX 128	/* bytes of redis.prefix */
#define KEY_NAME_MAX 64		/* of a limit's name, escaped */
#define KEY_PARTS_MAX 8		/* things a limit counts by */
#define KEY_PART_MAX 100	/* a longer part is hashed, too */

/* Immutable once made; any thread. */
struct keys {
	struct hash_key entry[2];	/* of the table: this process's alone */
	struct hash_key value[2];	/* of secret parts: the same on all gateways */
	unsigned ipv6_prefix;
	const char *prefix;		/* conf's */
};

/* `shared`: there are other gateways, so the hash key of values has to be known
 * to all: it is made from redis.key_file, else from the password and the prefix,
 * else from the prefix alone. Errors: a file that can't be read, names and
 * prefixes that are too long. */
enum err_code keys_init(struct keys *keys_r, const struct conf *, bool shared,
    struct err *);

struct key {
	char bytes[KEY_PREFIX_MAX + sizeof "limit:{}" + LIMITER_KEY_MAX];
	uint16_t n, text_at, text_n;
};

void key_make(struct key *key_r, const struct keys *, const struct conf_limit *,
    const struct limiter_subject *);
struct table_key key_hash(const struct keys *, const struct key *);

/* As Redis has it. */
static inline struct span
key_in_redis(const struct key *key)
{
	return (span_mem(key->bytes, key->n));
}

/* As people see it. */
static inline struct span
key_text(const struct key *key)
{
	return (span_mem(key->bytes + key->text_at, key->text_n));
}

#endif
