/* SPDX-License-Identifier: Apache-2.0 */
/* The audit record and the access line of a request. They are written on a loop
 * for each request, so nothing is allocated but the text: masked values pass
 * through a buffer on the stack. */
#include "config.h"

#include "gateway/request/audit.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/json.h"

/* Bytes of one path, query or field value that are shown. */
#define VALUE_MAX 4096u
#define FIELDS_MAX 100u
#define NAME_MAX 256u
#define METHOD_MAX 64u
#define MESSAGE_MAX 512u
/* Masking can lengthen: "token=&" gains "***" each time. */
#define MASKED_MAX (2 * VALUE_MAX + 64)
#define MORE SPAN("...")

struct writer {
	struct json_out json;
	const struct mask *mask;
	bool brief; /* leave out what is long */
	struct text masked; /* over `memory`: never grows */
	char memory[MASKED_MAX];
};

/* --- masked values --------------------------------------------------------- */

static void
writer_start(struct writer *w, const struct mask *mask)
{
	w->mask = mask;
	w->brief = false;
	memset(&w->masked, 0, sizeof(w->masked));
	w->masked.p = w->memory;
	w->masked.size = sizeof(w->memory);
	w->masked.limit = sizeof(w->memory);
}

/* The front of a long value, whole characters; empties the buffer. Cutting
 * comes before masking: a secret that is cut is still behind its name. */
static struct span
front(struct writer *w, struct span s)
{
	size_t n = VALUE_MAX;

	w->masked.n = 0;
	w->masked.overflow = false;
	if (s.n <= VALUE_MAX)
		return (s);
	while (n > VALUE_MAX - 4 && ((uint8_t)s.p[n] & 0xc0) == 0x80)
		n--;
	return (span_cut(s, 0, n));
}

/* What was masked, "..." behind it when `s` was cut. */
static struct span
masked_text(struct writer *w, struct span s)
{
	if (s.n > VALUE_MAX || w->masked.overflow) {
		w->masked.overflow = false;
		if (w->masked.n > w->masked.limit - MORE.n)
			w->masked.n = w->masked.limit - MORE.n;
		text_put(&w->masked, MORE);
	}
	return (text_span(&w->masked));
}

static struct span
masked_path(struct writer *w, struct span path)
{
	if (path.p == NULL)
		return (SPAN_NONE);
	mask_path(w->mask, front(w, path), &w->masked);
	return (masked_text(w, path));
}

static struct span
masked_query(struct writer *w, struct span query)
{
	if (query.p == NULL)
		return (SPAN_NONE);
	mask_query(w->mask, front(w, query), &w->masked);
	return (masked_text(w, query));
}

static struct span
masked_field(struct writer *w, struct span name, struct span value)
{
	if (value.p == NULL)
		return (SPAN_NONE);
	mask_field(w->mask, name, front(w, value), &w->masked);
	return (masked_text(w, value));
}

/* A target as sent: it may be of absolute form, or none at all. */
static struct span
masked_target(struct writer *w, struct span target)
{
	if (target.p == NULL)
		return (SPAN_NONE);
	mask_variable(w->mask, SPAN("REQUEST_URI"), front(w, target), &w->masked);
	return (masked_text(w, target));
}

/* --- what both records hold ------------------------------------------------ */

/* Names and short texts: long ones are somebody's mischief. */
static void
pair_cut(struct json_out *j, const char *key, struct span s, size_t max)
{
	json_key(j, key);
	if (s.p == NULL)
		json_put_null(j);
	else
		json_put_string_cut(j, s, max);
}

static void
pair_bool(struct json_out *j, const char *key, bool value)
{
	json_key(j, key);
	json_put_bool(j, value);
}

static void
pair_status(struct json_out *j, uint16_t status)
{
	json_key(j, "status");
	if (status == 0)
		json_put_null(j);
	else
		json_put_int(j, status);
}

static void
pair_time(struct json_out *j, int64_t time_us)
{
	char text[CLOCK_RFC3339_MAX];

	json_pair(j, "time", span_mem(text, clock_rfc3339(time_us, text)));
}

static struct span
request_host(const struct http_request *request)
{
	if (request->host_text.p != NULL)
		return (request->host_text);
	return (http_fields_value(&request->fields, HTTP_HOST));
}

