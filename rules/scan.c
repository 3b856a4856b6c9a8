/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule file of the operator's may not say. Logical lines (a backslash
 * before the newline joins two), comments, quotes. */
#include "config.h"

#include "rules/scan.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/buf.h"

#define FILE_MAX_BYTES (8U << 20)
#define ARGS_MAX 4

struct scan {
	const char *name;
	const struct conf_strings *allow;
	struct err *e;
	unsigned line;
};

/* Directives: by name, or by the start of a name where a * ends it. */
static const struct {
	const char *name;
	const char *allow; /* the word of `allow` that permits it, or NULL */
	const char *why;
} directives[] = {
	{ "Include*", NULL, "name the file under rules: of the policy instead" },
	{ "SecRemoteRules*", "remote_rules",
	    "fetches rules over the network while loading" },
	{ "SecRuleScript", "lua", "runs a Lua script inside the gateway" },
	{ "SecRuleEngine", NULL, "say mode: block, detect or off in the policy" },
	{ "SecDefaultAction", NULL,
	    "would change the rule set's rules too: write the actions in each rule" },
	{ "SecRequestBodyAccess", NULL, "bodies are always inspected; see request_body" },
	{ "SecRequestBodyLimit*", NULL,
	    "see request_body: inspect, limit, over_inspect" },
	{ "SecRequestBodyNoFilesLimit", NULL, "see request_body: inspect" },
	{ "SecRequestBodyInMemoryLimit", NULL, "see request_body: inspect" },
	{ "SecRequestBodyJsonDepthLimit", NULL, "the depth is bounded already" },
	{ "SecArgumentsLimit", NULL, "see request_body: arguments" },
	{ "SecArgumentSeparator", NULL, "arguments are separated by &" },
	{ "SecResponseBody*", NULL, "see response_body: inspect, types" },
	{ "SecXmlExternalEntity", NULL, "external entities are never fetched" },
	{ "SecAudit*", NULL, "the gateway writes the audit log; see logs.audit" },
	{ "SecDebugLog*", NULL, "writes files; use yett explain" },
	{ "SecGuardianLog", NULL, "runs a program" },
	{ "SecGeoLookupDb", NULL, "places are the gateway's business; see geo" },
	{ "SecHttpBlKey", NULL, "asks the DNS for each request" },
	{ "SecGsbLookupDb", NULL, "not available" },
	{ "SecTmp*", NULL, "the engine writes no files" },
	{ "SecDataDir", NULL, "the engine writes no files" },
	{ "SecUpload*", NULL, "the engine writes no files" },
	{ "SecChrootDir", NULL, "the gateway has its own sandbox" },
	{ "SecConn*", NULL, "see max and limits" },
	{ "SecWebAppId", NULL, "policies keep apart what this would" },
};

/* What may stand in a rule file besides. The engine takes "SecRulez" for SecRule
 * and then drops the line. */
static const char *const known[] = { "SecRule", "SecAction", "SecMarker",
	"SecComponentSignature", "SecRuleRemoveById", "SecRuleRemoveByMsg",
	"SecRuleRemoveByTag", "SecRuleUpdateTargetById", "SecRuleUpdateTargetByMsg",
	"SecRuleUpdateTargetByTag", "SecRuleUpdateActionById", "SecUnicodeMapFile",
	"SecPcreMatchLimit", "SecPcreMatchLimitRecursion", "SecCollectionTimeout",
	"SecCookieFormat", "SecSensorId", "SecServerSignature" };

static const struct {
	const char *name;
	const char *allow;
	const char *why;
} operators[] = {
	{ "inspectFile", "inspect_file", "runs a program for each request" },
	{ "rbl", "rbl", "asks the DNS and waits for the answer" },
	{ "gsbLookup", NULL, "not available" },
	{ "geoLookup", NULL, "places are the gateway's business; see geo" },
};

static const struct {
	const char *start; /* of the action, lower case */
	const char *allow;
	const char *why;
} actions[] = {
	{ "exec:", "exec", "runs a program" },
	{ "initcol:", NULL,
	    "collections of the engine are not safe across threads; see limits" },
	{ "setsid:", NULL,
	    "collections of the engine are not safe across threads; see limits" },
	{ "setuid:", NULL,
	    "collections of the engine are not safe across threads; see limits" },
	{ "setrsc:", NULL,
	    "collections of the engine are not safe across threads; see limits" },
	{ "setvar:ip.", NULL,
	    "collections of the engine are not safe across threads; see limits" },
	{ "setvar:global.", NULL,
	    "collections of the engine are not safe across threads; see limits" },
	{ "setvar:resource.", NULL,
	    "collections of the engine are not safe across threads; see limits" },
	{ "setvar:session.", NULL,
	    "collections of the engine are not safe across threads; see limits" },
	{ "setvar:user.", NULL,
	    "collections of the engine are not safe across threads; see limits" },
	{ "setvar:tx.dos_", NULL, "counts requests in the engine; see limits" },
	{ "setvar:tx.do_reput_block", NULL, "bans in the engine; see bans" },
	{ "ctl:requestbodyaccess", NULL, "bodies are always inspected; use exclude" },
	{ "phase:0", NULL, "phases are 1 to 5" },
};

