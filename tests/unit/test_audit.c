/* SPDX-License-Identifier: Apache-2.0 */
/* The audit record and the access lines: schema, masking, hostile bytes. */
#include "config.h"

#include "gateway/request/audit.h"

#include "gateway/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#define FIELDS 120

static const char *words[] = { "password", "passwd", "token", "secret", "authorization",
	"cookie", "set-cookie" };

/* A record with all there is. */
struct full {
	struct record r;
	struct record_limit limit;
	struct http_request request;
	struct http_field fields[FIELDS];
	struct netaddr client;
	struct tls_info tls;
	struct waf_verdict waf;
	struct waf_hit hits[4];
	struct span tags[2];
};

static struct mask *mask;
static struct text out;

static int
setup(void **state)
{
	struct conf_strings all = { words, sizeof(words) / sizeof(words[0]) };

	(void)state;
	mask = mask_new(&all);
	text_init(&out, 1 << 20);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	mask_free(&mask);
	text_free(&out);
	return (0);
}

static void
fill_request(struct full *f)
{
	struct http_request *rq = &f->request;

	rq->protocol = SPAN("HTTP/1.1");
	rq->method = SPAN("GET");
	rq->host_text = SPAN("shop.example.com");
	rq->raw_target = SPAN("/a/../search?q=1'&token=hunter2");
	rq->target.path = SPAN("/search");
	rq->target.query = SPAN("q=1'&token=hunter2");
	rq->target.has_query = true;
	http_fields_init(&rq->fields, f->fields, FIELDS);
	http_fields_add(&rq->fields, SPAN("Host"), SPAN("shop.example.com"));
	http_fields_add(&rq->fields, SPAN("User-Agent"), SPAN("curl/8.0 \"quoted\""));
	http_fields_add(
	    &rq->fields, SPAN("Referer"), SPAN("https://x/?password=hunter2"));
	http_fields_add(&rq->fields, SPAN("Cookie"), SPAN("sid=hunter2"));
	http_fields_add(&rq->fields, SPAN("Authorization"), SPAN("Bearer hunter2"));
	http_fields_add(&rq->fields, SPAN("X-Api-Token"), SPAN("hunter2"));
}

static void
fill_waf(struct full *f)
{
	f->tags[0] = SPAN("attack-sqli");
	f->tags[1] = SPAN("paranoia-level/1");
	f->hits[0] = (struct waf_hit){ .id = 942100,
		.message = SPAN("SQL Injection Attack Detected via libinjection"),
		.severity = 2,
		.phase = 2,
		.score = 5,
		.variable = SPAN("ARGS:q"),
		.value = SPAN("1'"),
		.tags = f->tags,
		.n_tags = 2 };
	f->hits[1] = f->hits[0];
	f->hits[1].variable = SPAN("ARGS:token");
	f->hits[1].value = SPAN("hunter2");
	f->hits[2] = f->hits[0];
	f->hits[2].variable = SPAN("TX:1");
	f->hits[2].value = SPAN("hunter2");
	f->hits[3] = (struct waf_hit){ .id = 949110,
		.message = SPAN("Inbound Anomaly Score Exceeded"),
		.severity = 99,
		.phase = 2,
		.variable = SPAN("") };
	f->waf.score = 15;
	f->waf.threshold = 5;
	f->waf.paranoia = 1;
	f->waf.refuse = true;
	f->waf.status = 403;
	f->waf.hits = f->hits;
	f->waf.n_hits = 4;
	f->waf.n_hits_lost = 2;
}

static void
fill(struct full *f)
{
	memset(f, 0, sizeof(*f));
	fill_request(f);
	fill_waf(f);
	assert_true(netaddr_parse_ip(&f->client, SPAN("192.0.2.7")));
	f->client.port = 41234;
	f->limit = (struct record_limit){ .name = "login",
		.rate = "5/m",
		.key = SPAN("login|192.0.2.7"),
		.retry_after = 12 };
	f->tls.version = "TLSv1.3";
	f->tls.cipher = "TLS_AES_256_GCM_SHA384";
	f->tls.sni = SPAN("shop.example.com");
	f->r = (struct record){ .time_us = INT64_C(1769862896123456),
		.id = "01ARZ3NDEKTSV4RRFFQ69G5FAV",
		.reason = "waf",
		.detail = "inbound score",
		.blocked = true,
		.status = 403,
		.client = &f->client,
		.country = "NL",
		.asn = 64500,
		.user = "frank",
		.limit = &f->limit,
		.tls = &f->tls,
		.request = &f->request,
		.body_bytes = 10,
		.inspected_bytes = 9,
		.site = "shop.example.com",
		.route = "/",
		.policy = "default",
		.waf = &f->waf,
		.duration_us = 1500,
		.node = "gw1",
		.sent_bytes = 800,
		.origin = "10.0.0.1:80",
		.origin_us = 900,
		.cache = "miss",
		.waf_us = 400 };
}

