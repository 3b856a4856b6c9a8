/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/audit.h - the two records of a request: the audit record
 * (only of what was refused or detected; schema in docs/guide/audit.md) and
 * the access line. Takes plain values, writes one line of text. Any thread,
 * one text each. */
#ifndef YETT_REQUEST_AUDIT_H
#define YETT_REQUEST_AUDIT_H

#include "gateway/base/buf.h"
#include "gateway/base/netaddr.h"
#include "gateway/filter/mask.h"
#include "gateway/http/message.h"
#include "gateway/tls/tls.h"
#include "rules/waf.h"

/* The limit that refused a request, or would have. */
struct record_limit {
	const char *name, *rate;	/* of the configuration: "5/m" */
	struct span key;		/* whose bucket; fields and cookies hashed */
	uint32_t retry_after;		/* seconds */
};

struct record {
	int64_t time_us;		/* wall clock, when its first byte came */
	const char *id;
	const char *reason;		/* NULL: neither refused nor detected */
	const char *detail;		/* what of it: "space before the colon" */
	bool blocked;			/* else detected */
	uint16_t status;		/* 0: no answer was sent */
	const struct netaddr *client;
	const char *country;		/* NULL: not looked up */
	uint32_t asn;			/* 0: unknown */
	const char *user;		/* who signed in, NULL nobody */
	const struct record_limit *limit;	/* NULL: none */
	const struct tls_info *tls;	/* NULL: plain */
	const struct http_request *request;	/* may be incomplete after a refusal
						 * by the parser: absent spans */
	uint64_t body_bytes, inspected_bytes;
	const char *site, *route;	/* first host; path as configured; NULL none */
	const char *policy;
	const struct waf_verdict *waf;	/* NULL: not inspected */
	int64_t duration_us;
	const char *node;
	uint64_t sent_bytes;		/* body bytes to the client */
	const char *origin;		/* "host:port", NULL: none was asked */
	const char *cache;		/* what it did, NULL: it had no part */
	int64_t origin_us, waf_us;	/* time waited for the origin, in the WAF */
	bool aborted;			/* the client left before the end */
};

/* One JSON object, without newline, of the audit schema, behind what `out` holds.
 * Long values are cut: 4 KiB for path, query and each field value, 100 fields.
 * What does not fit `out` is written without fields and values, and not at all
 * if that does not fit either. */
void audit_record(struct text *out, const struct record *, const struct mask *);
/* One JSON object, or a line of the combined format. */
void access_record_json(struct text *out, const struct record *, const struct mask *);
void access_record_combined(struct text *out, const struct record *, const struct mask *);

#endif
