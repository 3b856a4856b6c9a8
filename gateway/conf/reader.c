/* SPDX-License-Identifier: Apache-2.0 */
/* A tree of nodes into structs, by the directive tables. */
#include "config.h"

#include "gateway/conf/reader.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/check.h"
#include "gateway/conf/files.h"
#include "gateway/conf/store.h"
#include "gateway/conf/tables.h"
#include "gateway/conf/value.h"

#define MEMBERS_MAX 100000

static size_t
push(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes the field's path longer; the caller gives back what is returned. */
static size_t
push(struct reader *r, const char *format, ...)
{
	size_t before = r->path_n, room = sizeof(r->path) - r->path_n;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(r->path + before, room, format, ap);
	va_end(ap);
	CHECK(n >= 0);
	r->path_n += (size_t)n < room ? (size_t)n : room - 1;
	return (before);
}

static void
pop(struct reader *r, size_t before)
{
	r->path_n = before;
	r->path[before] = '\0';
}

static size_t
push_name(struct reader *r, struct span name)
{
	return (push(r, "%s%.*s", r->path_n > 0 ? "." : "", SPAN_FMT(name)));
}

__attribute__((format(printf, 3, 0))) static void
problem_v(struct reader *r, const struct node *node, const char *format, va_list ap)
{
	struct conf_place place = { r->file, node->line, node->column };
	char text[sizeof(((struct conf_problem *)NULL)->text)];

	vsnprintf(text, sizeof(text), format, ap);
	conf_problems_add(r->problems, &place, r->path, "%s", text);
}

void
reader_problem(struct reader *r, const struct node *node, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	problem_v(r, node, format, ap);
	va_end(ap);
}

void
reader_problem_in(
    struct reader *r, const struct node *node, const char *name, const char *format, ...)
{
	size_t before = push_name(r, span_of(name));
	va_list ap;

	va_start(ap, format);
	problem_v(r, node, format, ap);
	va_end(ap);
	pop(r, before);
}

const char *
reader_member(struct reader *r, const char *name)
{
	size_t before = push_name(r, span_of(name));
	const char *path = reader_strdup(r, span_of(r->path));

	pop(r, before);
	return (path);
}

void
reader_mention(
    struct reader *r, enum mention_kind kind, const struct node *node, const char *name)
{
	struct mention *m;
	void *v = r->mentions;

	m = reader_grow(r, &v, &r->n_mentions, sizeof(*m));
	r->mentions = v;
	m->kind = kind;
	m->place = (struct conf_place){ r->file, node->line, node->column };
	m->name = name;
	m->field = reader_strdup(r, span_of(r->path));
}

void
reader_mention_in(
    struct reader *r, enum mention_kind kind, const struct node *map, const char *name)
{
	const struct node *node = node_member(map, name);
	size_t before;

	CHECK(node != NULL);
	before = push_name(r, span_of(name));
	reader_mention(r, kind, node, "");
	pop(r, before);
}

static void
quote_node(const struct node *node, struct text *out)
{
	if (node->kind == NODE_LIST)
		text_puts(out, "a list");
	else if (node->kind == NODE_MAP)
		text_puts(out, "a mapping");
	else if (node_is_nothing(node))
		text_puts(out, "nothing");
	else
		value_quote(node->text, out);
}

/* "found "x"; allowed: ..." with the nearest word behind where there is one. */
static void
refuse_value(
    struct reader *r, const struct field *f, const struct node *node, const char *why)
{
	const struct choice *c, *best = NULL;
	size_t distance, least = SIZE_MAX;
	struct text t;

	text_init(&t, 600);
	text_puts(&t, "found ");
	quote_node(node, &t);
	text_puts(&t, "; allowed: ");
	if (why != NULL)
		text_puts(&t, why);
	else
		field_allowed(f, &t);
	for (c = f->choices; c != NULL && c->word != NULL && node->kind == NODE_SCALAR;
	     c++) {
		if (!value_is_near(node->text, span_of(c->word), &distance) ||
		    distance >= least)
			continue;
		least = distance;
		best = c;
	}
	if (best != NULL)
		text_printf(&t, "; did you mean \"%s\"?", best->word);
	reader_problem(r, node, "%.*s", SPAN_FMT(text_span(&t)));
	text_free(&t);
}

/* A word of the contract that nothing is done for yet. */
static void
refuse_later(struct reader *r, const struct field *f, const struct node *node)
{
	struct text t;

	text_init(&t, 300);
	text_puts(&t, "not built yet; found ");
	quote_node(node, &t);
	text_puts(&t, "; allowed: ");
	field_allowed(f, &t);
	reader_problem(r, node, "%.*s", SPAN_FMT(text_span(&t)));
	text_free(&t);
}

/* Runs the row's own check over a copy, which may be rewritten. */
static const char *
checked(struct reader *r, const struct field *f, const struct node *node)
{
	char *copy = arena_strdup(r->arena, node->text);
	struct text why;
	bool good = true;

	CHECK(copy != NULL);
	if (f->check == NULL || node->text.n == 0)
		return (copy);
	text_init(&why, 500);
	if (!f->check(copy, &why)) {
		text_putc(&why, '\0');
		refuse_value(r, f, node, why.p);
		good = false;
	}
	text_free(&why);
	return (good ? copy : NULL);
}

static void
note_path(struct reader *r, const struct node *node, const char *value)
{
	struct conf_path *path;
	void *v = r->conf->paths;

	path = reader_grow(r, &v, &r->conf->n_paths, sizeof(*path));
	r->conf->paths = v;
	path->place = (struct conf_place){ r->file, node->line, node->column };
	path->field = reader_strdup(r, span_of(r->path));
	path->value = value;
}

/* What others may ask about later: names, and where paths were written. */
static void
note_single(struct reader *r, const struct field *f, const struct node *node,
    const char *text, void *object)
{
	const char **path = store_member(f, object);

	if (f->type == FIELD_POOL)
		reader_mention(r, MENTION_POOL, node, text);
	else if (f->type == FIELD_POLICY)
		reader_mention(r, MENTION_POLICY, node, text);
	else if (f->type == FIELD_PATH && path != NULL)
		note_path(r, node, *path);
}

/* YAML 1.1 reads off as false, and programs that write configurations write it so.
 * Where it is one of the words of a field it is that word, not the name of a file. */
static struct node
as_switch(const struct field *f, const struct node *node)
{
	struct node same = *node;
	struct span word;
	bool truth;

	if (!node->plain || field_choice(f, node->text) != NULL ||
	    !value_truth(node->text, &truth))
		return (same);
	word = truth ? SPAN("on") : SPAN("off");
	if (field_choice(f, word) != NULL)
		same.text = word;
	return (same);
}

static void
read_single(
    struct reader *r, const struct field *f, const struct node *written, void *object)
{
	const struct node same = as_switch(f, written), *node = &same;
	const struct choice *choice;
	union field_value value;
	const char *text;

	if (node->kind != NODE_SCALAR || node_is_nothing(node) ||
	    !field_parse(f, node->text, &value)) {
		refuse_value(r, f, node, NULL);
		return;
	}
	choice = field_choice(f, node->text);
	if (choice != NULL && choice->later) {
		refuse_later(r, f, node);
		return;
	}
	text = checked(r, f, node);
	if (text == NULL)
		return;
	if (store_member(f, object) != NULL)
		store_value(r, f, &value, span_of(text), object);
	if (text[0] != '\0')
		note_single(r, f, node, text, object);
}

/* What one member of a list may be. */
static struct field
item_field(const struct field *f)
{
	struct field item = *f;

	switch (f->type) {
	case FIELD_WORDS:
	case FIELD_FLAGS: item.type = FIELD_WORD; break;
	case FIELD_FILES: item.type = FIELD_PATH; break;
	case FIELD_NUMBERS: item.type = FIELD_NUMBER; break;
	default: item.type = FIELD_STRING; break;
	}
	item.form = NULL;
	item.most = 0;
	return (item);
}

static bool
item_is_allowed(struct reader *r, const struct field *f, const struct node *node)
{
	struct field item = item_field(f);
	union field_value value;
	struct netprefix prefix;
	const struct choice *choice;

	if (node->kind != NODE_SCALAR || node->text.n == 0 || node_is_nothing(node) ||
	    (f->type == FIELD_NUMBERS && !field_parse(&item, node->text, &value))) {
		refuse_value(r, &item, node, NULL);
		return (false);
	}
	if (f->type == FIELD_PREFIXES &&
	    netprefix_parse(&prefix, node->text, NULL) != ERR_OK) {
		refuse_value(
		    r, f, node, "an address, or a prefix with its host bits zero");
		return (false);
	}
	if (item.type != FIELD_WORD)
		return (true);
	choice = field_choice(f, node->text);
	if (choice == NULL)
		refuse_value(r, &item, node, NULL);
	else if (choice->later)
		refuse_later(r, &item, node);
	return (choice != NULL && !choice->later);
}

static void
read_item(struct reader *r, const struct field *f, const struct node *node, void *list)
{
	const char *text;

	if (node->wrong != NULL) {
		reader_problem(r, node, "%s", node->wrong);
		return;
	}
	if (!item_is_allowed(r, f, node))
		return;
	text = checked(r, f, node);
	if (text == NULL)
		return;
	if (f->type == FIELD_HOSTS)
		reader_mention(r, MENTION_HOST, node, text);
	else if (f->type == FIELD_LIMITS)
		reader_mention(r, MENTION_LIMIT, node, text);
	if (list == NULL)
		return;
	if (f->type == FIELD_FILES)
		files_expand(r, node, reader_absolute(r, span_of(text)), list);
	else
		store_item(r, f, span_of(text), list);
}

static bool
count_is_allowed(struct reader *r, const struct field *f, const struct node *node)
{
	size_t most = f->most > 0 ? f->most : MEMBERS_MAX;

	if (node->n > most) {
		reader_problem(r, node, "has %zu members; allowed: %zu", node->n, most);
		return (false);
	}
	if (node->n == 0 && f->required)
		reader_problem(r, node, "is empty, and at least one is needed");
	return (true);
}

static void
read_items(struct reader *r, const struct field *f, const struct node *node, void *object)
{
	void *list = store_member(f, object);
	const struct node *item;
	size_t i = 0, before;

	if (list != NULL)
		store_clear(f, list);
	if (node->kind == NODE_SCALAR && !node_is_nothing(node)) {
		read_item(r, f, node, list);
		return;
	}
	if (node->kind != NODE_LIST) {
		refuse_value(r, f, node, NULL);
		return;
	}
	if (!count_is_allowed(r, f, node))
		return;
	for (item = node->child; item != NULL; item = item->next) {
		before = push(r, "[%zu]", i++);
		read_item(r, f, item, list);
		pop(r, before);
	}
}

/* A field's name and its text: the text may be empty, but must be there. */
static void
read_pair(struct reader *r, const struct node *item, struct conf_pairs *pairs)
{
	static const struct field name = { .type = FIELD_STRING,
		.check = check_field_name };
	static const struct field value = { .type = FIELD_STRING,
		.check = check_field_text };
	const char *key, *text;
	struct conf_pair *pair;
	void *v = pairs->v;

	if (item->first_line > 0) {
		reader_problem(
		    r, item->key, "%s, first in line %u", item->wrong, item->first_line);
		return;
	}
	if (item->wrong != NULL || item->key->wrong != NULL) {
		reader_problem(
		    r, item, "%s", item->wrong != NULL ? item->wrong : item->key->wrong);
		return;
	}
	if (item->kind != NODE_SCALAR || node_is_nothing(item)) {
		refuse_value(r, &value, item, NULL);
		return;
	}
	if (item->key->text.n == 0) {
		refuse_value(r, &name, item->key, "the name of a header field");
		return;
	}
	key = checked(r, &name, item->key);
	text = checked(r, &value, item);
	if (key == NULL || text == NULL)
		return;
	pair = reader_grow(r, &v, &pairs->n, sizeof(*pair));
	pairs->v = v;
	pair->name = key;
	pair->value = text;
	pair->place = (struct conf_place){ r->file, item->line, item->column };
	pair->field = reader_strdup(r, span_of(r->path));
}

static void
read_pairs(struct reader *r, const struct field *f, const struct node *node, void *object)
{
	struct conf_pairs *pairs = store_member(f, object);
	const struct node *item;
	size_t before;

	if (node->kind != NODE_MAP) {
		refuse_value(r, f, node, NULL);
		return;
	}
	if (!count_is_allowed(r, f, node))
		return;
	for (item = node->child; item != NULL; item = item->next) {
		before = push_name(r, item->key->text);
		read_pair(r, item, pairs);
		pop(r, before);
	}
}

static void
note_place(struct reader *r, const struct map *m, void *object, const struct node *node)
{
	const struct node *where = node->key != NULL ? node->key : node;

	if (m->place_offset != FIELD_NOWHERE)
		*(struct conf_place *)((char *)object + m->place_offset) =
		    (struct conf_place){ r->file, where->line, where->column };
}

static void *
add_element(
    struct reader *r, const struct field *f, const struct node *node, void *object)
{
	void *at = store_member(f, object), *element;

	if (at == NULL)
		return (NULL);
	element = reader_grow(
	    r, at, (size_t *)((char *)object + f->count_offset), f->map->size);
	reader_defaults(r, f->map, element);
	note_place(r, f->map, element, node);
	if (f->map->name_offset != FIELD_NOWHERE)
		*(const char **)((char *)element + f->map->name_offset) =
		    reader_strdup(r, node->key->text);
	return (element);
}

static bool
is_name(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') ||
			(s.p[i] >= 'A' && s.p[i] <= 'Z') ||
			(s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.' ||
			s.p[i] == '-' || s.p[i] == '_'))
			return (false);
	return (s.n > 0 && s.n <= 64);
}

