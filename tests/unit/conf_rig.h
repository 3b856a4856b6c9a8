/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/conf_rig.h - configurations in tests: texts to start from, and rows
 * of what is told of a faulty one. */
#ifndef YETT_TESTS_CONF_RIG_H
#define YETT_TESTS_CONF_RIG_H

#include "gateway/base/buf.h"
#include "gateway/conf/conf.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* What every configuration needs; tests add to it. Five lines. */
#define START                               \
	"listeners:\n"                      \
	"  - address: \"127.0.0.1:8080\"\n" \
	"sites:\n"                          \
	"  - hosts: [example.com]\n"        \
	"    pool: p\n"
#define POOL "pools: { p: { servers: [ { url: \"http://127.0.0.1:3000\" } ] } }\n"
#define BASE START POOL
#define POLICY(rest) BASE "policies: { x: { " rest " } }\n"
#define EXCLUDE(rest) POLICY("exclude: [ { " rest " } ]")
#define SITE(rest) \
	POOL "listeners: [ { address: \"127.0.0.1:1\" } ]\nsites: [ { " rest " } ]\n"
#define SERVER(url) START "pools: { p: { servers: [ { url: \"" url "\" } ] } }\n"

struct conf_fault {
	const char *yaml;
	const char *told; /* the start of the only problem; NULL: none */
	const char *why;
};

/* The text is the file t.yaml. */
struct conf *conf_rig_load(struct span yaml, struct conf_problems *);
/* All problems, one a line; frees them. */
char *conf_problems_text(struct conf_problems *);
/* Fails when any row is told otherwise. */
void conf_check_faults(const struct conf_fault *rows, size_t n);

#endif
