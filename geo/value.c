/* SPDX-License-Identifier: Apache-2.0 */
/* The shape of values in a MaxMind DB file. */
#include "config.h"

#include "geo/value.h"

enum type {
	TYPE_EXTENDED,
	TYPE_POINTER,
	TYPE_TEXT,
	TYPE_DOUBLE,
	TYPE_BYTES,
	TYPE_UINT16,
	TYPE_UINT32,
	TYPE_MAP,
	TYPE_INT32,
	TYPE_UINT64,
	TYPE_UINT128,
	TYPE_ARRAY,
	TYPE_CONTAINER,
	TYPE_END,
	TYPE_BOOLEAN,
	TYPE_FLOAT,
	N_TYPES,
};

/* What follows the control bytes: bytes, values, or nothing. */
static const struct {
	bool allowed;
	uint32_t least, most; /* of the size */
} TYPES[N_TYPES] = {
	[TYPE_POINTER] = { true, 0, UINT32_MAX },
	[TYPE_TEXT] = { true, 0, UINT32_MAX },
	[TYPE_DOUBLE] = { true, 8, 8 },
	[TYPE_BYTES] = { true, 0, UINT32_MAX },
	[TYPE_UINT16] = { true, 0, 2 },
	[TYPE_UINT32] = { true, 0, 4 },
	[TYPE_MAP] = { true, 0, UINT32_MAX },
	[TYPE_INT32] = { true, 0, 4 },
	[TYPE_UINT64] = { true, 0, 8 },
	[TYPE_UINT128] = { true, 0, 16 },
	[TYPE_ARRAY] = { true, 0, UINT32_MAX },
	[TYPE_BOOLEAN] = { true, 0, 1 },
	[TYPE_FLOAT] = { true, 4, 4 },
};

struct head {
	enum type type;
	uint32_t size; /* of a pointer: where it points */
	size_t next; /* behind the control bytes */
};

static uint32_t
number(const uint8_t *p, unsigned n)
{
	uint32_t value = 0;

	while (n-- > 0)
		value = value << 8 | *p++;
	return (value);
}

static bool
read_pointer(const struct value_check *c, uint8_t control, struct head *h)
{
	static const uint32_t added[4] = { 0, 2048, 526336, 0 };
	unsigned kind = control >> 3 & 3, bytes = kind + 1;

	if (c->size - h->next < bytes)
		return (false);
	h->size = number(c->base + h->next, bytes);
	if (kind < 3)
		h->size += (uint32_t)(control & 7) << (8 * bytes);
	h->size += added[kind];
	h->next += bytes;
	return (true);
}

static bool
read_head(const struct value_check *c, size_t at, struct head *h)
{
	static const uint32_t added[3] = { 29, 285, 65821 };
	uint8_t control;
	unsigned bytes;

	if (at >= c->size)
		return (false);
	control = c->base[at];
	h->type = control >> 5;
	h->next = at + 1;
	if (h->type == TYPE_POINTER)
		return (read_pointer(c, control, h));
	if (h->type == TYPE_EXTENDED) {
		if (h->next >= c->size || c->base[h->next] < 1 ||
		    c->base[h->next] + 7u >= N_TYPES)
			return (false);
		h->type = c->base[h->next++] + 7u;
	}
	h->size = control & 31;
	if (h->size < 29)
		return (true);
	bytes = h->size - 28;
	if (c->size - h->next < bytes)
		return (false);
	h->size = added[bytes - 1] + number(c->base + h->next, bytes);
	h->next += bytes;
	return (true);
}

/* A map or an array that is being looked at. */
struct frame {
	uint64_t left; /* values to come; of a map: keys and values */
	bool is_map;
	bool jumped; /* came here by a pointer; goes on at `resume` */
	size_t resume;
};

struct walk {
	struct frame frames[VALUE_DEPTH_MAX];
	unsigned depth;
	size_t at;
};

static bool
is_container(enum type type)
{
	return (type == TYPE_MAP || type == TYPE_ARRAY);
}

static const char *
enter(struct walk *w, const struct value_check *c, const struct head *h, size_t resume,
    bool jumped)
{
	struct frame *f;

	if (w->depth == VALUE_DEPTH_MAX)
		return ("is nested too deep");
	/* Each value takes a byte at least. */
	if (h->size > c->size - h->next)
		return ("has a map or list longer than the file");
	f = &w->frames[w->depth++];
	f->is_map = h->type == TYPE_MAP;
	f->left = f->is_map ? UINT64_C(2) * h->size : h->size;
	f->jumped = jumped;
	f->resume = resume;
	w->at = h->next;
	return (NULL);
}

static bool
was_seen(struct value_check *c, size_t at)
{
	uint8_t bit = (uint8_t)(1u << (at & 7));

	if (c->seen == NULL)
		return (false);
	if ((c->seen[at >> 3] & bit) != 0)
		return (true);
	c->seen[at >> 3] |= bit;
	return (false);
}

static const char *
head_problem(const struct head *h, bool only_text)
{
	if (!TYPES[h->type].allowed)
		return ("has a type that is not for data");
	if (only_text && h->type != TYPE_TEXT)
		return ("has something where only text may be");
	if (h->size < TYPES[h->type].least || h->size > TYPES[h->type].most)
		return ("has a number of a wrong size");
	return (NULL);
}

static const char *
look_at(struct walk *w, struct value_check *c, bool is_key)
{
	size_t resume = 0;
	const char *problem;
	bool jumped;
	struct head h;

	if (c->budget-- == 0)
		return ("has more values than a file of this size can");
	if (!read_head(c, w->at, &h))
		return ("has an unknown type, or ends in the middle");
	jumped = h.type == TYPE_POINTER;
	if (jumped) {
		size_t target = h.size;

		w->at = resume = h.next;
		if (!read_head(c, target, &h) || h.type == TYPE_POINTER)
			return ("has a pointer that points at no value");
		if (!is_key && was_seen(c, target))
			return (NULL);
	}
	problem = head_problem(&h, is_key || (c->deep_text && w->depth > 1));
	if (problem != NULL)
		return (problem);
	if (is_container(h.type))
		return (enter(w, c, &h, resume, jumped));
	if (h.type == TYPE_BOOLEAN)
		h.size = 0;
	if (h.size > c->size - h.next)
		return ("ends in the middle");
	w->at = jumped ? resume : h.next + h.size;
	return (NULL);
}

const char *
value_problem(struct value_check *c, size_t offset)
{
	struct walk w = { .at = offset };
	const char *problem;
	struct frame *f;
	bool is_key;

	problem = look_at(&w, c, false);
	while (problem == NULL && w.depth > 0) {
		f = &w.frames[w.depth - 1];
		if (f->left == 0) {
			if (f->jumped)
				w.at = f->resume;
			w.depth--;
			continue;
		}
		is_key = f->is_map && (f->left & 1) == 0;
		f->left--;
		problem = look_at(&w, c, is_key);
	}
	return (problem);
}