/* Every element of a list or dict: is counted, gets its defaults, is read. */
static void
read_elements(
    struct reader *r, const struct field *f, const struct node *node, void *object)
{
	enum node_kind wanted = f->type == FIELD_LIST ? NODE_LIST : NODE_MAP;
	const struct node *item;
	size_t i = 0, before;

	if (node->kind != wanted) {
		refuse_value(r, f, node, NULL);
		return;
	}
	if (!count_is_allowed(r, f, node))
		return;
	for (item = node->child; item != NULL; item = item->next) {
		before = wanted == NODE_LIST ? push(r, "[%zu]", i++)
					     : push_name(r, item->key->text);
		if (item->first_line > 0)
			reader_problem(r, item->key, "%s, first in line %u", item->wrong,
			    item->first_line);
		else if (item->wrong != NULL)
			reader_problem(r, item, "%s", item->wrong);
		else if (wanted == NODE_MAP && !is_name(item->key->text))
			reader_problem(r, item->key,
			    "allowed as a name: 1 to 64 letters, digits, dots, - and _");
		else
			reader_map(r, f->map, item, add_element(r, f, item, object));
		pop(r, before);
	}
}

/* A word that stands for a mapping; a switch may be written as any other. */
static const struct choice *
map_word(const struct field *f, const struct node *node)
{
	const struct choice *choice = NULL;
	bool truth;

	if (node->kind != NODE_SCALAR)
		return (NULL);
	choice = field_choice(f, node->text);
	if (choice == NULL && value_truth(node->text, &truth))
		choice = field_choice(f, truth ? SPAN("on") : SPAN("off"));
	return (choice);
}

