// SPDX-License-Identifier: Apache-2.0
// One request: the engine's variables filled from the canonical request, the
// walk over the rules of a phase, and what matched.
#include "config.h"

#include <algorithm>
#include <cstring>

#include "rules/shim_internal.hh"

using modsecurity::AnchoredSetVariable;
using modsecurity::RuleMessage;
using modsecurity::RulesSetProperties;
using modsecurity::RuleWithActions;
using modsecurity::RuleWithOperator;
using modsecurity::Transaction;
using modsecurity::TransactionAnchoredVariables;

struct shim_txn {
	struct shim_txn_args args;
	struct shim_rules *rules;
	std::unique_ptr<Transaction> t;
	std::shared_ptr<RuleMessage> message;
	uint32_t scored; // sum of the scores when the last hit was noted
	uint64_t headers, present; // FACTS_... of the request, as of this phase
	bool body_shown; // REQUEST_BODY is set
	bool fault, decided;
	uint16_t status;
	std::string redirect;
	struct waf_hit hits[SHIM_HITS_MAX];
	uint32_t n_hits, n_hits_lost;
	std::deque<std::string> texts; // what the hits' spans point into
	std::deque<std::vector<struct span>> tags;
};

namespace
{

std::string
str(struct span s)
{
	return (s.n != 0 ? std::string(s.p, s.n) : std::string());
}

struct span
keep(struct shim_txn *x, const std::string &text, size_t max)
{
	x->texts.emplace_back(text, 0, std::min(text.size(), max));
	return (span_mem(x->texts.back().data(), x->texts.back().size()));
}

uint32_t
tx_number(struct shim_txn *x, const std::string &name)
{
	std::unique_ptr<std::string> value =
	    x->t->m_collections.m_tx_collection->resolveFirst(name);

	return (value ? (uint32_t)std::max(0L, strtol(value->c_str(), nullptr, 10)) : 0);
}

// What the rules of the levels up to `paranoia` have added up.
uint32_t
score_sum(struct shim_txn *x, bool outbound, int paranoia)
{
	std::string name = outbound         ? "outbound_anomaly_score_pl"
			   : x->rules->crs4 ? "inbound_anomaly_score_pl"
					    : "anomaly_score_pl";
	uint32_t sum = 0;

	for (int level = 1; level <= paranoia; level++)
		sum += tx_number(x, name + (char)('0' + level));
	return (sum);
}

uint32_t
score_total(struct shim_txn *x, bool outbound)
{
	const char *name = x->rules->crs4
			       ? (outbound ? "blocking_outbound_anomaly_score"
					   : "blocking_inbound_anomaly_score")
			       : (outbound ? "outbound_anomaly_score" : "anomaly_score");

	return (std::max(tx_number(x, name), score_sum(x, outbound, x->args.paranoia)));
}

// --- exclusions -----------------------------------------------------------

struct collection {
	const char *name;
	AnchoredSetVariable TransactionAnchoredVariables::*set;
};

const struct collection collections[] = {
	{ "ARGS", &TransactionAnchoredVariables::m_variableArgs },
	{ "ARGS_GET", &TransactionAnchoredVariables::m_variableArgsGet },
	{ "ARGS_GET_NAMES", &TransactionAnchoredVariables::m_variableArgsGet },
	{ "ARGS_NAMES", &TransactionAnchoredVariables::m_variableArgs },
	{ "ARGS_POST", &TransactionAnchoredVariables::m_variableArgsPost },
	{ "ARGS_POST_NAMES", &TransactionAnchoredVariables::m_variableArgsPost },
	{ "FILES", &TransactionAnchoredVariables::m_variableFiles },
	{ "FILES_NAMES", &TransactionAnchoredVariables::m_variableFilesNames },
	{ "MULTIPART_PART_HEADERS",
	    &TransactionAnchoredVariables::m_variableMultipartPartHeaders },
	{ "REQUEST_COOKIES", &TransactionAnchoredVariables::m_variableRequestCookies },
	{ "REQUEST_COOKIES_NAMES",
	    &TransactionAnchoredVariables::m_variableRequestCookiesNames },
	{ "REQUEST_HEADERS", &TransactionAnchoredVariables::m_variableRequestHeaders },
	{ "REQUEST_HEADERS_NAMES",
	    &TransactionAnchoredVariables::m_variableRequestHeadersNames },
	{ "RESPONSE_HEADERS", &TransactionAnchoredVariables::m_variableResponseHeaders },
};

bool
member_is_excluded(const struct shim_exclude &ex, const std::string &key)
{
	pcre2_match_data *data;
	int rc;

	if (ex.regex != nullptr) {
		data = pcre2_match_data_create(1, nullptr);
		if (data == nullptr)
			return (false);
		rc = pcre2_match(
		    ex.regex, (PCRE2_SPTR)key.data(), key.size(), 0, 0, data, nullptr);
		pcre2_match_data_free(data);
		return (rc >= 0);
	}
	if (ex.name == nullptr)
		return (true);
	return (ex.nocase ? strcasecmp(ex.name, key.c_str()) == 0 : key == ex.name);
}

// Tells the engine, for this rule only, which members it must not look at. Names
// are compared here, member by member, because the engine's own exclusion by
// regex forgets which collection was meant.
void
exclude_target(struct shim_txn *x, const struct shim_exclude &ex, int id)
{
	std::string prefix = ex.collection;
	auto add = [&](const std::string &full) {
		x->t->m_ruleRemoveTargetById.emplace_front(id, full);
		// the later rules of a chain have no id
		x->t->m_ruleRemoveTargetById.emplace_front(0, full);
	};

	if (ex.name == nullptr && ex.regex == nullptr)
		add(prefix);
	for (const auto &c : collections) {
		if (prefix != c.name)
			continue;
		for (const auto &member : (*x->t).*(c.set))
			if (member_is_excluded(ex, member.first))
				add(prefix + ":" + member.first);
		return;
	}
	if (ex.name != nullptr)
		add(prefix + ":" + ex.name);
}

// False: the whole rule is excluded.
bool
apply_excludes(struct shim_txn *x, uint32_t index, const struct shim_entry &e)
{
	const struct shim_excludes &all = x->args.excludes;
	uint16_t link;

	for (link = all.first[index]; link != 0; link = all.links[link].next) {
		uint16_t i = all.links[link].exclude;

		if (!x->args.active[i])
			continue;
		if (all.v[i].collection == nullptr)
			return (false);
		exclude_target(x, all.v[i], (int)e.actions->m_ruleId);
	}
	return (true);
}

// --- hits -----------------------------------------------------------------

struct waf_hit *
hit_add(struct shim_txn *x)
{
	if (x->n_hits == SHIM_HITS_MAX) {
		x->n_hits_lost++;
		return (nullptr);
	}
	x->hits[x->n_hits] = {};
	return (&x->hits[x->n_hits++]);
}

// The variable that a chain is best known by: the last that matched and that
// belongs to the request.
std::pair<std::string, std::string>
chain_variable(struct shim_txn *x)
{
	std::string name = x->t->m_variableMatchedVarName.m_value;
	std::string value = x->t->m_variableMatchedVar.m_value;

	if (name.compare(0, 3, "TX:") == 0 || name.compare(0, 7, "MATCHED") == 0)
		for (const auto &m : x->t->m_variableMatchedVars)
			if (m.first.compare(0, 3, "TX:") != 0 &&
			    m.first.compare(0, 7, "MATCHED") != 0)
				return (std::make_pair(m.first, m.second->getValue()));
	return (std::make_pair(name, value));
}

// A rule that matched is one hit for each variable it matched on, which share
// what it added to the score.
void
hit_note(struct shim_txn *x, const struct shim_entry &e, int phase)
{
	std::vector<std::pair<std::string, std::string>> variables;
	struct span message = {}, *tags = nullptr;
	uint32_t now, added, n_tags, i;

	now = score_sum(x, false, 4) + score_sum(x, true, 4);
	added = now > x->scored ? now - x->scored : 0;
	x->scored = now;
	if (e.has_operator && !e.chained)
		for (const auto &m : x->t->m_variableMatchedVars)
			if (std::none_of(variables.begin(), variables.end(),
				[&](const auto &v) { return (v.first == m.first); }))
				variables.emplace_back(m.first, m.second->getValue());
	if (e.has_operator && variables.empty())
		variables.push_back(chain_variable(x));
	if (variables.empty())
		variables.emplace_back();
	message = keep(x, x->message->m_message, SHIM_VALUE_MAX);
	x->tags.emplace_back();
	for (const auto &tag : x->message->m_tags)
		x->tags.back().push_back(keep(x, tag, 256));
	tags = x->tags.back().data();
	n_tags = (uint32_t)x->tags.back().size();
	for (i = 0; i < variables.size(); i++) {
		struct waf_hit *hit = hit_add(x);

		if (hit == nullptr)
			continue;
		hit->id = (uint32_t)e.actions->m_ruleId;
		hit->message = message;
		hit->severity =
		    e.actions->hasSeverity()
			? (uint8_t)std::min(7, std::max(0, x->message->m_severity))
			: 6;
		hit->phase = (uint8_t)phase;
		hit->score = added / (uint32_t)variables.size();
		if (i == 0)
			hit->score += added % (uint32_t)variables.size();
		hit->variable = keep(x, variables[i].first, 256);
		hit->value = keep(x, variables[i].second, SHIM_VALUE_MAX);
		hit->tags = tags;
		hit->n_tags = n_tags;
	}
}

// --- the walk ---------------------------------------------------------------

void
message_reset(RuleMessage *m, RuleWithActions *rule, int phase)
{
	m->m_rule = rule;
	m->m_ruleId = (int)rule->m_ruleId;
	m->m_ruleLine = rule->getLineNumber();
	m->m_phase = phase;
	m->m_data.clear();
	m->m_isDisruptive = false;
	m->m_match.clear();
	m->m_message.clear();
	m->m_noAuditLog = false;
	m->m_reference.clear();
	m->m_saveMessage = true;
	m->m_severity = 0;
	m->m_tags.clear();
}

bool
removed_at_run_time(Transaction *t, const struct shim_entry &e)
{
	int id = (int)e.actions->m_ruleId;

	for (const auto &tag : t->m_ruleRemoveByTag)
		if (e.actions->containsTag(tag, t))
			return (true);
	if (!e.has_operator)
		return (false);
	for (int one : t->m_ruleRemoveById)
		if (one == id)
			return (true);
	for (const auto &range : t->m_ruleRemoveByIdRange)
		if (range.first <= id && id <= range.second)
			return (true);
	return (false);
}

// Which of the parts that rules look at the request has by now.
void
take_stock(struct shim_txn *x, int phase)
{
	Transaction *t = x->t.get();
	const struct {
		const AnchoredSetVariable &set;
		uint64_t bit;
	} parts[] = {
		{ t->m_variableArgs, FACTS_ARGS },
		{ t->m_variableArgsGet, FACTS_ARGS_GET },
		{ t->m_variableArgsPost, FACTS_ARGS_POST },
		{ t->m_variableRequestCookies, FACTS_COOKIES },
		{ t->m_variableRequestCookiesNames, FACTS_COOKIES },
		{ t->m_variableFiles, FACTS_FILES },
		{ t->m_variableFilesNames, FACTS_FILES_NAMES },
		{ t->m_variableMultipartPartHeaders, FACTS_PART_HEADERS },
		{ t->m_variableRequestHeaders, FACTS_HEADERS },
	};

	if (x->rules->facts == nullptr)
		return;
	if (phase == 1)
		for (const auto &header : t->m_variableRequestHeaders)
			x->headers |= facts_header(x->rules->facts,
			    span_mem(header.first.data(), header.first.size()));
	x->present = x->headers;
	for (const auto &part : parts)
		if (!part.set.empty())
			x->present |= part.bit;
	if (t->m_requestBodyProcessor == Transaction::XMLRequestBody)
		x->present |= FACTS_XML;
}

// False: the rule's own text says that it can't match this request, or its whole
// effect, a jump, is done here.
bool
may_match(struct shim_txn *x, const struct shim_entry &e)
{
	std::unique_ptr<std::string> value;

	if (e.fact == nullptr)
		return (true);
	if (e.fact->kind == FACT_SOURCES)
		return ((e.fact->sources & x->present) != 0);
	value = x->t->m_collections.m_tx_collection->resolveFirst(e.fact->tx);
	if (e.fact->kind == FACT_TX_ABSENT)
		return (value == nullptr);
	if (value != nullptr && (int)strtol(value->c_str(), nullptr, 10) < e.fact->bound)
		x->t->addMarker(e.label);
	return (false);
}

void
body_show(struct shim_txn *x)
{
	Transaction *t = x->t.get();
	std::string body;

	if (x->body_shown)
		return;
	x->body_shown = true;
	body = t->m_requestBody.str();
	if (body.empty())
		return;
	t->m_variableRequestBody.set(body, t->m_variableOffset);
	t->m_variableRequestBodyLength.set(
	    std::to_string(body.size()), t->m_variableOffset, body.size());
}

// What the rule asked for; detect: note it and go on. Phase 5 is too late.
bool
decide(struct shim_txn *x, int phase)
{
	Transaction *t = x->t.get();

	if (!x->decided && phase < SHIM_PHASES) {
		x->decided = true;
		x->status = (uint16_t)t->m_it.status;
		if (t->m_it.url != nullptr)
			x->redirect = t->m_it.url;
	}
	modsecurity::intervention::free(&t->m_it);
	modsecurity::intervention::reset(&t->m_it);
	return (!x->args.detect);
}

// One rule. False: the phase ends here.
bool
walk_rule(struct shim_txn *x, const struct shim_entry &e, uint32_t index, int phase)
{
	Transaction *t = x->t.get();
	size_t excluded = t->m_ruleRemoveTargetById.size();
	bool matched;

	if (e.removed || removed_at_run_time(t, e))
		return (true);
	if (x->args.excludes.first != nullptr && x->args.excludes.first[index] != 0 &&
	    !apply_excludes(x, index, e))
		return (true);
	if (!may_match(x, e)) {
		for (; t->m_ruleRemoveTargetById.size() > excluded;)
			t->m_ruleRemoveTargetById.pop_front();
		return (true);
	}
	excluded = t->m_ruleRemoveTargetById.size() - excluded;
	if (!t->m_variableMatchedVars.empty())
		RuleWithOperator::cleanMatchedVars(t);
	message_reset(x->message.get(), e.actions, phase);
	matched = e.rule->evaluate(t, x->message);
	while (excluded-- > 0) {
		// what the rule itself added (ctl) stands behind ours
		t->m_ruleRemoveTargetById.pop_front();
	}
	if (matched &&
	    (x->message->m_saveMessage || (e.logged && x->message->m_noAuditLog)))
		hit_note(x, e, phase);
	t->m_rulesMessages.clear();
	return (t->m_it.disruptive == 0 || !decide(x, phase));
}

// AllowType, which the engine's headers declare but do not define.
enum { ALLOW_NONE, ALLOW_REQUEST, ALLOW_PHASE, ALLOW_FROM_NOW_ON };

// As RulesSet::evaluate does it.
void
walk(struct shim_txn *x, int phase)
{
	using modsecurity::actions::disruptive::AllowType;
	Transaction *t = x->t.get();
	const auto &entries = x->rules->entries[phase];
	uint32_t index = x->rules->first[phase];

	if (t->getRuleEngineState() == RulesSetProperties::DisabledRuleEngine)
		return;
	if (t->m_allowType == (AllowType)ALLOW_FROM_NOW_ON && phase != SHIM_PHASES)
		return;
	if (t->m_allowType == (AllowType)ALLOW_REQUEST && phase <= 2)
		return;
	t->m_allowType = (AllowType)ALLOW_NONE;
	take_stock(x, phase);
	for (const auto &e : entries) {
		if (e.marker) {
			e.rule->evaluate(t);
		} else if (t->isInsideAMarker() || e.actions == nullptr) {
			;
		} else if (t->m_skip_next > 0) {
			t->m_skip_next--;
		} else if (t->m_allowType == (AllowType)ALLOW_NONE) {
			if (e.own && phase == 2)
				body_show(x);
			if (!walk_rule(x, e, index, phase))
				break;
		}
		index++;
	}
}

} // namespace

