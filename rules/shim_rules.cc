// SPDX-License-Identifier: Apache-2.0
// The engine and its rules: parsing, and the table that the walk goes by.
#include "config.h"

#include <stdexcept>

#include "rules/shim_internal.hh"

using modsecurity::RuleWithActions;
using modsecurity::RuleWithOperator;
using modsecurity::Transaction;

namespace
{

// Without a callback the engine prints each hit to standard error.
void
ignore_log(void *, const void *)
{
}

void
explain(struct text *error, const std::string &why)
{
	if (error != nullptr)
		text_put(error, span_mem(why.data(), why.size()));
}

bool
by_message_or_tag(modsecurity::RulesSet &set, RuleWithActions *rule, Transaction *t)
{
	for (const auto &tag : set.m_exceptions.m_remove_rule_by_tag)
		if (rule->containsTag(tag, t))
			return (true);
	for (const auto &message : set.m_exceptions.m_remove_rule_by_msg)
		if (rule->containsMsg(message, t))
			return (true);
	return (false);
}

void
fill_entry(struct shim_rules *r, struct shim_entry &e, Transaction *t)
{
	e.marker = e.rule->isMarker();
	e.actions = dynamic_cast<RuleWithActions *>(e.rule);
	if (e.actions == nullptr)
		return;
	e.has_operator = dynamic_cast<RuleWithOperator *>(e.rule) != nullptr;
	e.chained = e.actions->m_chainedRuleChild != nullptr;
	e.removed = r->set.m_exceptions.contains((int)e.actions->m_ruleId) ||
		    by_message_or_tag(r->set, e.actions, t);
	if (r->facts != nullptr && e.has_operator)
		e.fact = facts_find(r->facts, (uint32_t)e.actions->m_ruleId);
	if (e.fact != nullptr && e.fact->kind == FACT_TX_LESS)
		e.label = std::make_shared<std::string>(e.fact->label);
	e.logged = !e.actions->getActionsByName("log", t).empty() &&
		   e.actions->getActionsByName("nolog", t).empty();
}

const struct shim_entry &
entry_at(const struct shim_rules *r, uint32_t index)
{
	int phase = 1;

	while (phase < SHIM_PHASES && index >= r->first[phase + 1])
		phase++;
	return (r->entries[phase][index - r->first[phase]]);
}

} // namespace

struct shim_engine *
shim_engine_new(void)
{
	struct shim_engine *e = nullptr;

	try {
		e = new struct shim_engine;
		e->ms.setConnectorInformation("Yett v" PACKAGE_VERSION);
		e->ms.setServerLogCb(ignore_log, modsecurity::RuleMessageLogProperty);
		// made on first use, without a lock; and Yett knows the insides of
		// the version that it was built for, of no other
		if (e->ms.whoAmI().find("ModSecurity v" MODSECURITY_VERSION " ") ==
		    std::string::npos)
			throw std::runtime_error("another version");
	} catch (...) {
		delete e;
		return (nullptr);
	}
	return (e);
}

const char *
shim_engine_version(void)
{
	return (MODSECURITY_VERSION);
}

struct shim_rules *
shim_rules_new(struct shim_engine *engine)
{
	try {
		auto *r = new struct shim_rules();

		r->engine = engine;
		return (r);
	} catch (...) {
		return (nullptr);
	}
}

void
shim_rules_free(struct shim_rules **rules)
{
	if (*rules != nullptr)
		facts_free(&(*rules)->facts);
	delete *rules;
	*rules = nullptr;
}

void
shim_rules_facts(struct shim_rules *r, struct facts *facts)
{
	r->facts = facts;
}

bool
shim_rules_add_text(
    struct shim_rules *r, const char *name, const char *text, struct text *error)
{
	try {
		if (r->set.load(text, name) >= 0)
			return (true);
		explain(error, r->set.getParserError());
	} catch (const std::exception &e) {
		explain(error, e.what());
	} catch (...) {
		explain(error, "the engine failed");
	}
	return (false);
}

bool
shim_rules_add_file(struct shim_rules *r, const char *path, struct text *error)
{
	try {
		if (r->set.loadFromUri(path) >= 0)
			return (true);
		explain(error, r->set.getParserError());
	} catch (const std::exception &e) {
		explain(error, e.what());
	} catch (...) {
		explain(error, "the engine failed");
	}
	return (false);
}

void
shim_rules_own(struct shim_rules *r)
{
	r->own = true;
	for (int phase = 1; phase <= SHIM_PHASES; phase++)
		r->own_from[phase] = r->set.m_rulesSetPhases[phase + 1]->size();
}

bool
shim_rules_seal(struct shim_rules *r)
try {
	char id[] = "seal";
	Transaction t(&r->engine->ms, &r->set, id, nullptr);
	uint32_t index = 0;

	for (int phase = 1; phase <= SHIM_PHASES; phase++) {
		const auto &rules = r->set.m_rulesSetPhases[phase + 1]->m_rules;

		r->first[phase] = index;
		r->entries[phase].reserve(rules.size());
		for (const auto &rule : rules) {
			struct shim_entry e = {};

			e.rule = rule.get();
			e.own = r->own && r->entries[phase].size() >= r->own_from[phase];
			fill_entry(r, e, &t);
			r->entries[phase].push_back(e);
			index++;
		}
	}
	r->first[SHIM_PHASES + 1] = index;
	for (const auto &component : r->set.m_components)
		if (component.compare(0, 10, "OWASP_CRS/") == 0)
			r->component = component.substr(0, component.find('"'));
	r->crs4 = r->component.size() > 10 && r->component[10] >= '4';
	return (true);
} catch (...) {
	return (false);
}

uint32_t
shim_rules_count(const struct shim_rules *r)
{
	return (r->first[SHIM_PHASES + 1]);
}

struct shim_rule
shim_rules_at(const struct shim_rules *r, uint32_t index)
{
	const struct shim_entry &e = entry_at(r, index);
	struct shim_rule out = {};

	out.id = e.actions != nullptr ? (uint32_t)e.actions->m_ruleId : 0;
	out.phase = (uint8_t)(e.rule->getPhase() - 1);
	out.file = e.rule->getFileName()->c_str();
	out.line = (uint32_t)e.rule->getLineNumber();
	return (out);
}

bool
shim_rules_tagged(struct shim_rules *r, const char *tag, bool *has_r)
try {
	char id[] = "tag";
	Transaction t(&r->engine->ms, &r->set, id, nullptr);
	std::string name = tag;
	uint32_t index = 0;

	for (int phase = 1; phase <= SHIM_PHASES; phase++)
		for (const auto &e : r->entries[phase])
			has_r[index++] =
			    e.actions != nullptr && e.actions->containsTag(name, &t);
	return (true);
} catch (...) {
	return (false);
}

const char *
shim_rules_component(const struct shim_rules *r)
{
	return (r->component.c_str());
}
