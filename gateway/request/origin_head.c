/* SPDX-License-Identifier: Apache-2.0 */
/* The head that an origin gets. */
#include "config.h"

#include "gateway/request/origin_head.h"

#include "gateway/http/write.h"
#include "gateway/request/caching.h"
#include "gateway/request/origin_choice.h"
#include "gateway/request/request.h"

/* Fields that are Yett's to say; a client's are dropped. */
static const enum http_field_id OURS[] = {
	HTTP_HOST,
	HTTP_CONTENT_LENGTH,
	HTTP_TRANSFER_ENCODING,
	HTTP_EXPECT,
	HTTP_FORWARDED,
	HTTP_X_FORWARDED_FOR,
	HTTP_X_FORWARDED_HOST,
	HTTP_X_FORWARDED_PROTO,
	HTTP_X_REQUEST_ID,
	HTTP_VIA,
};

static bool
is_ours(enum http_field_id id)
{
	size_t i;

	for (i = 0; i < sizeof(OURS) / sizeof(OURS[0]); i++)
		if (OURS[i] == id)
			return (true);
	return (false);
}

/* Fields by which proxies speak for a client, or that programs take for such
 * ("Proxy" becomes HTTP_PROXY in CGI). Who the client is was decided here, and is told
 * in X-Forwarded-For and Forwarded; from anybody else it is a claim, and those whom
 * Yett believed spoke to Yett. */
static const struct span speakers[] = {
	SPAN("cf-connecting-ip"),
	SPAN("client-ip"),
	SPAN("fastly-client-ip"),
	SPAN("proxy"),
	SPAN("true-client-ip"),
	SPAN("x-client-ip"),
	SPAN("x-cluster-client-ip"),
	SPAN("x-real-ip"),
};

static bool
speaks_for_client(struct span name)
{
	size_t i;

	for (i = 0; i < sizeof(speakers) / sizeof(speakers[0]); i++)
		if (span_eq_nocase(name, speakers[i]))
			return (true);
	return (span_eq_nocase(span_cut(name, 0, 12), SPAN("x-forwarded-")) ||
		span_eq_nocase(span_cut(name, 0, 6), SPAN("x-geo-")));
}

/* "X_Forwarded_For" is not the field X-Forwarded-For, but CGI-like origins turn
 * both into the same variable: a client must not speak for Yett that way, nor say to
 * the origin what rules and cache take for another field. Names longer than any of
 * ours come back cut off. */
static struct span
name_for_cgi(struct span name, char plain[64])
{
	size_t i;

	name = span_cut(name, 0, 64);
	for (i = 0; i < name.n; i++)
		plain[i] = name.p[i] == '_' ? '-' : name.p[i];
	return (span_mem(plain, name.n));
}

static bool
is_refused(const struct request *req, const struct http_field *f)
{
	char plain[64], believed[64];
	struct span name, header;

	if (is_ours(f->id) || (f->id == HTTP_CONTENT_ENCODING && req->http.unpacked))
		return (true);
	if (f->id != HTTP_OTHER)
		return (false);
	name = name_for_cgi(f->name, plain);
	header = span_of(req->snap->conf->identity.header);
	return (http_field_id(name) != HTTP_OTHER || speaks_for_client(name) ||
		span_eq_nocase(name, name_for_cgi(header, believed)));
}

/* Is the field, a client's or ours, not one that the operator changes? */
static bool
is_kept(const struct request *req, struct span name)
{
	const struct changes *changes;

	changes = req->place->request_changes;
	return (changes == NULL || !changes_takes(changes, name));
}

static void
put_ours(
    const struct request *req, struct text *head, struct span name, struct span value)
{
	if (is_kept(req, name))
		http_put_field(head, name, value);
}

/* Fields by which some frameworks are told another path than the one in the key, or
 * an origin what the cache in front of it can do. */
static const struct span rewriters[] = { SPAN("surrogate-capability"),
	SPAN("x-original-url"), SPAN("x-rewrite-url") };

static bool
rewrites(struct span name)
{
	char plain[64];
	size_t i;

	name = name_for_cgi(name, plain);
	for (i = 0; i < sizeof(rewriters) / sizeof(rewriters[0]); i++)
		if (span_eq_nocase(name, rewriters[i]))
			return (true);
	return (false);
}

/* A stored answer is for everybody: what the key does not have must not change it,
 * and conditions and parts are answered from the whole. */
static bool
is_for_us(const struct request *req, const struct http_field *f)
{
	if (req->caching.place == NULL)
		return (false);
	if (f->id == HTTP_OTHER || f->id == HTTP_SURROGATE_CAPABILITY)
		return (rewrites(f->name));
	return (caching_rewrites(req) &&
		(f->id == HTTP_IF_NONE_MATCH || f->id == HTTP_IF_MODIFIED_SINCE ||
		    f->id == HTTP_RANGE || f->id == HTTP_IF_RANGE));
}

static bool
wants_plain_answer(const struct request *req)
{
	return (
	    request_is_inspected(req) && req->place->policy->response_body.inspect > 0);
}

static void
put_three(struct text *head, struct span a, struct span b, struct span c)
{
	text_put(head, a);
	text_put(head, b);
	text_put(head, c);
}

/* The codings that a key tells apart, and no others: an answer in another one would be
 * given to clients that can't read it. */
static void
put_codings(const struct request *req, struct text *head)
{
	unsigned codings;

	codings = cache_codings(&req->http.fields, req->caching.place->vary.codings);
	if (codings == 0)
		return;
	text_put(head, SPAN("Accept-Encoding:"));
	if ((codings & CACHE_CODING_ZSTD) != 0)
		text_puts(head, " zstd,");
	if ((codings & CACHE_CODING_BR) != 0)
		text_puts(head, " br,");
	if ((codings & CACHE_CODING_GZIP) != 0)
		text_puts(head, " gzip,");
	head->n--;
	text_put(head, SPAN("\r\n"));
}