static json_t *
parse_out(void)
{
	json_error_t error;
	json_t *json =
	    json_loadb(out.p, out.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

	if (json == NULL)
		fail_msg("%s: %.*s", error.text, SPAN_FMT(text_span(&out)));
	assert_int_equal(span_index(text_span(&out), '\n'), SIZE_MAX);
	return (json);
}

/* "waf.rules.0.id" */
static const json_t *
at(const json_t *json, const char *path)
{
	char piece[64];
	size_t n;

	for (; json != NULL && *path != '\0'; path += n + (path[n] == '.')) {
		n = strcspn(path, ".");
		(void)snprintf(piece, sizeof(piece), "%.*s", (int)n, path);
		if (json_is_array(json))
			json = json_array_get(json, (size_t)strtoul(piece, NULL, 10));
		else
			json = json_object_get(json, piece);
	}
	return (json);
}

struct want {
	const char *path, *text; /* NULL: null; "#n": a number; else text */
};

static void
expect(const json_t *json, const struct want *rows, size_t n)
{
	const json_t *v;
	char number[32];
	size_t i;

	for (i = 0; i < n; i++) {
		v = at(json, rows[i].path);
		if (v == NULL)
			fail_msg("%s is not there", rows[i].path);
		if (rows[i].text == NULL) {
			if (!json_is_null(v))
				fail_msg("%s is not null", rows[i].path);
		} else if (rows[i].text[0] == '#') {
			(void)snprintf(number, sizeof(number), "#%lld",
			    (long long)json_integer_value(v));
			assert_string_equal(number, rows[i].text);
		} else {
			assert_true(json_is_string(v));
			assert_string_equal(json_string_value(v), rows[i].text);
		}
	}
}

static void
test_audit_record(void **state)
{
	static const struct want rows[] = {
		{ "time", "2026-01-31T12:34:56.123456Z" },
		{ "id", "01ARZ3NDEKTSV4RRFFQ69G5FAV" },
		{ "reason", "waf" },
		{ "action", "blocked" },
		{ "status", "#403" },
		{ "detail", "inbound score" },
		{ "client.address", "192.0.2.7" },
		{ "client.port", "#41234" },
		{ "client.country", "NL" },
		{ "client.asn", "#64500" },
		{ "tls.version", "TLSv1.3" },
		{ "tls.cipher", "TLS_AES_256_GCM_SHA384" },
		{ "tls.sni", "shop.example.com" },
		{ "request.protocol", "HTTP/1.1" },
		{ "request.method", "GET" },
		{ "request.host", "shop.example.com" },
		{ "request.path", "/search" },
		{ "request.query", "q=1'&token=***" },
		{ "request.fields.1.name", "User-Agent" },
		{ "request.fields.1.value", "curl/8.0 \"quoted\"" },
		{ "request.fields.2.value", "https://x/?password=***" },
		{ "request.fields.3.value", "sid=***" },
		{ "request.fields.4.value", "Bearer ***" },
		{ "request.fields.5.value", "***" },
		{ "request.fields_lost", "#0" },
		{ "request.body_bytes", "#10" },
		{ "request.inspected_bytes", "#9" },
		{ "site", "shop.example.com" },
		{ "route", "/" },
		{ "policy", "default" },
		{ "waf.score", "#15" },
		{ "waf.threshold", "#5" },
		{ "waf.paranoia", "#1" },
		{ "waf.rules.0.id", "#942100" },
		{ "waf.rules.0.message",
		    "SQL Injection Attack Detected via libinjection" },
		{ "waf.rules.0.severity", "CRITICAL" },
		{ "waf.rules.0.phase", "#2" },
		{ "waf.rules.0.score", "#5" },
		{ "waf.rules.0.variable", "ARGS:q" },
		{ "waf.rules.0.value", "1'" },
		{ "waf.rules.0.tags.1", "paranoia-level/1" },
		{ "waf.rules.1.variable", "ARGS:token" },
		{ "waf.rules.1.value", "***" },
		{ "waf.rules.2.variable", "TX:1" },
		{ "waf.rules.2.value", "***" },
		{ "waf.rules.3.severity", NULL },
		{ "waf.rules.3.value", NULL },
		{ "waf.rules_lost", "#2" },
		{ "limit.name", "login" },
		{ "limit.key", "login|192.0.2.7" },
		{ "limit.rate", "5/m" },
		{ "limit.retry_after", "#12" },
		{ "origin", "10.0.0.1:80" },
		{ "duration_us", "#1500" },
		{ "node", "gw1" },
	};
	struct full f;
	json_t *json;

	(void)state;
	fill(&f);
	text_reset(&out);
	audit_record(&out, &f.r, mask);
	json = parse_out();
	expect(json, rows, sizeof(rows) / sizeof(rows[0]));
	assert_true(json_is_false(at(json, "aborted")));
	assert_int_equal(json_object_size(json), 18);
	json_decref(json);
	/* an anonymous value is shown where nothing secret matched */
	f.hits[1].variable = SPAN("ARGS:q");
	f.hits[1].value = SPAN("x");
	f.hits[2].value = SPAN("1=1");
	f.r.blocked = false;
	f.client.port = 0; /* named by a field without one */
	text_reset(&out);
	audit_record(&out, &f.r, mask);
	json = parse_out();
	assert_true(json_is_null(at(json, "client.port")));
	assert_string_equal(json_string_value(at(json, "waf.rules.2.value")), "1=1");
	assert_string_equal(json_string_value(at(json, "action")), "detected");
	json_decref(json);
}

static void
test_absent_is_null(void **state)
{
	static const struct want rows[] = {
		{ "reason", "protocol" },
		{ "status", NULL },
		{ "detail", NULL },
		{ "client.address", NULL },
		{ "client.port", NULL },
		{ "tls", NULL },
		{ "request.protocol", NULL },
		{ "request.method", NULL },
		{ "request.host", NULL },
		{ "request.path", NULL },
		{ "request.query", NULL },
		{ "site", NULL },
		{ "route", NULL },
		{ "policy", NULL },
		{ "waf", NULL },
		{ "limit", NULL },
		{ "origin", NULL },
		{ "node", NULL },
	};
	struct http_request empty;
	struct record r;
	json_t *json;

	(void)state;
	memset(&empty, 0, sizeof(empty));
	memset(&r, 0, sizeof(r));
	r.reason = "protocol";
	r.id = "x";
	r.request = &empty;
	text_reset(&out);
	audit_record(&out, &r, mask);
	json = parse_out();
	expect(json, rows, sizeof(rows) / sizeof(rows[0]));
	assert_int_equal(json_object_size(json), 18);
	json_decref(json);
	r.request = NULL;
	text_reset(&out);
	audit_record(&out, &r, mask);
	json = parse_out();
	assert_true(json_is_null(at(json, "request")));
	json_decref(json);
	text_reset(&out);
	access_record_json(&out, &r, mask);
	json = parse_out();
	assert_true(json_is_null(at(json, "path")));
	json_decref(json);
	text_reset(&out);
	access_record_combined(&out, &r, mask);
	assert_true(span_eq(text_span(&out),
	    SPAN("- - - [01/Jan/1970:00:00:00 +0000] \"-\" 000 0 \"-\" \"-\"")));
}

/* The parser refused it before there was a canonical form. */
static void
test_raw_target_of_a_refused_request(void **state)
{
	static const struct {
		struct span raw;
		const char *path, *query;
	} rows[] = {
		{ { "/a%zz?token=hunter2&b=1", 23 }, "/a%zz", "token=***&b=1" },
		{ { "http://u:hunter2@h/a", 20 }, "http://***@h/a", NULL },
		{ { "/a;token=hunter2", 16 }, "/a;token=***", NULL },
		{ { "/a?", 3 }, "/a", "" },
		{ { "", 0 }, "", NULL },
	};
	struct full f;
	json_t *json;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fill(&f);
		f.request.target.path = SPAN_NONE;
		f.request.host_text = SPAN_NONE;
		f.request.raw_target = rows[i].raw;
		text_reset(&out);
		audit_record(&out, &f.r, mask);
		json = parse_out();
		assert_string_equal(
		    json_string_value(at(json, "request.path")), rows[i].path);
		if (rows[i].query == NULL)
			assert_true(json_is_null(at(json, "request.query")));
		else
			assert_string_equal(
			    json_string_value(at(json, "request.query")), rows[i].query);
		assert_string_equal(
		    json_string_value(at(json, "request.host")), "shop.example.com");
		json_decref(json);
	}
}

