/* SPDX-License-Identifier: Apache-2.0 */
/* What takes more than one field of a mapping, or a text taken apart. */
#include "config.h"

#include "gateway/conf/reader.h"
#include "gateway/conf/tables.h"

/* Collections that an exclusion may name; all that rules look at, but not what
 * they count with. */
static const char *const collections[] = { "ARGS", "ARGS_NAMES", "ARGS_GET",
	"ARGS_GET_NAMES", "ARGS_POST", "ARGS_POST_NAMES", "ARGS_COMBINED_SIZE",
	"QUERY_STRING", "PATH_INFO", "REQUEST_BASENAME", "REQUEST_BODY",
	"REQUEST_BODY_LENGTH", "REQUEST_COOKIES", "REQUEST_COOKIES_NAMES",
	"REQUEST_FILENAME", "REQUEST_HEADERS", "REQUEST_HEADERS_NAMES", "REQUEST_LINE",
	"REQUEST_METHOD", "REQUEST_PROTOCOL", "REQUEST_URI", "REQUEST_URI_RAW", "FILES",
	"FILES_NAMES", "FILES_SIZES", "FILES_COMBINED_SIZE", "FULL_REQUEST",
	"MULTIPART_FILENAME", "MULTIPART_NAME", "MULTIPART_PART_HEADERS",
	"MULTIPART_STRICT_ERROR", "MULTIPART_UNMATCHED_BOUNDARY", "REQBODY_ERROR",
	"REQBODY_PROCESSOR", "REMOTE_ADDR", "RESPONSE_BODY", "RESPONSE_CONTENT_LENGTH",
	"RESPONSE_CONTENT_TYPE", "RESPONSE_HEADERS", "RESPONSE_HEADERS_NAMES",
	"RESPONSE_PROTOCOL", "RESPONSE_STATUS", "XML" };

/* Tags that the evaluation rules bear too, in CRS 3.3 or 4. */
static const char *const broad_tags[] = { "OWASP_CRS", "anomaly-evaluation",
	"application-multi", "language-multi", "platform-multi", "attack-generic",
	"event-correlation" };

void
finish_root(struct reader *r, void *object, const struct node *node)
{
	(void)object;
	if (!r->included)
		r->include_node = node_member(node, "include");
}

void
finish_listener(struct reader *r, void *object, const struct node *node)
{
	const struct conf_listener *listener = object;
	const struct node *redirect = node_member(node, "redirect_to");

	if (listener->tls && listener->redirect_to_https && redirect != NULL)
		reader_problem_in(r, redirect, "redirect_to",
		    "a listener with tls would redirect to itself; allowed: off");
	if (listener->proxy_protocol != CONF_PROXY_OFF)
		reader_mention_in(r, MENTION_PROXIES, node, "proxy_protocol");
}

static bool
take_port(struct span text, uint16_t *port_r)
{
	uint64_t port;

	if (text.n == 0 || text.n > 5 || !span_u64(text, &port) || port == 0 ||
	    port > 65535)
		return (false);
	*port_r = (uint16_t)port;
	return (true);
}

static const char *
split_brackets(struct span text, struct span *host_r, struct span *port_r)
{
	struct netaddr address;
	size_t end = span_index(text, ']');

	if (end == SIZE_MAX)
		return ("the bracket is not closed");
	*host_r = span_cut(text, 1, end);
	if (!netaddr_parse_ip(&address, *host_r) || address.family != NETADDR_IP6)
		return ("no IPv6 address stands between the brackets");
	text = span_cut(text, end + 1, text.n);
	if (text.n > 0 && text.p[0] != ':')
		return ("something other than a port follows the address");
	*port_r = text.n > 0 ? span_cut(text, 1, text.n) : SPAN_NONE;
	return (NULL);
}

const char *
take_host_port(struct reader *r, struct span text, const char **host_r, uint16_t *port_r)
{
	struct span host, port;
	const char *wrong = NULL;
	struct text why;
	char *copy;
	bool good;

	*host_r = "";
	if (text.n > 0 && text.p[0] == '[') {
		wrong = split_brackets(text, &host, &port);
	} else {
		port = text;
		(void)span_split(&port, ':', &host);
	}
	if (wrong != NULL)
		return (wrong);
	if (host.n == 0)
		return ("the host is missing");
	if (port.p != NULL && !take_port(port, port_r))
		return ("the port is not a number from 1 to 65535");
	copy = arena_strdup(r->arena, host);
	text_init(&why, 200);
	good = copy != NULL && check_host_name(copy, &why);
	text_free(&why);
	if (good)
		*host_r = copy;
	return (good ? NULL : "the host is neither a name nor an address");
}

