/* SPDX-License-Identifier: Apache-2.0 */
/* The directive tables of what is understood and not built yet: cache,
 * compression, changes of header fields, health of servers, queues. */
#include "config.h"

#include "gateway/conf/rows.h"
#include "gateway/conf/tables.h"

/* clang-format off */
const struct choice words_off_on[] = {
	{ "off", 0, false }, { "on", 1, true }, { NULL, 0, false },
};

static const struct choice words_encoding[] = {
	{ "zstd", 0, false }, { "br", 1, false }, { "gzip", 2, false }, { NULL, 0, false },
};

static const struct field rows_cache[] = {
	{ .name = "memory", LATER(SIZE), .standard = "256MiB", .min = "1MiB", .max = "1024GiB",
	  .prose = "For all answers kept." },
	{ .name = "max_object", LATER(SIZE), .standard = "8MiB", .min = "1KiB", .max = "1GiB",
	  .prose = "Largest answer kept." },
};

const struct map map_cache = {
	.name = "cache", ROWS(rows_cache), WITHIN, .prose = "Memory for answers kept.",
};

static const struct field rows_compress[] = {
	{ .name = "types", LATER(STRINGS), .check = check_media_type, .harmless = "",
	  .standard = "text/*, application/json, application/javascript, image/svg+xml",
	  .form = "a list of media types", .prose = "What is compressed." },
	{ .name = "min", LATER(SIZE), .standard = "1KiB", .min = "0", .max = "1GiB",
	  .prose = "Smallest answer that is." },
	{ .name = "encodings", LATER(WORDS), .choices = words_encoding,
	  .standard = "zstd, br, gzip", .prose = "In order of preference." },
};

const struct map map_compress = {
	.name = "compress", ROWS(rows_compress), WITHIN, .prose = "Compression of answers.",
};

static const struct field rows_change[] = {
	{ .name = "set", LATER(PAIRS), .harmless = "",
	  .prose = "Fields to set, to a text in which %{scheme} and the like are replaced." },
	{ .name = "remove", LATER(STRINGS), .check = check_field_name, .harmless = "",
	  .form = "a list of field names", .prose = "Fields to take away." },
};

static const struct map map_change = {
	.name = "header_change", ROWS(rows_change), WITHIN, .prose = "Changes of header fields.",
};

static const struct field rows_headers[] = {
	{ .name = "request", LATER_MAP(MAP, change), .prose = "Of requests, to the origin." },
	{ .name = "response", LATER_MAP(MAP, change), .prose = "Of answers, to the client." },
};

const struct map map_headers = {
	.name = "headers", ROWS(rows_headers), WITHIN, .prose = "Changes of header fields.",
};

static const struct field rows_sticky[] = {
	{ .name = "cookie", LATER(STRING), .standard = "", .harmless = "",
	  .prose = "Name of a cookie that keeps a client with its server; empty: none." },
};

const struct map map_sticky = {
	.name = "sticky", ROWS(rows_sticky), WITHIN,
	.prose = "Keeps a client with its server.",
};

static const struct field rows_health[] = {
	{ .name = "path", LATER(STRING), .standard = "/", .check = check_path,
	  .form = "a path", .prose = "What is asked for." },
	{ .name = "interval", LATER(DURATION), .standard = "2s", .min = "100ms", .max = "1h",
	  .prose = "Time between two checks." },
	{ .name = "timeout", LATER(DURATION), .standard = "1s", .min = "10ms", .max = "1m",
	  .prose = "For one check." },
	{ .name = "rise", LATER(NUMBER), .standard = "2", .min = "1", .max = "100",
	  .prose = "Good checks in a row that bring a server back." },
	{ .name = "fall", LATER(NUMBER), .standard = "3", .min = "1", .max = "100",
	  .prose = "Bad checks in a row that take a server out." },
	{ .name = "status", LATER(STRING), .standard = "200-399", .check = check_status_range,
	  .form = "a status or a range of them", .prose = "What counts as good." },
};

const struct map map_health = {
	.name = "health", ROWS(rows_health), WITHIN, .prose = "Checks servers by asking them.",
};

static const struct field rows_outlier[] = {
	{ .name = "failures", LATER(NUMBER), .standard = "5", .min = "1", .max = "1000",
	  .prose = "Failed requests that take a server out." },
	{ .name = "within", LATER(DURATION), .standard = "10s", .min = "100ms", .max = "1h",
	  .prose = "The time in which they are counted." },
	{ .name = "eject", LATER(DURATION), .standard = "30s", .min = "1s", .max = "1h",
	  .prose = "How long it stays out." },
};

const struct map map_outlier = {
	.name = "outlier", ROWS(rows_outlier), WITHIN,
	.prose = "Takes a server out that fails clients' requests.",
};

static const struct field rows_queue[] = {
	{ .name = "length", LATER(NUMBER), .standard = "1024", .min = "0", .max = "1000000",
	  .harmless = "0", .prose = "Requests that may wait for a connection." },
	{ .name = "wait", LATER(DURATION), .standard = "2s", .min = "0s", .max = "1m",
	  .harmless = "0s", .prose = "How long one may wait." },
};

const struct map map_queue = {
	.name = "queue", ROWS(rows_queue), WITHIN,
	.prose = "Requests that wait while all servers have max_connections.",
};
/* clang-format on */
