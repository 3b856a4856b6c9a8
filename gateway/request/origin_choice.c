/* SPDX-License-Identifier: Apache-2.0 */
/* What a request says about which server it wants. */
#include "config.h"

#include "gateway/request/origin_choice.h"

#include "gateway/http/lone.h"
#include "gateway/http/write.h"
#include "gateway/request/request.h"

/* Who has no such value, or two that differ, goes by where he is. */
static struct span
hash_value(const struct request *req, const struct conf_key *key)
{
	struct span value;

	value = SPAN_NONE;
	switch (key->kind) {
	case CONF_KEY_PATH: return (req->http.target.decoded);
	case CONF_KEY_HEADER:
		if (!http_lone_field(&req->http.fields, span_of(key->name), &value))
			value = SPAN_NONE;
		break;
	case CONF_KEY_COOKIE:
		if (!http_lone_cookie(&req->http.fields, span_of(key->name), &value))
			value = SPAN_NONE;
		break;
	default: break;
	}
	if (value.p == NULL)
		value = span_mem(req->client_key.ip, sizeof(req->client_key.ip));
	return (value);
}

void
origin_choice_fill(struct request *req)
{
	const struct conf_pool *pool;
	struct upstream_ask *ask;
	struct span name;

	ask = &req->origin.ask;
	pool = upstream_pool_conf(req->place->pool);
	if (pool->balance == CONF_CONSISTENT_HASH)
		ask->hash = upstream_pool_hash(
		    req->place->pool, hash_value(req, &pool->hash_key));
	if (pool->sticky.cookie[0] == '\0')
		return;
	name = req->origin.sticky = span_of(pool->sticky.cookie);
	if (!http_lone_cookie(&req->http.fields, name, &ask->cookie))
		ask->cookie = SPAN_NONE;
}

void
origin_choice_put_cookies(struct text *head, struct span value, struct span name)
{
	struct span pair, rest, key;
	bool began;

	began = false;
	while (span_split(&value, ';', &pair)) {
		rest = pair = span_trim(pair);
		(void)span_split(&rest, '=', &key);
		if (pair.n == 0 || span_eq(span_trim(key), name))
			continue;
		text_put(head, began ? SPAN("; ") : SPAN("Cookie: "));
		text_put(head, pair);
		began = true;
	}
	if (began)
		text_put(head, SPAN("\r\n"));
}

void
origin_choice_put_set_cookie(const struct request *req, struct text *head)
{
	const struct exchange *x;

	x = &req->origin;
	if (x->cookie[0] == '\0')
		return;
	text_put(head, SPAN("Set-Cookie: "));
	text_put(head, x->sticky);
	text_putc(head, '=');
	text_puts(head, x->cookie);
	text_put(head, SPAN("; Path=/; HttpOnly; SameSite=Lax"));
	if (span_eq(req->http.scheme, SPAN("https")))
		text_put(head, SPAN("; Secure"));
	text_put(head, SPAN("\r\n"));
}