/* A mapping, or the word that stands for one. */
static void
read_map(struct reader *r, const struct field *f, const struct node *node, void *object)
{
	const struct choice *choice;
	void *inner = object != NULL ? (char *)object + f->base : NULL;
	bool *there = store_member(f, object);

	if (f->choices != NULL && node->kind != NODE_MAP) {
		choice = map_word(f, node);
		if (choice == NULL)
			refuse_value(r, f, node, NULL);
		else if (there != NULL)
			*there = choice->value != 0;
		return;
	}
	if (there != NULL && f->choices == NULL)
		*there = true;
	if (inner != NULL)
		note_place(r, f->map, inner, node);
	reader_map(r, f->map, node, inner);
}

static void
read_value(struct reader *r, const struct field *f, const struct node *node, void *object)
{
	switch (f->type) {
	case FIELD_STRINGS:
	case FIELD_HOSTS:
	case FIELD_LIMITS:
	case FIELD_WORDS:
	case FIELD_FLAGS:
	case FIELD_FILES:
	case FIELD_PREFIXES:
	case FIELD_NUMBERS: read_items(r, f, node, object); break;
	case FIELD_PAIRS: read_pairs(r, f, node, object); break;
	case FIELD_LIST:
	case FIELD_DICT: read_elements(r, f, node, object); break;
	case FIELD_MAP: read_map(r, f, node, object); break;
	default: read_single(r, f, node, object); break;
	}
}

