/* SPDX-License-Identifier: Apache-2.0 */
/* Figures in Prometheus' text format. */
#include "config.h"

#include "gateway/metrics.h"

#include <inttypes.h>
#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/control.h"
#include "gateway/http/h1.h"
#include "gateway/http/write.h"
#include "gateway/reload_controls.h"
#include "gateway/talk.h"
#include "gateway/upstream/set.h"
#include "ratelimit/table.h"

#define QUESTION_MAX (8u << 10)
#define FIELDS_MAX 32
#define PAGE_MAX (4u << 20)

#define METRICS_MAGIC 0x3e781c50u
struct metrics {
	unsigned magic;
	struct control_view *view;
	struct talk *talk;
	struct text page;
};

/* --- the page -------------------------------------------------------------------- */

static void
head(struct text *out, const char *name, const char *type, const char *help)
{
	text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
value(struct text *out, const char *name, uint64_t figure)
{
	text_printf(out, "%s %" PRIu64 "\n", name, figure);
}

/* Backslash, quote and line feed are escaped (exposition formats, 0.0.4). */
static void
label(struct text *out, const char *before, const char *text, const char *after)
{
	text_puts(out, before);
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == '"')
			text_putc(out, '\\');
		if (*text == '\n')
			text_puts(out, "\\n");
		else
			text_putc(out, *text);
	}
	text_puts(out, after);
}

static void
put_process(const struct control_view *view, struct text *out)
{
	head(out, "yett_info", "gauge", "Version and name of this gateway; always 1.");
	label(out, "yett_info{version=\"" PACKAGE_VERSION "\",node=\"",
	    view->snap->conf->node, "\"} 1\n");
	head(out, "yett_start_time_seconds", "gauge", "When it was started, since 1970.");
	value(
	    out, "yett_start_time_seconds", (uint64_t)(view->started_us / CLOCK_SECOND));
	head(out, "yett_connections", "gauge", "Open connections of clients.");
	value(out, "yett_connections", workers_connections(view->workers));
	head(out, "yett_route_overruns_total", "counter",
	    "Regular expressions of routes that ran into their match limit.");
	value(out, "yett_route_overruns_total", route_overruns(view->snap->routes));
}

static void
put_requests(const struct control_view *view, struct text *out)
{
	struct tally tally;
	unsigned i;

	workers_tally(view->workers, &tally);
	head(out, "yett_requests_total", "counter",
	    "Requests by the class of their answer's status; 0xx: the client left.");
	for (i = 0; i < TALLY_CLASSES; i++)
		text_printf(out, "yett_requests_total{status=\"%uxx\"} %" PRIuFAST64 "\n",
		    i, tally.answers[i]);
	head(out, "yett_refusals_total", "counter",
	    "Requests refused, or detected where nothing enforces, by audit reason.");
	for (i = 0; i < TALLY_REASONS; i++)
		text_printf(out,
		    "yett_refusals_total{reason=\"%s\",action=\"blocked\"} %" PRIuFAST64
		    "\n"
		    "yett_refusals_total{reason=\"%s\",action=\"detected\"} %" PRIuFAST64
		    "\n",
		    tally_reasons[i], tally.blocked[i], tally_reasons[i],
		    tally.detected[i]);
}

static void
put_cache(const struct control_view *view, struct text *out)
{
	struct cache_figures figures;
	struct tally tally;
	unsigned i;

	if (view->snap->cache == NULL)
		return;
	workers_tally(view->workers, &tally);
	cache_store_figures(view->snap->cache, &figures);
	head(out, "yett_cache_requests_total", "counter",
	    "Requests where a cache is on, by what it did.");
	for (i = 0; i < TALLY_CACHE; i++)
		text_printf(out,
		    "yett_cache_requests_total{result=\"%s\"} %" PRIuFAST64 "\n",
		    tally_cache_texts[i], tally.cache[i]);
	head(out, "yett_cache_bytes", "gauge", "Memory that stored answers take up.");
	value(out, "yett_cache_bytes", figures.used);
	head(out, "yett_cache_bytes_room", "gauge", "Memory that they may take up.");
	value(out, "yett_cache_bytes_room", figures.memory);
	head(out, "yett_cache_objects", "gauge", "Stored answers.");
	value(out, "yett_cache_objects", figures.objects);
	head(out, "yett_cache_inserted_total", "counter", "Answers stored.");
	value(out, "yett_cache_inserted_total", figures.inserted);
	head(out, "yett_cache_evicted_total", "counter", "Answers that gave way.");
	value(out, "yett_cache_evicted_total", figures.evicted);
	head(out, "yett_cache_refused_total", "counter",
	    "Answers that there was no room for.");
	value(out, "yett_cache_refused_total", figures.refused);
}

