/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's changes of header fields made live. */
#include "config.h"

#include "gateway/reload_headers.h"

#include <stdlib.h>

#include "gateway/base/check.h"

static void
problem(struct conf_problems *problems, const struct conf_pair *pair, const struct err *e)
{
	conf_problems_add(problems, &pair->place, pair->field, "%s", e->text);
}

static void
add_pairs(struct changes *changes, const struct conf_header_change *conf,
    struct conf_problems *problems)
{
	const struct conf_pair *pair;
	struct err e;
	size_t i;

	for (i = 0; i < conf->remove.n; i++) {
		pair = &conf->removed[i];
		if (changes_remove(changes, span_of(pair->name), &e) != ERR_OK)
			problem(problems, pair, &e);
	}
	for (i = 0; i < conf->set.n; i++) {
		pair = &conf->set.v[i];
		if (changes_set(changes, span_of(pair->name), span_of(pair->value), &e) !=
		    ERR_OK)
			problem(problems, pair, &e);
	}
	for (i = 0; i < conf->add.n; i++) {
		pair = &conf->add.v[i];
		if (changes_add(changes, span_of(pair->name), span_of(pair->value), &e) !=
		    ERR_OK)
			problem(problems, pair, &e);
	}
}

/* NULL where nothing is to be changed. */
static struct changes *
make_changes(enum changes_of of, const struct conf_header_change *conf, bool preset,
    struct conf_problems *problems)
{
	struct changes *changes;

	if (conf->set.n + conf->add.n + conf->remove.n == 0 && !preset)
		return (NULL);
	changes = changes_new(of);
	if (preset)
		changes_preset(changes);
	add_pairs(changes, conf, problems);
	return (changes);
}

static void
make_place(struct place *place, const struct conf_headers *headers,
    struct conf_problems *problems)
{
	place->request_changes =
	    make_changes(CHANGES_OF_REQUEST, &headers->request, false, problems);
	place->response_changes = make_changes(
	    CHANGES_OF_RESPONSE, &headers->response, headers->security, problems);
	place->owns_changes = true;
}

static void
free_place(struct place *place)
{
	if (!place->owns_changes)
		return;
	changes_free(&place->request_changes);
	changes_free(&place->response_changes);
}

void
headers_make(
    const struct conf *conf, struct site_places *places, struct conf_problems *problems)
{
	const struct conf_site *site;
	struct place *place;
	size_t i, j;

	for (i = 0; i < conf->n_sites; i++) {
		site = &conf->sites[i];
		make_place(&places[i].self, &site->headers, problems);
		for (j = 0; j < site->n_routes; j++) {
			place = &places[i].routes[j];
			place->request_changes = places[i].self.request_changes;
			place->response_changes = places[i].self.response_changes;
			if (site->routes[j].has_headers)
				make_place(place, &site->routes[j].headers, problems);
		}
	}
}

void
headers_free(const struct conf *conf, struct site_places *places)
{
	size_t i, j;

	for (i = 0; i < conf->n_sites && places != NULL; i++) {
		free_place(&places[i].self);
		for (j = 0; j < conf->sites[i].n_routes; j++)
			free_place(&places[i].routes[j]);
	}
}

void
headers_check(const struct conf *conf, struct conf_problems *problems)
{
	struct site_places *places;
	size_t i;

	places = mem_zalloc(conf->n_sites * sizeof(*places));
	for (i = 0; i < conf->n_sites; i++)
		places[i].routes =
		    mem_zalloc(conf->sites[i].n_routes * sizeof(*places[i].routes));
	headers_make(conf, places, problems);
	headers_free(conf, places);
	for (i = 0; i < conf->n_sites; i++)
		free(places[i].routes);
	free(places);
}
