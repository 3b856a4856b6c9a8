/* SPDX-License-Identifier: Apache-2.0 */
/* What takes more than one field of a limit, an access list, bans, a site. */
#include "config.h"

#include "gateway/base/check.h"
#include "gateway/conf/reader.h"
#include "gateway/conf/tables.h"

/* What a bucket may take to be full: ratelimit/bucket.c holds no more exactly. */
#define FULL_MAX_US (UINT64_C(3653) * 86400 * 1000000)

static const struct {
	const char *word;
	enum conf_key_kind kind;
} key_words[] = {
	{ "client", CONF_KEY_CLIENT },
	{ "route", CONF_KEY_ROUTE },
	{ "site", CONF_KEY_SITE },
	{ "path", CONF_KEY_PATH },
	{ "country", CONF_KEY_COUNTRY },
	{ "asn", CONF_KEY_ASN },
};

struct conf_key
take_key(const char *text)
{
	size_t i;

	for (i = 0; i < sizeof(key_words) / sizeof(key_words[0]); i++)
		if (strcmp(text, key_words[i].word) == 0)
			return ((struct conf_key){ key_words[i].kind, "" });
	if (strncmp(text, "header:", strlen("header:")) == 0)
		return ((struct conf_key){ CONF_KEY_HEADER, text + strlen("header:") });
	CHECK(strncmp(text, "cookie:", strlen("cookie:")) == 0);
	return ((struct conf_key){ CONF_KEY_COOKIE, text + strlen("cookie:") });
}

void
finish_limit(struct reader *r, void *object, const struct node *node)
{
	struct conf_limit *limit = object;
	const struct node *cost = node_member(node, "cost");
	const struct node *rate = node_member(node, "rate");
	size_t i;

	limit->rate = rate != NULL ? reader_strdup(r, rate->text) : "";
	limit->keys = reader_alloc(r, (limit->key.n + 1) * sizeof(*limit->keys));
	for (i = 0; i < limit->key.n; i++) {
		limit->keys[i] = take_key(limit->key.v[i]);
		if (limit->keys[i].kind == CONF_KEY_COUNTRY)
			reader_mention_in(r, MENTION_COUNTRY, node, "key");
		else if (limit->keys[i].kind == CONF_KEY_ASN)
			reader_mention_in(r, MENTION_ASN, node, "key");
	}
	limit->n_keys = limit->key.n;
	if (cost != NULL && limit->cost > limit->burst)
		reader_problem_in(r, cost, "cost",
		    "%u tokens are never there: a full bucket holds %u (burst)",
		    limit->cost, limit->burst);
	if (rate != NULL && limit->tokens > 0 &&
	    limit->per_us * limit->burst / limit->tokens > FULL_MAX_US)
		reader_problem_in(r, rate, "rate",
		    "an empty bucket of %u (burst) would need more than ten years to be "
		    "full",
		    limit->burst);
}

void
finish_bans(struct reader *r, void *object, const struct node *node)
{
	const struct conf_bans *bans = object;
	const struct node *lasts = node_member(node, "for");
	const struct node *max = node_member(node, "max");

	if (bans->lasts <= bans->max)
		return;
	if (lasts != NULL)
		reader_problem_in(r, lasts, "for", "is longer than max");
	else
		reader_problem_in(r, max, "max", "is shorter than for, 10m");
}

void
finish_admin(struct reader *r, void *object, const struct node *node)
{
	struct conf_admin *admin = object;
	const struct node *socket = node_member(node, "socket");

	admin->socket_given = socket != NULL;
	if (strlen(admin->socket) >= sizeof(((struct netaddr *)NULL)->path))
		reader_problem_in(
		    r, socket, "socket", "the path is too long for a socket");
}

/* Private addresses are known without a database. */
static bool
needs_database(const struct conf_strings *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (strcmp(list->v[i], "private") != 0)
			return (true);
	return (false);
}

/* A list that names nobody would make the rule one for everyone: not what somebody
 * meant whose template found nothing to put there. */
static void
refuse_empty_members(struct reader *r, const struct node *node)
{
	const struct node *member;

	for (member = node->child; member != NULL; member = member->next)
		if (member->kind == NODE_LIST ? member->n == 0
					      : member->kind == NODE_SCALAR &&
						    !member->plain && member->text.n == 0)
			reader_problem_in(r, member, member->key->text.p,
			    "is empty, which names nobody; leave it out, or the rule");
}

void
finish_match(struct reader *r, void *object, const struct node *node)
{
	const struct conf_match *match = object;

	if (node->n == 0)
		reader_problem(r, node,
		    "is empty; allowed: any, or at least one of address, address_file, "
		    "country, continent, asn, method and path");
	refuse_empty_members(r, node);
	if (needs_database(&match->country))
		reader_mention_in(r, MENTION_COUNTRY, node, "country");
	if (needs_database(&match->continent))
		reader_mention_in(r, MENTION_COUNTRY, node, "continent");
	if (match->asn.n > 0)
		reader_mention_in(r, MENTION_ASN, node, "asn");
}

void
finish_access_rule(struct reader *r, void *object, const struct node *node)
{
	static const struct {
		const char *word;
		enum conf_access_action action;
	} actions[] = {
		{ "allow", CONF_ALLOW },
		{ "deny", CONF_DENY },
		{ "log", CONF_LOG },
	};
	struct conf_access_rule *rule = object;
	size_t i, found = 0;

	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (node_member(node, actions[i].word) == NULL)
			continue;
		rule->action = actions[i].action;
		found++;
	}
	if (found != 1)
		reader_problem(r, node,
		    "found %s of allow, deny and log; allowed: exactly one",
		    found == 0 ? "none" : "more than one");
}

/* One that is named twice would take its tokens twice. */
static void
check_limits(struct reader *r, const struct conf_strings *limits, const struct node *node)
{
	size_t i, j;

	for (i = 1; i < limits->n; i++)
		for (j = 0; j < i; j++)
			if (strcmp(limits->v[i], limits->v[j]) == 0) {
				reader_problem_in(r, node_member(node, "limits"),
				    "limits", "names \"%s\" twice", limits->v[i]);
				return;
			}
}

void
finish_site(struct reader *r, void *object, const struct node *node)
{
	const struct conf_site *site = object;

	check_limits(r, &site->limits, node);
	if (site->client_certificate == CONF_CERTIFICATE_REQUIRED)
		reader_mention_in(r, MENTION_CLIENT_CA, node, "client_certificate");
}

void
finish_route(struct reader *r, void *object, const struct node *node)
{
	struct conf_route *route = object;

	route->has_limits = node_member(node, "limits") != NULL;
	route->has_access = node_member(node, "access") != NULL;
	route->has_auth = node_member(node, "auth") != NULL;
	route->has_cache = node_member(node, "cache") != NULL;
	route->has_compress = node_member(node, "compress") != NULL;
	route->has_headers = node_member(node, "headers") != NULL;
	check_limits(r, &route->limits, node);
}