static bool
allowed(const struct scan *s, const char *word)
{
	for (size_t i = 0; word != NULL && i < s->allow->n; i++)
		if (strcmp(s->allow->v[i], word) == 0)
			return (true);
	return (false);
}

static enum err_code
refuse(const struct scan *s, const char *what, const char *allow, const char *why)
{
	if (allow == NULL)
		return (err_set(s->e, ERR_UNSUPPORTED,
		    "%s: line %u: %s is not allowed: %s", s->name, s->line, what, why));
	return (err_set(s->e, ERR_UNSUPPORTED,
	    "%s: line %u: %s is not allowed: it %s; allow: [%s] in the policy permits it",
	    s->name, s->line, what, why, allow));
}

static bool
name_matches(const char *pattern, struct span name)
{
	size_t n = strlen(pattern);

	if (n > 0 && pattern[n - 1] == '*')
		return (span_eq_nocase(
		    span_cut(name, 0, n - 1), span_cut(span_of(pattern), 0, n - 1)));
	return (span_eq_nocase(name, span_of(pattern)));
}

/* The engine loads a pattern that does not compile, and never matches it. */
static enum err_code
check_pattern(const struct scan *s, struct span pattern)
{
	PCRE2_SIZE offset;
	PCRE2_UCHAR why[128];
	pcre2_code *code;
	int number;

	if (span_find(pattern, SPAN("%{")) != SIZE_MAX)
		return (ERR_OK); /* known at run time only */
	code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n,
	    PCRE2_DOTALL | PCRE2_MULTILINE, &number, &offset, NULL);
	if (code != NULL) {
		pcre2_code_free(code);
		return (ERR_OK);
	}
	(void)pcre2_get_error_message(number, why, sizeof(why));
	return (err_set(s->e, ERR_FORMAT,
	    "%s: line %u: %s at offset %zu of the pattern %.*s", s->name, s->line,
	    (const char *)why, (size_t)offset, SPAN_FMT(span_cut(pattern, 0, 80))));
}

static enum err_code
check_operator(const struct scan *s, struct span arg)
{
	size_t i = 0, end;
	struct span name;

	while (i < arg.n && (arg.p[i] == ' ' || arg.p[i] == '!' || arg.p[i] == '\t'))
		i++;
	if (i == arg.n || arg.p[i] != '@')
		return (check_pattern(s, span_cut(arg, i, arg.n)));
	end = ++i;
	while (end < arg.n && isalnum((unsigned char)arg.p[end]))
		end++;
	name = span_cut(arg, i, end);
	if (span_eq_nocase(name, SPAN("rx")) || span_eq_nocase(name, SPAN("rxGlobal")))
		return (check_pattern(s, span_trim(span_cut(arg, end, arg.n))));
	for (i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (span_eq_nocase(name, span_of(operators[i].name)) &&
		    !allowed(s, operators[i].allow)) {
			char what[32];

			(void)snprintf(what, sizeof(what), "@%s", operators[i].name);
			return (refuse(s, what, operators[i].allow, operators[i].why));
		}
	return (ERR_OK);
}

/* One action, lower case, without white space and quotes. */
static enum err_code
check_action(const struct scan *s, struct span action)
{
	char what[64], *colon;

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (!span_starts(action, span_of(actions[i].start)) ||
		    allowed(s, actions[i].allow))
			continue;
		(void)snprintf(what, sizeof(what), "%s", actions[i].start);
		colon = strrchr(what, ':');
		if (colon != NULL && colon[1] == '\0')
			*colon = '\0';
		return (refuse(s, what, actions[i].allow, actions[i].why));
	}
	return (ERR_OK);
}

/* "id:1,msg:'a,b',exec:/x": split at commas outside single quotes. */
static enum err_code
check_actions(const struct scan *s, struct span arg)
{
	char one[64];
	size_t n = 0;
	bool quoted = false;
	enum err_code rc = ERR_OK;

	for (size_t i = 0; i <= arg.n && rc == ERR_OK; i++) {
		char c = i < arg.n ? arg.p[i] : ',';

		if (c == '\\' && i + 1 < arg.n) {
			i++;
			continue;
		}
		if (c == '\'')
			quoted = !quoted;
		if (c == ',' && (!quoted || i == arg.n)) {
			rc = check_action(s, span_mem(one, n));
			n = 0;
		} else if (n < sizeof(one) && c != '\'' && !isspace((unsigned char)c)) {
			one[n++] = (char)tolower((unsigned char)c);
		}
	}
	return (rc);
}

