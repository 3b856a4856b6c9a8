/* SPDX-License-Identifier: Apache-2.0 */
/* From the name a client asks for to the certificates that have it. For each
 * name the first certificate of each key type counts; names with the same set
 * of certificates share a context. */
#include "config.h"

#include "gateway/tls/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/log.h"

#define NAME_MAX_LEN 253

/* While building: a name in a certificate. */
struct name_ref {
	const char *name;
	uint32_t certificate;
};

static int
by_name_and_order(const void *a_p, const void *b_p)
{
	const struct name_ref *a = a_p, *b = b_p;
	int rc;

	rc = strcmp(a->name, b->name);
	if (rc != 0)
		return (rc);
	return (a->certificate < b->certificate ? -1 : a->certificate > b->certificate);
}

static struct name_ref *
all_names(const struct tls_certificate *certificates, size_t n, size_t *n_r)
{
	struct name_ref *refs;
	size_t i, j, total = 0;

	for (i = 0; i < n; i++)
		total += certificates[i].n_names;
	refs = mem_alloc(total * sizeof(*refs));
	*n_r = total;
	total = 0;
	for (i = 0; i < n; i++) {
		for (j = 0; j < certificates[i].n_names; j++) {
			refs[total].name = certificates[i].names[j];
			refs[total++].certificate = (uint32_t)i;
		}
	}
	qsort(refs, total, sizeof(*refs), by_name_and_order);
	return (refs);
}

/* The context with exactly this set, made if need be. heads[c]: the contexts
 * whose first certificate is c. */
static uint32_t
context_of(struct sni_table *t, uint32_t *heads, const uint32_t by_slot[KEY_SLOTS])
{
	struct tls_context *context;
	uint32_t first = SNI_NONE, at;
	size_t i;

	for (i = 0; i < KEY_SLOTS; i++) {
		if (by_slot[i] < first)
			first = by_slot[i];
	}
	CHECK(first != SNI_NONE);
	for (at = heads[first]; at != SNI_NONE; at = t->contexts[at].next) {
		if (memcmp(t->contexts[at].by_slot, by_slot,
			sizeof(t->contexts[at].by_slot)) == 0)
			return (at);
	}
	at = (uint32_t)t->n_contexts;
	t->contexts = mem_realloc(t->contexts, (t->n_contexts + 1) * sizeof(*context));
	t->n_contexts++;
	context = &t->contexts[at];
	memset(context, 0, sizeof(*context));
	memcpy(context->by_slot, by_slot, sizeof(context->by_slot));
	context->next = heads[first];
	heads[first] = at;
	return (at);
}

/* The set of the run of equal names that begins at refs[0]; returns its length. */
static size_t
set_of(const struct tls_certificate *certificates, const struct name_ref *refs, size_t n,
    uint32_t by_slot[KEY_SLOTS])
{
	enum key_slot slot;
	size_t i;

	for (i = 0; i < KEY_SLOTS; i++)
		by_slot[i] = SNI_NONE;
	for (i = 0; i < n && strcmp(refs[i].name, refs[0].name) == 0; i++) {
		slot = certificates[refs[i].certificate].slot;
		if (by_slot[slot] == SNI_NONE)
			by_slot[slot] = refs[i].certificate;
	}
	return (i);
}

/* The default is the first certificate, with those of other key types that
 * have the first of its names too. */
static void
make_default(struct sni_table *t, uint32_t *heads,
    const struct tls_certificate *certificates, const struct name_ref *refs,
    size_t n_refs)
{
	const struct tls_certificate *first = &certificates[0];
	uint32_t by_slot[KEY_SLOTS];
	size_t i;

	for (i = 0; i < KEY_SLOTS; i++)
		by_slot[i] = SNI_NONE;
	by_slot[first->slot] = 0;
	for (i = 0; i < n_refs && first->n_names > 0; i++) {
		if (strcmp(refs[i].name, first->names[0]) == 0) {
			(void)set_of(certificates, refs + i, n_refs - i, by_slot);
			break;
		}
	}
	CHECK(context_of(t, heads, by_slot) == 0);
}

static void
warn_of_idle(
    const struct sni_table *t, const struct tls_certificate *certificates, size_t n)
{
	bool *used;
	size_t i, j;

	used = mem_zalloc(n * sizeof(*used));
	for (i = 0; i < t->n_contexts; i++) {
		for (j = 0; j < KEY_SLOTS; j++) {
			if (t->contexts[i].by_slot[j] != SNI_NONE)
				used[t->contexts[i].by_slot[j]] = true;
		}
	}
	for (i = 0; i < n; i++) {
		if (!used[i])
			log_warn("tls", "%s: never used: %s", certificates[i].path,
			    certificates[i].n_names == 0
				? "it holds no host name"
				: "earlier certificates of its key type have its names");
	}
	free(used);
}

void
sni_build(struct sni_table *t, const struct tls_certificate *certificates, size_t n)
{
	uint32_t by_slot[KEY_SLOTS], *heads;
	struct name_ref *refs;
	size_t i, n_refs, run;

	memset(t, 0, sizeof(*t));
	refs = all_names(certificates, n, &n_refs);
	heads = mem_alloc(n * sizeof(*heads));
	for (i = 0; i < n; i++)
		heads[i] = SNI_NONE;
	make_default(t, heads, certificates, refs, n_refs);
	t->names = mem_alloc(n_refs * sizeof(*t->names));
	for (i = 0; i < n_refs; i += run) {
		run = set_of(certificates, refs + i, n_refs - i, by_slot);
		t->names[t->n_names].name = refs[i].name;
		t->names[t->n_names++].context = context_of(t, heads, by_slot);
	}
	warn_of_idle(t, certificates, n);
	free(heads);
	free(refs);
}

void
sni_clear(struct sni_table *t)
{
	size_t i;

	for (i = 0; i < t->n_contexts; i++)
		SSL_CTX_free(t->contexts[i].ctx);
	free(t->contexts);
	free(t->names);
	memset(t, 0, sizeof(*t));
}

static int
by_text(const void *key, const void *name)
{
	return (strcmp(key, ((const struct sni_name *)name)->name));
}

static struct tls_context *
find_text(const struct sni_table *t, const char *text)
{
	const struct sni_name *name;

	if (t->n_names == 0)
		return (NULL);
	name = bsearch(text, t->names, t->n_names, sizeof(*t->names), by_text);
	return (name != NULL ? &t->contexts[name->context] : NULL);
}

struct tls_context *
sni_find(const struct sni_table *t, struct span name)
{
	char text[NAME_MAX_LEN + 1], *dot;
	struct tls_context *found;
	size_t i;

	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.n > NAME_MAX_LEN)
		return (NULL);
	for (i = 0; i < name.n; i++) {
		if (name.p[i] == '\0' || name.p[i] == '*')
			return (NULL);
		text[i] = (char)tolower((unsigned char)name.p[i]);
	}
	text[name.n] = '\0';
	found = find_text(t, text);
	dot = strchr(text, '.');
	if (found != NULL || dot == NULL || dot == text)
		return (found);
	dot[-1] = '*';
	return (find_text(t, dot - 1));
}
