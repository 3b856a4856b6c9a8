/* SPDX-License-Identifier: Apache-2.0 */
/* What servers say: values, hostile answers, slots and redirections. */
#include "config.h"

#include "gateway/redis/answers.h"

#include "gateway/base/buf.h"
#include "gateway/base/check.h"
#include "gateway/redis/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- values ------------------------------------------------------------- */

static void
put_value(struct text *out, const struct redis_value *value)
{
	size_t i;

	switch (value->type) {
	case REDIS_NIL: text_puts(out, "nil"); return;
	case REDIS_INTEGER: text_printf(out, "%lld", (long long)value->integer); return;
	case REDIS_TEXT: text_printf(out, "'%.*s'", SPAN_FMT(value->text)); return;
	case REDIS_STATUS: text_printf(out, "+%.*s", SPAN_FMT(value->text)); return;
	case REDIS_ERROR: text_printf(out, "-%.*s", SPAN_FMT(value->text)); return;
	case REDIS_ARRAY: break;
	}
	text_putc(out, '[');
	for (i = 0; i < value->n_items; i++) {
		text_puts(out, i > 0 ? " " : "");
		put_value(out, &value->items[i]);
	}
	text_putc(out, ']');
}

/* All answers in `bytes`, given `step` at a time; "!" where the reader broke, "~"
 * where it waits for more. */
static void
read_all(struct text *out, struct span bytes, size_t step)
{
	struct answers *answers = answers_new();
	const struct redis_value *value;
	enum answers_rc rc = ANSWERS_MORE;
	bool fed = true;

	text_reset(out);
	while (bytes.n > 0 && fed && rc != ANSWERS_BROKEN) {
		fed = answers_feed(answers, span_cut(bytes, 0, step));
		bytes = span_cut(bytes, step, bytes.n);
		while (fed && (rc = answers_next(answers, &value)) == ANSWERS_ONE) {
			text_puts(out, out->n > 0 ? " " : "");
			put_value(out, value);
			assert_null(answers_error(answers));
		}
	}
	if (!fed || rc == ANSWERS_BROKEN) {
		text_puts(out, "!");
		assert_non_null(answers_error(answers));
		assert_false(answers_feed(answers, SPAN("+OK\r\n")));
		assert_int_equal(answers_next(answers, &value), ANSWERS_BROKEN);
		/* a new connection begins anew */
		answers_reset(answers);
		assert_true(answers_feed(answers, SPAN("+OK\r\n")));
		assert_int_equal(answers_next(answers, &value), ANSWERS_ONE);
	}
	answers_free(&answers);
}