struct shim_txn *
shim_txn_new(const struct shim_txn_args *args)
try {
	std::unique_ptr<struct shim_txn> x(new struct shim_txn());
	std::string id = args->id;

	x->args = *args;
	x->rules = args->rules;
	x->t.reset(
	    new Transaction(&args->engine->ms, &args->rules->set, &id[0], nullptr));
	for (int phase = 1; phase <= SHIM_PHASES && !x->message; phase++)
		for (const auto &e : x->rules->entries[phase])
			if (e.actions != nullptr) {
				x->message =
				    std::make_shared<RuleMessage>(e.actions, x->t.get());
				break;
			}
	for (uint32_t i = 0; i < args->n_settings; i++)
		x->t->m_collections.m_tx_collection->storeOrUpdateFirst(
		    args->settings[i].name, args->settings[i].value);
	return (x.release());
} catch (...) {
	return (nullptr);
}

void
shim_txn_free(struct shim_txn **txn)
{
	delete *txn;
	*txn = nullptr;
}

void
shim_set_tx(struct shim_txn *x, const char *name, struct span value)
try {
	x->t->m_collections.m_tx_collection->storeOrUpdateFirst(name, str(value));
} catch (...) {
	x->fault = true;
}

void
shim_connection(struct shim_txn *x, const char *client, uint16_t client_port,
    const char *local, uint16_t local_port)
