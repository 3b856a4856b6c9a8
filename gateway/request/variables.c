/* SPDX-License-Identifier: Apache-2.0 */
/* What the variables of header fields' texts stand for. */
#include "config.h"

#include "gateway/request/variables.h"

#include <stdio.h>

#include "gateway/request/request.h"

static struct span
text_or_none(const char *text)
{
	return (text != NULL ? span_of(text) : SPAN_NONE);
}

static void
fill_client(struct request *req, struct variables *vars)
{
	struct span *v;

	v = vars->values.v;
	request_locate(req);
	if (req->client.family != NETADDR_UNIX)
		v[TEMPLATE_CLIENT] = span_of(netaddr_ip_text(&req->client, vars->client));
	v[TEMPLATE_COUNTRY] = span_of(req->geo.country);
	if (req->geo.asn == 0)
		return;
	snprintf(vars->asn, sizeof(vars->asn), "%u", (unsigned)req->geo.asn);
	v[TEMPLATE_ASN] = span_of(vars->asn);
}

const struct template_values *
request_variables(struct request *req)
{
	const struct http_request *http;
	struct variables *vars;
	struct span *v;

	vars = &req->variables;
	if (vars->filled)
		return (&vars->values);
	vars->filled = true;
	http = &req->http;
	v = vars->values.v;
	v[TEMPLATE_SCHEME] = http->scheme;
	v[TEMPLATE_HOST] = http->host_text;
	v[TEMPLATE_ID] = span_of(req->id);
	v[TEMPLATE_PATH] = http->target.asterisk ? SPAN("*") : http->target.path;
	v[TEMPLATE_QUERY] = http->target.has_query ? http->target.query : SPAN_NONE;
	v[TEMPLATE_METHOD] = http->method;
	v[TEMPLATE_SITE] = text_or_none(req->place->site);
	v[TEMPLATE_ROUTE] = text_or_none(req->place->route);
	v[TEMPLATE_NODE] = text_or_none(req->snap->conf->node);
	if (req->conn->has_tls) {
		v[TEMPLATE_TLS_VERSION] = text_or_none(req->conn->tls.version);
		v[TEMPLATE_TLS_CIPHER] = text_or_none(req->conn->tls.cipher);
	}
	fill_client(req, vars);
	return (&vars->values);
}