static void
test_access_json(void **state)
{
	static const struct want rows[] = {
		{ "time", "2026-01-31T12:34:56.123456Z" },
		{ "id", "01ARZ3NDEKTSV4RRFFQ69G5FAV" },
		{ "client", "192.0.2.7" },
		{ "country", "NL" },
		{ "asn", "#64500" },
		{ "user", "frank" },
		{ "method", "GET" },
		{ "host", "shop.example.com" },
		{ "path", "/search" },
		{ "query", "q=1'&token=***" },
		{ "protocol", "HTTP/1.1" },
		{ "status", "#403" },
		{ "bytes", "#800" },
		{ "duration_us", "#1500" },
		{ "origin", "10.0.0.1:80" },
		{ "origin_us", "#900" },
		{ "cache", "miss" },
		{ "waf_us", "#400" },
		{ "user_agent", "curl/8.0 \"quoted\"" },
		{ "referer", "https://x/?password=***" },
		{ "tls", "TLSv1.3" },
		{ "site", "shop.example.com" },
		{ "route", "/" },
		{ "reason", "waf" },
	};
	struct full f;
	json_t *json;

	(void)state;
	fill(&f);
	f.r.aborted = true;
	text_reset(&out);
	access_record_json(&out, &f.r, mask);
	json = parse_out();
	expect(json, rows, sizeof(rows) / sizeof(rows[0]));
	assert_true(json_is_true(at(json, "aborted")));
	assert_int_equal(json_object_size(json), 25);
	json_decref(json);
}

