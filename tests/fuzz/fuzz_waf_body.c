/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies before the engine: media types, boundaries, heads of parts, counts, and
 * the closing of a body that was cut. The first line is the Content-Type, its
 * first byte says where the body behind it is cut. A JSON text that is well formed
 * must be so again when it was cut anywhere and closed. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include <jansson.h>

#include "gateway/base/buf.h"
#include "rules/body.h"

static bool
is_json(struct span text)
{
	json_t *json;

	/* jansson takes a NUL byte for the end */
	if (span_index(text, '\0') != SIZE_MAX)
		return (false);
	json = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	json_decref(json);
	return (json != NULL);
}

static void
check_close(enum shim_body kind, struct span whole, size_t cut, struct span boundary)
{
	struct span head = span_cut(whole, 0, cut);
	struct text close, both;
	size_t keep;
	bool closed;

	text_init(&close, 1u << 20);
	closed = body_close(kind, head, boundary, &keep, &close);
	CHECK(keep <= head.n);
	if (closed && kind == SHIM_BODY_JSON && is_json(whole)) {
		text_init(&both, 1u << 21);
		text_put(&both, span_cut(head, 0, keep));
		text_put(&both, text_span(&close));
		CHECK(is_json(text_span(&both)));
		text_free(&both);
	}
	text_free(&close);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_mem(data, size), type, body, boundary;
	uint64_t parts = 0;
	size_t cut;

	if (size < 2)
		return (0);
	type = span_cut(input, 1, span_index(input, '\n'));
	body = span_cut(input, type.n + 2, input.n);
	cut = body.n * data[0] / 255;
	CHECK(body_arguments_urlencoded(body) <= body.n + 1);
	CHECK(body_arguments_json(body) <= body.n + 1);
	if (body_boundary(type, &boundary) != NULL)
		boundary = SPAN("b");
	CHECK(boundary.n >= 1 && boundary.n <= 70);
	(void)body_multipart(body, boundary, &parts);
	CHECK(parts <= body.n);
	check_close(body_kind(type), body, cut, boundary);
	for (int kind = SHIM_BODY_RAW; kind <= SHIM_BODY_XML; kind++)
		check_close((enum shim_body)kind, body, cut, boundary);
	return (0);
}
