/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of limits: what they look like, that no two subjects share one, and which
 * secret hashes values. */
#include "config.h"

#include "ratelimit/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY "0123456789abcdef"
#define T20 "aaaaaaaaaaaaaaaaaaaa"
#define T100 T20 T20 T20 T20 T20

static struct span
header_of(void *data, struct span name)
{
	(void)data;
	if (span_eq_nocase(name, SPAN("Authorization")))
		return (SPAN("Bearer s3cret"));
	if (span_eq_nocase(name, SPAN("X-Empty")))
		return (SPAN(""));
	return (SPAN_NONE);
}

static struct span
cookie_of(void *data, struct span name)
{
	(void)data;
	return (span_eq(name, SPAN("session")) ? SPAN("Bearer s3cret") : SPAN_NONE);
}

/* A configuration of one limit that counts by these things. */
static struct conf
conf_of(struct conf_limit *limit, const char *name, struct conf_key *keys, size_t n)
{
	*limit = (struct conf_limit){ .name = name, .keys = keys, .n_keys = n };
	return ((struct conf){
	    .identity = { .ipv6_prefix = 64 },
	    .redis = { .prefix = "yett:", .key_file = "", .password_file = "" },
	    .limits = limit,
	    .n_limits = 1,
	});
}

static void
text_of(char out[LIMITER_KEY_MAX + 1], const struct keys *keys,
    const struct conf_limit *limit, const struct limiter_subject *subject)
{
	struct key key;

	key_make(&key, keys, limit, subject);
	assert_true(key.text_n <= LIMITER_KEY_MAX);
	(void)snprintf(out, LIMITER_KEY_MAX + 1, "%.*s", SPAN_FMT(key_text(&key)));
}

static struct limiter_subject
subject_at(struct netaddr *client, const char *address)
{
	if (address != NULL)
		assert_true(netaddr_parse_ip(client, span_of(address)));
	return ((struct limiter_subject){
	    .client = address != NULL ? client : NULL,
	    .header = header_of,
	    .cookie = cookie_of,
	});
}

/* --- what they look like -------------------------------------------------- */