static const struct {
	const char *bytes, *values, *why;
} value_rows[] = {
	{ "+OK\r\n", "+OK", "a status" },
	{ "-ERR no\r\n", "-ERR no", "an error" },
	{ ":-42\r\n", "-42", "an integer" },
	{ ":9223372036854775807\r\n", "9223372036854775807", "the largest" },
	{ "$5\r\nhello\r\n", "'hello'", "text" },
	{ "$0\r\n\r\n", "''", "empty text" },
	{ "$-1\r\n", "nil", "no text" },
	{ "*-1\r\n", "nil", "no array" },
	{ "*0\r\n", "[]", "an empty array" },
	{ "*2\r\n:1\r\n$1\r\na\r\n", "[1 'a']", "an array" },
	{ "*2\r\n*1\r\n*2\r\n:1\r\n:2\r\n+x\r\n", "[[[1 2]] +x]", "arrays in arrays" },
	{ "*3\r\n$-1\r\n*0\r\n*-1\r\n", "[nil [] nil]", "nothings in an array" },
	{ "+a\r\n+b\r\n:3\r\n", "+a +b 3", "several answers" },
	{ "+\r\n", "+", "an empty status" },
	{ "$4\r\n\r\n\r\n\r\n", "'\r\n\r\n'", "line ends within text" },
	{ "*7\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n"
	  ":7\r\n",
	    "[[[[[[[1]]]]]] 2 3 4 5 6 7]", "as deep as it goes" },
	{ "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "!", "too deep" },
	{ "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "!",
	    "deeper than the library goes" },
	{ "*65537\r\n", "!", "too many values announced" },
	{ "*2147483647\r\n", "!", "memory announced" },
	{ "*4294967297\r\n", "!", "a count that wraps" },
	{ "*-2\r\n", "!", "a negative count" },
	{ "*1\r\n*65536\r\n", "!", "too many values in all" },
	{ "$-2\r\n", "!", "a negative length" },
	{ "$1x\r\na\r\n", "!", "a length with a letter" },
	{ "$9223372036854775808\r\n", "!", "a length that overflows" },
	{ ":1x\r\n", "!", "a number with a letter" },
	{ ":92233720368547758080\r\n", "!", "a number that overflows" },
	{ "HTTP/1.1 400 Bad Request\r\n", "!", "another protocol" },
	{ "\r\n", "!", "an empty line" },
	{ "+OK\r\nX\r\n", "+OK!", "an answer, then rubbish" },
	{ "*2\r\n:1\r\nX\r\n", "!", "rubbish within an array" },
};

static void
test_values(void **state)
{
	struct text out;
	size_t i, step;

	(void)state;
	text_init(&out, 65536);
	for (i = 0; i < COUNT(value_rows); i++) {
		for (step = 1; step <= 64; step *= 8) {
			read_all(&out, span_of(value_rows[i].bytes), step);
			if (!span_eq(text_span(&out), span_of(value_rows[i].values)))
				fail_msg("%s, %zu at a time: \"%.*s\", not \"%s\"",
				    value_rows[i].why, step, SPAN_FMT(text_span(&out)),
				    value_rows[i].values);
		}
	}
	text_free(&out);
}

static void
test_half_an_answer_waits(void **state)
{
	struct answers *answers = answers_new();
	const struct redis_value *value;

	(void)state;
	assert_int_equal(answers_next(answers, &value), ANSWERS_MORE);
	assert_true(answers_feed(answers, SPAN("*2\r\n$5\r\nhe")));
	assert_int_equal(answers_next(answers, &value), ANSWERS_MORE);
	assert_null(value);
	assert_true(answers_feed(answers, SPAN("llo\r\n:1")));
	assert_int_equal(answers_next(answers, &value), ANSWERS_MORE);
	assert_true(answers_feed(answers, SPAN("2\r\n")));
	assert_int_equal(answers_next(answers, &value), ANSWERS_ONE);
	assert_int_equal(value->n_items, 2);
	assert_true(span_eq(value->items[0].text, SPAN("hello")));
	assert_int_equal(value->items[1].integer, 12);
	answers_free(&answers);
}

/* What never ends is cut off at a bound, whatever it was announced to be. */
static void
test_endless_answers(void **state)
{
	static const char *const begins[] = { "+", "$1000000000\r\n", ":", "*2\r\n+" };
	char *many = mem_alloc(65536);
	struct answers *answers;
	const struct redis_value *value;
	size_t i, fed;

	(void)state;
	memset(many, 'x', 65536);
	for (i = 0; i < COUNT(begins); i++) {
		answers = answers_new();
		assert_true(answers_feed(answers, span_of(begins[i])));
		for (fed = 0; fed < 4 * ANSWER_BYTES_MAX; fed += 65536)
			if (answers_next(answers, &value) != ANSWERS_MORE ||
			    !answers_feed(answers, span_mem(many, 65536)))
				break;
		assert_true(fed <= ANSWER_BYTES_MAX);
		assert_string_equal(
		    answers_error(answers), "an answer of the server is too large");
		answers_free(&answers);
	}
	free(many);
}

/* Small pieces that add up: texts of one array, and arrays of arrays. */
static void
test_answers_that_add_up(void **state)
{
	struct answers *answers = answers_new();
	char *text = mem_alloc(65536 + 32);
	const struct redis_value *value;
	enum answers_rc rc = ANSWERS_MORE;
	bool fed = true;
	unsigned i;
	int n;

	(void)state;
	n = snprintf(text, 32, "$65536\r\n");
	memset(text + n, 'y', 65536);
	memcpy(text + n + 65536, "\r\n", 2);
	assert_true(answers_feed(answers, SPAN("*1000\r\n")));
	for (i = 0; i < 100 && fed && rc == ANSWERS_MORE; i++) {
		fed = answers_feed(answers, span_mem(text, (size_t)n + 65538));
		rc = answers_next(answers, &value);
	}
	assert_int_equal(i, ANSWER_BYTES_MAX / 65536 + 1);
	answers_reset(answers);
	rc = ANSWERS_MORE;
	assert_true(answers_feed(answers, SPAN("*1000\r\n")));
	for (i = 0; i < 1000 && rc == ANSWERS_MORE; i++) {
		assert_true(answers_feed(answers, SPAN("*1000\r\n")));
		memset(text, ':', 4000);
		for (n = 0; n < 4000; n += 4)
			memcpy(text + n, ":1\r\n", 4);
		assert_true(answers_feed(answers, span_mem(text, 4000)));
		rc = answers_next(answers, &value);
	}
	assert_int_equal(rc, ANSWERS_BROKEN);
	assert_in_range(i, 60, 66);
	free(text);
	answers_free(&answers);
}

/* The largest that is allowed is. */
static void
test_a_large_answer(void **state)
{
	struct answers *answers = answers_new();
	struct text text;
	const struct redis_value *value;
	unsigned i;

	(void)state;
	text_init(&text, ANSWER_BYTES_MAX);
	text_puts(&text, "*65536\r\n");
	for (i = 0; i < 65536; i++)
		text_puts(&text, "$2\r\nab\r\n");
	assert_false(text.overflow);
	assert_true(answers_feed(answers, text_span(&text)));
	assert_int_equal(answers_next(answers, &value), ANSWERS_ONE);
	assert_int_equal(value->n_items, 65536);
	assert_true(span_eq(value->items[65535].text, SPAN("ab")));
	text_free(&text);
	answers_free(&answers);
}

/* --- slots -------------------------------------------------------------- */

static const struct {
	const char *key;
	unsigned slot;
	const char *why;
} slot_rows[] = {
	{ "123456789", 12739, "the check value of the CRC" },
	{ "", 0, "no key" },
	{ "foo", 12182, "as the specification has it" },
	{ "{user1000}.following", 3443, "a tag" },
	{ "{user1000}.followers", 3443, "the same tag" },
	{ "foo{}{bar}", 8363, "an empty tag is none" },
	{ "foo{{bar}}zap", 4015, "the first brace counts" },
	{ "foo{bar}{zap}", 5061, "the first tag counts" },
	{ "bar", 5061, "the tag alone" },
	{ "foo{bar", 15278, "a tag without an end is none" },
};

static void
test_slots_of_keys(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(slot_rows); i++)
		if (slot_of_key(span_of(slot_rows[i].key)) != slot_rows[i].slot)
			fail_msg("%s: %u, not %u", slot_rows[i].why,
			    (unsigned)slot_of_key(span_of(slot_rows[i].key)),
			    slot_rows[i].slot);
}