static void
put_client_fields(const struct request *req, struct text *head)
{
	const struct http_fields *fields;
	const struct http_field *f;
	struct span sticky;
	uint32_t i;

	fields = &req->http.fields;
	sticky = req->origin.sticky;
	for (i = 0; i < fields->n; i++) {
		f = &fields->v[i];
		if (f->hop_by_hop || is_refused(req, f) || is_for_us(req, f))
			continue;
		if (f->id == HTTP_COOKIE && sticky.p != NULL) {
			if (is_kept(req, f->name))
				origin_choice_put_cookies(head, f->value, sticky);
			continue;
		}
		if (f->id == HTTP_ACCEPT_ENCODING &&
		    (wants_plain_answer(req) || req->caching.admitted))
			continue;
		put_ours(req, head, f->name, f->value);
	}
	if (wants_plain_answer(req))
		text_put(head, SPAN("Accept-Encoding: identity\r\n"));
	else if (req->caching.admitted && is_kept(req, SPAN("Accept-Encoding")))
		put_codings(req, head);
}

static void
put_via(const struct request *req, struct text *head)
{
	const struct http_fields *fields;
	uint32_t i;

	fields = &req->http.fields;
	text_put(head, SPAN("Via: "));
	for (i = 0; i < fields->n; i++)
		if (fields->v[i].id == HTTP_VIA && !fields->v[i].hop_by_hop) {
			text_put(head, fields->v[i].value);
			text_put(head, SPAN(", "));
		}
	text_put(
	    head, req->http.minor == 0 ? SPAN("1.0 yett\r\n") : SPAN("1.1 yett\r\n"));
}

static void
put_forwarded(const struct request *req, struct text *head)
{
	const struct netaddr *client;
	char ip[NETADDR_TEXT_MAX];
	struct span scheme, host;

	client = &req->client;
	scheme = req->http.scheme;
	host = req->http.host_text;
	netaddr_ip_text(client, ip);
	if (client->family != NETADDR_UNIX)
		put_ours(req, head, SPAN("X-Forwarded-For"), span_of(ip));
	put_ours(req, head, SPAN("X-Forwarded-Proto"), scheme);
	if (host.n > 0)
		put_ours(req, head, SPAN("X-Forwarded-Host"), host);
	if (!is_kept(req, SPAN("Forwarded")))
		return;
	text_put(head, SPAN("Forwarded: for="));
	if (client->family == NETADDR_IP6)
		put_three(head, SPAN("\"["), span_of(ip), SPAN("]\""));
	else
		text_puts(head, client->family == NETADDR_UNIX ? "unknown" : ip);
	if (host.n > 0)
		put_three(head, SPAN(";host=\""), host, SPAN("\""));
	put_three(head, SPAN(";proto="), scheme, SPAN("\r\n"));
}

/* Where the client is must not change an answer that others are given, too. */
static void
put_place(struct request *req, struct text *head)
{
	if (!req->snap->conf->geo.headers)
		return;
	request_locate(req);
	if (caching_tells_apart(req, CONF_KEY_COUNTRY))
		put_ours(req, head, SPAN("X-Geo-Country"), span_of(req->geo.country));
	if (req->geo.asn == 0 || !is_kept(req, SPAN("X-Geo-Asn")) ||
	    !caching_tells_apart(req, CONF_KEY_ASN))
		return;
	text_put(head, SPAN("X-Geo-Asn: "));
	text_put_u64(head, req->geo.asn);
	text_put(head, SPAN("\r\n"));
}

static void
put_changes(struct request *req, struct text *head)
{
	if (req->place->request_changes != NULL)
		changes_put(req->place->request_changes, &req->http.fields,
		    request_variables(req), req->conn->has_tls, head);
}

bool
origin_head_is_chunked(const struct request *req)
{
	return (req->http.framing != H1_NO_BODY && !req->origin.length_told);
}

static void
put_framing(const struct request *req, struct text *head)
{
	if (req->http.framing == H1_NO_BODY)
		return;
	if (origin_head_is_chunked(req))
		text_put(head, SPAN("Transfer-Encoding: chunked\r\n"));
	else if (req->http.framing == H1_LENGTH && !req->unpack.on)
		http_put_length(head, req->http.content_length);
	else
		http_put_length(head, spool_bytes(&req->spool) + req->beyond.n);
}

void
origin_head_write(struct request *req, struct text *head)
{
	const struct http_request *http;

	http = &req->http;
	req->origin.length_told = req->unpack.on
				      ? req->unpack.over
				      : req->http.framing == H1_LENGTH || req->body_done;
	text_reset(head);
	text_put(head, http->method);
	text_putc(head, ' ');
	text_put(head, http->target.asterisk ? SPAN("*") : http->target.path);
	if (req->caching.admitted) {
		(void)caching_put_query(req, head);
	} else if (http->target.has_query) {
		text_putc(head, '?');
		text_put(head, http->target.query);
	}
	text_put(head, SPAN(" HTTP/1.1\r\n"));
	http_put_field(head, SPAN("Host"), http->host_text);
	put_client_fields(req, head);
	caching_put_conditions(req, head);
	if (req->caching.place != NULL)
		put_ours(req, head, SPAN("Surrogate-Capability"),
		    SPAN(CACHE_SURROGATE "=\"Surrogate/1.0\""));
	put_via(req, head);
	put_forwarded(req, head);
	put_ours(req, head, SPAN("X-Request-Id"), span_of(req->id));
	put_place(req, head);
	put_changes(req, head);
	put_framing(req, head);
	text_put(head, SPAN("\r\n"));
}
