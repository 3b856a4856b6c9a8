/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML text as a tree of nodes, from libyaml's events. */
#include "config.h"

#include "gateway/conf/document.h"

#include <stdlib.h>

#include <yaml.h>

#include "gateway/base/check.h"
#include "gateway/base/utf8.h"

struct builder {
	struct arena *arena;
	const char *file;
	struct conf_problems *problems;
	struct node *open[DOCUMENT_DEPTH_MAX]; /* lists and mappings not ended */
	struct node *last[DOCUMENT_DEPTH_MAX]; /* newest child of each */
	struct node *key[DOCUMENT_DEPTH_MAX]; /* key that awaits its value */
	unsigned depth;
	struct node *root;
	bool stop;
};

static void
complain(struct builder *b, yaml_mark_t mark, const char *text)
{
	struct conf_place place = { b->file, (unsigned)mark.line + 1,
		(unsigned)mark.column + 1 };

	conf_problems_add(b->problems, &place, "", "%s", text);
}

static struct node *
node_new(struct builder *b, enum node_kind kind, yaml_mark_t mark)
{
	struct node *node = arena_zalloc(b->arena, sizeof(*node));

	CHECK(node != NULL);
	node->kind = kind;
	node->line = (unsigned)mark.line + 1;
	node->column = (unsigned)mark.column + 1;
	return (node);
}

/* Hangs a node into the innermost open list or mapping. */
static void
attach(struct builder *b, struct node *node)
{
	struct node *parent;
	unsigned at = b->depth - 1;

	if (b->depth == 0) {
		b->root = node;
		return;
	}
	parent = b->open[at];
	if (parent->kind == NODE_MAP && b->key[at] == NULL) {
		if (node->kind != NODE_SCALAR)
			node->wrong = "a key must be a word; found a list or a mapping";
		b->key[at] = node;
		return;
	}
	node->key = b->key[at];
	b->key[at] = NULL;
	if (node->key != NULL && node->key->wrong != NULL)
		node->wrong = node->key->wrong;
	if (b->last[at] == NULL)
		parent->child = node;
	else
		b->last[at]->next = node;
	b->last[at] = node;
	parent->n++;
}

static void
check_extras(struct node *node, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor != NULL)
		node->wrong = "anchors (&name) are not allowed: write the value out";
	if (tag != NULL)
		node->wrong = "tags (!name) are not allowed: leave it out";
}

static void
take_scalar(struct builder *b, const yaml_event_t *event)
{
	struct node *node = node_new(b, NODE_SCALAR, event->start_mark);
	size_t i, n = event->data.scalar.length;
	char *text = arena_alloc(b->arena, n + 1);
	unsigned char c;

	CHECK(text != NULL);
	memcpy(text, event->data.scalar.value, n);
	text[n] = '\0';
	node->text = span_mem(text, n);
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	check_extras(node, event->data.scalar.anchor, event->data.scalar.tag);
	for (i = 0; i < n; i++) {
		c = (unsigned char)text[i];
		if (c < 0x20 || c == 0x7f)
			node->wrong = "holds a line break or another control byte";
	}
	attach(b, node);
}

static void
open_node(struct builder *b, enum node_kind kind, const yaml_event_t *event)
{
	struct node *node = node_new(b, kind, event->start_mark);

	if (kind == NODE_MAP)
		check_extras(node, event->data.mapping_start.anchor,
		    event->data.mapping_start.tag);
	else
		check_extras(node, event->data.sequence_start.anchor,
		    event->data.sequence_start.tag);
	attach(b, node);
	if (b->depth == DOCUMENT_DEPTH_MAX) {
		complain(
		    b, event->start_mark, "lists and mappings are nested too deeply");
		b->stop = true;
		return;
	}
	b->open[b->depth] = node;
	b->last[b->depth] = NULL;
	b->key[b->depth] = NULL;
	b->depth++;
}

static int
key_order(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
	int order = strcmp(x->key->text.p, y->key->text.p);

	if (order != 0)
		return (order);
	return (x->line != y->line ? (x->line < y->line ? -1 : 1)
				   : (x->column > y->column) - (x->column < y->column));
}

/* A key given twice: the second is wrong, with the line of the first. */
static void
check_twice(struct node *map)
{
	struct node **v, *node;
	size_t i, n = 0;

	if (map->n < 2)
		return;
	v = mem_alloc(map->n * sizeof(struct node *));
	for (node = map->child; node != NULL; node = node->next)
		if (node->key->wrong == NULL)
			v[n++] = node;
	qsort(v, n, sizeof(struct node *), key_order);
	for (i = 1; i < n; i++) {
		if (!span_eq(v[i]->key->text, v[i - 1]->key->text))
			continue;
		v[i]->wrong = "is given twice in one mapping";
		v[i]->first_line = v[i - 1]->key->line;
	}
	free(v);
}

