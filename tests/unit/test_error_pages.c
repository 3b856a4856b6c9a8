/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of the operator's own: which file is for which refusal, what its variables
 * write, and what is wrong with a folder. */
#include "config.h"

#include "gateway/filter/error_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/check.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define JSON "application/json"

static char folder[64];
static char *made[80];
static size_t n_made;

static void
put_file(const char *name, struct span text)
{
	FILE *f;

	made[n_made] = mem_printf("%s/%s", folder, name);
	f = fopen(made[n_made++], "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
	assert_int_equal(fclose(f), 0);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/yett-pages.XXXXXX");
	return (mkdtemp(folder) != NULL ? 0 : -1);
}

static int
teardown(void **state)
{
	(void)state;
	while (n_made > 0) {
		unlink(made[--n_made]);
		free(made[n_made]);
	}
	return (rmdir(folder));
}

static struct error_pages *
load(void)
{
	struct error_pages *pages;
	struct err e;

	if (error_pages_load(&pages, folder, &e) != ERR_OK)
		fail_msg("%s", e.text);
	return (pages);
}

/* What a client gets; malloc'd, "" where there is no page. */
static char *
page(const struct error_pages *pages, uint16_t status, const char *accept,
    struct span *type_r)
{
	struct error_page_values values = { status, SPAN("ID\"<"),
		SPAN("a&b\r\n\x80\\") };
	struct text body;
	char *out;

	text_init(&body, 4096);
	*type_r = error_pages_put(
	    pages, &body, &values, accept != NULL ? span_of(accept) : SPAN_NONE);
	out = span_strdup(text_span(&body));
	text_free(&body);
	return (out);
}

static void
test_choice(void **state)
{
	static const char *const files[] = { "403.html", "4xx.html", "5xx.html",
		"default.html", "429.json", "5xx.json" };
	static const struct {
		uint16_t status;
		const char *accept, *file;
	} rows[] = {
		{ 403, NULL, "403.html" },
		{ 403, "text/html", "403.html" },
		{ 404, NULL, "4xx.html" },
		{ 502, NULL, "5xx.html" },
		{ 600, NULL, "default.html" },
		{ 429, NULL, "4xx.html" },
		{ 429, JSON, "429.json" },
		{ 403, JSON, "" },
		{ 504, JSON, "5xx.json" },
	};
	struct error_pages *pages;
	struct span type;
	char *out;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(files); i++)
		put_file(files[i], span_of(files[i]));
	put_file("README.md", SPAN("%{nothing}"));
	put_file(".hidden.html", SPAN("%{nothing}"));
	put_file("403.html.orig", SPAN("%{nothing}"));
	pages = load();
	assert_int_equal(error_pages_count(pages), COUNT(files));
	assert_string_equal(error_pages_folder(pages), folder);
	for (i = 0; i < COUNT(rows); i++) {
		out = page(pages, rows[i].status, rows[i].accept, &type);
		assert_string_equal(out, rows[i].file);
		assert_true((type.p == NULL) == (rows[i].file[0] == '\0'));
		if (type.p != NULL && rows[i].accept != NULL &&
		    strcmp(rows[i].accept, JSON) == 0)
			assert_true(span_eq(type, SPAN("application/problem+json")));
		else if (type.p != NULL)
			assert_true(span_eq(type, SPAN("text/html; charset=utf-8")));
		free(out);
	}
	error_pages_free(&pages);
	assert_null(pages);
}

static void
test_variables(void **state)
{
	static const struct {
		const char *text, *html, *why;
	} rows[] = {
		{ "plain", "plain", "" },
		{ "%{status} %{reason}", "403 Forbidden", "" },
		{ "<b>%{id}</b>", "<b>ID&quot;&lt;</b>", "escaped" },
		{ "%{host}", "a&amp;b???\\", "escaped" },
		{ "%{id}%{id}", "ID&quot;&lt;ID&quot;&lt;", "twice" },
		{ "50%{top:0}100%{a b}", "50%{top:0}100%{a b}", "a style sheet" },
		{ "100% %{} %{", "100% %{} %{", "no names" },
		{ "%", "%", "" },
		{ "%{id", "%{id", "not closed" },
		{ "%%{id}", "%{id}", "meant" },
		{ "50%%{id}%{status}", "50%{id}403", "" },
		{ "%%%{id}", "%%{id}", "" },
		{ "%{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}",
		    "%{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", "too long a name" },
	};
	struct error_pages *pages;
	struct span type;
	char *out;
	size_t i;

	(void)state;
	put_file("default.json", SPAN("{\"id\":\"%{id}\",\"host\":\"%{host}\"}"));
	for (i = 0; i < COUNT(rows); i++) {
		put_file("403.html", span_of(rows[i].text));
		pages = load();
		out = page(pages, 403, NULL, &type);
		if (strcmp(out, rows[i].html) != 0)
			fail_msg("%s (%s): %s", rows[i].text, rows[i].why, out);
		free(out);
		error_pages_free(&pages);
	}
	pages = load();
	out = page(pages, 403, JSON, &type);
	assert_string_equal(out, "{\"id\":\"ID\\\"<\",\"host\":\"a&b???\\\\\"}");
	free(out);
	error_pages_free(&pages);
}

