/* SPDX-License-Identifier: Apache-2.0 */
/* One key of a limit, by hand. */
#include "config.h"

#include "ratelimit/inspect.h"

#include "gateway/base/check.h"
#include "gateway/conf/value.h"
#include "ratelimit/call.h"
#include "ratelimit/internal.h"

static const struct lease_plan only_look = { 0, 0, false };

static const struct limit *
limit_of(const struct limits *limits, uint32_t limit)
{
	CHECK_OBJ(limits, LIMITS_MAGIC);
	CHECK(limit < limits->n);
	return (&limits->all[limit]);
}

static bool
is_key_text(struct span text)
{
	size_t i;

	for (i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~' || text.p[i] == '{' ||
		    text.p[i] == '}')
			return (false);
	return (text.n > 0 && text.n <= LIMITER_KEY_MAX);
}

static size_t
count_parts(struct span text)
{
	struct span part;
	size_t n = 0;

	while (text.p != NULL && span_split(&text, '|', &part))
		n++;
	return (n);
}

enum err_code
inspect_text(struct inspect_key *key_r, const struct limits *limits, struct span text,
    struct err *e)
{
	struct span rest = text, name;
	const struct limit *limit;
	char *p = key_r->key.bytes;
	size_t n;

	if (!is_key_text(text))
		return (err_set(e, ERR_FORMAT, "that is not a key as records have it"));
	(void)span_split(&rest, '|', &name);
	key_r->limit = limits_find(limits, name);
	if (key_r->limit == LIMIT_NONE)
		return (err_set(
		    e, ERR_MISSING, "no limit is called \"%.*s\"", SPAN_FMT(name)));
	limit = limit_of(limits, key_r->limit);
	if (count_parts(text) != limit->conf->n_keys + 1)
		return (err_set(e, ERR_FORMAT,
		    "the key of %s has %zu parts behind the name: LIMIT|PART|...",
		    limit->conf->name, limit->conf->n_keys));
	n = strlen(limits->keys.prefix);
	memcpy(p, limits->keys.prefix, n);
	memcpy(p + n, "limit:{", strlen("limit:{"));
	n += strlen("limit:{");
	memcpy(p + n, text.p, text.n);
	p[n + text.n] = '}';
	key_r->key.text_at = (uint16_t)n;
	key_r->key.text_n = (uint16_t)text.n;
	key_r->key.n = (uint16_t)(n + text.n + 1);
	return (ERR_OK);
}

/* --- from values ---------------------------------------------------------- */

struct wanted {
	const struct conf_limit *conf;
	const struct span *values;
};

static struct span
named(void *data, enum conf_key_kind kind, struct span name)
{
	const struct wanted *w = data;
	size_t i;

	for (i = 0; i < w->conf->n_keys; i++)
		if (w->conf->keys[i].kind == kind &&
		    span_eq(span_of(w->conf->keys[i].name), name))
			return (w->values[i]);
	return (SPAN_NONE);
}

static struct span
header_of(void *data, struct span name)
{
	return (named(data, CONF_KEY_HEADER, name));
}

static struct span
cookie_of(void *data, struct span name)
{
	return (named(data, CONF_KEY_COOKIE, name));
}

/* One value into the subject; false: it is not of that kind. */
static bool
put_value(struct limiter_subject *s, struct netaddr *client, enum conf_key_kind kind,
    struct span value)
{
	switch (kind) {
	case CONF_KEY_CLIENT:
		s->client = client;
		return (value.p == NULL || netaddr_parse_ip(client, value));
	case CONF_KEY_ASN: return (value.p == NULL || value_number(value, &s->asn));
	case CONF_KEY_SITE: s->site = value; return (true);
	case CONF_KEY_ROUTE: s->route = value; return (true);
	case CONF_KEY_PATH: s->path = value; return (true);
	case CONF_KEY_COUNTRY: s->country = value; return (true);
	case CONF_KEY_HEADER:
	case CONF_KEY_COOKIE: return (true);
	}
	WRONG("what a limit counts by");
}

enum err_code
inspect_values(struct inspect_key *key_r, const struct limits *limits,
    const struct span *values, size_t n, struct err *e)
{
	const struct conf_limit *conf = limit_of(limits, key_r->limit)->conf;
	struct wanted wanted = { conf, values };
	struct limiter_subject subject = {
		.header = header_of, .cookie = cookie_of, .data = &wanted
	};
	struct netaddr client = { .family = NETADDR_NONE };
	size_t i;

	if (n != conf->n_keys)
		return (err_set(e, ERR_FORMAT, "the key of %s has %zu part%s, not %zu",
		    conf->name, conf->n_keys, conf->n_keys == 1 ? "" : "s", n));
	for (i = 0; i < n; i++)
		if (!put_value(&subject, &client, conf->keys[i].kind, values[i]))
			return (err_set(e, ERR_FORMAT, "\"%.*s\" is no %s",
			    SPAN_FMT(values[i]), conf->key.v[i]));
	if (client.family == NETADDR_IP6)
		client = netaddr_cut(&client, 32, limits->keys.ipv6_prefix);
	key_make(&key_r->key, &limits->keys, conf, &subject);
	return (ERR_OK);
}

/* --- here ----------------------------------------------------------------- */

void
inspect_here(struct limits *limits, const struct inspect_key *key, int64_t now_us,
    struct inspect_here *here_r)
{
	struct bucket_rate rate = limit_of(limits, key->limit)->rate;
	struct bucket_answer answer;
	struct table_entry *e;

	memset(here_r, 0, sizeof(*here_r));
	here_r->remaining = rate.burst;
	if (limits->service != NULL)
		bucket_rate_share(&rate, &limit_of(limits, key->limit)->rate,
		    atomic_load(&limits->nodes));
	e = table_enter(limits->table, key_hash(&limits->keys, &key->key), now_us);
	if (e == NULL)
		return;
	bucket_take(&e->bucket, &rate, now_us, 0, 0, &answer);
	here_r->remaining = answer.remaining;
	here_r->reset_us = answer.reset_us;
	here_r->lease = lease_in_hand(e, now_us);
	if (e->denied_until_us > now_us)
		here_r->denied_us = e->denied_until_us - now_us;
	table_leave(limits->table, e);
}

/* A trip that is under way stays so: the tokens that it brings are debited. */
void
inspect_forget(struct limits *limits, const struct inspect_key *key, int64_t now_us)
{
	struct table_entry *e;

	e = table_enter(limits->table, key_hash(&limits->keys, &key->key), now_us);
	if (e == NULL)
		return;
	memset(&e->bucket, 0, sizeof(e->bucket));
	e->denied_until_us = e->denied_reset_us = 0;
	e->denied_alone = false;
	e->lease = 0;
	e->forgotten_us = now_us;
	table_leave(limits->table, e);
}

/* --- in Redis ------------------------------------------------------------- */

bool
inspect_ask(struct limits *limits, struct redis *redis, struct redis_ask *ask,
    const struct inspect_key *key)
{
	struct trip_args args;

	trip_args(
	    &args, &limits->conf->redis, &limit_of(limits, key->limit)->rate, &only_look);
	return (redis_call(
	    redis, ask, &ratelimit_bucket, key_in_redis(&key->key), args.v, TRIP_ARGS));
}

const char *
inspect_read(const struct limits *limits, const struct inspect_key *key,
    const struct redis_ask *ask, const struct redis_value *v,
    struct bucket_answer *answer_r)
{
	if (v != NULL &&
	    trip_read(v, &limit_of(limits, key->limit)->rate, &only_look, answer_r))
		return (NULL);
	return (trip_fault(ask, v));
}

bool
inspect_erase(struct redis *redis, struct redis_ask *ask, const struct inspect_key *key)
{
	const struct span argv[] = { SPAN("DEL"), key_in_redis(&key->key) };

	return (redis_send(redis, ask, argv[1], argv, 2));
}
