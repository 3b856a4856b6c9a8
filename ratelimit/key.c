/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of limits: their text, their name in Redis, their hash in the table. */
#include "config.h"

#include "ratelimit/key.h"

#include "gateway/base/check.h"
#include "ratelimit/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define HASHED_LENGTH (sizeof "h:" - 1 + 32)
/* A secret is as long as somebody made it, but not a film. */
#define SECRET_MAX 65536
#define SECRET_MIN 16

/* --- the secret ----------------------------------------------------------- */

/* The content of a file but for line ends behind it, put behind `secret`. */
static enum err_code
read_secret(struct text *secret, const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	enum err_code code = ERR_OK;
	char piece[512];
	size_t n, before = secret->n;

	if (f == NULL)
		return (err_errno(e, "%s: cannot be opened", path));
	while ((n = fread(piece, 1, sizeof piece, f)) > 0 && !secret->overflow)
		text_put(secret, span_mem(piece, n));
	if (ferror(f))
		code = err_errno(e, "%s: cannot be read", path);
	else if (secret->overflow)
		code = err_set(
		    e, ERR_RANGE, "%s: is larger than %d bytes", path, SECRET_MAX);
	(void)fclose(f);
	explicit_bzero(piece, sizeof piece);
	while (secret->n > before &&
	       (secret->p[secret->n - 1] == '\n' || secret->p[secret->n - 1] == '\r'))
		secret->n--;
	if (code == ERR_OK && secret->n == before)
		code = err_set(e, ERR_RANGE, "%s: is empty", path);
	return (code);
}

/* Four words of hash key, each from all of the secret. */
static void
derive(struct hash_key value_r[2], struct span secret)
{
	uint64_t words[4];
	unsigned i;

	for (i = 0; i < 4; i++) {
		struct hash_key fixed = { UINT64_C(0x796574742d6b6579) + i,
			0x6c696d6974 };

		words[i] = hash_bytes(&fixed, secret.p, secret.n);
	}
	value_r[0] = (struct hash_key){ words[0], words[1] };
	value_r[1] = (struct hash_key){ words[2], words[3] };
}

/* What all gateways of this Redis know: a file of theirs, or how they get in. */
static enum err_code
shared_secret(struct keys *keys, const struct conf_redis *redis, struct err *e)
{
	enum err_code code = ERR_OK;
	struct text secret;

	text_init(&secret, SECRET_MAX);
	if (redis->key_file[0] != '\0') {
		code = read_secret(&secret, redis->key_file, e);
		if (code == ERR_OK && secret.n < SECRET_MIN)
			code = err_set(e, ERR_RANGE, "%s: is shorter than %d bytes",
			    redis->key_file, SECRET_MIN);
	} else {
		text_puts(&secret, redis->prefix);
		text_putc(&secret, '\n');
		if (redis->password_file[0] != '\0')
			code = read_secret(&secret, redis->password_file, e);
	}
	if (code == ERR_OK)
		derive(keys->value, text_span(&secret));
	if (secret.p != NULL)
		explicit_bzero(secret.p, secret.size);
	text_free(&secret);
	return (code);
}

/* --- text ----------------------------------------------------------------- */

/* Bytes that would end a part, a hash tag or a line, or that are not ASCII. */
static bool
is_escaped(char byte)
{
	unsigned char c = (unsigned char)byte;

	return (c <= ' ' || c >= 0x7f || c == '|' || c == '%' || c == '{' || c == '}');
}

/* A part that looks like one that is absent or hashed. */
static bool
is_mistakable(struct span s)
{
	return (span_eq(s, SPAN("-")) || span_starts(s, SPAN("h:")));
}

static size_t
escaped_length(struct span s)
{
	size_t i, n = is_mistakable(s) ? 2 : 0;

	for (i = 0; i < s.n; i++)
		n += is_escaped(s.p[i]) ? 3 : 1;
	return (n);
}

/* The writer knows the length before: nothing overflows. */
static void
put(struct key *key, struct span s)
{
	CHECK(s.n <= sizeof(key->bytes) - key->n);
	memcpy(key->bytes + key->n, s.p, s.n);
	key->n = (uint16_t)(key->n + s.n);
}

static void
put_escaped(struct key *key, struct span s)
{
	static const char digits[] = "0123456789abcdef";
	bool first = is_mistakable(s);
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char escaped[] = { '%', digits[c >> 4], digits[c & 15] };

		if (is_escaped(s.p[i]) || (first && i == 0))
			put(key, span_mem(escaped, sizeof escaped));
		else
			put(key, span_cut(s, i, i + 1));
	}
}

static void
put_hashed(struct key *key, const struct keys *keys, struct span s)
{
	char hashed[HASHED_LENGTH + 1];

	(void)snprintf(hashed, sizeof hashed, "h:%016llx%016llx",
	    (unsigned long long)hash_bytes(&keys->value[0], s.p, s.n),
	    (unsigned long long)hash_bytes(&keys->value[1], s.p, s.n));
	put(key, span_mem(hashed, HASHED_LENGTH));
}

static void
put_part(struct key *key, const struct keys *keys, struct span s, size_t most)
{
	if (s.p == NULL)
		put(key, SPAN("-"));
	else if (escaped_length(s) > most)
		put_hashed(key, keys, s);
	else
		put_escaped(key, s);
}