static void
test_access_combined(void **state)
{
	struct full f;

	(void)state;
	fill(&f);
	text_reset(&out);
	access_record_combined(&out, &f.r, mask);
	if (!span_eq(text_span(&out),
		SPAN("192.0.2.7 - frank [31/Jan/2026:12:34:56 +0000] "
		     "\"GET /a/../search?q=1'&token=*** HTTP/1.1\" 403 800 "
		     "\"https://x/?password=***\" \"curl/8.0 \\x22quoted\\x22\"")))
		fail_msg("%.*s", SPAN_FMT(text_span(&out)));
	f.r.user = "a b\"";
	f.request.raw_target = SPAN("/\"\\\x01\n\xff");
	f.request.fields.n = 0;
	memset(f.request.fields.count, 0, sizeof(f.request.fields.count));
	text_reset(&out);
	access_record_combined(&out, &f.r, mask);
	if (!span_eq(text_span(&out),
		SPAN("192.0.2.7 - a\\x20b\\x22 [31/Jan/2026:12:34:56 +0000] "
		     "\"GET /\\x22\\x5C\\x01\\x0A\\xFF HTTP/1.1\" 403 800 \"-\" \"-\"")))
		fail_msg("%.*s", SPAN_FMT(text_span(&out)));
}

static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8);
}

static struct span
noise(uint32_t *seed, char *mem, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		mem[i] = (char)next_random(seed);
	return (span_mem(mem, n));
}

static void
test_hostile_bytes(void **state)
{
	static char mem[8][6000];
	struct full f;
	uint32_t seed = 7;
	size_t i, k;

	(void)state;
	for (i = 0; i < 300; i++) {
		fill(&f);
		f.request.method = noise(&seed, mem[0], i);
		f.request.host_text = noise(&seed, mem[1], i * 2);
		f.request.target.path = noise(&seed, mem[2], i * 19);
		f.request.target.query = noise(&seed, mem[3], i * 19);
		f.request.raw_target = f.request.target.path;
		http_fields_add(&f.request.fields, noise(&seed, mem[4], i),
		    noise(&seed, mem[5], i * 19));
		f.hits[0].value = noise(&seed, mem[6], i * 3);
		f.hits[0].variable = f.hits[0].message = noise(&seed, mem[7], i);
		text_reset(&out);
		audit_record(&out, &f.r, mask);
		json_decref(parse_out());
		assert_true(utf8_is_valid(text_span(&out)));
		text_reset(&out);
		access_record_json(&out, &f.r, mask);
		json_decref(parse_out());
		text_reset(&out);
		access_record_combined(&out, &f.r, mask);
		for (k = 0; k < out.n; k++)
			assert_in_range(out.p[k], 0x20, 0x7e);
	}
}