static void
expect_fault(const char *says)
{
	struct error_pages *pages;
	struct err e;

	assert_int_not_equal(error_pages_load(&pages, folder, &e), ERR_OK);
	assert_null(pages);
	if (strncmp(e.text, folder, strlen(folder)) != 0 || strstr(e.text, says) == NULL)
		fail_msg("%s, not %s", e.text, says);
}

static void
test_faults(void **state)
{
	static const struct {
		const char *name, *text, *says;
	} rows[] = {
		{ "403.html", "<p>\n\n%{id}\n%{statsu}\n",
		    "/403.html:4: unknown variable %{statsu}; allowed: %{id}, %{status}, "
		    "%{reason}, %{host}" },
		{ "403.html", "%{client}", "/403.html:1: unknown variable %{client}" },
		{ "403.html", "", "/403.html: empty" },
		{ "40x.html", "x", "/40x.html: not the name of a page; allowed: " },
		{ "200.html", "x", "/200.html: not the name of a page" },
		{ "600.json", "x", "/600.json: not the name of a page" },
		{ "3xx.html", "x", "/3xx.html: not the name of a page" },
		{ "index.html", "x", "/index.html: not the name of a page" },
		{ "0403.html", "x", "/0403.html: not the name of a page" },
		{ "DEFAULT.html", "x", "/DEFAULT.html: not the name of a page" },
	};
	size_t i;

	(void)state;
	expect_fault(": no page there");
	for (i = 0; i < COUNT(rows); i++) {
		put_file(rows[i].name, span_of(rows[i].text));
		expect_fault(rows[i].says);
		assert_int_equal(unlink(made[n_made - 1]), 0);
	}
	assert_int_equal(mkdir(made[n_made - 1], 0700), 0);
	expect_fault("not the name of a page");
	assert_int_equal(rmdir(made[n_made - 1]), 0);
	put_file("500.html", SPAN("x"));
	assert_int_equal(unlink(made[n_made - 1]), 0);
	assert_int_equal(mkfifo(made[n_made - 1], 0600), 0);
	expect_fault("/500.html: not a file");
	assert_int_equal(unlink(made[n_made - 1]), 0);
}

static void
test_no_folder(void **state)
{
	struct error_pages *pages;
	struct err e;

	(void)state;
	assert_int_not_equal(error_pages_load(&pages, "/nonexistent", &e), ERR_OK);
	assert_non_null(strstr(e.text, "/nonexistent: cannot open the folder"));
}

static void
test_bounds(void **state)
{
	char *large = mem_alloc(ERROR_PAGE_BYTES_MAX + 1), name[16];
	struct error_pages *pages;
	struct text many;
	struct span type;
	char *out;
	int i;

	(void)state;
	memset(large, 'a', ERROR_PAGE_BYTES_MAX + 1);
	put_file("403.html", span_mem(large, ERROR_PAGE_BYTES_MAX + 1));
	expect_fault("/403.html: larger than 64 KiB");
	put_file("403.html", span_mem(large, ERROR_PAGE_BYTES_MAX));
	pages = load();
	out = page(pages, 403, NULL, &type); /* which has room for 4096 bytes */
	assert_true(type.p == NULL && out[0] == '\0');
	free(out);
	error_pages_free(&pages);
	free(large);
	text_init(&many, 1 << 16);
	for (i = 0; i <= ERROR_PAGE_PIECES_MAX; i++)
		text_puts(&many, "%{id}");
	put_file("403.html", text_span(&many));
	expect_fault("/403.html:1: too many variables");
	text_free(&many);
	for (i = 400; i < 400 + ERROR_PAGES_MAX; i++) {
		snprintf(name, sizeof(name), "%d.html", i);
		put_file(name, SPAN("x"));
	}
	pages = load();
	assert_int_equal(error_pages_count(pages), ERROR_PAGES_MAX);
	error_pages_free(&pages);
	put_file("4xx.html", SPAN("x"));
	expect_fault(": more than 64 pages");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_choice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_variables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
		cmocka_unit_test(test_no_folder),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
