/* SPDX-License-Identifier: Apache-2.0 */
/* Engine phase 5, then the audit record and the access line. */
#include "config.h"

#include "gateway/request/audit.h"
#include "gateway/request/request.h"

static void
fill_client(struct request *req, struct record *r)
{
	request_locate(req);
	r->client = &req->client;
	if (geo_is_on(req->snap->geo)) {
		r->country = req->geo.country;
		r->asn = req->geo.asn;
	}
	if (req->claim != NULL && req->claim->accepted)
		r->user = req->claim->user;
}

static const struct record_limit *
fill_limit(const struct request *req, struct record_limit *limit)
{
	const struct conf_limit *conf;

	if (req->over_limit == NULL)
		return (NULL);
	conf = &req->snap->conf->limits[req->over_limit->limit];
	limit->name = conf->name;
	limit->rate = conf->rate;
	limit->key = req->limit_key;
	limit->retry_after = limiter_retry_after(req->over_limit);
	return (limit);
}

static void
fill_record(struct request *req, struct record *r)
{
	const struct exchange *x;

	x = &req->origin;
	r->time_us = req->began_wall_us;
	r->id = req->id;
	r->reason = req->refusal.reason;
	r->detail = req->refusal.detail;
	r->blocked = req->refusal.reason != NULL;
	if (!r->blocked && req->verdict != NULL && req->verdict->detected)
		request_notice(req, "waf", "would be refused in mode block");
	if (!r->blocked) {
		r->reason = req->notice.reason;
		r->detail = req->notice.detail;
	}
	r->status = req->answer_status;
	fill_client(req, r);
	r->tls = req->conn->has_tls ? &req->conn->tls : NULL;
	r->request = &req->http;
	r->body_bytes = req->body_bytes;
	r->inspected_bytes = req->verdict != NULL ? req->waf_body.bytes : 0;
	if (req->place != NULL) {
		r->site = req->place->site;
		r->route = req->place->route;
		r->policy = req->place->policy_name;
	}
	r->waf = req->verdict;
	r->duration_us = clock_mono_us() - req->began_us;
	r->node = req->snap->conf->node;
	r->sent_bytes = req->answer_bytes;
	r->origin = req->origin_text;
	r->origin_us = x->head_us != 0 ? x->head_us - x->began_us : 0;
	r->waf_us = req->waf_us;
	r->aborted = req->conn->gone;
}

static void
write_line(struct log_file *file, struct text *line)
{
	log_file_write(file, text_span(line));
	text_reset(line);
}

static void
write_records(struct request *req, const struct record *r)
{
	const struct snapshot *snap;
	struct text *line;

	snap = req->snap;
	line = &req->worker->line;
	text_reset(line);
	if (r->reason != NULL && snap->audit != NULL) {
		audit_record(line, r, snap->mask);
		write_line(snap->audit, line);
	}
	if (snap->access == NULL)
		return;
	if (snap->conf->logs.access.format == CONF_ACCESS_JSON)
		access_record_json(line, r, snap->mask);
	else
		access_record_combined(line, r, snap->mask);
	write_line(snap->access, line);
}

/* A wrong password counts; none does not (that is how browsers find out that one is
 * wanted), nor one that nobody had the time to check. */
static bool
is_counted(const struct request *req)
{
	return (strcmp(req->refusal.reason, "auth") != 0 ||
		(req->refusal.status == 401 && req->claim != NULL && req->claim->given));
}

/* Refusals lead to bans. A trusted proxy is never banned: it is many clients, and
 * when it speaks for itself it asks whether we live. */
static void
count_refusal(struct request *req)
{
	const struct refusal *refusal;
	struct bans *bans;

	refusal = &req->refusal;
	bans = req->snap->bans;
	if (refusal->reason == NULL || req->client.family == NETADDR_UNIX ||
	    identity_is_trusted(req->snap->identity, &req->client))
		return;
	/* whatever it was refused for, it has had its page */
	if (!req->conn->gone &&
	    bans_check(bans, &req->client, clock_wall_us(), NULL) == BANS_BANNED)
		bans_page_shown(bans, &req->client);
	else if (is_counted(req))
		/* the end: what began long ago must not end a window */
		bans_refused(
		    bans, &req->client_key, refusal->reason, req->id, clock_wall_us());
}

enum step_rc
step_log(struct request *req)
{
	struct record_limit limit;
	enum tally_cache cache;
	struct record record;
	int64_t began;

	if (req->caching.refresh)
		return (STEP_NEXT);
	if (req->txn != NULL && req->verdict != NULL) {
		began = clock_mono_us();
		req->verdict = waf_finish(req->txn, req->answer_status);
		req->waf_us += clock_mono_us() - began;
	}
	memset(&record, 0, sizeof(record));
	fill_record(req, &record);
	record.limit = fill_limit(req, &limit);
	cache = caching_outcome(req);
	if (cache != TALLY_CACHE) {
		record.cache = tally_cache_texts[cache];
		tally_add_cache(&req->worker->tally, cache);
	}
	write_records(req, &record);
	tally_add(&req->worker->tally, record.status, record.reason, record.blocked);
	count_refusal(req);
	return (STEP_NEXT);
}