static void
put_compression(const struct control_view *view, struct text *out)
{
	struct tally tally;
	const char *why;
	unsigned i;

	workers_tally(view->workers, &tally);
	head(out, "yett_compress_answers_total", "counter",
	    "Answers where compression is on: compressed, or why not.");
	for (i = 0; i < COMPRESS_WHY_COUNT; i++) {
		why = i == COMPRESS_YES ? "compressed" : compress_why_text(i);
		text_printf(out,
		    "yett_compress_answers_total{result=\"%s\"} %" PRIuFAST64 "\n", why,
		    tally.packs[i]);
	}
	head(out, "yett_compress_bytes_total", "counter",
	    "Bytes of bodies before and after compression.");
	text_printf(out,
	    "yett_compress_bytes_total{side=\"in\"} %" PRIuFAST64 "\n"
	    "yett_compress_bytes_total{side=\"out\"} %" PRIuFAST64 "\n",
	    tally.packed_in, tally.packed_out);
}

static void
put_log(struct text *out, const char *name, const struct log_file *file)
{
	if (file == NULL)
		return;
	text_printf(out,
	    "yett_log_lines_total{log=\"%s\",result=\"written\"} %" PRIu64 "\n"
	    "yett_log_lines_total{log=\"%s\",result=\"dropped\"} %" PRIu64 "\n",
	    name, log_file_written(file), name, log_file_dropped(file));
}

static void
put_logs(const struct control_view *view, struct text *out)
{
	head(out, "yett_log_lines_total", "counter",
	    "Lines of a log, written or dropped for want of room.");
	put_log(out, "access", view->snap->access);
	put_log(out, "audit", view->snap->audit);
}

static void
put_decision(struct text *out, const char *limit, const char *result, uint64_t n)
{
	label(out, "yett_limit_decisions_total{limit=\"", limit, "\",result=\"");
	text_printf(out, "%s\"} %" PRIu64 "\n", result, n);
}

static void
put_limits(const struct control_view *view, struct text *out)
{
	const struct conf *conf;
	struct limits_count count;
	uint32_t i;

	conf = view->snap->conf;
	head(out, "yett_limit_decisions_total", "counter",
	    "Decisions of a limit: allowed, denied, or shadowed where mode shadow denies "
	    "nobody. Of these degraded: without Redis; leased, denied_here: without a "
	    "trip to Redis.");
	for (i = 0; i < conf->n_limits; i++) {
		limits_count(view->snap->rate_limits, i, &count);
		put_decision(out, conf->limits[i].name, "allowed", count.allowed);
		put_decision(out, conf->limits[i].name, "denied", count.denied);
		put_decision(out, conf->limits[i].name, "shadowed", count.shadowed);
		put_decision(out, conf->limits[i].name, "degraded", count.degraded);
		put_decision(out, conf->limits[i].name, "leased", count.leased);
		put_decision(out, conf->limits[i].name, "denied_here", count.denied_here);
	}
}

static void
put_keys(const struct control_view *view, struct text *out)
{
	struct table_figures figures;

	limits_table(view->snap->rate_limits, &figures);
	head(out, "yett_limit_keys", "gauge", "Keys of limits that are in the table.");
	value(out, "yett_limit_keys", figures.used);
	head(out, "yett_limit_keys_room", "gauge", "Keys that the table has room for.");
	value(out, "yett_limit_keys_room", figures.entries);
	head(out, "yett_limit_keys_forgotten_total", "counter",
	    "Keys that gave way to others; never one that is being denied.");
	value(out, "yett_limit_keys_forgotten_total", figures.evicted);
	head(out, "yett_limit_keys_without_room_total", "counter",
	    "Decisions without a bucket: every key that could give way is being denied.");
	value(out, "yett_limit_keys_without_room_total", figures.full);
}

