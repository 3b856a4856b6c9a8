/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's error pages made live. */
#include "config.h"

#include "gateway/reload_pages.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"

/* Read once, however many sites use it. NULL: the error is set. */
static const struct error_pages *
find_folder(struct snapshot *snap, const char *folder, struct err *e)
{
	struct error_pages *pages;
	size_t i;

	for (i = 0; i < snap->n_error_pages; i++)
		if (strcmp(error_pages_folder(snap->error_pages[i]), folder) == 0)
			return (snap->error_pages[i]);
	if (error_pages_load(&pages, folder, e) != ERR_OK)
		return (NULL);
	snap->error_pages = mem_realloc(
	    snap->error_pages, (snap->n_error_pages + 1) * sizeof(struct error_pages *));
	snap->error_pages[snap->n_error_pages++] = pages;
	return (pages);
}

void
pages_make(struct snapshot *snap, struct conf_problems *problems)
{
	const struct error_pages *pages;
	const struct conf_path *written;
	const struct conf_site *site;
	struct err e;
	size_t i, j;

	for (i = 0; i < snap->conf->n_sites; i++) {
		site = &snap->conf->sites[i];
		if (site->error_pages[0] == '\0')
			continue;
		pages = find_folder(snap, site->error_pages, &e);
		if (pages == NULL) {
			written = conf_find_path(snap->conf, site->error_pages);
			CHECK(written != NULL); /* there is no default */
			conf_problems_add(
			    problems, &written->place, written->field, "%s", e.text);
			continue;
		}
		snap->sites[i].self.error_pages = pages;
		for (j = 0; j < site->n_routes; j++)
			snap->sites[i].routes[j].error_pages = pages;
	}
}

void
pages_free(struct snapshot *snap)
{
	size_t i;

	for (i = 0; i < snap->n_error_pages; i++)
		error_pages_free(&snap->error_pages[i]);
	free(snap->error_pages);
}