try {
	x->t->processConnection(client, client_port, local, local_port);
} catch (...) {
	x->fault = true;
}

namespace
{

// What Transaction::processURI does, but from the canonical form: the engine
// decodes the target before it looks for "?", so that what stands behind %3f in
// a path is lost to the rules (CVE-2024-1019).
void
request_target(struct shim_txn *x, const struct http_request *rq)
{
	Transaction *t = x->t.get();
	std::string method = str(rq->method), raw = str(rq->raw_target);
	std::string path = rq->target.asterisk ? "*" : str(rq->target.path);
	std::string decoded = rq->target.asterisk ? "*" : str(rq->target.decoded);
	std::string query = str(rq->target.query), uri = path, line;
	size_t offset = method.size() + 1, slash;

	if (rq->target.has_query)
		uri += "?" + query;
	t->m_httpVersion = rq->minor == 0 ? "1.0" : "1.1";
	t->m_uri = raw;
	t->m_uri_decoded = decoded;
	t->m_uri_no_query_string_decoded = std::make_shared<std::string>(decoded);
	line = method + " " + raw + " " + str(rq->protocol);
	t->m_variableRequestMethod.set(method, 0);
	t->m_variableRequestLine.set(line, 0);
	t->m_variableRequestProtocol.set(str(rq->protocol), offset + raw.size() + 1);
	t->m_variablePathInfo.set(decoded, offset, path.size());
	t->m_variableRequestFilename.set(decoded, offset, path.size());
	slash = decoded.find_last_of("/\\");
	if (slash != std::string::npos && slash + 1 < decoded.size())
		t->m_variableRequestBasename.set(
		    decoded.substr(slash + 1), offset + slash + 1);
	t->m_variableRequestURI.set(uri, offset, uri.size());
	t->m_variableRequestURIRaw.set(raw, offset);
	t->m_variableOffset = (int)line.size();
	if (!query.empty()) {
		t->m_variableQueryString.set(query, offset + path.size() + 1);
		t->extractArguments("GET", query, offset + path.size() + 1);
	}
	t->m_variableOffset++;
}

} // namespace