static void
test_parts(void **state)
{
	static const struct {
		struct conf_key key;
		const char *value, *text;
	} rows[] = {
		{ { CONF_KEY_CLIENT, "" }, "192.0.2.1", "l|192.0.2.1" },
		{ { CONF_KEY_CLIENT, "" }, "2001:db8:1:2::", "l|2001:db8:1:2::/64" },
		{ { CONF_KEY_CLIENT, "" }, NULL, "l|-" },
		{ { CONF_KEY_SITE, "" }, "shop.example", "l|shop.example" },
		{ { CONF_KEY_ROUTE, "" }, "/login", "l|/login" },
		{ { CONF_KEY_ROUTE, "" }, "~ ^/a|b{2}$", "l|~%20^/a%7cb%7b2%7d$" },
		{ { CONF_KEY_PATH, "" }, "/a b|c%d", "l|/a%20b%7cc%25d" },
		{ { CONF_KEY_PATH, "" }, "/{}\r\n\x7f\xc3\xa4",
		    "l|/%7b%7d%0d%0a%7f%c3%a4" },
		{ { CONF_KEY_PATH, "" }, "", "l|" },
		{ { CONF_KEY_PATH, "" }, NULL, "l|-" },
		{ { CONF_KEY_COUNTRY, "" }, "DE", "l|DE" },
		{ { CONF_KEY_COUNTRY, "" }, "unknown", "l|unknown" },
		{ { CONF_KEY_COUNTRY, "" }, NULL, "l|-" },
		{ { CONF_KEY_ASN, "" }, "4294967295", "l|4294967295" },
		{ { CONF_KEY_ASN, "" }, NULL, "l|-" },
		{ { CONF_KEY_HEADER, "X-None" }, NULL, "l|-" },
		{ { CONF_KEY_COOKIE, "other" }, NULL, "l|-" },
		{ { CONF_KEY_PATH, "" }, "-", "l|%2d" },
		{ { CONF_KEY_PATH, "" }, "--", "l|--" },
		{ { CONF_KEY_PATH, "" }, "h:0", "l|%68:0" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct conf_key key = rows[i].key;
		struct span value = span_of(rows[i].value);
		char text[LIMITER_KEY_MAX + 1];
		struct limiter_subject s;
		struct netaddr client;
		struct conf_limit limit;
		struct conf conf = conf_of(&limit, "l", &key, 1);
		struct keys keys;

		assert_int_equal(keys_init(&keys, &conf, false, NULL), ERR_OK);
		s = subject_at(
		    &client, key.kind == CONF_KEY_CLIENT ? rows[i].value : NULL);
		s.site = s.route = s.path = s.country = value;
		if (key.kind == CONF_KEY_ASN && value.p != NULL)
			s.asn = (uint32_t)strtoul(rows[i].value, NULL, 10);
		text_of(text, &keys, &limit, &s);
		assert_string_equal(text, rows[i].text);
	}
}

static void
test_whole(void **state)
{
	struct conf_key parts[] = { { CONF_KEY_CLIENT, "" }, { CONF_KEY_PATH, "" } };
	struct conf_limit limit;
	struct conf conf = conf_of(&limit, "log in", parts, 2);
	struct limits limits = { .magic = LIMITS_MAGIC, .conf = &conf, .n = 1 };
	struct limit one = { .conf = &limit };
	struct netaddr client;
	struct limiter_subject s = subject_at(&client, "192.0.2.1");
	struct key key, other;
	struct table_key hash;
	struct text text;

	(void)state;
	s.path = SPAN("/a");
	limits.all = &one;
	assert_int_equal(keys_init(&limits.keys, &conf, false, NULL), ERR_OK);
	key_make(&key, &limits.keys, &limit, &s);
	assert_true(
	    span_eq(key_in_redis(&key), SPAN("yett:limit:{log%20in|192.0.2.1|/a}")));
	assert_true(span_eq(key_text(&key), SPAN("log%20in|192.0.2.1|/a")));
	text_init(&text, 1000);
	text_puts(&text, "key ");
	limiter_key_text(&limits, 0, &s, &text);
	assert_true(span_eq(text_span(&text), SPAN("key log%20in|192.0.2.1|/a")));
	text_free(&text);
	/* The table's hash is of the text and of nothing else. */
	hash = key_hash(&limits.keys, &key);
	key_make(&other, &limits.keys, &limit, &s);
	assert_true(hash.a == key_hash(&limits.keys, &other).a);
	assert_true(hash.b == key_hash(&limits.keys, &other).b);
	assert_true(hash.a != hash.b);
	s.path = SPAN("/b");
	key_make(&other, &limits.keys, &limit, &s);
	assert_true(hash.a != key_hash(&limits.keys, &other).a);
	assert_true(hash.b != key_hash(&limits.keys, &other).b);
	/* A limit of no things is one bucket for everybody. */
	limit.n_keys = 0;
	key_make(&key, &limits.keys, &limit, &s);
	assert_true(span_eq(key_text(&key), SPAN("log%20in")));
}

/* --- no two alike ---------------------------------------------------------- */

static void
test_no_collisions(void **state)
{
	/* Site and path of two subjects who try to be one. */
	static const struct {
		struct span a[2], b[2];
	} rows[] = {
		{ { SPAN("a|b"), SPAN("c") }, { SPAN("a"), SPAN("b|c") } },
		{ { SPAN("a%7cb"), SPAN("c") }, { SPAN("a|b"), SPAN("c") } },
		{ { SPAN("a%7Cb"), SPAN("c") }, { SPAN("a|b"), SPAN("c") } },
		{ { SPAN("%25"), SPAN("") }, { SPAN("%"), SPAN("") } },
		{ { SPAN("-"), SPAN("") }, { SPAN_NONE, SPAN("") } },
		{ { SPAN(""), SPAN("") }, { SPAN_NONE, SPAN("") } },
		{ { SPAN(""), SPAN("-") }, { SPAN(""), SPAN_NONE } },
		{ { SPAN("%2d"), SPAN("") }, { SPAN("-"), SPAN("") } },
		{ { SPAN("a\0b"), SPAN("") }, { SPAN("a"), SPAN("") } },
		{ { SPAN("a\0b"), SPAN("") }, { SPAN("a%00b"), SPAN("") } },
		{ { SPAN(""), SPAN("a") }, { SPAN("a"), SPAN("") } },
		{ { SPAN("a}"), SPAN("") }, { SPAN("a"), SPAN("") } },
		{ { SPAN("A"), SPAN("") }, { SPAN("a"), SPAN("") } },
		{ { SPAN("a"), SPAN(T100 "b") }, { SPAN("a"), SPAN(T100 "c") } },
		{ { SPAN("a"), SPAN(T100 "b") }, { SPAN("b"), SPAN(T100 "b") } },
		{ { SPAN(T100), SPAN("/") }, { SPAN(T100 "/"), SPAN("") } },
	};
	struct conf_key parts[] = { { CONF_KEY_SITE, "" }, { CONF_KEY_PATH, "" } };
	char a[LIMITER_KEY_MAX + 1], b[LIMITER_KEY_MAX + 1];
	struct conf_limit limit;
	struct conf conf = conf_of(&limit, "l", parts, 2);
	struct limiter_subject s = subject_at(NULL, NULL);
	struct keys keys;
	size_t i;

	(void)state;
	assert_int_equal(keys_init(&keys, &conf, false, NULL), ERR_OK);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		s.site = rows[i].a[0];
		s.path = rows[i].a[1];
		text_of(a, &keys, &limit, &s);
		s.site = rows[i].b[0];
		s.path = rows[i].b[1];
		text_of(b, &keys, &limit, &s);
		if (strcmp(a, b) == 0)
			fail_msg("row %zu: %s", i, a);
	}
	/* What is hashed can't be written by hand. */
	s.site = SPAN("a");
	s.path = SPAN(T100 "b");
	text_of(a, &keys, &limit, &s);
	s.path = span_of(strchr(a, 'h'));
	text_of(b, &keys, &limit, &s);
	assert_string_not_equal(a, b);
	assert_non_null(strstr(b, "|%68:"));
}

