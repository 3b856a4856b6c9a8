/* SPDX-License-Identifier: Apache-2.0 */
/* rules/facts.h - what the text of a rule says about when it can't match, so
 * that the engine need not be asked: it asks every rule of a request, and most
 * look at parts that the request does not have. Only what is understood for
 * certain becomes a fact; about all other rules nothing is claimed. Made once
 * from the rule files, then read by any thread. */
#ifndef YETT_RULES_FACTS_H
#define YETT_RULES_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"

/* Parts of a request that may be absent. A header field that some rule names
 * has a bit of its own, from FACTS_HEADER_0 on. */
#define FACTS_ARGS		(UINT64_C(1) << 0)
#define FACTS_ARGS_GET		(UINT64_C(1) << 1)
#define FACTS_ARGS_POST		(UINT64_C(1) << 2)
#define FACTS_COOKIES		(UINT64_C(1) << 3)
#define FACTS_FILES		(UINT64_C(1) << 4)
#define FACTS_FILES_NAMES	(UINT64_C(1) << 5)
#define FACTS_PART_HEADERS	(UINT64_C(1) << 6)
#define FACTS_XML		(UINT64_C(1) << 7)
#define FACTS_HEADERS		(UINT64_C(1) << 8)
#define FACTS_HEADER_0		16
#define FACTS_HEADER_MAX	48

enum fact_kind {
	FACT_NONE = 0,
	FACT_SOURCES,	/* matches only if one of `sources` is there */
	FACT_TX_ABSENT,	/* matches only if TX has no variable `tx` */
	FACT_TX_LESS,	/* all it does: if `tx` < bound, skip to `label` */
};

struct fact {
	uint32_t id;
	enum fact_kind kind;
	uint64_t sources;
	char *tx, *label;
	int bound;
};

struct facts;
struct facts *facts_new(void);
void facts_free(struct facts **);
/* All rules of one file. A directive that changes rules after the fact
 * (SecRuleUpdateTarget...) makes facts_find answer NULL from then on, and an id
 * that comes twice has none. */
void facts_add(struct facts *, struct span text);
const struct fact *facts_find(const struct facts *, uint32_t id);
/* The bit of a header field, without case; 0: no rule names it. */
uint64_t facts_header(const struct facts *, struct span name);

#endif