static const struct {
	const char *text;
	enum slot_error error;
	unsigned slot;
	const char *host;
	unsigned port;
} error_rows[] = {
	{ "MOVED 3999 127.0.0.1:6381", SLOT_ERROR_MOVED, 3999, "127.0.0.1", 6381 },
	{ "ASK 0 ::1:6381", SLOT_ERROR_ASK, 0, "::1", 6381 },
	{ "MOVED 16383 node.example:1", SLOT_ERROR_MOVED, 16383, "node.example", 1 },
	{ "MOVED 5 :6381", SLOT_ERROR_MOVED, 5, "self", 6381 },
	{ "MOVED 5 ?:6381", SLOT_ERROR_MOVED, 5, "self", 6381 },
	{ "TRYAGAIN Multiple keys", SLOT_ERROR_TRYAGAIN, 0, NULL, 0 },
	{ "CLUSTERDOWN The cluster is down", SLOT_ERROR_DOWN, 0, NULL, 0 },
	{ "MOVED 16384 127.0.0.1:6381", SLOT_ERROR_NONE, 0, NULL, 0 },
	{ "MOVED -1 127.0.0.1:6381", SLOT_ERROR_NONE, 0, NULL, 0 },
	{ "MOVED 5 127.0.0.1:0", SLOT_ERROR_NONE, 0, NULL, 0 },
	{ "MOVED 5 127.0.0.1:65536", SLOT_ERROR_NONE, 0, NULL, 0 },
	{ "MOVED 5 127.0.0.1", SLOT_ERROR_NONE, 0, NULL, 0 },
	{ "MOVED 5", SLOT_ERROR_NONE, 0, NULL, 0 },
	{ "MOVED", SLOT_ERROR_NONE, 0, NULL, 0 },
	{ "MOVEDX 5 127.0.0.1:6381", SLOT_ERROR_NONE, 0, NULL, 0 },
	{ "", SLOT_ERROR_NONE, 0, NULL, 0 },
	{ "ERR unknown", SLOT_ERROR_NONE, 0, NULL, 0 },
};