static void
put_sharing(const struct control_view *view, struct text *out)
{
	struct limits_status status;
	struct redis_state state;

	limits_status(view->snap->rate_limits, &status);
	head(out, "yett_limits_shared", "gauge",
	    "1 while limits are shared with other gateways.");
	value(out, "yett_limits_shared", status.state == LIMITS_SHARED);
	head(out, "yett_limits_state_seconds", "gauge",
	    "How long limits have been shared, degraded or local.");
	label(out, "yett_limits_state_seconds{state=\"", limits_state_text(status.state),
	    "\",reason=\"");
	label(out, "", status.reason != NULL ? status.reason : "", "\"}");
	text_printf(
	    out, " %" PRId64 "\n", (clock_mono_us() - status.since_us) / CLOCK_SECOND);
	head(out, "yett_limits_nodes", "gauge", "Gateways that share the limits.");
	value(out, "yett_limits_nodes", status.nodes);
	head(out, "yett_limits_redis_trips_total", "counter",
	    "Commands sent to Redis for decisions of limits.");
	value(out, "yett_limits_redis_trips_total", status.redis_trips);
	if (view->redis == NULL)
		return;
	redis_state(view->redis, &state);
	head(out, "yett_redis_up", "gauge", "1 while Redis answers the control thread.");
	value(out, "yett_redis_up", state.link == REDIS_UP);
	head(out, "yett_redis_reconnects_total", "counter",
	    "Times the control thread connected to Redis anew.");
	value(out, "yett_redis_reconnects_total", state.reconnects);
}

static void
put_bans(const struct control_view *view, struct text *out)
{
	struct bans_figures figures;

	bans_figures(view->snap->bans, &figures);
	head(out, "yett_bans", "gauge", "Clients that are banned now.");
	value(out, "yett_bans", figures.bans);
	head(out, "yett_bans_shadow", "gauge", "Clients that would be, in mode shadow.");
	value(out, "yett_bans_shadow", figures.shadow);
	head(out, "yett_bans_made_total", "counter", "Bans made by this gateway.");
	value(out, "yett_bans_made_total", figures.made);
	head(out, "yett_bans_lifted_total", "counter", "Bans lifted by hand.");
	value(out, "yett_bans_lifted_total", figures.lifted);
	head(out, "yett_bans_watched", "gauge", "Clients on the way to a ban.");
	value(out, "yett_bans_watched", figures.watched);
	head(out, "yett_bans_lost_total", "counter",
	    "Clients whose refusals were forgotten for want of room.");
	value(out, "yett_bans_lost_total", figures.lost);
}

static void
put_ban_share(const struct control_view *view, struct text *out)
{
	struct bans_share_figures figures;

	if (view->bans_share == NULL)
		return;
	bans_share_figures(view->bans_share, &figures);
	head(out, "yett_bans_told_total", "counter",
	    "Batches of bans and refusals told to other gateways.");
	value(out, "yett_bans_told_total", figures.told);
	head(out, "yett_bans_heard_total", "counter",
	    "Bans, and ends of bans, heard from other gateways.");
	value(out, "yett_bans_heard_total", figures.heard);
	head(out, "yett_bans_untold_total", "counter",
	    "What was not told: too much at once, or Redis did not take it.");
	value(out, "yett_bans_untold_total", figures.kept + figures.failed);
}

struct check_metric {
	const char *name, *type, *help;
	void (*put)(struct text *, const struct pool_watch_state *);
	const char *result; /* last label; NULL: none */
};

static void
put_check_up(struct text *out, const struct pool_watch_state *state)
{
	text_printf(out, "%d\n", !state->down);
}

static void
put_check_age(struct text *out, const struct pool_watch_state *state)
{
	text_printf(
	    out, "%" PRId64 "\n", (clock_mono_us() - state->since_us) / CLOCK_SECOND);
}

static void
put_checks_good(struct text *out, const struct pool_watch_state *state)
{
	text_printf(out, "%" PRIu64 "\n", state->made - state->failed);
}

static void
put_checks_bad(struct text *out, const struct pool_watch_state *state)
{
	text_printf(out, "%" PRIu64 "\n", state->failed);
}

static void
put_check_metric(const struct control_view *view, size_t pool,
    const struct check_metric *metric, struct text *out)
{
	const struct upstream_pool *servers = view->snap->pools[pool];
	struct upstream_server_state server;
	struct pool_watch_state state;
	uint32_t i;

	for (i = 0; i < upstream_pool_count(servers); i++) {
		if (!pool_watch_state(view->checks[pool], i, &state))
			continue;
		upstream_pool_state(servers, i, clock_mono_us(), &server);
		text_puts(out, metric->name);
		label(out, "{pool=\"", view->snap->conf->pools[pool].name, "\",");
		label(out, "server=\"", server.address, "\",");
		label(out, "host=\"", server.host, "\"");
		if (metric->result != NULL)
			label(out, ",result=\"", metric->result, "\"");
		text_puts(out, "} ");
		metric->put(out, &state);
	}
}

