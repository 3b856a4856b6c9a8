/* SPDX-License-Identifier: Apache-2.0 */
/* Bans as Redis tells them: what is read is clean, in bounds, and reads the same
 * when it is written again. The first line is a client, the rest a record. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/access/bans_record.h"
#include "gateway/base/clock.h"
#include "gateway/base/utf8.h"

#define NOW (INT64_C(1700000000) * CLOCK_SECOND)
#define YEARS (INT64_C(400) * 86400 * CLOCK_SECOND)

static void
check_words(const char *text, size_t size)
{
	size_t n = strnlen(text, size), i;

	CHECK(n < size && utf8_is_valid(span_mem(text, n)));
	for (i = 0; i < n; i++)
		CHECK((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

static void
check_record(struct span text)
{
	struct text again;
	enum bans_record rc;
	struct ban ban, other;
	uint32_t i;

	rc = bans_record_read(text, NOW, &ban);
	if (rc == BANS_RECORD_BAD || rc == BANS_RECORD_NONE)
		return;
	CHECK(ban.since_us <= NOW && ban.since_us >= NOW - YEARS);
	CHECK(ban.until_us >= NOW && ban.until_us <= NOW + YEARS);
	CHECK(ban.n_ids <= BANS_IDS_MAX);
	for (i = 0; i < ban.n_ids; i++)
		CHECK(id_is_valid(span_of(ban.ids[i])));
	check_words(ban.reason, sizeof(ban.reason));
	check_words(ban.node, sizeof(ban.node));

	text_init(&again, 4096);
	text_printf(&again, "%d\t%lld\t%lld\t%u\t%s\t", rc == BANS_RECORD_MADE ? 2 : 1,
	    (long long)((NOW - ban.since_us) / CLOCK_MS),
	    (long long)((ban.until_us - NOW) / CLOCK_MS), ban.level,
	    bans_record_flags(&ban));
	bans_record_words(span_of(ban.node), &again);
	text_putc(&again, '\t');
	{
		struct text ids;

		text_init(&ids, 4096);
		bans_record_ids(&ban, &ids);
		text_put(&again, text_span(&ids));
		text_free(&ids);
	}
	text_putc(&again, '\t');
	bans_record_words(span_of(ban.reason), &again);
	CHECK(bans_record_read(text_span(&again), NOW, &other) == rc);
	CHECK(memcmp(&ban, &other, sizeof(ban)) == 0);
	text_free(&again);
}

static void
check_client(struct span text)
{
	char again[BANS_CLIENT_MAX];
	struct ban ban;

	if (!bans_client_read(text, &ban))
		return;
	CHECK(ban.client.family == NETADDR_IP4 || ban.client.family == NETADDR_IP6);
	CHECK(ban.bits <= (ban.client.family == NETADDR_IP4 ? 32 : 128));
	CHECK(span_eq(span_of(bans_client_text(&ban, again)), text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_mem(data, size), client;
	char *copy;

	if (size == 0 || !span_split(&rest, '\n', &client))
		return (0);
	copy = fuzz_copy(client);
	check_client(span_mem(copy, client.n));
	free(copy);
	if (rest.p == NULL)
		return (0);
	copy = fuzz_copy(rest);
	check_record(span_mem(copy, rest.n));
	free(copy);
	return (0);
}
