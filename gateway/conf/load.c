/* SPDX-License-Identifier: Apache-2.0 */
/* A file and what it includes into a struct conf. */
#include "config.h"

#include "gateway/conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "gateway/conf/files.h"
#include "gateway/conf/settle.h"

#define HOLDER_MAGIC 0x636f6e66
#define ARENA_MAX ((size_t)2 << 30)
#define INCLUDED_BYTES_MAX ((size_t)64 << 20)

/* What conf_load gives away is the first member. */
struct holder {
	struct conf conf;
	unsigned magic;
	struct arena *arena;
};

static void
set_folder(struct reader *r, struct span path)
{
	const char *slash = path.n > 0 ? memrchr(path.p, '/', path.n) : NULL;
	char *here;
	char *folder;

	if (path.n > 0 && path.p[0] == '/') {
		r->folder = reader_strdup(r, span_mem(path.p, (size_t)(slash - path.p)));
		return;
	}
	here = getcwd(NULL, 0);
	folder = arena_printf(r->arena, "%s%s%.*s", here != NULL ? here : ".",
	    slash != NULL ? "/" : "", slash != NULL ? (int)(slash - path.p) : 0, path.p);
	free(here);
	CHECK(folder != NULL);
	r->folder = folder;
}

static const struct node *
read_text(struct reader *r, struct arena *tree, struct span yaml)
{
	const struct node *root = document_read(tree, r->file, yaml, r->problems);

	if (root != NULL && root->wrong != NULL)
		reader_problem(r, root, "%s", root->wrong);
	else if (root != NULL)
		reader_map(r, &map_root, root, r->conf);
	if (root != NULL && root->wrong == NULL && root->kind == NODE_MAP)
		return (root);
	r->incomplete = true;
	return (NULL);
}

static void
read_included(
    struct reader *r, const struct conf_place *place, const char *path, size_t *total)
{
	struct arena *tree = arena_new(ARENA_MAX);
	struct span yaml = files_read(tree, path, r->problems, place, "include");

	if (yaml.p == NULL) {
		r->incomplete = true;
	} else if ((*total += yaml.n) > INCLUDED_BYTES_MAX) {
		conf_problems_add(r->problems, place, "include",
		    "the files are larger than 64 MiB in all");
		r->incomplete = true;
	} else {
		r->file = path;
		set_folder(r, span_of(path));
		read_text(r, tree, yaml);
	}
	arena_free(&tree);
}

static void
read_includes(struct reader *r)
{
	const struct node *node = r->include_node, *item;
	struct conf_strings list = { NULL, 0 };
	struct conf_place place;
	size_t i, total = 0;

	if (node == NULL)
		return;
	place = (struct conf_place){ r->file, node->line, node->column };
	if (r->in_memory) {
		conf_problems_add(
		    r->problems, &place, "include", "only in a file, not in a text");
		return;
	}
	snprintf(r->path, sizeof(r->path), "include");
	item = node->kind == NODE_LIST ? node->child : node;
	for (; item != NULL; item = node->kind == NODE_LIST ? item->next : NULL)
		if (item->kind == NODE_SCALAR && item->wrong == NULL && item->text.n > 0)
			files_expand(r, item, reader_absolute(r, item->text), &list);
	r->path[0] = '\0';
	if (list.n > READER_INCLUDES_MAX) {
		conf_problems_add(r->problems, &place, "include",
		    "stands for %zu files; allowed: %d", list.n, READER_INCLUDES_MAX);
		return;
	}
	r->included = true;
	for (i = 0; i < list.n && !(r->incomplete && total > INCLUDED_BYTES_MAX); i++)
		read_included(r, &place, list.v[i], &total);
}

static struct conf *
load(struct reader *r, struct span path, struct span yaml)
{
	struct holder *holder = mem_zalloc(sizeof(*holder));
	struct arena *tree = arena_new(ARENA_MAX);
	struct conf_place place = { path.p, 0, 0 };
	struct node none = { .kind = NODE_MAP, .line = 1, .column = 1 };
	const struct node *root = NULL;
	const char *main_file;
	struct conf *cf = &holder->conf;

	holder->magic = HOLDER_MAGIC;
	holder->arena = arena_new(ARENA_MAX);
	r->arena = holder->arena;
	r->conf = cf;
	r->file = main_file = reader_strdup(r, path);
	set_folder(r, r->in_memory ? SPAN_NONE : path);
	reader_defaults(r, &map_root, cf);
	if (!r->in_memory)
		yaml = files_read(tree, main_file, r->problems, &place, "");
	if (yaml.p != NULL)
		root = read_text(r, tree, yaml);
	else
		r->incomplete = true;
	if (root != NULL)
		read_includes(r);
	r->file = main_file;
	settle(r, root != NULL ? root : &none);
	arena_free(&tree);
	conf_problems_sort(r->problems);
	if (r->problems->n > 0)
		conf_free(&cf);
	return (cf);
}

struct conf *
conf_load(const char *path, struct conf_problems *problems_r)
{
	struct reader r = { .problems = problems_r };

	*problems_r = (struct conf_problems){ NULL, 0 };
	return (load(&r, span_of(path), SPAN_NONE));
}

struct conf *
conf_load_text(const char *name, struct span yaml, struct conf_problems *problems_r)
{
	struct reader r = { .problems = problems_r, .in_memory = true };

	*problems_r = (struct conf_problems){ NULL, 0 };
	return (load(&r, span_of(name), yaml.p != NULL ? yaml : SPAN("")));
}

void
conf_free(struct conf **conf)
{
	struct holder *holder = (struct holder *)*conf;
	struct arena *arena;

	if (holder == NULL)
		return;
	CHECK_OBJ(holder, HOLDER_MAGIC);
	arena = holder->arena;
	free(holder);
	arena_free(&arena);
	*conf = NULL;
}

const struct conf_pool *
conf_find_pool(const struct conf *conf, const char *name)
{
	size_t i;

	for (i = 0; i < conf->n_pools; i++)
		if (strcmp(conf->pools[i].name, name) == 0)
			return (&conf->pools[i]);
	return (NULL);
}

const struct conf_limit *
conf_find_limit(const struct conf *conf, const char *name)
{
	size_t i;

	for (i = 0; i < conf->n_limits; i++)
		if (strcmp(conf->limits[i].name, name) == 0)
			return (&conf->limits[i]);
	return (NULL);
}

const struct conf_path *
conf_find_path(const struct conf *conf, const char *value)
{
	size_t i;

	for (i = 0; i < conf->n_paths; i++)
		if (conf->paths[i].value == value)
			return (&conf->paths[i]);
	return (NULL);
}

const struct conf_policy *
conf_find_policy(const struct conf *conf, const char *name)
{
	size_t i;

	for (i = 0; i < conf->n_policies; i++)
		if (strcmp(conf->policies[i].name, name) == 0)
			return (&conf->policies[i]);
	return (NULL);
}