static const char *
take_url(struct reader *r, struct conf_server *server)
{
	struct span text = span_of(server->url);

	server->host = "";
	server->unix_path = "";
	if (span_starts(text, SPAN("http://unix:/"))) {
		text = span_cut(text, strlen("http://unix:"), text.n);
		server->unix_path = reader_strdup(r, text);
		return (text.n >= sizeof(((struct netaddr *)NULL)->path)
			    ? "the path of the socket is too long"
			    : NULL);
	}
	if (span_starts(text, SPAN("http://"))) {
		server->port = 80;
		text = span_cut(text, strlen("http://"), text.n);
	} else if (span_starts(text, SPAN("https://"))) {
		server->https = true;
		server->port = 443;
		text = span_cut(text, strlen("https://"), text.n);
	} else {
		return ("it begins with neither http:// nor https://");
	}
	if (span_index(text, '@') != SIZE_MAX)
		return ("a user name has no place in it");
	if (span_index(text, '/') != SIZE_MAX || span_index(text, '?') != SIZE_MAX ||
	    span_index(text, '#') != SIZE_MAX)
		return ("it may have no path: requests keep the client's");
	return (take_host_port(r, text, &server->host, &server->port));
}

void
finish_server(struct reader *r, void *object, const struct node *node)
{
	struct conf_server *server = object;
	const struct node *url = node_member(node, "url");
	const char *wrong;
	struct text t;

	server->host = "";
	server->unix_path = "";
	if (url == NULL || server->url[0] == '\0')
		return;
	wrong = take_url(r, server);
	if (wrong == NULL)
		return;
	text_init(&t, 300);
	value_quote(url->text, &t);
	reader_problem_in(r, url, "url",
	    "found %.*s: %s; allowed: http://HOST[:PORT], https://HOST[:PORT] or "
	    "http://unix:/PATH",
	    SPAN_FMT(text_span(&t)), wrong);
	text_free(&t);
}

static void
check_pool_tls(struct reader *r, const struct conf_pool *pool, const struct node *node)
{
	const struct node *tls = node_member(node, "tls");

	if (tls != NULL &&
	    (pool->tls.certificate[0] == '\0') != (pool->tls.key[0] == '\0'))
		reader_problem_in(r, tls, "tls", "%s needs %s beside it",
		    pool->tls.key[0] == '\0' ? "certificate" : "key",
		    pool->tls.key[0] == '\0' ? "key" : "certificate");
}

/* What would do nothing, and what lacks something to do its work. */
static void
check_balance(struct reader *r, const struct conf_pool *pool, const struct node *node)
{
	const struct node *balance = node_member(node, "balance");
	const struct node *hash_on = node_member(node, "hash_on");
	const struct node *bound = node_member(node, "bound");
	const struct node *sticky = node_member(node, "sticky");
	bool hashes = pool->balance == CONF_CONSISTENT_HASH;

	if (hashes && pool->hash_on[0] == '\0' &&
	    (hash_on == NULL || hash_on->text.n == 0))
		reader_problem_in(r, balance, "balance",
		    "consistent_hash needs hash_on: client, path, header:NAME or "
		    "cookie:NAME");
	if (!hashes && pool->hash_on[0] != '\0')
		reader_problem_in(r, hash_on, "hash_on", "is for consistent_hash alone");
	if (!hashes && bound != NULL)
		reader_problem_in(r, bound, "bound", "is for consistent_hash alone");
	if (sticky != NULL && pool->sticky.key_file[0] != '\0' &&
	    pool->sticky.cookie[0] == '\0')
		reader_problem_in(r, sticky, "sticky", "key_file needs cookie beside it");
}

static void
check_backups(struct reader *r, const struct conf_pool *pool, const struct node *node)
{
	size_t i;

	for (i = 0; i < pool->n_servers; i++)
		if (!pool->servers[i].backup)
			return;
	if (pool->n_servers > 0)
		reader_problem_in(r, node_member(node, "servers"), "servers",
		    "all are backups, of no other server");
}

void
finish_pool(struct reader *r, void *object, const struct node *node)
{
	struct conf_pool *pool = object;
	struct span high = span_of(pool->health.status), low;
	uint64_t status;

	check_pool_tls(r, pool, node);
	check_balance(r, pool, node);
	check_backups(r, pool, node);
	pool->hash_key = (struct conf_key){ CONF_KEY_CLIENT, "" };
	if (pool->hash_on[0] != '\0')
		pool->hash_key = take_key(pool->hash_on);
	(void)span_split(&high, '-', &low);
	if (span_u64(low, &status))
		pool->health.status_low = (uint16_t)status;
	if (high.p == NULL || span_u64(high, &status))
		pool->health.status_high = (uint16_t)status;
}

void
finish_policy(struct reader *r, void *object, const struct node *node)
{
	const struct conf_policy *policy = object;

	if (strcmp(policy->name, "off") == 0)
		reader_problem(r, node->key,
		    "the name off stands for no WAF at all; choose another");
}