static void
test_long_values_are_cut(void **state)
{
	static char mem[9000];
	struct full f;
	json_t *json;
	const char *text;
	size_t i;

	(void)state;
	fill(&f);
	/* two-byte characters: the cut must not fall between */
	mem[0] = 'x';
	for (i = 1; i + 1 < sizeof(mem); i += 2)
		memcpy(mem + i, "\xc3\xa9", 2);
	f.request.target.path = span_mem(mem, 8999);
	for (i = f.request.fields.n; i < 110; i++)
		http_fields_add(&f.request.fields, SPAN("X"), SPAN("y"));
	text_reset(&out);
	audit_record(&out, &f.r, mask);
	json = parse_out();
	text = json_string_value(at(json, "request.path"));
	assert_int_equal(strlen(text), 4095 + 3);
	assert_string_equal(text + 4093, "\xc3\xa9...");
	assert_int_equal(json_array_size(at(json, "request.fields")), 100);
	assert_int_equal(json_integer_value(at(json, "request.fields_lost")), 10);
	json_decref(json);
	/* masking makes it longer than the buffer */
	for (i = 0; i + 6 < sizeof(mem); i += 7)
		memcpy(mem + i, "token=&", 7);
	f.request.target.query = span_mem(mem, 8995);
	text_reset(&out);
	audit_record(&out, &f.r, mask);
	json_decref(parse_out());
	/* a secret that is cut */
	memset(mem, 'a', sizeof(mem));
	memcpy(mem, "b=1&password=", 13);
	f.request.target.query = span_mem(mem, 8995);
	text_reset(&out);
	audit_record(&out, &f.r, mask);
	json = parse_out();
	assert_string_equal(
	    json_string_value(at(json, "request.query")), "b=1&password=***...");
	json_decref(json);
	/* the secret word was cut off the variable */
	memset(mem, 'a', 300);
	memcpy(mem, "ARGS:", 5);
	f.hits[0].variable = span_mem(mem, 256);
	text_reset(&out);
	audit_record(&out, &f.r, mask);
	json = parse_out();
	assert_string_equal(json_string_value(at(json, "waf.rules.0.value")), "***");
	json_decref(json);
}

static void
test_record_that_does_not_fit(void **state)
{
	static char mem[4000];
	struct full f;
	struct text small;
	json_t *json;
	json_error_t error;
	int i;

	(void)state;
	fill(&f);
	memset(mem, 1, sizeof(mem));
	for (i = 0; i < 20; i++)
		http_fields_add(&f.request.fields, SPAN("X"), span_mem(mem, sizeof(mem)));
	text_init(&small, 4096);
	audit_record(&small, &f.r, mask);
	json = json_loadb(small.p, small.n, 0, &error);
	assert_non_null(json);
	assert_int_equal(json_array_size(at(json, "request.fields")), 0);
	assert_int_equal(json_integer_value(at(json, "request.fields_lost")), 26);
	assert_int_equal(json_integer_value(at(json, "waf.rules.0.id")), 942100);
	assert_true(json_is_null(at(json, "waf.rules.0.value")));
	json_decref(json);
	text_free(&small);
	text_init(&small, 100);
	audit_record(&small, &f.r, mask);
	assert_int_equal(small.n, 0);
	text_free(&small);
}

static void
test_no_secret_in_any_record(void **state)
{
	void (*const write[])(
	    struct text *, const struct record *, const struct mask *) = { audit_record,
		access_record_json, access_record_combined };
	struct full f;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		fill(&f);
		text_reset(&out);
		write[i](&out, &f.r, mask);
		if (span_find(text_span(&out), SPAN("hunter2")) != SIZE_MAX)
			fail_msg("%.*s", SPAN_FMT(text_span(&out)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_audit_record),
		cmocka_unit_test(test_absent_is_null),
		cmocka_unit_test(test_raw_target_of_a_refused_request),
		cmocka_unit_test(test_access_json),
		cmocka_unit_test(test_access_combined),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_long_values_are_cut),
		cmocka_unit_test(test_record_that_does_not_fit),
		cmocka_unit_test(test_no_secret_in_any_record),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
