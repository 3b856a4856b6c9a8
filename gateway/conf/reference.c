/* SPDX-License-Identifier: Apache-2.0 */
/* The reference page of the configuration and the answers of --explain, from
 * the tables. */
#include "config.h"

#include "gateway/conf/reference.h"

#include <stdio.h>

#include "gateway/base/check.h"
#include "gateway/conf/field.h"

#define MAPS_MAX 64
#define PATH_MAX_BYTES 160

struct page {
	struct text *out;
	const struct map *maps[MAPS_MAX]; /* printed, so that none is twice */
	char paths[MAPS_MAX][PATH_MAX_BYTES];
	size_t n_maps;
};

static const char page_start[] =
    "# The configuration\n"
    "\n"
    "<!-- Printed by `yett schema --reference` from the tables that also read the\n"
    "     file: change those, not this page. -->\n"
    "\n"
    "`yett run` reads `/etc/yett/yett.yaml`, or the file that `-c` names. `yett check`\n"
    "reads it, opens everything that it names and lists all that is wrong, each with\n"
    "file, line, column, the field, what was found and what is allowed. `yett check\n"
    "--explain sites[].routes[].path` prints the entry of one field, and `yett schema`\n"
    "a JSON Schema for editors.\n"
    "\n"
    "The least that works; everything else has a default that is safe:\n"
    "\n"
    "```yaml\n"
    "listeners:\n"
    "  - address: \"0.0.0.0:443\"\n"
    "    tls:\n"
    "      certificates:\n"
    "        - { certificate: tls/shop.pem, key: tls/shop.key }\n"
    "pools:\n"
    "  shop:\n"
    "    servers:\n"
    "      - { url: \"http://10.0.0.11:8080\" }\n"
    "sites:\n"
    "  - { hosts: [shop.example.com], pool: shop }\n"
    "```\n"
    "\n"
    "## Values\n"
    "\n"
    "A duration is digits and a unit (`10s`), a size digits and a unit (`64KiB`) or a\n"
    "number of bytes; `0` needs no unit. There are no fractions and no sums.\n"
    "\n"
    "| unit | is |\n"
    "|---|---|\n";

static const char page_middle[] =
    "\n"
    "- A switch is `on` or `off` (also `true`, `false`, `yes`, `no`).\n"
    "- A path counts from the folder of the file that it stands in.\n"
    "- Where a list of texts is asked for, a lone text stands for a list of one.\n"
    "- Names of pools, limits and policies are letters, digits, dots, `-` and `_`.\n"
    "- Anchors, aliases and tags of YAML are refused, and so are a key that is given\n"
    "  twice in one mapping, an unknown field and a file of more than 1 MiB.\n"
    "\n"
    "`include` names further files, one pattern or a list of them; `*` and `?` may "
    "stand\n"
    "in the last part of the path. Such a file may hold `sites`, `pools` and "
    "`policies`,\n"
    "and is read as if they stood in the file that includes it. It may not include\n"
    "others.\n";

static void
put_escaped(struct text *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '|' || *text == '*' || *text == '<' || *text == '_')
			text_putc(out, '\\');
		text_putc(out, *text);
	}
}

static void
put_units(struct text *out, const struct value_unit *unit)
{
	for (; unit->name != NULL; unit++)
		text_printf(out, "| `%s` | %s |\n", unit->name, unit->meaning);
}

static void
put_default(const struct field *f, struct text *out)
{
	if (f->required)
		text_puts(out, "none: required");
	else if (f->shown != NULL)
		text_puts(out, f->shown);
	else if (f->type == FIELD_MAP)
		text_puts(out, "those of its fields");
	else if (f->standard == NULL)
		text_puts(out, "none");
	else if (f->standard[0] == '\0')
		text_puts(out, "empty");
	else
		text_puts(out, f->standard);
}

static void
put_cell(struct page *page, void (*put)(const struct field *, struct text *),
    const struct field *f)
{
	struct text t;

	text_init(&t, 2000);
	put(f, &t);
	text_putc(&t, '\0');
	put_escaped(page->out, t.p);
	text_free(&t);
}

static void
put_row(struct page *page, const struct field *f)
{
	text_printf(page->out, "| `%s` | ", f->name);
	put_cell(page, field_allowed, f);
	text_puts(page->out, " | ");
	put_cell(page, put_default, f);
	text_puts(page->out, " | ");
	put_escaped(page->out, f->prose);
	text_puts(page->out, " |\n");
}