static void
close_node(struct builder *b)
{
	struct node *node;

	CHECK(b->depth > 0);
	node = b->open[--b->depth];
	if (node->kind == NODE_MAP)
		check_twice(node);
}

static void
take_event(struct builder *b, const yaml_event_t *event)
{
	struct node *node;

	switch (event->type) {
	case YAML_SCALAR_EVENT: take_scalar(b, event); break;
	case YAML_SEQUENCE_START_EVENT: open_node(b, NODE_LIST, event); break;
	case YAML_MAPPING_START_EVENT: open_node(b, NODE_MAP, event); break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: close_node(b); break;
	case YAML_ALIAS_EVENT:
		node = node_new(b, NODE_SCALAR, event->start_mark);
		node->text = SPAN("");
		node->wrong = "aliases (*name) are not allowed: write the value out";
		attach(b, node);
		break;
	case YAML_DOCUMENT_START_EVENT:
		if (b->root != NULL) {
			complain(b, event->start_mark,
			    "a second document (---): a file holds one");
			b->stop = true;
		}
		break;
	case YAML_STREAM_END_EVENT: b->stop = true; break;
	default: break;
	}
}

/* libyaml says what it met and in what it met it; both help. */
static void
complain_syntax(struct builder *b, const yaml_parser_t *parser)
{
	struct conf_place place = { b->file, (unsigned)parser->problem_mark.line + 1,
		(unsigned)parser->problem_mark.column + 1 };
	const char *problem = parser->problem != NULL ? parser->problem : "not YAML";

	CHECK(parser->error != YAML_MEMORY_ERROR);
	if (parser->context != NULL)
		conf_problems_add(b->problems, &place, "",
		    "not YAML: %s (%s that began in line %zu)", problem, parser->context,
		    parser->context_mark.line + 1);
	else
		conf_problems_add(b->problems, &place, "", "not YAML: %s", problem);
}

/* Tells where the first byte is that no YAML text may hold. */
static bool
check_bytes(struct builder *b, struct span yaml)
{
	yaml_mark_t mark = { 0, 0, 0 };
	size_t i = 0, n;
	unsigned char c;

	while (i < yaml.n) {
		c = (unsigned char)yaml.p[i];
		n = utf8_sequence(span_cut(yaml, i, yaml.n));
		if (n == 0) {
			complain(b, mark, "not valid UTF-8");
			return (false);
		}
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f ||
		    (n == 2 && c == 0xc2 && (unsigned char)yaml.p[i + 1] < 0xa0)) {
			complain(b, mark, "a control byte");
			return (false);
		}
		mark.column++;
		if (c == '\n') {
			mark.line++;
			mark.column = 0;
		}
		i += n;
	}
	return (true);
}

struct node *
document_read(struct arena *arena, const char *file, struct span yaml,
    struct conf_problems *problems)
{
	struct builder b = { .arena = arena, .file = file, .problems = problems };
	yaml_mark_t start = { 0, 0, 0 };
	yaml_parser_t parser;
	yaml_event_t event;
	bool good = true;

	if (yaml.n > DOCUMENT_BYTES_MAX) {
		complain(&b, start, "larger than 1 MiB: split it with include");
		return (NULL);
	}
	if (!check_bytes(&b, yaml))
		return (NULL);
	if (span_starts(yaml, SPAN("\xef\xbb\xbf"))) /* a byte order mark */
		yaml = span_cut(yaml, 3, yaml.n);
	CHECK(yaml_parser_initialize(&parser) == 1);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &parser, (const unsigned char *)(yaml.n > 0 ? yaml.p : ""), yaml.n);
	while (good && !b.stop) {
		if (yaml_parser_parse(&parser, &event) != 1) {
			complain_syntax(&b, &parser);
			good = false;
			break;
		}
		take_event(&b, &event);
		good = !b.stop || event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (!good)
		return (NULL);
	if (b.root == NULL || node_is_nothing(b.root))
		b.root = node_new(&b, NODE_MAP, start);
	return (b.root);
}

bool
node_is_nothing(const struct node *node)
{
	return (
	    node->kind == NODE_SCALAR && node->plain &&
	    (node->text.n == 0 || span_eq(node->text, SPAN("~")) ||
		span_eq(node->text, SPAN("null")) || span_eq(node->text, SPAN("Null")) ||
		span_eq(node->text, SPAN("NULL"))));
}

const struct node *
node_member(const struct node *map, const char *key)
{
	const struct node *node;

	for (node = map->child; node != NULL; node = node->next)
		if (node->wrong == NULL && span_eq(node->key->text, span_of(key)))
			return (node);
	return (NULL);
}
