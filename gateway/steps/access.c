/* SPDX-License-Identifier: Apache-2.0 */
/* The access list, bans, and the client certificate a site may require. */
#include "config.h"

#include "gateway/request/request.h"

/* "denied by the access list: yett.yaml, line 42" */
static const char *
detail_of(struct request *req, const char *what, const struct conf_access_rule *rule)
{
	const char *text;

	text = arena_printf(
	    req->arena, "%s: %s, line %u", what, rule->place.file, rule->place.line);
	return (text != NULL ? text : what);
}

static void
judge(struct request *req, struct acl_verdict *verdict)
{
	const struct uri_target *target;
	struct acl_subject subject;

	memset(verdict, 0, sizeof(*verdict));
	if (req->place->acl == NULL)
		return;
	subject.client = &req->client;
	subject.country = req->geo.country;
	subject.continent = req->geo.continent;
	subject.asn = req->geo.asn;
	subject.method = req->http.method;
	target = &req->http.target;
	subject.path = target->decoded;
	subject.slashed = target->has_encoded_slash ? target->slashed : SPAN_NONE;
	acl_judge(req->place->acl, &subject, verdict);
	if (verdict->logged != NULL)
		request_notice(req, "acl",
		    detail_of(req, "noted by the access list", verdict->logged));
}

/* The next one finds the door shut, unless the connection is a proxy's, which others
 * use too. */
static enum step_rc
refuse_banned(struct request *req, int64_t until_us)
{
	int64_t left_us;

	left_us = until_us - req->began_wall_us;
	req->refusal.retry_after =
	    left_us < CLOCK_SECOND ? 1 : (uint32_t)(left_us / CLOCK_SECOND);
	if (netaddr_same_ip(&req->client, &req->conn->client))
		req->keepalive = false;
	return (request_refuse(req, 403, "ban", "client is banned"));
}

static bool
has_certificate(const struct conn *c)
{
	return (c->has_tls && c->tls.client_verified);
}

enum step_rc
step_access(struct request *req)
{
	struct acl_verdict verdict;
	int64_t until_us;

	judge(req, &verdict);
	if (verdict.denied)
		return (request_refuse(req, 403, verdict.geo ? "geo" : "acl",
		    detail_of(req, "denied by the access list", verdict.rule)));
	if (!verdict.trusted)
		switch (bans_check(
		    req->snap->bans, &req->client, req->began_wall_us, &until_us)) {
		case BANS_BANNED: return (refuse_banned(req, until_us));
		case BANS_SHADOW: request_notice(req, "ban", "would be banned"); break;
		case BANS_NONE: break;
		}
	if (req->place->certificate_required && !has_certificate(req->conn))
		return (request_refuse(req, 403, "acl", "no client certificate"));
	return (STEP_NEXT);
}
