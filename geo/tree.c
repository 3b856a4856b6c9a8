/* SPDX-License-Identifier: Apache-2.0 */
/* The search tree of a database, checked as a whole. Databases let several
 * prefixes (IPv4-mapped, 6to4) share the IPv4 part, so it is a graph: a node that
 * was left is not entered again, but how deep it is below counts. */
#include "config.h"

#include "geo/internal.h"

#include "gateway/base/check.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 128
#define UNSEEN 0
#define ON_THE_WAY 255
#define SEPARATOR 16 /* bytes between tree and data */

struct step {
	uint32_t node;
	uint8_t side; /* to look at next: 0 left, 1 right, 2 done */
	uint8_t below; /* longest way down from here, in nodes */
};

struct walk {
	const MMDB_s *mm;
	size_t data_bytes;
	struct tree_visit *visit;
	uint8_t *height; /* of each node: UNSEEN, ON_THE_WAY, or nodes below and itself */
	struct step steps[DEPTH_MAX];
	unsigned depth;
};

static enum err_code
enter(struct walk *w, uint32_t node, struct err *e)
{
	struct step *parent = &w->steps[w->depth - 1];
	uint8_t height = w->height[node];

	if (height == ON_THE_WAY)
		return (err_set(
		    e, ERR_FORMAT, "the search tree leads back to node %u", node));
	if (w->depth + (height == UNSEEN ? 1u : height) > w->mm->depth)
		return (err_set(e, ERR_FORMAT,
		    "the search tree is deeper than an address has bits, at node %u",
		    node));
	if (height != UNSEEN) {
		if (parent->below < height)
			parent->below = height;
		return (ERR_OK);
	}
	w->height[node] = ON_THE_WAY;
	w->steps[w->depth++] = (struct step){ .node = node };
	return (ERR_OK);
}

static enum err_code
look_at(struct walk *w, uint32_t from, uint64_t record, struct err *e)
{
	uint64_t offset, nodes = w->mm->metadata.node_count;
	const char *problem;

	if (record < nodes)
		return (enter(w, (uint32_t)record, e));
	if (record == nodes)
		return (ERR_OK);
	offset = record - nodes;
	if (offset < SEPARATOR || offset - SEPARATOR >= w->data_bytes)
		return (err_set(e, ERR_FORMAT,
		    "node %u of the search tree points outside of the data", from));
	w->visit->networks++;
	problem = w->visit->leaf(w->visit->data, (uint32_t)(offset - SEPARATOR));
	if (problem != NULL)
		return (err_set(e, ERR_FORMAT, "the record at %u of the data %s",
		    (uint32_t)(offset - SEPARATOR), problem));
	return (ERR_OK);
}

static void
leave(struct walk *w)
{
	struct step *s = &w->steps[--w->depth];
	uint8_t height = s->below + 1;

	w->height[s->node] = height;
	if (w->depth > 0 && w->steps[w->depth - 1].below < height)
		w->steps[w->depth - 1].below = height;
}

static enum err_code
follow(struct walk *w, struct err *e)
{
	enum err_code rc = ERR_OK;
	MMDB_search_node_s node;
	struct step *s;

	w->height[0] = ON_THE_WAY;
	w->steps[w->depth++] = (struct step){ .node = 0 };
	while (rc == ERR_OK && w->depth > 0) {
		s = &w->steps[w->depth - 1];
		if (s->side == 2) {
			leave(w);
			continue;
		}
		if (MMDB_read_node(w->mm, s->node, &node) != MMDB_SUCCESS)
			return (err_set(e, ERR_FORMAT,
			    "node %u of the search tree can't be read", s->node));
		rc = look_at(
		    w, s->node, s->side++ == 0 ? node.left_record : node.right_record, e);
	}
	return (rc);
}

enum err_code
tree_check(const MMDB_s *mm, size_t data_bytes, struct tree_visit *visit, struct err *e)
{
	struct walk w = { .mm = mm, .data_bytes = data_bytes, .visit = visit };
	enum err_code rc;

	CHECK(mm->depth <= DEPTH_MAX && mm->metadata.node_count > 0);
	w.height = mem_zalloc(mm->metadata.node_count);
	visit->networks = 0;
	rc = follow(&w, e);
	free(w.height);
	return (rc);
}