/* Path and query. A request that the parser refused has but its raw target. */
static void
pairs_target(struct writer *w, const struct http_request *request)
{
	const struct uri_target *target = &request->target;
	struct span raw = request->raw_target;
	size_t question;

	if (target->path.p != NULL) {
		json_pair(&w->json, "path", masked_path(w, target->path));
		json_pair(&w->json, "query",
		    target->has_query ? masked_query(w, target->query) : SPAN_NONE);
		return;
	}
	question = span_index(raw, '?');
	json_pair(&w->json, "path",
	    raw.p == NULL ? raw : masked_target(w, span_cut(raw, 0, question)));
	json_pair(&w->json, "query",
	    question == SIZE_MAX ? SPAN_NONE
				 : masked_query(w, span_cut(raw, question + 1, raw.n)));
}

/* --- the audit record ------------------------------------------------------ */

static void
pair_number(struct json_out *j, const char *key, uint32_t number)
{
	json_key(j, key);
	if (number == 0)
		json_put_null(j);
	else
		json_put_int(j, number);
}

static void
put_client(struct json_out *j, const struct record *r)
{
	const struct netaddr *client = r->client;
	char text[NETADDR_TEXT_MAX];

	json_key(j, "client");
	json_object_begin(j);
	json_pair(j, "address",
	    client != NULL ? span_of(netaddr_ip_text(client, text)) : SPAN_NONE);
	/* fields of proxies rarely tell one */
	pair_number(j, "port",
	    client != NULL && client->family != NETADDR_UNIX ? client->port : 0);
	json_pair(j, "country", span_of(r->country));
	pair_number(j, "asn", r->asn);
	json_object_end(j);
}

static void
put_tls(struct json_out *j, const struct tls_info *tls)
{
	json_key(j, "tls");
	if (tls == NULL) {
		json_put_null(j);
		return;
	}
	json_object_begin(j);
	json_pair(j, "version", span_of(tls->version));
	json_pair(j, "cipher", span_of(tls->cipher));
	pair_cut(j, "sni", tls->sni, NAME_MAX);
	json_object_end(j);
}

static void
put_fields(struct writer *w, const struct http_fields *fields)
{
	uint32_t i, shown = fields->n < FIELDS_MAX ? fields->n : FIELDS_MAX;
	const struct http_field *field;

	if (w->brief)
		shown = 0;
	json_key(&w->json, "fields");
	json_array_begin(&w->json);
	for (i = 0; i < shown; i++) {
		field = &fields->v[i];
		json_object_begin(&w->json);
		pair_cut(&w->json, "name", field->name, NAME_MAX);
		json_pair(&w->json, "value", masked_field(w, field->name, field->value));
		json_object_end(&w->json);
	}
	json_array_end(&w->json);
	json_pair_int(&w->json, "fields_lost", fields->n - shown);
}

static void
put_request(struct writer *w, const struct record *r)
{
	const struct http_request *request = r->request;

	json_key(&w->json, "request");
	if (request == NULL) {
		json_put_null(&w->json);
		return;
	}
	json_object_begin(&w->json);
	pair_cut(&w->json, "protocol", request->protocol, METHOD_MAX);
	pair_cut(&w->json, "method", request->method, METHOD_MAX);
	pair_cut(&w->json, "host", request_host(request), NAME_MAX);
	pairs_target(w, request);
	put_fields(w, &request->fields);
	json_pair_int(&w->json, "body_bytes", (int64_t)r->body_bytes);
	json_pair_int(&w->json, "inspected_bytes", (int64_t)r->inspected_bytes);
	json_object_end(&w->json);
}

static struct span
severity_text(uint8_t severity)
{
	static const char *const names[] = { "EMERGENCY", "ALERT", "CRITICAL", "ERROR",
		"WARNING", "NOTICE", "INFO", "DEBUG" };

	if (severity >= sizeof(names) / sizeof(names[0]))
		return (SPAN_NONE);
	return (span_of(names[severity]));
}

/* A variable that only repeats what another one held: which one, nobody says. */
static bool
is_anonymous(struct span variable)
{
	return (variable.n == 0 || span_starts(variable, SPAN("MATCHED_VAR")) ||
		(span_starts(variable, SPAN("TX:")) && variable.n > 3 &&
		    variable.p[3] >= '0' && variable.p[3] <= '9'));
}

static bool
has_secret_hit(const struct writer *w, const struct waf_verdict *waf)
{
	uint32_t i;

	for (i = 0; i < waf->n_hits; i++)
		if (mask_is_secret_variable(w->mask, waf->hits[i].variable))
			return (true);
	return (false);
}