/* Splits off the next argument, bare or in double quotes. */
static struct span
next_arg(struct span *rest)
{
	struct span r = *rest, arg;
	size_t i = 0, from;

	while (i < r.n && isspace((unsigned char)r.p[i]))
		i++;
	if (i < r.n && r.p[i] == '"') {
		from = ++i;
		while (i < r.n && r.p[i] != '"')
			i += r.p[i] == '\\' && i + 1 < r.n ? 2 : 1;
		arg = span_cut(r, from, i);
		*rest = span_cut(r, i + 1, r.n);
		return (arg);
	}
	from = i;
	while (i < r.n && !isspace((unsigned char)r.p[i]))
		i++;
	arg = span_cut(r, from, i);
	*rest = span_cut(r, i, r.n);
	return (arg);
}

static enum err_code
check_directive(const struct scan *s, struct span name)
{
	char what[48];
	size_t i;

	(void)snprintf(what, sizeof(what), "%.*s", SPAN_FMT(name));
	for (i = 0; i < sizeof(directives) / sizeof(directives[0]); i++)
		if (name_matches(directives[i].name, name)) {
			if (allowed(s, directives[i].allow))
				return (ERR_OK);
			return (refuse(s, what, directives[i].allow, directives[i].why));
		}
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_eq_nocase(name, span_of(known[i])))
			return (ERR_OK);
	return (err_set(s->e, ERR_FORMAT, "%s: line %u: no directive \"%s\"", s->name,
	    s->line, what));
}

static enum err_code
check_line(const struct scan *s, struct span line)
{
	struct span name, args[ARGS_MAX];
	enum err_code rc;

	name = next_arg(&line);
	if (name.n == 0 || name.p[0] == '#')
		return (ERR_OK);
	rc = check_directive(s, name);
	if (rc != ERR_OK)
		return (rc);
	for (size_t i = 0; i < ARGS_MAX; i++)
		args[i] = next_arg(&line);
	if (span_eq_nocase(name, SPAN("SecRule"))) {
		rc = check_operator(s, args[1]);
		if (rc == ERR_OK)
			rc = check_actions(s, args[2]);
	} else if (span_eq_nocase(name, SPAN("SecAction"))) {
		rc = check_actions(s, args[0]);
	} else if (span_eq_nocase(name, SPAN("SecRuleUpdateActionById"))) {
		rc = check_actions(s, args[1]);
	}
	return (rc);
}

enum err_code
scan_rules_text(
    const char *name, struct span text, const struct conf_strings *allow, struct err *e)
{
	struct scan s = { .name = name, .allow = allow, .e = e, .line = 1 };
	struct text joined;
	enum err_code rc = ERR_OK;
	unsigned next = 1;
	struct span rest = text, piece;
	bool more = false;

	text_init(&joined, FILE_MAX_BYTES);
	while (rc == ERR_OK && span_split(&rest, '\n', &piece)) {
		if (!more) {
			text_reset(&joined);
			s.line = next;
		}
		next++;
		if (piece.n > 0 && piece.p[piece.n - 1] == '\r')
			piece.n--;
		more = piece.n > 0 && piece.p[piece.n - 1] == '\\';
		if (more)
			piece.n--;
		text_put(&joined, piece);
		/* a comment ends with its line, whatever that ends with */
		if (!more || span_starts(span_trim(text_span(&joined)), SPAN("#"))) {
			more = false;
			rc = check_line(&s, text_span(&joined));
		}
	}
	if (more && rc == ERR_OK)
		rc = check_line(&s, text_span(&joined));
	text_free(&joined);
	return (rc);
}

enum err_code
scan_read(const char *path, struct text *text, struct err *e)
{
	char block[8192];
	enum err_code rc = ERR_OK;
	size_t n;
	FILE *f;

	text_init(text, FILE_MAX_BYTES);
	f = fopen(path, "re");
	if (f == NULL)
		return (err_errno(e, "%s", path));
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		text_put(text, span_mem(block, n));
	if (ferror(f))
		rc = err_errno(e, "%s", path);
	else if (text->overflow)
		rc = err_set(
		    e, ERR_RANGE, "%s: larger than %u bytes", path, FILE_MAX_BYTES);
	(void)fclose(f);
	return (rc);
}

enum err_code
scan_rules_file(const char *path, const struct conf_strings *allow, struct err *e)
{
	struct text text;
	enum err_code rc;

	rc = scan_read(path, &text, e);
	if (rc == ERR_OK)
		rc = scan_rules_text(path, text_span(&text), allow, e);
	text_free(&text);
	return (rc);
}

unsigned
scan_find_rule(struct span text, uint32_t id)
{
	char bare[24], quoted[24];
	struct span rest = text, line;
	unsigned n = 0;

	(void)snprintf(bare, sizeof(bare), "id:%u", id);
	(void)snprintf(quoted, sizeof(quoted), "id:'%u", id);
	while (span_split(&rest, '\n', &line)) {
		n++;
		if (!span_starts(span_trim(line), SPAN("#")) &&
		    (span_find(line, span_of(bare)) != SIZE_MAX ||
			span_find(line, span_of(quoted)) != SIZE_MAX))
			return (n);
	}
	return (0);
}
