/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's own structs, shared by its two files. */
#ifndef YETT_RULES_SHIM_INTERNAL_HH
#define YETT_RULES_SHIM_INTERNAL_HH

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <modsecurity/modsecurity.h>
#include <modsecurity/rule_message.h>
#include <modsecurity/rule_with_actions.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

extern "C" {
#include "rules/facts.h"
}
#include "rules/shim.h"

// From 3.0.13 on rules are evaluated with other arguments.
#if MODSECURITY_VERSION_NUM >= 30130100
#error "the shim knows libmodsecurity 3.0.9 to 3.0.12"
#endif

struct shim_engine {
	modsecurity::ModSecurity ms;
};

/* A rule of a phase with what the walk asks of it, found out once. */
struct shim_entry {
	modsecurity::Rule *rule;
	modsecurity::RuleWithActions *actions; /* nullptr: a marker */
	bool marker;
	bool has_operator;
	bool chained;
	bool removed; /* by a SecRuleRemove... of the operator */
	bool logged; /* says log in so many words, and not nolog */
	bool own; /* the operator's */
	const struct fact *fact; /* nullptr: nothing is known */
	std::shared_ptr<std::string> label; /* of a FACT_TX_LESS */
};

struct shim_rules {
	struct shim_engine *engine;
	modsecurity::RulesSet set;
	std::vector<struct shim_entry> entries[SHIM_PHASES + 1];
	uint32_t first[SHIM_PHASES + 2]; /* index of a phase's first entry */
	size_t own_from[SHIM_PHASES + 1];
	bool own;
	std::string component;
	bool crs4; /* names of the score variables */
	struct facts *facts;
};

#endif
