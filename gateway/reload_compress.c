/* SPDX-License-Identifier: Apache-2.0 */
/* Compression made live. */
#include "config.h"

#include "gateway/reload_compress.h"

static void
make_place(struct place *place, const struct conf_compress *conf)
{
	place->compress = compress_plan_new(conf);
	place->owns_compress = true;
}

static void
free_place(struct place *place)
{
	if (place->owns_compress)
		compress_plan_free(&place->compress);
}

void
compress_make(const struct conf *conf, struct site_places *places)
{
	const struct conf_site *site;
	size_t i, j;

	for (i = 0; i < conf->n_sites; i++) {
		site = &conf->sites[i];
		make_place(&places[i].self, &site->compress);
		for (j = 0; j < site->n_routes; j++)
			if (site->routes[j].has_compress)
				make_place(
				    &places[i].routes[j], &site->routes[j].compress);
			else
				places[i].routes[j].compress = places[i].self.compress;
	}
}

void
compress_free(const struct conf *conf, struct site_places *places)
{
	size_t i, j;

	for (i = 0; i < conf->n_sites && places != NULL; i++) {
		free_place(&places[i].self);
		for (j = 0; j < conf->sites[i].n_routes; j++)
			free_place(&places[i].routes[j]);
	}
}