static void
put_hit(struct writer *w, const struct waf_hit *hit, bool secret)
{
	struct json_out *j = &w->json;
	struct span front_of;
	uint32_t i;

	json_object_begin(j);
	json_pair_int(j, "id", hit->id);
	pair_cut(j, "message", hit->message, MESSAGE_MAX);
	json_pair(j, "severity", severity_text(hit->severity));
	json_pair_int(j, "phase", hit->phase);
	json_pair_int(j, "score", hit->score);
	front_of = front(w, span_cut(hit->variable, 0, NAME_MAX));
	mask_variable_name(w->mask, front_of, &w->masked);
	json_pair(j, "variable", masked_text(w, front_of));
	if (w->brief || hit->value.p == NULL) {
		json_pair(j, "value", SPAN_NONE);
	} else if ((secret && is_anonymous(hit->variable)) ||
		   hit->variable.n >= NAME_MAX) {
		/* The secret word of a name may be in what was cut off. */
		json_pair(j, "value", SPAN("***"));
	} else {
		front_of = front(w, hit->value);
		mask_variable(w->mask, hit->variable, front_of, &w->masked);
		json_pair(j, "value", masked_text(w, hit->value));
	}
	json_key(j, "tags");
	json_array_begin(j);
	for (i = 0; i < hit->n_tags && !w->brief; i++)
		json_put_string_cut(j, hit->tags[i], NAME_MAX);
	json_array_end(j);
	json_object_end(j);
}

static void
put_waf(struct writer *w, const struct waf_verdict *waf)
{
	struct json_out *j = &w->json;
	bool secret;
	uint32_t i;

	json_key(j, "waf");
	if (waf == NULL) {
		json_put_null(j);
		return;
	}
	json_object_begin(j);
	json_pair_int(j, "score", waf->score);
	json_pair_int(j, "threshold", waf->threshold);
	json_pair_int(j, "paranoia", waf->paranoia);
	json_key(j, "rules");
	json_array_begin(j);
	secret = has_secret_hit(w, waf);
	for (i = 0; i < waf->n_hits; i++)
		put_hit(w, &waf->hits[i], secret);
	json_array_end(j);
	json_pair_int(j, "rules_lost", waf->n_hits_lost);
	json_object_end(j);
}

/* The path may be a part of the key, with what is secret in it. */
static void
put_limit(struct writer *w, const struct record_limit *limit)
{
	struct json_out *j = &w->json;

	json_key(j, "limit");
	if (limit == NULL) {
		json_put_null(j);
		return;
	}
	json_object_begin(j);
	json_pair(j, "name", span_of(limit->name));
	json_pair(j, "key", masked_path(w, limit->key));
	json_pair(j, "rate", span_of(limit->rate));
	json_pair_int(j, "retry_after", limit->retry_after);
	json_object_end(j);
}

static void
put_audit(struct writer *w, struct text *out, const struct record *r)
{
	struct json_out *j = &w->json;

	json_start(j, out);
	json_object_begin(j);
	pair_time(j, r->time_us);
	json_pair(j, "id", span_of(r->id));
	json_pair(j, "reason", span_of(r->reason));
	json_pair(j, "action", r->blocked ? SPAN("blocked") : SPAN("detected"));
	pair_status(j, r->status);
	pair_cut(j, "detail", span_of(r->detail), MESSAGE_MAX);
	put_client(j, r);
	put_tls(j, r->tls);
	put_request(w, r);
	json_pair(j, "site", span_of(r->site));
	json_pair(j, "route", span_of(r->route));
	json_pair(j, "policy", span_of(r->policy));
	put_waf(w, r->waf);
	put_limit(w, r->limit);
	json_pair(j, "origin", span_of(r->origin));
	pair_bool(j, "aborted", r->aborted);
	json_pair_int(j, "duration_us", r->duration_us);
	json_pair(j, "node", span_of(r->node));
	json_object_end(j);
}

void
audit_record(struct text *out, const struct record *r, const struct mask *mask)
{
	size_t before = out->n;
	struct writer w;

	writer_start(&w, mask);
	put_audit(&w, out, r);
	if (!out->overflow)
		return;
	/* Half a record is no record: the short form of it is. */
	out->n = before;
	out->overflow = false;
	w.brief = true;
	put_audit(&w, out, r);
	if (out->overflow)
		out->n = before;
}

/* --- access lines ---------------------------------------------------------- */

static struct span
field_value(const struct record *r, enum http_field_id id)
{
	if (r->request == NULL)
		return (SPAN_NONE);
	return (http_fields_value(&r->request->fields, id));
}

static void
pairs_request(struct writer *w, const struct http_request *request)
{
	static const struct http_request none;

	if (request == NULL)
		request = &none;
	pair_cut(&w->json, "method", request->method, METHOD_MAX);
	pair_cut(&w->json, "host", request_host(request), NAME_MAX);
	pairs_target(w, request);
	pair_cut(&w->json, "protocol", request->protocol, METHOD_MAX);
}

