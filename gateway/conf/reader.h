/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/reader.h - a tree of nodes into structs, by the directive
 * tables. Only within this folder; one thread. */
#ifndef YETT_CONF_READER_H
#define YETT_CONF_READER_H

#include "gateway/base/arena.h"
#include "gateway/conf/conf.h"
#include "gateway/conf/document.h"
#include "gateway/conf/field.h"

#define READER_INCLUDES_MAX 4096

/* A name that must exist, or must not exist twice: looked at when everything
 * is read. */
enum mention_kind {
	MENTION_POOL,
	MENTION_POLICY,
	MENTION_LIMIT,
	MENTION_HOST,
	/* these name a field that must be set: */
	MENTION_COUNTRY,
	MENTION_ASN,
	MENTION_PROXIES,
	MENTION_CLIENT_CA,
};
struct mention {
	enum mention_kind kind;
	struct conf_place place;
	const char *name;
	const char *field;
};

struct reader {
	struct arena *arena; /* of the configuration */
	struct conf *conf;
	struct conf_problems *problems;
	const char *file, *folder; /* being read; what paths count from */
	bool included; /* sites, pools and policies only */
	bool in_memory; /* a text from memory: no include */
	bool incomplete; /* some file could not be read to its end */
	uint64_t root_seen; /* fields of the root, over all files */
	char path[sizeof(((struct conf_problem *)NULL)->field)];
	size_t path_n;
	struct mention *mentions;
	size_t n_mentions;
	const struct node *include_node; /* of the main file */
};

void *reader_alloc(struct reader *, size_t size);
const char *reader_strdup(struct reader *, struct span);
/* Makes room for one more element of `size` bytes behind the n there are, and
 * returns it zeroed. */
void *reader_grow(struct reader *, void **v, size_t *n, size_t size);
const char *reader_absolute(struct reader *, struct span path);

/* A problem with the value of `node`, or (reader_problem_in) with one member of
 * it whose path is longer by `.name`. */
void reader_problem(struct reader *, const struct node *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reader_problem_in(struct reader *, const struct node *, const char *name,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The path of a member of what is being read. */
const char *reader_member(struct reader *, const char *name);
void
reader_mention(struct reader *, enum mention_kind, const struct node *, const char *name);
/* The same of a member of what is being read. */
void reader_mention_in(
    struct reader *, enum mention_kind, const struct node *, const char *name);

/* Sets every field of the object to its default. */
void reader_defaults(struct reader *, const struct map *, void *object);
/* Reads the mapping; `object` NULL checks and stores nothing. */
void reader_map(struct reader *, const struct map *, const struct node *, void *object);
/* A required field that no file had. */
void reader_root_required(struct reader *, const struct node *root);

#endif