void
shim_request(struct shim_txn *x, const struct http_request *rq)
try {
	request_target(x, rq);
	for (uint32_t i = 0; i < rq->fields.n; i++) {
		if (rq->unpacked && rq->fields.v[i].id == HTTP_CONTENT_ENCODING)
			continue; // the rules judge what the origin gets
		x->t->addRequestHeader(
		    str(rq->fields.v[i].name), str(rq->fields.v[i].value));
	}
	x->t->m_variableServerName.set(str(rq->authority.host), 0);
} catch (...) {
	x->fault = true;
}

void
shim_body_kind(struct shim_txn *x, enum shim_body kind)
try {
	static const char *const names[] = { "", "URLENCODED", "MULTIPART", "JSON",
		"XML" };
	Transaction *t = x->t.get();

	t->m_requestBodyType = Transaction::UnknownFormat;
	if (kind == SHIM_BODY_FORM)
		t->m_requestBodyType = Transaction::WWWFormUrlEncoded;
	else if (kind == SHIM_BODY_MULTIPART)
		t->m_requestBodyType = Transaction::MultiPartRequestBody;
	else if (kind == SHIM_BODY_JSON)
		t->m_requestBodyProcessor = Transaction::JSONRequestBody;
	else if (kind == SHIM_BODY_XML)
		t->m_requestBodyProcessor = Transaction::XMLRequestBody;
	if (kind == SHIM_BODY_RAW)
		t->m_variableReqbodyProcessor.unset();
	else
		t->m_variableReqbodyProcessor.set(names[kind], 0);
} catch (...) {
	x->fault = true;
}