static bool
is_evaluation(uint32_t rule)
{
	return ((rule >= 949000 && rule <= 949999) ||
		(rule >= 959000 && rule <= 959999) || (rule >= 980000 && rule <= 980999));
}

static bool
is_broad(const char *tag)
{
	size_t i;

	if (strncmp(tag, "paranoia-level/", strlen("paranoia-level/")) == 0 ||
	    strncmp(tag, "OWASP_CRS/", strlen("OWASP_CRS/")) == 0)
		return (true);
	for (i = 0; i < sizeof(broad_tags) / sizeof(broad_tags[0]); i++)
		if (strcmp(tag, broad_tags[i]) == 0)
			return (true);
	return (false);
}

static bool
is_collection(struct span name)
{
	size_t i;

	for (i = 0; i < sizeof(collections) / sizeof(collections[0]); i++)
		if (span_eq(name, span_of(collections[i])))
			return (true);
	return (false);
}

static void
refuse_collection(struct reader *r, const struct node *target, struct span name)
{
	const char *near = NULL;
	size_t i, distance, least = SIZE_MAX;
	struct text t;

	for (i = 0; i < sizeof(collections) / sizeof(collections[0]); i++) {
		if (!value_is_near(name, span_of(collections[i]), &distance) ||
		    distance >= least)
			continue;
		near = collections[i];
		least = distance;
	}
	text_init(&t, 300);
	value_quote(name, &t);
	reader_problem_in(r, target, "target",
	    "%.*s is not a collection that rules look at; %s%s%s",
	    SPAN_FMT(text_span(&t)),
	    near != NULL ? "did you mean \"" : "allowed: ARGS, REQUEST_HEADERS, ",
	    near != NULL ? near
			 : "REQUEST_COOKIES, REQUEST_URI, REQUEST_BODY and the like",
	    near != NULL ? "\"?" : "");
	text_free(&t);
}

/* It becomes part of a rule: nothing that could end or lengthen it. */
static const char *
selector_fault(struct span selector, struct span collection)
{
	size_t i;

	if (selector.n == 0)
		return ("nothing follows the colon");
	if (selector.n > 256)
		return ("the name is longer than 256 bytes");
	if (span_eq(collection, SPAN("XML")))
		return (NULL);
	if (selector.p[0] == '/') {
		if (selector.n < 3 || selector.p[selector.n - 1] != '/')
			return ("the expression needs a / at both ends");
		return (span_index(selector, '"') != SIZE_MAX
			    ? "the expression may hold no quote: write \\x22"
			    : NULL);
	}
	for (i = 0; i < selector.n; i++)
		if (strchr(" \"'|,\\!&", selector.p[i]) != NULL)
			return ("the name holds a byte that needs an expression: "
				"COLLECTION:/regex/");
	return (NULL);
}

static void
check_target(struct reader *r, const struct node *target)
{
	struct span selector = target->text, collection;
	const char *fault;
	bool has_selector;

	if (target->kind != NODE_SCALAR || target->text.n == 0)
		return;
	(void)span_split(&selector, ':', &collection);
	has_selector = selector.p != NULL;
	if (!is_collection(collection)) {
		refuse_collection(r, target, collection);
		return;
	}
	fault = has_selector ? selector_fault(selector, collection) : NULL;
	if (fault != NULL)
		reader_problem_in(r, target, "target",
		    "%s; allowed: COLLECTION, COLLECTION:name or COLLECTION:/regex/",
		    fault);
}

void
finish_exclude(struct reader *r, void *object, const struct node *node)
{
	static const char instead[] =
	    "that would switch the WAF off; to see what would be "
	    "refused set mode: detect, to allow more raise "
	    "crs.inbound_threshold, to leave a part of a site "
	    "uninspected give its route policy: off";
	const struct conf_exclude *exclude = object;
	const struct node *rule = node_member(node, "rule");
	const struct node *tag = node_member(node, "tag");
	const struct node *target = node_member(node, "target");

	if ((rule != NULL) == (tag != NULL))
		reader_problem(r, node, "%s of rule and tag; allowed: exactly one",
		    rule != NULL ? "found both" : "found none");
	if (rule != NULL && is_evaluation(exclude->rule))
		reader_problem_in(r, rule, "rule",
		    "%u is one of the rules that compare the score with the threshold: "
		    "%s",
		    exclude->rule, instead);
	if (tag != NULL && target == NULL && is_broad(exclude->tag))
		reader_problem_in(r, tag, "tag",
		    "\"%s\" is also a tag of the rules that compare the score with the "
		    "threshold: %s; with a target it may be excluded",
		    exclude->tag, instead);
	if (target != NULL)
		check_target(r, target);
}