static void
read_field(struct reader *r, const struct field *f, const struct node *node, void *object)
{
	size_t before = push_name(r, node->key->text);

	if (node->wrong != NULL && node->first_line > 0) {
		reader_problem(
		    r, node->key, "%s, first in line %u", node->wrong, node->first_line);
	} else if (node->wrong != NULL) {
		reader_problem(r, node, "%s", node->wrong);
	} else {
		read_value(r, f, node, object);
	}
	pop(r, before);
}

/* Is it a field of a mapping within this one? Then that is what was meant. */
static const struct field *
find_within(const struct map *m, struct span name, const struct field **parent_r)
{
	const struct field *f;
	size_t i;

	for (i = 0; i < m->n_fields; i++) {
		if (m->fields[i].type != FIELD_MAP)
			continue;
		f = map_field(m->fields[i].map, name);
		if (f == NULL)
			continue;
		*parent_r = &m->fields[i];
		return (f);
	}
	return (NULL);
}

static void
refuse_unknown(
    struct reader *r, const struct map *m, const struct node *key, uint64_t *seen)
{
	const struct field *near = map_nearest(m, key->text), *parent;
	size_t before = push_name(r, key->text), i;
	struct text t;

	text_init(&t, 600);
	text_puts(&t, "unknown field; ");
	if (near != NULL) {
		text_printf(&t, "did you mean \"%s\"?", near->name);
		*seen |= UINT64_C(1) << (near - m->fields);
	} else if ((near = find_within(m, key->text, &parent)) != NULL) {
		text_printf(&t, "did you mean \"%s.%s\"?", parent->name, near->name);
	} else {
		text_puts(&t, "allowed:");
		for (i = 0; i < m->n_fields; i++)
			text_printf(&t, "%s %s", i > 0 ? "," : "", m->fields[i].name);
	}
	reader_problem(r, key, "%.*s", SPAN_FMT(text_span(&t)));
	text_free(&t);
	pop(r, before);
}

