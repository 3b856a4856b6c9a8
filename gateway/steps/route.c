/* SPDX-License-Identifier: Apache-2.0 */
/* Host and path choose the site and the route; their methods are enforced. */
#include "config.h"

#include <stdio.h>

#include "gateway/request/request.h"

static enum step_rc
redirect_to_https(struct request *req)
{
	const struct http_request *http;
	struct span path;
	char port[8];
	char *url;

	http = &req->http;
	path = http->target.asterisk ? SPAN("/") : http->target.path;
	port[0] = '\0';
	if (req->conn->entrance->https_port != 443)
		snprintf(port, sizeof(port), ":%u", req->conn->entrance->https_port);
	url = arena_printf(req->arena, "https://%.*s%s%.*s%s%.*s",
	    SPAN_FMT(http->authority.host), port, SPAN_FMT(path),
	    http->target.has_query ? "?" : "", SPAN_FMT(http->target.query));
	if (url == NULL || http->authority.host.n == 0)
		return (request_refuse(req, 400, "protocol", "no host to redirect to"));
	req->refusal.location = span_of(url);
	return (request_refuse(req, 308, NULL, NULL));
}

/* An escaped slash may be data to one origin and a separator to the next. Where
 * the two readings lead to different routes, neither is safe. */
static bool
choose_route(struct request *req, uint32_t site, int32_t *route_r)
{
	const struct route_table *routes;
	const struct uri_target *target;

	routes = req->snap->routes;
	target = &req->http.target;
	*route_r = target->asterisk ? -1 : route_path(routes, site, target->decoded);
	return (!target->has_encoded_slash ||
		route_path(routes, site, target->slashed) == *route_r);
}

static bool
method_is_allowed(const struct conf_strings *methods, struct span method)
{
	size_t i;

	for (i = 0; i < methods->n; i++)
		if (span_eq(span_of(methods->v[i]), method))
			return (true);
	return (false);
}

static enum step_rc
refuse_method(struct request *req)
{
	const struct conf_strings *methods;
	struct text list;
	size_t i;

	methods = req->place->methods;
	text_init(&list, 1024);
	for (i = 0; i < methods->n; i++)
		text_printf(&list, "%s%s", i > 0 ? ", " : "", methods->v[i]);
	req->refusal.allow = arena_span(req->arena, text_span(&list));
	text_free(&list);
	return (request_refuse(req, 405, "method", "method not allowed here"));
}

enum step_rc
step_route(struct request *req)
{
	const struct site_places *places;
	uint32_t site;
	int32_t route;

	if (req->conn->entrance->conf->redirect_to_https)
		return (redirect_to_https(req));
	if (!route_site(req->snap->routes, req->http.authority.host, &site))
		return (request_refuse(req, 421, "protocol", "no site has this host"));
	places = &req->snap->sites[site];
	req->place = &places->self;
	if (!choose_route(req, site, &route))
		return (request_refuse(req, 400, "protocol",
		    "escaped slash leads to another route than a plain one"));
	if (route >= 0)
		req->place = &places->routes[route];
	if (!method_is_allowed(req->place->methods, req->http.method))
		return (refuse_method(req));
	return (STEP_NEXT);
}