/* However much a client sends, a key stays within its bounds, and every part
 * counts. */
static void
test_bounds(void **state)
{
	struct conf_key parts[KEY_PARTS_MAX];
	static char huge[1 << 20];
	char name[KEY_NAME_MAX + 1];
	char a[LIMITER_KEY_MAX + 1], b[LIMITER_KEY_MAX + 1];
	struct limiter_subject s = subject_at(NULL, NULL);
	struct conf_limit limit;
	struct conf conf;
	struct keys keys;
	size_t n, i;

	(void)state;
	memset(huge, '|', sizeof huge);
	memset(name, 'n', sizeof name - 1);
	name[KEY_NAME_MAX] = '\0';
	for (i = 0; i < KEY_PARTS_MAX; i++)
		parts[i] = (struct conf_key){ i % 2 ? CONF_KEY_PATH : CONF_KEY_HEADER,
			"Authorization" };
	for (n = 1; n <= KEY_PARTS_MAX; n++)
		for (i = 0; i < 300; i++) {
			conf = conf_of(&limit, name, parts, n);
			assert_int_equal(keys_init(&keys, &conf, false, NULL), ERR_OK);
			s.path = span_mem(huge, i);
			text_of(a, &keys, &limit, &s);
			s.path = span_mem(huge, i + 1);
			text_of(b, &keys, &limit, &s);
			assert_int_equal(strcmp(a, b) == 0, n == 1);
		}
	s.path = span_mem(huge, sizeof huge);
	text_of(a, &keys, &limit, &s);
	assert_null(strstr(a, "%7c"));
}

/* --- secrets --------------------------------------------------------------- */

