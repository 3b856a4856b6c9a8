/* SPDX-License-Identifier: Apache-2.0 */
/* The address of Redis, taken apart, and what fits which kind of it. */
#include "config.h"

#include "gateway/base/check.h"
#include "gateway/conf/reader.h"
#include "gateway/conf/tables.h"

#define HOSTS_MAX 64
#define DATABASE_MAX 65535
#define MASTER_BYTES_MAX 128
#define PORT_REDIS 6379
#define PORT_SENTINEL 26379

struct scheme {
	struct span start;
	enum conf_redis_kind kind;
	bool tls;
	uint16_t port;
};

static const struct scheme schemes[] = {
	{ SPAN("redis://"), CONF_REDIS_SINGLE, false, PORT_REDIS },
	{ SPAN("rediss://"), CONF_REDIS_SINGLE, true, PORT_REDIS },
	{ SPAN("redis+sentinel://"), CONF_REDIS_SENTINEL, false, PORT_SENTINEL },
	{ SPAN("rediss+sentinel://"), CONF_REDIS_SENTINEL, true, PORT_SENTINEL },
	{ SPAN("redis+cluster://"), CONF_REDIS_CLUSTER, false, PORT_REDIS },
	{ SPAN("rediss+cluster://"), CONF_REDIS_CLUSTER, true, PORT_REDIS },
};

static const char *
take_database(struct conf_redis *redis, struct span text)
{
	uint64_t number;

	if (!span_u64(text, &number) || number > DATABASE_MAX)
		return ("the database is not a number from 0 to 65535");
	redis->database = (uint32_t)number;
	return (NULL);
}

/* "/path?db=N", behind "unix:" */
static const char *
take_unix(struct reader *r, struct conf_redis *redis, struct span text)
{
	struct span path;

	(void)span_split(&text, '?', &path);
	redis->unix_path = reader_strdup(r, path);
	if (path.n >= sizeof(((struct netaddr *)NULL)->path))
		return ("the path of the socket is too long");
	if (text.p == NULL)
		return (NULL);
	if (!span_starts(text, SPAN("db=")))
		return ("only ?db=N may follow the path");
	return (take_database(redis, span_cut(text, strlen("db="), text.n)));
}

static const char *
take_hosts(struct reader *r, struct conf_redis *redis, struct span text, uint16_t port)
{
	struct conf_redis_host *host;
	struct span one;
	const char *wrong;
	void *v = redis->hosts;

	if (text.n == 0)
		return ("the host is missing");
	while (text.p != NULL && span_split(&text, ',', &one)) {
		if (redis->n_hosts == HOSTS_MAX)
			return ("more than 64 hosts are named");
		if (redis->n_hosts == 1 && redis->kind == CONF_REDIS_SINGLE)
			return ("a list of hosts is for redis+sentinel:// and "
				"redis+cluster://");
		host = reader_grow(r, &v, &redis->n_hosts, sizeof(*host));
		redis->hosts = v;
		host->port = port;
		wrong = take_host_port(r, one, &host->host, &host->port);
		if (wrong != NULL)
			return (wrong);
	}
	return (NULL);
}

/* A sentinel is asked for it by name, in a command of its own. */
static const char *
take_master(struct reader *r, struct conf_redis *redis, struct span name)
{
	size_t i;

	if (name.n == 0)
		return ("the name of the master is missing: "
			"redis+sentinel://HOST,HOST/MASTER");
	if (name.n > MASTER_BYTES_MAX)
		return ("the name of the master is longer than 128 bytes");
	for (i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == '/')
			return ("the name of the master holds a byte that no name has");
	redis->master = reader_strdup(r, name);
	return (NULL);
}

static const char *
take_path(struct reader *r, struct conf_redis *redis, struct span path)
{
	struct span master = SPAN_NONE;

	switch (redis->kind) {
	case CONF_REDIS_SINGLE: return (path.n == 0 ? NULL : take_database(redis, path));
	case CONF_REDIS_SENTINEL:
		(void)span_split(&path, '/', &master);
		if (path.n > 0 && take_database(redis, path) != NULL)
			return ("the database is not a number from 0 to 65535");
		return (take_master(r, redis, master));
	case CONF_REDIS_CLUSTER:
		return (path.n == 0 || span_eq(path, SPAN("0"))
			    ? NULL
			    : "a cluster has database 0 only");
	}
	WRONG("a kind of Redis");
}

static const char *
take_url(struct reader *r, struct conf_redis *redis)
{
	struct span text = span_of(redis->url), hosts;
	const struct scheme *scheme = NULL;
	const char *wrong;
	size_t i;

	if (span_starts(text, SPAN("unix:/")))
		return (take_unix(r, redis, span_cut(text, strlen("unix:"), text.n)));
	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (span_starts(text, schemes[i].start))
			scheme = &schemes[i];
	if (scheme == NULL)
		return ("it begins with none of the schemes");
	if (span_index(text, '@') != SIZE_MAX)
		return ("a user and a password have no place in it: that is for username "
			"and password_file");
	if (span_index(text, '?') != SIZE_MAX || span_index(text, '#') != SIZE_MAX)
		return ("nothing may follow with ? or #");
	redis->kind = scheme->kind;
	redis->tls = scheme->tls;
	text = span_cut(text, scheme->start.n, text.n);
	(void)span_split(&text, '/', &hosts);
	wrong = take_hosts(r, redis, hosts, scheme->port);
	return (wrong != NULL ? wrong : take_path(r, redis, text));
}

/* What the kind of Redis that is named has no use for would only look as if it
 * protected something. */
static void
check_fit(struct reader *r, const struct conf_redis *redis, const struct node *node)
{
	static const char *const tls[] = { "ca", "certificate", "key" };
	const struct node *member;
	size_t i;

	for (i = 0; !redis->tls && i < sizeof(tls) / sizeof(tls[0]); i++) {
		member = node_member(node, tls[i]);
		if (member != NULL && member->text.n > 0 &&
		    !span_eq(member->text, SPAN("system")))
			reader_problem_in(r, member, tls[i],
			    "is for rediss:// alone, and the url has no TLS");
	}
	member = node_member(node, "sentinel_password_file");
	if (redis->kind != CONF_REDIS_SENTINEL && member != NULL && member->text.n > 0)
		reader_problem_in(r, member, "sentinel_password_file",
		    "is for redis+sentinel:// alone");
	if ((redis->certificate[0] == '\0') != (redis->key[0] == '\0'))
		reader_problem(r, node, "%s needs %s beside it",
		    redis->key[0] == '\0' ? "certificate" : "key",
		    redis->key[0] == '\0' ? "key" : "certificate");
}

void
finish_redis(struct reader *r, void *object, const struct node *node)
{
	struct conf_redis *redis = object;
	const struct node *url = node_member(node, "url");
	const char *wrong;
	struct text t;

	if (url == NULL || redis->url[0] == '\0')
		return;
	wrong = take_url(r, redis);
	if (wrong == NULL) {
		check_fit(r, redis, node);
		return;
	}
	text_init(&t, 300);
	if (span_index(url->text, '@') == SIZE_MAX)
		value_quote(url->text, &t);
	else
		text_puts(&t, "a url"); /* which may hold a password */
	reader_problem_in(r, url, "url",
	    "found %.*s: %s; allowed: redis://HOST[:PORT][/DB], rediss:// (TLS), "
	    "unix:/PATH[?db=N], redis+sentinel://HOST,HOST/MASTER or "
	    "redis+cluster://HOST,HOST",
	    SPAN_FMT(text_span(&t)), wrong);
	text_free(&t);
}
