/* SPDX-License-Identifier: Apache-2.0 */
/* See waf_rig.h. */
#include "config.h"

#include "tests/unit/waf_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/check.h"

static const char *types[] = { "text/html", "text/plain", "application/json" };

struct conf_policy
rig_policy(void)
{
	struct conf_policy p = { 0 };

	p.name = "default";
	p.mode = CONF_WAF_BLOCK;
	p.crs.path = "";
	p.crs.paranoia = 1;
	p.crs.inbound_threshold = 5;
	p.crs.outbound_threshold = 4;
	p.request_body.inspect = 131072;
	p.request_body.limit = 10485760;
	p.request_body.arguments = 255;
	p.response_body.types.v = types;
	p.response_body.types.n = 3;
	return (p);
}

char *
rig_head(const char *method, const char *target, const char *content_type, size_t n)
{
	char *head, *type = mem_strdup("");

	if (content_type != NULL) {
		free(type);
		type = mem_printf(
		    "Content-Type: %s\r\nContent-Length: %zu\r\n", content_type, n);
	}
	head = mem_printf(
	    "%s %s HTTP/1.1\r\n"
	    "Host: shop.example.com\r\n"
	    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 "
	    "Firefox/115.0\r\n"
	    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,"
	    "image/webp,*/*;q=0.8\r\n"
	    "Accept-Language: en-GB,en;q=0.5\r\n"
	    "Accept-Encoding: gzip, deflate, br\r\n"
	    "Connection: keep-alive\r\n"
	    "Cookie: session=8d2f7a6c5b4e3d2c1b0a; theme=dark\r\n"
	    "Upgrade-Insecure-Requests: 1\r\n"
	    "Sec-Fetch-Dest: document\r\n"
	    "%s\r\n",
	    method, target, type);
	free(type);
	return (head);
}

void
rig_request_init(struct rig_request *r, const char *head, struct span body)
{
	static const struct h1_limits limits = { 65536, 32768 };
	struct http_request *http = &r->http;
	struct h1_head h;
	struct span host;

	*r = (struct rig_request){ 0 };
	r->arena = arena_new(1 << 20);
	r->text = mem_strdup(head);
	h1_request_init(&h, &limits, r->fields, 128);
	CHECK(h1_head_push(&h, span_of(r->text)) == H1_DONE);
	http->protocol = h.minor == 0 ? SPAN("HTTP/1.0") : SPAN("HTTP/1.1");
	http->minor = h.minor;
	http->method = h.method;
	http->scheme = SPAN("https");
	http->raw_target = h.target;
	http->fields = h.fields;
	http->framing = h.framing;
	http->content_length = h.content_length;
	CHECK(uri_target_parse(&http->target, r->arena, h.method, h.target) == URI_OK);
	host = http_fields_value(&http->fields, HTTP_HOST);
	if (host.n != 0)
		CHECK(uri_authority_parse(&http->authority, r->arena, host) == URI_OK);
	http->host_text = http->authority.host;
	r->body.memory = body;
	r->body.fd = -1;
	r->body.bytes = body.n;
}

void
rig_request_free(struct rig_request *r)
{
	arena_free(&r->arena);
	free(r->text);
}

struct waf_txn *
rig_txn(struct waf_policy *policy, const struct rig_request *r)
{
	static const struct netaddr peer = {
		.family = NETADDR_IP4, .port = 40000, .ip = { 192, 0, 2, 7 }
	};
	static const struct netaddr local = {
		.family = NETADDR_IP4, .port = 443, .ip = { 127, 0, 0, 1 }
	};
	struct waf_client client = { &peer, &local, "01J0000000000000000000TEST" };

	return (waf_txn_new(policy, &r->http, &client));
}

const struct waf_hit *
rig_hit(const struct waf_verdict *v, uint32_t rule)
{
	for (uint32_t i = 0; i < v->n_hits; i++)
		if (v->hits[i].id == rule)
			return (&v->hits[i]);
	return (NULL);
}

void
rig_print(const struct waf_verdict *v)
{
	printf("%s%s status %u score %u/%u\n", v->refuse ? "refuse" : "pass",
	    v->detected ? " detected" : "", v->status, v->score, v->threshold);
	for (uint32_t i = 0; i < v->n_hits; i++)
		printf("  %u phase %u severity %u score %u %.*s = \"%.*s\": %.*s (%u "
		       "tags)\n",
		    v->hits[i].id, v->hits[i].phase, v->hits[i].severity,
		    v->hits[i].score, SPAN_FMT(v->hits[i].variable),
		    SPAN_FMT(v->hits[i].value), SPAN_FMT(v->hits[i].message),
		    v->hits[i].n_tags);
}