bool
shim_body_append(struct shim_txn *x, const void *p, size_t n)
try {
	x->t->m_requestBody.write((const char *)p, (std::streamsize)n);
	return (x->t->m_requestBody.good());
} catch (...) {
	x->fault = true;
	return (false);
}

namespace
{

// A Content-Type that says the boundary and nothing else, while the body is parsed;
// the rules see the client's own again.
class plain_boundary
{
	modsecurity::VariableValue *field = nullptr;
	std::string own;

      public:
	plain_boundary(Transaction *t, struct span boundary)
	{
		auto found = t->m_variableRequestHeaders.find("Content-Type");

		if (boundary.n == 0 || found == t->m_variableRequestHeaders.end())
			return;
		field = found->second;
		own = field->getValue();
		field->setValue("multipart/form-data; boundary=" + str(boundary));
	}
	~plain_boundary()
	{
		if (field != nullptr)
			field->setValue(own);
	}
};

} // namespace

void
shim_body_parse(struct shim_txn *x, struct span boundary, bool lenient)
try {
	Transaction *t = x->t.get();
	auto access = t->m_requestBodyAccess;
	bool parsed = t->m_requestBodyProcessor != Transaction::UnknownFormat ||
		      t->m_requestBodyType == Transaction::MultiPartRequestBody;

	// A rule may say that the body is not to be parsed (ctl); its phase
	// runs nevertheless. With access off the engine parses and then returns,
	// before it makes FULL_REQUEST and walks the phase by itself.
	if (t->m_requestBody.tellp() <= 0) {
		t->m_variableReqbodyError.set("0", 0);
		t->m_variableReqbodyProcessorError.set("0", 0);
		t->m_variableInboundDataError.set("0", 0);
	} else if (access != RulesSetProperties::FalseConfigBoolean) {
		plain_boundary plain(t, boundary);

		t->m_requestBodyAccess = RulesSetProperties::FalseConfigBoolean;
		t->processRequestBody();
		t->m_requestBodyAccess = access;
	}
	// REQUEST_BODY is of forms and of what nobody parses, as rule sets expect
	// (a rule of the operator's own sees any); the parts' fields end before CRLF.
	if (!parsed)
		body_show(x);
	for (auto &part : t->m_variableMultipartPartHeaders) {
		std::string line = part.second->getValue();
		size_t end = line.find_last_not_of("\r\n");

		if (end + 1 != line.size())
			part.second->setValue(line.substr(0, end + 1));
	}
	if (lenient && t->m_variableReqbodyError.m_value == "1") {
		t->m_variableReqbodyError.set("0", 0);
		t->m_variableReqbodyProcessorError.set("0", 0);
		t->m_variableMultipartStrictError.set("0", 0);
		t->m_variableMultipartUnmatchedBoundary.set("0", 0);
		body_show(x);
		t->addArgument("POST", "yett.cut", t->m_requestBody.str(), 0);
	}
} catch (...) {
	x->fault = true;
}