void
access_record_json(struct text *out, const struct record *r, const struct mask *mask)
{
	char address[NETADDR_TEXT_MAX];
	struct json_out *j;
	struct writer w;

	writer_start(&w, mask);
	j = &w.json;
	json_start(j, out);
	json_object_begin(j);
	pair_time(j, r->time_us);
	json_pair(j, "id", span_of(r->id));
	json_pair(j, "client",
	    r->client != NULL ? span_of(netaddr_ip_text(r->client, address)) : SPAN_NONE);
	json_pair(j, "country", span_of(r->country));
	pair_number(j, "asn", r->asn);
	pair_cut(j, "user", span_of(r->user), NAME_MAX);
	pairs_request(&w, r->request);
	pair_status(j, r->status);
	json_pair_int(j, "bytes", (int64_t)r->sent_bytes);
	json_pair_int(j, "duration_us", r->duration_us);
	json_pair(j, "origin", span_of(r->origin));
	json_pair_int(j, "origin_us", r->origin_us);
	json_pair(j, "cache", span_of(r->cache));
	json_pair_int(j, "waf_us", r->waf_us);
	json_pair(j, "user_agent",
	    masked_field(&w, SPAN("user-agent"), field_value(r, HTTP_USER_AGENT)));
	json_pair(j, "referer",
	    masked_field(&w, SPAN("referer"), field_value(r, HTTP_REFERER)));
	json_pair(j, "tls", r->tls != NULL ? span_of(r->tls->version) : SPAN_NONE);
	json_pair(j, "site", span_of(r->site));
	json_pair(j, "route", span_of(r->route));
	json_pair(j, "reason", span_of(r->reason));
	pair_bool(j, "aborted", r->aborted);
	json_object_end(j);
}

/* As nginx and Apache write it: what could break the line becomes \xHH. */
static void
put_escaped(struct text *out, struct span s)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i, done = 0;
	uint8_t c;

	if (s.p == NULL)
		return;
	for (i = 0; i < s.n; i++) {
		c = (uint8_t)s.p[i];
		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			continue;
		text_put(out, span_cut(s, done, i));
		text_put(out, SPAN("\\x"));
		text_putc(out, hex[c >> 4]);
		text_putc(out, hex[c & 15]);
		done = i + 1;
	}
	text_put(out, span_cut(s, done, s.n));
}

static void
put_quoted(struct text *out, struct span s)
{
	text_put(out, SPAN(" \""));
	if (s.n == 0)
		text_putc(out, '-');
	else
		put_escaped(out, s);
	text_putc(out, '"');
}

static void
put_request_line(struct writer *w, struct text *out, const struct http_request *request)
{
	text_put(out, SPAN(" \""));
	if (request == NULL || request->method.n == 0) {
		text_put(out, SPAN("-\""));
		return;
	}
	put_escaped(out, span_cut(request->method, 0, METHOD_MAX));
	text_putc(out, ' ');
	put_escaped(out, masked_target(w, request->raw_target));
	if (request->protocol.n != 0) {
		text_putc(out, ' ');
		put_escaped(out, span_cut(request->protocol, 0, METHOD_MAX));
	}
	text_putc(out, '"');
}

/* "frank" between blanks and the bracket; a blank of its own would split it. */
static void
put_user(struct text *out, const char *user)
{
	struct span rest, part;

	text_put(out, SPAN(" - "));
	rest = span_of(user);
	if (rest.n == 0)
		text_putc(out, '-');
	while (rest.n > 0 && span_split(&rest, ' ', &part)) {
		put_escaped(out, part);
		if (rest.p != NULL)
			text_put(out, SPAN("\\x20"));
	}
	text_put(out, SPAN(" ["));
}

void
access_record_combined(struct text *out, const struct record *r, const struct mask *mask)
{
	char address[NETADDR_TEXT_MAX], time[CLOCK_HTTP_MAX];
	struct writer w;
	struct span value;

	writer_start(&w, mask);
	text_puts(out, r->client != NULL ? netaddr_ip_text(r->client, address) : "-");
	put_user(out, r->user);
	text_put(out, span_mem(time, clock_clf(r->time_us, time)));
	text_putc(out, ']');
	put_request_line(&w, out, r->request);
	text_printf(
	    out, " %03u %llu", (unsigned)r->status, (unsigned long long)r->sent_bytes);
	value = masked_field(&w, SPAN("referer"), field_value(r, HTTP_REFERER));
	put_quoted(out, value);
	value = masked_field(&w, SPAN("user-agent"), field_value(r, HTTP_USER_AGENT));
	put_quoted(out, value);
}