static void
test_redirections(void **state)
{
	struct slot_server to;
	uint16_t slot;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(error_rows); i++) {
		if (slot_error_read(span_of(error_rows[i].text), "self", &slot, &to) !=
		    error_rows[i].error)
			fail_msg("%s", error_rows[i].text);
		if (error_rows[i].host == NULL)
			continue;
		assert_int_equal(slot, error_rows[i].slot);
		assert_string_equal(to.host, error_rows[i].host);
		assert_int_equal(to.port, error_rows[i].port);
	}
}

static void
put_run(void *data, uint16_t first, uint16_t last, const struct slot_server *server)
{
	text_printf(data, "%u-%u@%s:%u ", first, last, server->host, server->port);
}

static const struct {
	const char *bytes, *runs; /* NULL: refused */
	const char *why;
} map_rows[] = {
	{ "*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$2\r\nh1\r\n:6379\r\n$2\r\nid\r\n",
	    "0-16383@h1:6379 ", "one server" },
	{ "*2\r\n*4\r\n:0\r\n:1\r\n*3\r\n$1\r\na\r\n:1\r\n$2\r\nid\r\n"
	  "*3\r\n$1\r\nb\r\n:2\r\n$2\r\nid\r\n"
	  "*3\r\n:2\r\n:2\r\n*4\r\n$-1\r\n:3\r\n$2\r\nid\r\n*0\r\n",
	    "0-1@a:1 2-2@self:3 ", "a replica; a server that does not know its name" },
	{ "*0\r\n", NULL, "no slots" },
	{ "$-1\r\n", NULL, "not an array" },
	{ "*1\r\n:1\r\n", NULL, "a run that is none" },
	{ "*1\r\n*2\r\n:0\r\n:1\r\n", NULL, "nobody serves" },
	{ "*1\r\n*3\r\n:1\r\n:0\r\n*2\r\n$1\r\na\r\n:1\r\n", NULL, "backwards" },
	{ "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n", NULL, "too far" },
	{ "*1\r\n*3\r\n:-1\r\n:5\r\n*2\r\n$1\r\na\r\n:1\r\n", NULL, "too early" },
	{ "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$1\r\na\r\n:0\r\n", NULL, "no port" },
	{ "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$1\r\na\r\n:65536\r\n", NULL, "no such port" },
	{ "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n:7\r\n:1\r\n", NULL, "a host that is a number" },
	{ "*1\r\n*3\r\n:0\r\n:5\r\n$1\r\na\r\n", NULL, "a server that is a text" },
	{ "*2\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\na\r\n:1\r\n"
	  "*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\na\r\n:1\r\n",
	    NULL, "more slots than there are" },
	{ "*1\r\n*3\r\n$1\r\n0\r\n:5\r\n*2\r\n$1\r\na\r\n:1\r\n", NULL,
	    "a slot in text" },
};

static void
test_maps(void **state)
{
	struct answers *answers = answers_new();
	const struct redis_value *value;
	struct text out;
	size_t i;

	(void)state;
	text_init(&out, 4096);
	for (i = 0; i < COUNT(map_rows); i++) {
		assert_true(answers_feed(answers, span_of(map_rows[i].bytes)));
		assert_int_equal(answers_next(answers, &value), ANSWERS_ONE);
		text_reset(&out);
		if (slots_read(value, "self", put_run, &out) !=
			(map_rows[i].runs != NULL) ||
		    !span_eq(text_span(&out),
			span_of(map_rows[i].runs != NULL ? map_rows[i].runs : "")))
			fail_msg("%s: %.*s", map_rows[i].why, SPAN_FMT(text_span(&out)));
	}
	text_free(&out);
	answers_free(&answers);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_half_an_answer_waits),
		cmocka_unit_test(test_endless_answers),
		cmocka_unit_test(test_answers_that_add_up),
		cmocka_unit_test(test_a_large_answer),
		cmocka_unit_test(test_slots_of_keys),
		cmocka_unit_test(test_redirections),
		cmocka_unit_test(test_maps),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