static void
require(struct reader *r, const struct map *m, const struct node *node, uint64_t seen)
{
	size_t i;

	for (i = 0; i < m->n_fields; i++)
		if (m->fields[i].required && (seen & (UINT64_C(1) << i)) == 0)
			reader_problem_in(
			    r, node, m->fields[i].name, "is missing, and has no default");
}

void
reader_root_required(struct reader *r, const struct node *root)
{
	require(r, &map_root, root, r->root_seen);
}

static bool
may_be_included(const struct field *f)
{
	return (strcmp(f->name, "sites") == 0 || strcmp(f->name, "pools") == 0 ||
		strcmp(f->name, "policies") == 0);
}

void
reader_map(struct reader *r, const struct map *m, const struct node *node, void *object)
{
	const struct field *f;
	const struct node *item;
	uint64_t seen = 0;

	if (node->kind != NODE_MAP) {
		struct field as = { .type = FIELD_MAP };

		refuse_value(r, &as, node, NULL);
		return;
	}
	for (item = node->child; item != NULL; item = item->next) {
		f = item->key->wrong == NULL ? map_field(m, item->key->text) : NULL;
		if (item->key->wrong != NULL) {
			reader_problem(r, item->key, "%s", item->key->wrong);
		} else if (f == NULL) {
			refuse_unknown(r, m, item->key, &seen);
		} else if (m == &map_root && r->included && !may_be_included(f)) {
			reader_problem_in(r, item->key, f->name,
			    "not in an included file: those hold sites, pools and "
			    "policies");
		} else {
			seen |= UINT64_C(1) << (f - m->fields);
			read_field(r, f, item, object);
		}
	}
	if (m == &map_root)
		r->root_seen |= seen;
	else
		require(r, m, node, seen);
	if (m->finish != NULL && object != NULL)
		m->finish(r, object, node);
}

static void
default_items(struct reader *r, const struct field *f, void *list)
{
	struct span rest = span_of(f->standard), word;

	store_clear(f, list);
	while (value_word(&rest, &word))
		store_item(r, f, word, list);
}

void
reader_defaults(struct reader *r, const struct map *m, void *object)
{
	union field_value value;
	const struct field *f;
	size_t i;

	for (i = 0; i < m->n_fields; i++) {
		f = &m->fields[i];
		if (f->type == FIELD_MAP)
			reader_defaults(r, f->map, (char *)object + f->base);
		if (field_is_nested(f) || f->type == FIELD_PAIRS ||
		    store_member(f, object) == NULL)
			continue;
		if (field_is_list(f)) {
			default_items(r, f, store_member(f, object));
			continue;
		}
		memset(&value, 0, sizeof(value));
		if (f->standard != NULL)
			CHECK(field_parse(f, span_of(f->standard), &value));
		store_value(r, f, &value, span_of(f->standard), object);
	}
}