static const char *
printed_at(const struct page *page, const struct map *m)
{
	size_t i;

	for (i = 0; i < page->n_maps; i++)
		if (page->maps[i] == m)
			return (page->paths[i]);
	return (NULL);
}

static const char *
suffix(const struct field *f)
{
	return (f->type == FIELD_LIST ? "[]" : f->type == FIELD_DICT ? ".*" : "");
}

static void
put_section(struct page *page, const struct map *m, const char *path)
{
	char below[PATH_MAX_BYTES];
	const struct field *f;
	size_t i;

	if (printed_at(page, m) != NULL) {
		text_printf(
		    page->out, "\n## %s\n\nAs `%s`.\n", path, printed_at(page, m));
		return;
	}
	CHECK(page->n_maps < MAPS_MAX);
	snprintf(page->paths[page->n_maps], PATH_MAX_BYTES, "%s", path);
	page->maps[page->n_maps++] = m;
	text_printf(page->out, "\n## %s\n\n", path[0] != '\0' ? path : "Top level");
	text_puts(page->out, m->prose);
	text_puts(page->out,
	    "\n\n| field | allowed | default | meaning |\n|---|---|---|---|\n");
	for (i = 0; i < m->n_fields; i++)
		put_row(page, &m->fields[i]);
	for (i = 0; i < m->n_fields; i++) {
		f = &m->fields[i];
		if (f->map == NULL)
			continue;
		snprintf(below, sizeof(below), "%s%s%s%s", path,
		    path[0] != '\0' ? "." : "", f->name, suffix(f));
		put_section(page, f->map, below);
	}
}

void
conf_reference(struct text *out)
{
	struct page page = { .out = out };

	text_puts(out, page_start);
	put_units(out, value_duration_units);
	put_units(out, value_size_units);
	text_puts(out, page_middle);
	put_section(&page, &map_root, "");
}

/* The next part of "sites[0].routes[].path": up to a dot, what stands in
 * brackets taken off. */
static bool
next_part(struct span *rest, struct span *part_r)
{
	size_t bracket;

	if (rest->n == 0 || !span_split(rest, '.', part_r))
		return (false);
	bracket = span_index(*part_r, '[');
	if (bracket != SIZE_MAX)
		*part_r = span_cut(*part_r, 0, bracket);
	return (true);
}

static void
explain_unknown(const struct map *m, const char *path, struct span part, struct text *out)
{
	const struct field *near = map_nearest(m, part);
	size_t i;

	text_puts(out, "no field is called ");
	value_quote(part, out);
	text_printf(out, " in %s", path[0] != '\0' ? path : "the top level");
	if (near != NULL) {
		text_printf(out, "; did you mean \"%s%s%s\"?\n", path,
		    path[0] != '\0' ? "." : "", near->name);
		return;
	}
	text_puts(out, "; there are:");
	for (i = 0; i < m->n_fields; i++)
		text_printf(out, "%s %s", i > 0 ? "," : "", m->fields[i].name);
	text_putc(out, '\n');
}

static void
explain_members(const struct map *m, struct text *out)
{
	const struct field *f;
	size_t i;

	text_puts(out, "\nFields:\n");
	for (i = 0; i < m->n_fields; i++) {
		f = &m->fields[i];
		text_printf(out, "  %-22s ", f->name);
		text_printf(out, "%s\n", f->prose);
	}
}

static void
explain_field(const struct field *f, const char *path, struct text *out)
{
	text_printf(out, "%s\n  %s\n\n  allowed: ", path, f->prose);
	field_allowed(f, out);
	if (!field_is_nested(f) || f->required) {
		text_puts(out, "\n  default: ");
		put_default(f, out);
	}
	text_putc(out, '\n');
	if (f->map != NULL)
		explain_members(f->map, out);
}

bool
conf_explain(struct span field, struct text *out)
{
	const struct map *m = &map_root;
	const struct field *f = NULL;
	struct span part;
	char path[PATH_MAX_BYTES] = "";
	size_t n = 0;

	while (next_part(&field, &part)) {
		if (m == NULL) {
			text_printf(out, "%s has no fields within it\n", path);
			return (false);
		}
		f = map_field(m, part);
		if (f == NULL) {
			explain_unknown(m, path, part, out);
			return (false);
		}
		n += (size_t)snprintf(path + n, sizeof(path) - n, "%s%s%s",
		    n > 0 ? "." : "", f->name, suffix(f));
		if (f->type == FIELD_DICT) /* any name stands for all of them */
			(void)next_part(&field, &part);
		m = f->map;
	}
	if (f != NULL)
		explain_field(f, path, out);
	else
		explain_members(m, out);
	return (true);
}
