/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of a Redis server: any bytes, in pieces of any size, give the same bounded
 * values or a broken reader; and what they say of slots stays within the slots. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/redis/answers.h"
#include "gateway/redis/slots.h"

struct tally {
	size_t values, bytes, answers;
	uint64_t sum; /* of what was said, in order */
	bool broken;
};

static void
add(struct tally *tally, const void *p, size_t n)
{
	const uint8_t *byte = p;

	while (n-- > 0)
		tally->sum = (tally->sum ^ *byte++) * UINT64_C(0x100000001b3);
}

static void
serve(void *data, uint16_t first, uint16_t last, const struct slot_server *server)
{
	unsigned *slots = data;

	CHECK(first <= last && last < SLOTS && server->port > 0);
	CHECK(server->host[0] != '\0' && strlen(server->host) < SLOT_HOST_MAX);
	*slots += last - first + 1u;
	CHECK(*slots <= SLOTS);
}

static void
look_at_errors(struct span text)
{
	struct slot_server to = { .port = 0 };
	uint16_t slot = UINT16_MAX;

	switch (slot_error_read(text, "self", &slot, &to)) {
	case SLOT_ERROR_MOVED:
	case SLOT_ERROR_ASK:
		CHECK(slot < SLOTS && to.port > 0 && to.host[0] != '\0');
		CHECK(strlen(to.host) < SLOT_HOST_MAX);
		return;
	default: return;
	}
}

static void
look_at(struct tally *tally, const struct redis_value *value, unsigned depth)
{
	size_t i;

	CHECK(depth <= ANSWER_DEPTH_MAX);
	CHECK(++tally->values <= ANSWER_VALUES_MAX + 1);
	add(tally, &value->type, sizeof(value->type));
	switch (value->type) {
	case REDIS_NIL: return;
	case REDIS_INTEGER: add(tally, &value->integer, sizeof(value->integer)); return;
	case REDIS_ERROR: look_at_errors(value->text); /* FALLTHROUGH */
	case REDIS_TEXT:
	case REDIS_STATUS:
		CHECK(value->text.p != NULL);
		tally->bytes += value->text.n;
		CHECK(tally->bytes <= ANSWER_BYTES_MAX);
		add(tally, value->text.p, value->text.n);
		return;
	case REDIS_ARRAY:
		for (i = 0; i < value->n_items; i++)
			look_at(tally, &value->items[i], depth + 1);
		return;
	}
	WRONG("type of a value");
}

/* `step` bytes at a time; all at once when it is 0. */
static void
read_all(struct tally *tally, struct span bytes, size_t step)
{
	struct answers *answers = answers_new();
	const struct redis_value *value;
	enum answers_rc rc = ANSWERS_MORE;
	unsigned slots;
	struct span piece;
	char *copy;

	*tally = (struct tally){ .sum = UINT64_C(0xcbf29ce484222325) };
	while (bytes.n > 0 && rc != ANSWERS_BROKEN) {
		piece = span_cut(bytes, 0, step != 0 ? step : bytes.n);
		bytes = span_cut(bytes, piece.n, bytes.n);
		copy = fuzz_copy(piece);
		CHECK(answers_feed(answers, span_mem(copy, piece.n)));
		free(copy);
		while ((rc = answers_next(answers, &value)) == ANSWERS_ONE) {
			tally->values = tally->bytes = slots = 0;
			tally->answers++;
			look_at(tally, value, 0);
			CHECK(slots_read(value, "self", serve, &slots) == (slots > 0));
		}
	}
	tally->broken = rc == ANSWERS_BROKEN;
	CHECK(tally->broken == (answers_error(answers) != NULL));
	answers_free(&answers);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_mem(data, size);
	struct tally whole, pieces;

	if (size == 0 || size > 65536)
		return (0);
	read_all(&whole, span_cut(in, 1, in.n), 0);
	read_all(&pieces, span_cut(in, 1, in.n), 1 + data[0] % 64u);
	CHECK(whole.sum == pieces.sum && whole.answers == pieces.answers &&
	      whole.broken == pieces.broken);
	(void)slot_of_key(in);
	look_at_errors(in);
	return (0);
}
