/* SPDX-License-Identifier: Apache-2.0 */
/* Accept-Encoding: what is chosen was asked for, never refused, and the lines of a list
 * may be cut at any comma. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/filter/accept.h"

static const enum coding ORDER[] = { CODING_ZSTD, CODING_BR, CODING_GZIP };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(span_mem(data, size));
	const struct span text = span_mem(copy, size);
	struct span rest = text, line;
	struct accept whole, parts;
	enum coding coding, again;
	enum accept_rc rc;

	accept_init(&whole);
	accept_add(&whole, text);
	accept_init(&parts);
	while (span_split(&rest, ',', &line))
		accept_add(&parts, line);
	rc = accept_choose(&whole, ORDER, 3, &coding);
	CHECK(accept_choose(&parts, ORDER, 3, &again) == rc && again == coding);
	CHECK((rc == ACCEPT_CODING) == (coding != CODING_IDENTITY));
	CHECK(whole.elements <= ACCEPT_ELEMENTS_MAX && whole.any <= 1000);
	if (rc == ACCEPT_CODING) {
		CHECK(coding <= CODING_GZIP && !whole.crowded);
		CHECK(whole.quality[coding] > 0 ||
		      (whole.quality[coding] < 0 && whole.any > 0));
	}
	free(copy);
	return (0);
}
