/* SPDX-License-Identifier: Apache-2.0 */
/* One key of a limit looked at by hand, in a gateway without Redis. */
#include "config.h"

#include "ratelimit/inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/clock.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define HOUR (3600 * CLOCK_SECOND)

enum { LOGIN, TOKEN, NETWORK };

static const char *login_words[] = { "client", "path" };
static const char *token_words[] = { "header:X-Token", "cookie:sid" };
static const char *network_words[] = { "asn", "country", "site", "route" };
static struct conf_key login_keys[] = { { CONF_KEY_CLIENT, "" }, { CONF_KEY_PATH, "" } };
static struct conf_key token_keys[] = { { CONF_KEY_HEADER, "X-Token" },
	{ CONF_KEY_COOKIE, "sid" } };
static struct conf_key network_keys[] = { { CONF_KEY_ASN, "" }, { CONF_KEY_COUNTRY, "" },
	{ CONF_KEY_SITE, "" }, { CONF_KEY_ROUTE, "" } };

#define LIMIT(text, words)                                                        \
	{                                                                         \
		.name = (text), .key = { words##_words, COUNT(words##_words) },   \
		.keys = words##_keys, .n_keys = COUNT(words##_keys), .tokens = 2, \
		.per_us = HOUR, .burst = 2, .cost = 1, .rate = "2/h"              \
	}
static struct conf_limit rows[] = {
	[LOGIN] = LIMIT("login", login),
	[TOKEN] = LIMIT("token", token),
	[NETWORK] = LIMIT("network", network),
};

struct yard {
	struct conf conf;
	struct loop *loop;
	struct limits *limits;
	struct limiter *limiter;
};

static int
start(void **state)
{
	static struct yard y;
	struct err e;

	y.conf = (struct conf){
		.identity = { .ipv6_prefix = 64 },
		.redis = { .prefix = "yett:", .key_file = "", .password_file = "" },
		.limits = rows,
		.n_limits = COUNT(rows),
		.max = { .limit_keys = 1024 },
	};
	y.loop = loop_new();
	if (limits_new(&y.limits, &y.conf, NULL, &e) != ERR_OK)
		return (-1);
	y.limiter = limiter_new(y.limits, y.loop, NULL);
	*state = &y;
	return (0);
}

static int
stop(void **state)
{
	struct yard *y = *state;

	limiter_free(&y->limiter);
	limits_free(&y->limits);
	loop_free(&y->loop);
	return (0);
}

static struct span
nothing(void *data, struct span name)
{
	(void)data;
	(void)name;
	return (SPAN_NONE);
}

/* Does a login from that client pass? */
static bool
login(struct yard *y, const char *address)
{
	static const uint32_t limit = LOGIN;
	struct limiter_take take = { .n = 0 };
	struct netaddr client;
	struct limiter_subject subject = { .client = &client,
		.path = SPAN("/login"),
		.header = nothing,
		.cookie = nothing };

	assert_true(netaddr_parse_ip(&client, span_of(address)));
	assert_int_equal(
	    limiter_take(y->limiter, &take, &limit, 1, &subject), LIMITER_DONE);
	return (limiter_refusal(&take) == NULL);
}

static void
test_texts(void **state)
{
	static const struct {
		const char *text, *error; /* NULL: a key */
	} texts[] = {
		{ "login|192.0.2.7|/login", NULL },
		{ "login|-|-", NULL },
		{ "token|h:00|h:11", NULL },
		{ "login|192.0.2.7", "the key of login has 2 parts" },
		{ "login|a|b|c", "the key of login has 2 parts" },
		{ "login", "the key of login has 2 parts" },
		{ "logn|a|b", "no limit is called \"logn\"" },
		{ "|a|b", "no limit is called \"\"" },
		{ "", "that is not a key" },
		{ "login|a b|c", "that is not a key" },
		{ "login|a|{b}", "that is not a key" },
		{ "login|a|\x80", "that is not a key" },
		{ "login|a|\n", "that is not a key" },
	};
	struct yard *y = *state;
	struct inspect_key key;
	char text[LIMITER_KEY_MAX + 2];
	struct err e;
	size_t i;

	for (i = 0; i < COUNT(texts); i++) {
		if (inspect_text(&key, y->limits, span_of(texts[i].text), &e) == ERR_OK) {
			assert_null(texts[i].error);
			assert_true(span_eq(key_text(&key.key), span_of(texts[i].text)));
			assert_true(
			    span_starts(key_in_redis(&key.key), SPAN("yett:limit:{")));
			continue;
		}
		assert_non_null(texts[i].error);
		assert_int_equal(
		    strncmp(e.text, texts[i].error, strlen(texts[i].error)), 0);
	}
	memset(text, 'a', sizeof(text));
	memcpy(text, "login|b|", strlen("login|b|"));
	assert_int_equal(
	    inspect_text(&key, y->limits, span_mem(text, LIMITER_KEY_MAX), &e), ERR_OK);
	assert_int_not_equal(
	    inspect_text(&key, y->limits, span_mem(text, LIMITER_KEY_MAX + 1), &e),
	    ERR_OK);
}

static void
test_values(void **state)
{
	static const struct {
		uint32_t limit;
		const char *values[5];
		const char *text; /* or the start of the error */
	} cases[] = {
		{ LOGIN, { "192.0.2.7", "/login" }, "login|192.0.2.7|/login" },
		{ LOGIN, { "192.0.2.7", "-" }, "login|192.0.2.7|-" },
		{ LOGIN, { "-", "/a b" }, "login|-|/a%20b" },
		{ LOGIN, { "2001:db8::1:2:3:4", "/" }, "login|2001:db8::/64|/" },
		{ NETWORK, { "64500", "DE", "a.example", "=/x" },
		    "network|64500|DE|a.example|=/x" },
		{ NETWORK, { "-", "-", "-", "-" }, "network|-|-|-|-" },
		{ LOGIN, { "192.0.2", "/" }, "\"192.0.2\" is no client" },
		{ NETWORK, { "AS1", "-", "-", "-" }, "\"AS1\" is no asn" },
		{ LOGIN, { "192.0.2.7" }, "the key of login has 2 parts, not 1" },
		{ NETWORK, { NULL }, "the key of network has 4 parts, not 0" },
	};
	struct yard *y = *state;
	struct span values[5];
	struct inspect_key key;
	struct err e;
	char text[sizeof(e.text)];
	size_t i, n;

	for (i = 0; i < COUNT(cases); i++) {
		for (n = 0; n < 5 && cases[i].values[n] != NULL; n++)
			values[n] = strcmp(cases[i].values[n], "-") == 0
					? SPAN_NONE
					: span_of(cases[i].values[n]);
		key.limit = cases[i].limit;
		if (inspect_values(&key, y->limits, values, n, &e) == ERR_OK)
			snprintf(
			    text, sizeof(text), "%.*s", SPAN_FMT(key_text(&key.key)));
		else
			snprintf(text, sizeof(text), "%s", e.text);
		assert_string_equal(text, cases[i].text);
	}
}

/* What is hashed is the same for the same value, and for no other. */
static void
test_secrets(void **state)
{
	struct yard *y = *state;
	struct span values[] = { SPAN("s3cret"), SPAN_NONE };
	struct inspect_key key = { .limit = TOKEN }, other = { .limit = TOKEN };
	struct err e;

	assert_int_equal(inspect_values(&key, y->limits, values, 2, &e), ERR_OK);
	assert_int_equal(inspect_values(&other, y->limits, values, 2, &e), ERR_OK);
	assert_true(span_eq(key_text(&key.key), key_text(&other.key)));
	assert_true(span_starts(key_text(&key.key), SPAN("token|h:")));
	values[0] = SPAN("another");
	assert_int_equal(inspect_values(&other, y->limits, values, 2, &e), ERR_OK);
	assert_false(span_eq(key_text(&key.key), key_text(&other.key)));
	values[1] = values[0];
	values[0] = SPAN_NONE;
	assert_int_equal(inspect_values(&key, y->limits, values, 2, &e), ERR_OK);
	assert_true(span_starts(key_text(&key.key), SPAN("token|-|h:")));
}

static void
test_look_and_forget(void **state)
{
	struct yard *y = *state;
	struct inspect_key key;
	struct inspect_here here;
	struct err e;

	assert_int_equal(
	    inspect_text(&key, y->limits, SPAN("login|192.0.2.7|/login"), &e), ERR_OK);
	inspect_here(y->limits, &key, clock_mono_us(), &here);
	assert_true(here.remaining == 2 && here.denied_us == 0 && here.reset_us == 0);
	assert_true(login(y, "192.0.2.7"));
	inspect_here(y->limits, &key, clock_mono_us(), &here);
	assert_true(here.remaining == 1 && here.denied_us == 0 && here.reset_us > 0 &&
		    here.reset_us <= HOUR / 2);
	assert_true(login(y, "192.0.2.7"));
	assert_false(login(y, "192.0.2.7"));
	inspect_here(y->limits, &key, clock_mono_us(), &here);
	assert_true(here.remaining == 0 && here.denied_us > HOUR / 2 - CLOCK_SECOND * 60);
	inspect_here(y->limits, &key, clock_mono_us(), &here);
	assert_int_equal(here.remaining, 0); /* looking takes and gives nothing */
	inspect_forget(y->limits, &key, clock_mono_us());
	inspect_here(y->limits, &key, clock_mono_us(), &here);
	assert_true(here.remaining == 2 && here.denied_us == 0 && here.reset_us == 0);
	assert_true(login(y, "192.0.2.7"));
	assert_true(login(y, "192.0.2.7"));
	assert_false(login(y, "192.0.2.7"));
	assert_true(login(y, "192.0.2.8")); /* another's bucket is his own */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_texts, start, stop),
		cmocka_unit_test_setup_teardown(test_values, start, stop),
		cmocka_unit_test_setup_teardown(test_secrets, start, stop),
		cmocka_unit_test_setup_teardown(test_look_and_forget, start, stop),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