static void
secret_file(char path[64], const char *content)
{
	int fd;

	(void)snprintf(path, 64, "/tmp/limit-key-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(close(fd), 0);
}

/* The hashed Authorization field, as a gateway with these secrets writes it. */
static void
hashed(char out[LIMITER_KEY_MAX + 1], const char *key, const char *password,
    const char *prefix, bool shared)
{
	struct conf_key part = { CONF_KEY_HEADER, "authorization" };
	char key_path[64] = "", password_path[64] = "";
	struct limiter_subject s = subject_at(NULL, NULL);
	struct conf_limit limit;
	struct conf conf = conf_of(&limit, "l", &part, 1);
	struct keys keys;
	struct err e;

	if (key != NULL)
		secret_file(key_path, key);
	if (password != NULL)
		secret_file(password_path, password);
	conf.redis.key_file = key_path;
	conf.redis.password_file = password_path;
	conf.redis.prefix = prefix;
	if (keys_init(&keys, &conf, shared, &e) != ERR_OK)
		fail_msg("%s", e.text);
	text_of(out, &keys, &limit, &s);
	if (key != NULL)
		(void)unlink(key_path);
	if (password != NULL)
		(void)unlink(password_path);
	assert_int_equal(strlen(out), strlen("l|h:") + 32);
	assert_null(strstr(out, "s3cret"));
}

static void
test_secrets(void **state)
{
	static const struct {
		struct {
			const char *key, *password, *prefix;
		} a, b;
		bool same;
		const char *why;
	} rows[] = {
		{ { KEY, "p", "yett:" }, { KEY, "p", "yett:" }, true, "the same" },
		{ { KEY, "p", "yett:" }, { KEY "\n", "q", "x:" }, true,
		    "the file decides" },
		{ { KEY, NULL, "yett:" }, { KEY "k", NULL, "yett:" }, false,
		    "two files" },
		{ { NULL, "p", "yett:" }, { NULL, "p\r\n", "yett:" }, true, "line end" },
		{ { NULL, "p", "yett:" }, { NULL, "q", "yett:" }, false,
		    "two passwords" },
		{ { NULL, "p", "yett:" }, { NULL, "p", "x:" }, false, "two prefixes" },
		{ { NULL, NULL, "yett:" }, { NULL, NULL, "yett:" }, true, "no secret" },
		{ { NULL, NULL, "yett:" }, { NULL, NULL, "x:" }, false,
		    "two, no secret" },
		{ { NULL, NULL, "yett:" }, { NULL, "p", "yett:" }, false, "one has one" },
	};
	char a[LIMITER_KEY_MAX + 1], b[LIMITER_KEY_MAX + 1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		hashed(a, rows[i].a.key, rows[i].a.password, rows[i].a.prefix, true);
		hashed(b, rows[i].b.key, rows[i].b.password, rows[i].b.prefix, true);
		if ((strcmp(a, b) == 0) != rows[i].same)
			fail_msg("%s", rows[i].why);
	}
	/* Alone, nobody else has to know. */
	hashed(a, KEY, "p", "yett:", false);
	hashed(b, KEY, "p", "yett:", false);
	assert_string_not_equal(a, b);
}

/* An empty value is a value. */
static void
test_empty_header(void **state)
{
	struct conf_key part = { CONF_KEY_HEADER, "x-empty" };
	struct limiter_subject s = subject_at(NULL, NULL);
	char text[LIMITER_KEY_MAX + 1];
	struct conf_limit limit;
	struct conf conf = conf_of(&limit, "l", &part, 1);
	struct keys keys;

	(void)state;
	assert_int_equal(keys_init(&keys, &conf, false, NULL), ERR_OK);
	text_of(text, &keys, &limit, &s);
	assert_int_equal(strncmp(text, "l|h:", 4), 0);
}

static void
test_errors(void **state)
{
	static char longest[200];
	static const struct {
		const char *name, *prefix, *key_file, *text;
		size_t n;
	} rows[] = {
		{ "l", longest, "", "redis: prefix: longer than 128 bytes", 1 },
		{ "l", "a{", "", "redis: prefix: has a brace", 1 },
		{ longest, "p", "", "the name is longer than 64 bytes", 1 },
		{ "l", "p", "", "counts by more than 8 things", 9 },
		{ "l", "p", "/nonexistent/x", "/nonexistent/x: cannot be opened", 1 },
		{ "l", "p", "/dev/null", "/dev/null: is empty", 1 },
		{ "l", "p", "/proc/self/oom_score_adj", "is shorter than 16 bytes", 1 },
		{ "l", "p", "/dev/zero", "/dev/zero: is larger than 65536 bytes", 1 },
		{ "l", "p", "/", "/: cannot be read", 1 },
	};
	struct conf_key parts[9] = { { CONF_KEY_PATH, "" } };
	struct conf_limit limit;
	struct keys keys;
	struct err e;
	size_t i;

	(void)state;
	memset(longest, 'a', sizeof longest - 1);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct conf conf = conf_of(&limit, rows[i].name, parts, rows[i].n);

		conf.redis.prefix = rows[i].prefix;
		conf.redis.key_file = rows[i].key_file;
		assert_true(keys_init(&keys, &conf, true, &e) != ERR_OK);
		if (strstr(e.text, rows[i].text) == NULL)
			fail_msg("%s, not %s", e.text, rows[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_no_collisions),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_empty_header),
		cmocka_unit_test(test_errors),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
