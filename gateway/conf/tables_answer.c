/* SPDX-License-Identifier: Apache-2.0 */
/* The directive tables of what is done with answers: the cache, compression, and
 * changes of header fields (those of requests, too). */
#include "config.h"

#include "gateway/conf/rows.h"
#include "gateway/conf/tables.h"

/* clang-format off */
const struct choice words_off[] = { { "off", 0, false }, { NULL, 0, false } };

const struct choice words_off_on[] = {
	{ "off", 0, false }, { "on", 1, false }, { NULL, 0, false },
};

static const struct choice words_encoding[] = {
	{ "zstd", 0, false }, { "br", 1, false }, { "gzip", 2, false }, { NULL, 0, false },
};

static const struct field rows_cache[] = {
	{ .name = "memory", SIZE(conf, cache.memory), .standard = "256MiB", .min = "1MiB",
	  .max = "1024GiB", .prose = "For all answers kept, of all sites." },
	{ .name = "max_object", SIZE(conf, cache.max_object), .standard = "8MiB",
	  .shown = "8MiB, or a quarter of memory where that is less", .min = "1KiB",
	  .max = "256GiB",
	  .prose = "Largest answer kept: at most a quarter of memory." },
};

const struct map map_cache = {
	.name = "cache", ROWS(rows_cache), WITHIN, .finish = finish_cache,
	.prose = "Memory for answers kept. What is kept is the matter of sites and routes.",
};

static const struct field rows_cache_use[] = {
	{ .name = "ttl", DURATION(conf_cache_use, ttl), .standard = "0s", .min = "0s",
	  .max = "365d",
	  .prose = "How long answers are fresh that say nothing of it; 0s: those are not kept." },
	{ .name = "key", STRINGS(conf_cache_use, key), .standard = "", .check = check_cache_key,
	  .form = "a list of header:NAME, cookie:NAME, country or asn", .most = CONF_KEYS_MAX,
	  .prose = "What tells answers apart besides scheme, host, path and query." },
	{ .name = "ignore_query", STRINGS(conf_cache_use, ignore_query), .standard = "",
	  .check = check_parameter, .form = "a list of parameters, such as utm_*", .most = 64,
	  .prose = "Parameters of the query that change no answer: left out of the key, and not "
	    "sent to the origin." },
	{ .name = "heuristic", NUMBER(conf_cache_use, heuristic), .standard = "0", .min = "0",
	  .max = "100",
	  .prose = "Answers with Last-Modified and no word of their freshness are fresh for so many "
	    "percent of their age; 0: they are not." },
	{ .name = "strip_cookies", TRUTH(conf_cache_use, strip_cookies), .standard = "off",
	  .prose = "Keep answers that set cookies, without the cookies; off: such are not kept." },
	{ .name = "ignore_requests", TRUTH(conf_cache_use, ignore_requests), .standard = "off",
	  .prose = "A client's Cache-Control and Pragma change nothing." },
	{ .name = "wait", DURATION(conf_cache_use, wait), .standard = "1s", .min = "10ms",
	  .max = "1m",
	  .prose = "How long a request waits for the answer to an equal one that is on its way, "
	    "before it asks the origin too." },
};

const struct map map_cache_use = {
	.name = "cache_use", ROWS(rows_cache_use), WITHIN, .finish = finish_cache_use,
	.prose = "Keeps answers that may be kept (RFC 9111). The mapping, even an empty one, "
	    "means on.",
};

static const struct field rows_compress[] = {
	{ .name = "types", STRINGS(conf_compress, types), .check = check_media_type,
	  .standard = "text/*, application/json, application/javascript, image/svg+xml",
	  .form = "a list of media types", .prose = "What is compressed." },
	{ .name = "min", SIZE(conf_compress, min), .standard = "1KiB", .min = "0", .max = "1GiB",
	  .prose = "Smallest answer that is." },
	{ .name = "encodings", WORDS(conf_compress, encodings, words_encoding),
	  .standard = "zstd, br, gzip", .most = 3,
	  .prose = "In order of preference, among those that the client likes equally." },
	{ .name = "level", NUMBER(conf_compress, level), .standard = "0", .min = "0", .max = "9",
	  .prose = "1: fast, to 9: small; 0: the standard of each coding." },
	{ .name = "secrets", TRUTH(conf_compress, secrets), .standard = "off",
	  .prose = "Compress also answers that BREACH might read: over HTTPS, to clients with "
	    "credentials, to requests with input." },
};

const struct map map_compress = {
	.name = "compress", ROWS(rows_compress), WITHIN, .finish = finish_compress,
	.prose = "Compression of answers. The mapping, even an empty one, means on.",
};

static const struct field rows_change[] = {
	{ .name = "set", PAIRS(conf_header_change, set),
	  .prose = "Fields to set instead of what there is, to a text in which %{scheme} and the "
	    "like are replaced; where it comes out empty the field is taken away." },
	{ .name = "add", PAIRS(conf_header_change, add),
	  .prose = "Fields to add to what there is, to such a text; none where it comes out "
	    "empty." },
	{ .name = "remove", STRINGS(conf_header_change, remove), .standard = "",
	  .check = check_field_name, .form = "a list of field names",
	  .most = CONF_PAIRS_MAX, .prose = "Fields to take away." },
};

const struct map map_header_change = {
	.name = "header_change", ROWS(rows_change), WITHIN, .finish = finish_header_change,
	.prose = "Changes of header fields. No field may be named twice.",
};

static const struct field rows_headers[] = {
	{ .name = "request", MAP_IN(conf_headers, request, header_change),
	  .prose = "Of requests, to the origin." },
	{ .name = "response", MAP_IN(conf_headers, response, header_change),
	  .prose = "Of answers, to the client." },
	{ .name = "security", TRUTH(conf_headers, security), .standard = "off",
	  .prose = "Give answers the usual security fields, where neither the origin nor "
	    "response names them." },
};

const struct map map_headers = {
	.name = "headers", ROWS(rows_headers), WITHIN_PLACED(conf_headers),
	.prose = "Changes of header fields.",
};
/* clang-format on */