static void
put_checks(const struct control_view *view, struct text *out)
{
	static const struct check_metric metrics[] = {
		{ "yett_origin_check_up", "gauge",
		    "0 while checks say that the server is down.", put_check_up, NULL },
		{ "yett_origin_check_seconds", "gauge",
		    "For how long checks have said so.", put_check_age, NULL },
		{ "yett_origin_checks_total", "counter",
		    "Checks of the server that came to a result.", put_checks_good,
		    "good" },
		{ "yett_origin_checks_total", NULL, NULL, put_checks_bad, "bad" },
	};
	size_t i, pool, n;

	n = sizeof(metrics) / sizeof(metrics[0]);
	for (i = 0; i < n; i++) {
		if (metrics[i].help != NULL)
			head(out, metrics[i].name, metrics[i].type, metrics[i].help);
		for (pool = 0; pool < view->snap->conf->n_pools; pool++)
			put_check_metric(view, pool, &metrics[i], out);
	}
}

static void
put_files(const struct control_view *view, struct text *out)
{
	struct watched_state state;
	size_t i, n;

	n = controls_watched_count(view->snap);
	if (n == 0)
		return;
	head(out, "yett_file_loaded_timestamp_seconds", "gauge",
	    "When the content of a database or list in use was read, since 1970.");
	for (i = 0; i < n; i++) {
		watched_state(controls_watched(view->snap, i), &state);
		label(out, "yett_file_loaded_timestamp_seconds{path=\"", state.path,
		    "\"} ");
		text_printf(out, "%" PRId64 "\n", state.loaded_us / CLOCK_SECOND);
	}
	head(out, "yett_file_refused", "gauge",
	    "1 while the file on disk is not sound and an older content is in use.");
	for (i = 0; i < n; i++) {
		watched_state(controls_watched(view->snap, i), &state);
		label(out, "yett_file_refused{path=\"", state.path, "\"} ");
		text_printf(out, "%d\n", state.stale);
	}
}

/* One figure of each server of each pool. */
static void
put_servers(const struct control_view *view, struct text *out, const char *name,
    uint64_t (*figure)(const struct upstream_server_state *))
{
	struct upstream_server_state state;
	const struct upstream_pool *pool;
	uint32_t i;
	size_t p;

	for (p = 0; p < view->snap->conf->n_pools; p++) {
		pool = view->snap->pools[p];
		for (i = 0; i < upstream_pool_count(pool); i++) {
			upstream_pool_state(pool, i, clock_mono_us(), &state);
			text_puts(out, name);
			label(out, "{pool=\"", view->snap->conf->pools[p].name, "\"");
			label(out, ",server=\"", state.address, "\"");
			label(out, ",host=\"", state.host, "\"} ");
			text_printf(out, "%" PRIu64 "\n", figure(&state));
		}
	}
}

static uint64_t
is_up(const struct upstream_server_state *state)
{
	return (!state->drained && !state->down && !state->ejected && !state->failed);
}

static uint64_t
is_ejected(const struct upstream_server_state *state)
{
	return (state->ejected);
}

static uint64_t
is_drained(const struct upstream_server_state *state)
{
	return (state->drained);
}

static uint64_t
active_of(const struct upstream_server_state *state)
{
	return (state->active);
}

static uint64_t
requests_of(const struct upstream_server_state *state)
{
	return (state->requests);
}

static uint64_t
failures_of(const struct upstream_server_state *state)
{
	return (state->failures);
}

static void
put_pools(const struct control_view *view, struct text *out)
{
	head(out, "yett_origin_up", "gauge",
	    "1 while a server of a pool gets new requests as usual.");
	put_servers(view, out, "yett_origin_up", is_up);
	head(out, "yett_origin_ejected", "gauge",
	    "1 while a server is left out because requests failed.");
	put_servers(view, out, "yett_origin_ejected", is_ejected);
	head(out, "yett_origin_drained", "gauge",
	    "1 while a server is drained by the operator.");
	put_servers(view, out, "yett_origin_drained", is_drained);
	head(out, "yett_origin_active", "gauge", "Requests that a server has now.");
	put_servers(view, out, "yett_origin_active", active_of);
	head(out, "yett_origin_requests_total", "counter",
	    "Requests sent to a server, retries and refused connections too.");
	put_servers(view, out, "yett_origin_requests_total", requests_of);
	head(out, "yett_origin_failures_total", "counter",
	    "Of these, refused or broken connections, timeouts, answers of 500 and "
	    "above but 501, or that are no HTTP.");
	put_servers(view, out, "yett_origin_failures_total", failures_of);
}

