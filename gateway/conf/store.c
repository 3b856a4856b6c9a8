/* SPDX-License-Identifier: Apache-2.0 */
/* Values into the members of structs, and the memory of what is read. */
#include "config.h"

#include "gateway/conf/store.h"

#include "gateway/base/check.h"
#include "gateway/conf/value.h"

void *
reader_alloc(struct reader *r, size_t size)
{
	void *p = arena_zalloc(r->arena, size);

	CHECK(p != NULL);
	return (p);
}

const char *
reader_strdup(struct reader *r, struct span s)
{
	char *p;

	if (s.n == 0)
		return ("");
	p = arena_strdup(r->arena, s);
	CHECK(p != NULL);
	return (p);
}

/* Room doubles when n is a power of two, so that no capacity need be kept. */
void *
reader_grow(struct reader *r, void **v, size_t *n, size_t size)
{
	void *wider;

	if ((*n & (*n - 1)) == 0) {
		wider = reader_alloc(r, (*n == 0 ? 1 : *n * 2) * size);
		if (*n > 0)
			memcpy(wider, *v, *n * size);
		*v = wider;
	}
	return ((char *)*v + (*n)++ * size);
}

const char *
reader_absolute(struct reader *r, struct span path)
{
	char *p;

	if (path.n > 0 && path.p[0] == '/')
		return (reader_strdup(r, path));
	p = arena_printf(r->arena, "%s/%.*s", r->folder, SPAN_FMT(path));
	CHECK(p != NULL);
	return (p);
}

void *
store_member(const struct field *f, void *object)
{
	if (object == NULL || f->offset == FIELD_NOWHERE)
		return (NULL);
	return ((char *)object + f->offset);
}

static const char *
store_text(struct reader *r, const struct field *f, struct span text)
{
	if (f->type == FIELD_PATH && text.n > 0 && field_choice(f, text) == NULL)
		return (reader_absolute(r, text));
	return (reader_strdup(r, text));
}

void
store_value(struct reader *r, const struct field *f, const union field_value *v,
    struct span text, void *object)
{
	void *at = store_member(f, object);

	switch (f->type) {
	case FIELD_TRUTH: *(bool *)at = v->truth; break;
	case FIELD_NUMBER: *(uint32_t *)at = v->number; break;
	case FIELD_SIZE: *(uint64_t *)at = v->size; break;
	case FIELD_DURATION: *(int64_t *)at = v->duration; break;
	case FIELD_RATE:
		*(uint64_t *)at = v->rate.tokens;
		*(uint64_t *)((char *)object + f->count_offset) = v->rate.per_us;
		break;
	case FIELD_WORD: *(unsigned *)at = v->word; break;
	case FIELD_ADDRESS: *(struct netaddr *)at = v->address; break;
	case FIELD_STRING:
	case FIELD_PATH:
	case FIELD_POOL:
	case FIELD_POLICY: *(const char **)at = store_text(r, f, text); break;
	default: WRONG("a field type that holds no single value");
	}
}

static void
add_string(struct reader *r, struct conf_strings *list, const char *text)
{
	void *v = list->v;
	const char **slot = reader_grow(r, &v, &list->n, sizeof(const char *));

	list->v = v;
	*slot = text;
}

static void
add_prefix(struct reader *r, struct conf_prefixes *list, struct span text)
{
	void *v = list->v;
	struct netprefix *slot = reader_grow(r, &v, &list->n, sizeof(*slot));

	list->v = v;
	CHECK(netprefix_parse(slot, text, NULL) == ERR_OK);
}

static void
add_number(struct reader *r, struct conf_numbers *list, struct span text)
{
	void *v = list->v;
	uint32_t *slot = reader_grow(r, &v, &list->n, sizeof(*slot));

	list->v = v;
	CHECK(value_number(text, slot));
}

/* One more member, known to be allowed, of the list at `at`. */
void
store_item(struct reader *r, const struct field *f, struct span text, void *at)
{
	switch (f->type) {
	case FIELD_PREFIXES: add_prefix(r, at, text); break;
	case FIELD_NUMBERS: add_number(r, at, text); break;
	case FIELD_FLAGS: *(unsigned *)at |= field_choice(f, text)->value; break;
	default: add_string(r, at, reader_strdup(r, text)); break;
	}
}

void
store_clear(const struct field *f, void *at)
{
	switch (f->type) {
	case FIELD_PREFIXES:
		*(struct conf_prefixes *)at = (struct conf_prefixes){ 0 };
		break;
	case FIELD_NUMBERS:
		*(struct conf_numbers *)at = (struct conf_numbers){ 0 };
		break;
	case FIELD_FLAGS: *(unsigned *)at = 0; break;
	default: *(struct conf_strings *)at = (struct conf_strings){ 0 }; break;
	}
}