void
shim_body_argument(struct shim_txn *x, const char *name, struct span value)
try {
	x->t->addArgument("POST", name, str(value), 0);
} catch (...) {
	x->fault = true;
}

uint32_t
shim_arguments(const struct shim_txn *x)
{
	return ((uint32_t)x->t->m_variableArgs.size());
}

void
shim_response(struct shim_txn *x, const struct http_response *rs)
try {
	Transaction *t = x->t.get();

	for (uint32_t i = 0; i < rs->fields.n; i++)
		t->addResponseHeader(
		    str(rs->fields.v[i].name), str(rs->fields.v[i].value));
	t->m_httpCodeReturned = rs->status;
	t->m_variableResponseStatus.set(std::to_string(rs->status), 0);
	t->m_variableResponseProtocol.set("HTTP/1.1", 0);
} catch (...) {
	x->fault = true;
}

void
shim_response_body(struct shim_txn *x, struct span body)
try {
	Transaction *t = x->t.get();

	t->m_variableOutboundDataError.set("0", 0);
	t->m_variableResponseBody.set(str(body), 0);
	t->m_variableResponseContentLength.set(std::to_string(body.n), 0);
} catch (...) {
	x->fault = true;
}

void
shim_phase(struct shim_txn *x, int phase)
try {
	if (!x->fault && x->message)
		walk(x, phase);
} catch (...) {
	x->fault = true;
}

void
shim_read(struct shim_txn *x, struct shim_result *r)
try {
	*r = {};
	r->decided = x->decided;
	r->fault = x->fault;
	r->status = x->status;
	r->redirect = x->redirect.empty()
			  ? span_mem(nullptr, 0)
			  : span_mem(x->redirect.data(), x->redirect.size());
	r->hits = x->hits;
	r->n_hits = x->n_hits;
	r->n_hits_lost = x->n_hits_lost;
	r->inbound = score_total(x, false);
	r->outbound = score_total(x, true);
} catch (...) {
	x->fault = r->fault = true;
}

void
shim_refuse(struct shim_txn *x, const struct waf_hit *hit, uint16_t status)
{
	struct waf_hit *mine = hit_add(x);

	if (mine != nullptr)
		*mine = *hit;
	if (!x->decided) {
		x->decided = true;
		x->status = status;
	}
}