static void
put_names(const struct control_view *view, struct text *out)
{
	struct name_state state;
	size_t i, n;

	n = names_count(view->names);
	if (n == 0)
		return;
	head(out, "yett_name_addresses", "gauge",
	    "Addresses of an origin's name that are in use; 0: not asked for yet.");
	for (i = 0; i < n; i++) {
		names_state(view->names, i, &state);
		label(out, "yett_name_addresses{name=\"", state.name, "\"} ");
		text_printf(out, "%u\n", state.n);
	}
	head(out, "yett_name_failed", "gauge",
	    "1 while an origin's name can't be looked up and its addresses stay.");
	for (i = 0; i < n; i++) {
		names_state(view->names, i, &state);
		label(out, "yett_name_failed{name=\"", state.name, "\"} ");
		text_printf(out, "%d\n", state.problem != NULL);
	}
}

static void
make_page(struct metrics *m)
{
	text_reset(&m->page);
	put_process(m->view, &m->page);
	put_requests(m->view, &m->page);
	put_cache(m->view, &m->page);
	put_compression(m->view, &m->page);
	put_logs(m->view, &m->page);
	put_limits(m->view, &m->page);
	put_keys(m->view, &m->page);
	put_sharing(m->view, &m->page);
	put_bans(m->view, &m->page);
	put_ban_share(m->view, &m->page);
	put_checks(m->view, &m->page);
	put_files(m->view, &m->page);
	put_names(m->view, &m->page);
	put_pools(m->view, &m->page);
}

/* --- the answer ------------------------------------------------------------------ */

static void
put_answer(struct text *out, const char *status, struct span body, bool with_body)
{
	text_printf(out, "HTTP/1.1 %s\r\n", status);
	http_put_field(
	    out, SPAN("Content-Type"), SPAN("text/plain; version=0.0.4; charset=utf-8"));
	http_put_field(out, SPAN("Allow"), SPAN("GET, HEAD"));
	http_put_length(out, body.n);
	text_put(out, SPAN("Connection: close\r\n\r\n"));
	if (with_body)
		text_put(out, body);
}

/* One request a connection: what asks does so every few seconds. */
static enum talk_rc
answer(void *data, struct span in, size_t *used_r, struct text *out)
{
	struct http_field fields[FIELDS_MAX];
	struct h1_limits limits = { .header_bytes = QUESTION_MAX,
		.target_bytes = QUESTION_MAX };
	struct h1_head request;
	struct span path;
	struct metrics *m;
	bool is_head;

	CAST_OBJ(m, data, METRICS_MAGIC);
	h1_request_init(&request, &limits, fields, FIELDS_MAX);
	switch (h1_head_push(&request, in)) {
	case H1_MORE: return (TALK_MORE);
	case H1_DONE: break;
	case H1_BAD:
		*used_r = in.n;
		put_answer(out, "400 Bad Request", SPAN("not a request\n"), true);
		return (TALK_LAST);
	}
	*used_r = in.n;
	is_head = span_eq(request.method, SPAN("HEAD"));
	path = span_cut(request.target, 0, span_index(request.target, '?'));
	if (!is_head && !span_eq(request.method, SPAN("GET"))) {
		put_answer(out, "405 Method Not Allowed", SPAN("GET only\n"), true);
	} else if (!span_eq(path, SPAN("/metrics"))) {
		put_answer(out, "404 Not Found", SPAN("try /metrics\n"), !is_head);
	} else {
		make_page(m);
		put_answer(out, "200 OK", text_span(&m->page), !is_head);
	}
	return (TALK_LAST);
}

enum err_code
metrics_new(struct metrics **metrics_r, struct loop *loop, struct control_view *view,
    struct err *e)
{
	static const struct talk_options options = {
		.question_max = QUESTION_MAX,
		.answer_max = PAGE_MAX + 1024,
		.idle_us = 10 * CLOCK_SECOND,
		.connections = 16,
		.mode = 0660,
	};
	struct netaddr address;
	struct metrics *m;
	struct talk *talk;
	const char *text;

	*metrics_r = NULL;
	text = view->snap->conf->admin.metrics;
	if (text[0] == '\0')
		return (ERR_OK);
	if (netaddr_parse(&address, span_of(text), e) != ERR_OK ||
	    talk_new(&talk, loop, &address, &options, e) != ERR_OK)
		return (err_wrap(e, "admin.metrics"));
	m = mem_zalloc(sizeof(*m));
	m->magic = METRICS_MAGIC;
	m->view = view;
	m->talk = talk;
	text_init(&m->page, PAGE_MAX);
	talk_answer(talk, answer, m);
	log_info("metrics", "listening on %s", text);
	*metrics_r = m;
	return (ERR_OK);
}

void
metrics_free(struct metrics **metrics)
{
	struct metrics *m;

	CAST_OBJ(m, *metrics, METRICS_MAGIC);
	*metrics = NULL;
	talk_free(&m->talk);
	text_free(&m->page);
	free(m);
}