/* Room for the text of a client and its prefix length, or of a number. */
#define SCRATCH_MAX (NETADDR_TEXT_MAX + 8)

static struct span
client_text(const struct keys *keys, const struct netaddr *client, char out[SCRATCH_MAX])
{
	char ip[NETADDR_TEXT_MAX];
	int n;

	if (client == NULL || client->family == NETADDR_NONE)
		return (SPAN_NONE);
	(void)netaddr_ip_text(client, ip);
	if (client->family == NETADDR_IP6 && keys->ipv6_prefix < 128)
		n = snprintf(out, SCRATCH_MAX, "%s/%u", ip, keys->ipv6_prefix);
	else
		n = snprintf(out, SCRATCH_MAX, "%s", ip);
	return (span_mem(out, (size_t)n));
}

/* A value to be hashed; false: it may be seen. */
static bool
is_secret(enum conf_key_kind kind)
{
	return (kind == CONF_KEY_HEADER || kind == CONF_KEY_COOKIE);
}

static struct span
value_of(const struct conf_key *what, const struct keys *keys,
    const struct limiter_subject *s, char out[SCRATCH_MAX])
{
	switch (what->kind) {
	case CONF_KEY_CLIENT: return (client_text(keys, s->client, out));
	case CONF_KEY_ROUTE: return (s->route);
	case CONF_KEY_SITE: return (s->site);
	case CONF_KEY_PATH: return (s->path);
	case CONF_KEY_COUNTRY: return (s->country);
	case CONF_KEY_ASN:
		if (s->asn == 0)
			return (SPAN_NONE);
		return (span_mem(out, (size_t)snprintf(out, SCRATCH_MAX, "%u", s->asn)));
	case CONF_KEY_HEADER: return (s->header(s->data, span_of(what->name)));
	case CONF_KEY_COOKIE: return (s->cookie(s->data, span_of(what->name)));
	}
	WRONG("what a limit counts by");
}

/* --- keys ----------------------------------------------------------------- */

enum err_code
keys_init(struct keys *keys_r, const struct conf *conf, bool shared, struct err *e)
{
	size_t i;

	keys_r->entry[0] = hash_key_random();
	keys_r->entry[1] = hash_key_random();
	keys_r->ipv6_prefix = conf->identity.ipv6_prefix;
	keys_r->prefix = conf->redis.prefix;
	if (strlen(keys_r->prefix) > KEY_PREFIX_MAX)
		return (err_set(
		    e, ERR_RANGE, "redis: prefix: longer than %d bytes", KEY_PREFIX_MAX));
	/* Redis takes what stands between the first braces for the hash tag. */
	if (strchr(keys_r->prefix, '{') != NULL)
		return (err_set(e, ERR_FORMAT, "redis: prefix: has a brace"));
	for (i = 0; i < conf->n_limits; i++) {
		const struct conf_limit *limit = &conf->limits[i];

		if (escaped_length(span_of(limit->name)) > KEY_NAME_MAX)
			return (err_set(e, ERR_RANGE,
			    "limit %s: the name is longer than %d bytes", limit->name,
			    KEY_NAME_MAX));
		if (limit->n_keys > KEY_PARTS_MAX)
			return (err_set(e, ERR_RANGE,
			    "limit %s: counts by more than %d things", limit->name,
			    KEY_PARTS_MAX));
	}
	if (shared)
		return (shared_secret(keys_r, &conf->redis, e));
	keys_r->value[0] = hash_key_random();
	keys_r->value[1] = hash_key_random();
	return (ERR_OK);
}

void
key_make(struct key *key_r, const struct keys *keys, const struct conf_limit *limit,
    const struct limiter_subject *subject)
{
	char scratch[SCRATCH_MAX];
	size_t i, most;

	key_r->n = 0;
	put(key_r, span_of(keys->prefix));
	put(key_r, SPAN("limit:{"));
	key_r->text_at = key_r->n;
	put_escaped(key_r, span_of(limit->name));
	/* The same on all gateways, since it depends on the limit alone. */
	most = LIMITER_KEY_MAX - (size_t)(key_r->n - key_r->text_at);
	most = limit->n_keys > 0 ? most / limit->n_keys - 1 : 0;
	if (most > KEY_PART_MAX)
		most = KEY_PART_MAX;
	for (i = 0; i < limit->n_keys; i++) {
		struct span value = value_of(&limit->keys[i], keys, subject, scratch);

		put(key_r, SPAN("|"));
		if (value.p != NULL && is_secret(limit->keys[i].kind))
			put_hashed(key_r, keys, value);
		else
			put_part(key_r, keys, value, most);
	}
	key_r->text_n = (uint16_t)(key_r->n - key_r->text_at);
	put(key_r, SPAN("}"));
}

struct table_key
key_hash(const struct keys *keys, const struct key *key)
{
	struct span text = key_text(key);

	return ((struct table_key){
	    .a = hash_bytes(&keys->entry[0], text.p, text.n),
	    .b = hash_bytes(&keys->entry[1], text.p, text.n),
	});
}

void
limiter_key_text(const struct limits *limits, uint32_t limit,
    const struct limiter_subject *subject, struct text *key)
{
	struct key made;

	CHECK_OBJ(limits, LIMITS_MAGIC);
	CHECK(limit < limits->n);
	key_make(&made, &limits->keys, limits->all[limit].conf, subject);
	text_put(key, key_text(&made));
}
