/* SPDX-License-Identifier: Apache-2.0 */
/* Storing, freshness, age and use. */
#include "config.h"

#include "gateway/cache/freshness.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/cache/date.h"
#include "gateway/cache/vary.h"

#define HEURISTIC_MAX_S INT64_C(86400)

/* What is known of a status. */
enum status_trait {
	STATUS_HEURISTIC = 1, /* RFC 9110 15.1: may be kept without being told to */
	STATUS_UNASKED = 2, /* a route's ttl counts for it */
	STATUS_KNOWN = 4, /* for must-understand */
	STATUS_PART = 8, /* answers a range or a condition: never stored */
};

static unsigned
status_traits(uint16_t status)
{
	switch (status) {
	case 200:
	case 203:
	case 204:
	case 300:
	case 301:
	case 308:
	case 404:
	case 410: return (STATUS_HEURISTIC | STATUS_UNASKED | STATUS_KNOWN);
	case 405:
	case 414:
	case 501: return (STATUS_HEURISTIC | STATUS_KNOWN);
	case 302:
	case 303:
	case 307:
	case 451: return (STATUS_KNOWN);
	case 206:
	case 304:
	case 412:
	case 416: return (STATUS_PART);
	default: return (0);
	}
}

const char *
cache_store_text(enum cache_verdict verdict)
{
	static const char *const texts[] = {
#define CACHE_STORE_TEXT(name, text) [CACHE_##name] = (text),
		CACHE_STORE_VERDICTS(CACHE_STORE_TEXT)
#undef CACHE_STORE_TEXT
	};

	CHECK((size_t)verdict < sizeof(texts) / sizeof(texts[0]));
	return (texts[verdict]);
}

/* --- freshness ----------------------------------------------------------- */

static int64_t
clip(int64_t seconds)
{
	if (seconds < 0)
		return (0);
	return (seconds > CACHE_SECONDS_MAX ? CACHE_SECONDS_MAX : seconds);
}

/* later - earlier, where either may be any date. */
static int64_t
clipped_difference(int64_t later, int64_t earlier)
{
	int64_t difference;

	if (__builtin_sub_overflow(later, earlier, &difference))
		return (later < earlier ? 0 : CACHE_SECONDS_MAX);
	return (clip(difference));
}

static int64_t
heuristic(const struct cache_rules *rules, const struct cache_exchange *x,
    const struct cache_control *control, int64_t date_s)
{
	struct span text = http_fields_value(x->answer, HTTP_LAST_MODIFIED);
	unsigned percent = rules->heuristic_percent;
	int64_t modified_s, seconds;

	if (percent == 0 ||
	    ((status_traits(x->status) & STATUS_HEURISTIC) == 0 &&
		!cache_control_has(control, CC_PUBLIC)) ||
	    !cache_date_parse(text, x->wall_s, &modified_s))
		return (CACHE_ABSENT);
	if (percent > 100)
		percent = 100;
	seconds = clipped_difference(date_s, modified_s) * percent / 100;
	return (seconds > HEURISTIC_MAX_S ? HEURISTIC_MAX_S : seconds);
}

/* freshness_lifetime (RFC 9111 4.2.1), CACHE_ABSENT when nobody says anything. */
static int64_t
lifetime(const struct cache_rules *rules, const struct cache_exchange *x,
    const struct cache_control *control)
{
	int64_t date_s, expires_s;

	if (control->s_maxage != CACHE_ABSENT)
		return (control->s_maxage);
	if (control->max_age != CACHE_ABSENT)
		return (control->max_age);
	if (!cache_date(x->answer, x->wall_s, &date_s))
		date_s = x->wall_s;
	if (!control->targeted && cache_expires(x->answer, x->wall_s, &expires_s))
		return (clipped_difference(expires_s, date_s));
	if (rules->ttl_s > 0 && (status_traits(x->status) & STATUS_UNASKED) != 0)
		return (clip(rules->ttl_s));
	return (heuristic(rules, x, control, date_s));
}

/* corrected_initial_age (RFC 9111 4.2.3). */
static int64_t
initial_age_us(const struct cache_exchange *x)
{
	int64_t date_s, apparent_us = 0, corrected_us;
	int64_t delay_us = x->answer_us - x->request_us;

	if (cache_date(x->answer, x->wall_s, &date_s))
		apparent_us = clipped_difference(x->wall_s, date_s) * CLOCK_SECOND;
	if (delay_us < 0)
		delay_us = 0;
	corrected_us = cache_age_field(x->answer) * CLOCK_SECOND + delay_us;
	return (apparent_us > corrected_us ? apparent_us : corrected_us);
}

/* --- storing ------------------------------------------------------------- */

static bool
has_validator(const struct http_fields *answer)
{
	return (answer->count[HTTP_ETAG] > 0 || answer->count[HTTP_LAST_MODIFIED] > 0);
}

/* What the directives forbid (RFC 9111 3 and 3.5). */
static enum cache_verdict
judge_control(const struct cache_exchange *x, const struct cache_control *control)
{
	bool understood = cache_control_has(control, CC_MUST_UNDERSTAND);

	if (understood && (status_traits(x->status) & STATUS_KNOWN) == 0)
		return (CACHE_STORE_STATUS);
	if (cache_control_has(control, CC_NO_STORE) && !understood)
		return (CACHE_STORE_NO_STORE);
	if (cache_control_has(control, CC_PRIVATE))
		return (CACHE_STORE_PRIVATE);
	if (x->request->count[HTTP_AUTHORIZATION] > 0 &&
	    !cache_control_has(control, CC_PUBLIC | CC_MUST_REVALIDATE) &&
	    control->s_maxage == CACHE_ABSENT)
		return (CACHE_STORE_AUTHORIZED);
	return (CACHE_STORE_YES);
}

/* What the rest of the answer forbids. */
static enum cache_verdict
judge_answer(const struct cache_rules *rules, const struct cache_exchange *x,
    const struct cache_control *control)
{
	struct cache_vary vary;
	struct cache_tags tags;

	if (x->answer->count[HTTP_CONTENT_RANGE] > 0)
		return (CACHE_STORE_PARTIAL);
	if (x->answer->count[HTTP_SET_COOKIE] > 0 && !rules->strip_cookies &&
	    !cache_control_names(control, SPAN("set-cookie")))
		return (CACHE_STORE_COOKIE);
	if (!cache_vary_read(&vary, x->answer))
		return (CACHE_STORE_VARY);
	if (!cache_tags_read(&tags, x->answer))
		return (CACHE_STORE_TAGS);
	return (CACHE_STORE_YES);
}

static void
fill_life(struct cache_life *life, const struct cache_exchange *x,
    const struct cache_control *control)
{
	life->answer_us = x->answer_us;
	life->initial_age_us = initial_age_us(x);
	life->stale_while_revalidate_s = clip(control->stale_while_revalidate);
	life->stale_if_error_s = clip(control->stale_if_error);
	life->validate_always = cache_control_has(control, CC_NO_CACHE);
	life->never_stale =
	    cache_control_has(control, CC_MUST_REVALIDATE | CC_PROXY_REVALIDATE);
	life->no_client_stale = control->s_maxage != CACHE_ABSENT;
}

enum cache_verdict
cache_judge(struct cache_life *life_r, const struct cache_rules *rules,
    const struct cache_exchange *x)
{
	struct cache_control control, request;
	enum cache_verdict verdict;

	memset(life_r, 0, sizeof(*life_r));
	if (!span_eq(x->method, SPAN("GET")))
		return (CACHE_STORE_METHOD);
	if (x->status < 200 || x->status > 599 ||
	    (status_traits(x->status) & STATUS_PART) != 0)
		return (CACHE_STORE_STATUS);
	cache_control_request(&request, x->request);
	if (cache_control_has(&request, CC_NO_STORE))
		return (CACHE_STORE_REQUEST);
	cache_control_answer(&control, x->answer);
	verdict = judge_control(x, &control);
	if (verdict == CACHE_STORE_YES)
		verdict = judge_answer(rules, x, &control);
	if (verdict != CACHE_STORE_YES)
		return (verdict);
	fill_life(life_r, x, &control);
	life_r->lifetime_s = lifetime(rules, x, &control);
	if (life_r->lifetime_s == CACHE_ABSENT) {
		/* no-cache asks to be kept and validated; silence does not */
		life_r->lifetime_s = 0;
		if (!life_r->validate_always)
			return (CACHE_STORE_STALE);
	}
	/* what is stale already may still be worth a 304, or a crisis */
	if ((life_r->validate_always || cache_ttl(life_r, x->answer_us) <= 0) &&
	    !has_validator(x->answer) && life_r->stale_while_revalidate_s == 0 &&
	    life_r->stale_if_error_s == 0)
		return (CACHE_STORE_STALE);
	return (CACHE_STORE_YES);
}

bool
cache_field_is_kept(const struct cache_control *control, const struct http_field *field)
{
	if (field->hop_by_hop || field->id == HTTP_AGE || field->id == HTTP_SET_COOKIE ||
	    field->id == HTTP_SURROGATE_CONTROL || field->id == HTTP_SURROGATE_KEY)
		return (false);
	if (field->id == HTTP_OTHER &&
	    span_eq_nocase(field->name, SPAN("proxy-authentication-info")))
		return (false);
	return (!cache_control_names(control, field->name));
}

/* --- use ----------------------------------------------------------------- */

static int64_t
age_us(const struct cache_life *life, int64_t now_us)
{
	int64_t resident_us = now_us - life->answer_us;

	return (life->initial_age_us + (resident_us > 0 ? resident_us : 0));
}

int64_t
cache_age(const struct cache_life *life, int64_t now_us)
{
	return (clip(age_us(life, now_us) / CLOCK_SECOND));
}

/* Microseconds that it is fresh for still; 0 and less: stale. */
static int64_t
left_us(const struct cache_life *life, int64_t now_us)
{
	return (life->lifetime_s * CLOCK_SECOND - age_us(life, now_us));
}

int64_t
cache_ttl(const struct cache_life *life, int64_t now_us)
{
	int64_t left = left_us(life, now_us);

	/* rounded down: what is stale by a moment has no second left */
	if (left < 0)
		left -= CLOCK_SECOND - 1;
	return (left / CLOCK_SECOND);
}

/* Does the client want it validated, or fresher than it is (RFC 9111 5.2.1)? */
static bool
wants_fresher(const struct cache_control *request, int64_t age, int64_t left)
{
	if (cache_control_has(request, CC_NO_CACHE))
		return (true);
	if (request->max_age != CACHE_ABSENT && age > request->max_age * CLOCK_SECOND)
		return (true);
	return (request->min_fresh != CACHE_ABSENT &&
		left < request->min_fresh * CLOCK_SECOND);
}

static bool
takes_stale(const struct cache_control *request, int64_t staleness)
{
	return (request->max_stale == CACHE_SECONDS_MAX ||
		(request->max_stale != CACHE_ABSENT &&
		    staleness <= request->max_stale * CLOCK_SECOND));
}

static enum cache_use
judge_use(const struct cache_life *life, const struct cache_control *request, bool heeded,
    int64_t now_us)
{
	int64_t left = left_us(life, now_us);

	if (life->validate_always)
		return (CACHE_USE_VALIDATE);
	if (heeded && wants_fresher(request, age_us(life, now_us), left))
		return (CACHE_USE_VALIDATE);
	if (left > 0)
		return (CACHE_USE_FRESH);
	if (life->never_stale)
		return (CACHE_USE_VALIDATE);
	if (-left < life->stale_while_revalidate_s * CLOCK_SECOND)
		return (CACHE_USE_REVALIDATE);
	if (heeded && !life->no_client_stale && takes_stale(request, -left))
		return (CACHE_USE_STALE);
	return (CACHE_USE_VALIDATE);
}

enum cache_use
cache_use(const struct cache_life *life, const struct cache_rules *rules,
    const struct cache_control *request, int64_t now_us)
{
	enum cache_use use = CACHE_USE_FETCH;

	if (life != NULL)
		use = judge_use(life, request, !rules->ignore_requests, now_us);
	if ((use == CACHE_USE_FETCH || use == CACHE_USE_VALIDATE) &&
	    cache_control_has(request, CC_ONLY_IF_CACHED))
		return (CACHE_USE_TIMEOUT);
	return (use);
}

enum cache_use
cache_use_failed(const struct cache_life *life, const struct cache_rules *rules,
    const struct cache_control *request, int64_t now_us)
{
	int64_t allowed_s;

	if (life == NULL || life->validate_always || life->never_stale ||
	    (!rules->ignore_requests && cache_control_has(request, CC_NO_CACHE)))
		return (CACHE_USE_FAIL);
	allowed_s = life->stale_if_error_s;
	if (!rules->ignore_requests && !life->no_client_stale &&
	    request->stale_if_error > allowed_s)
		allowed_s = request->stale_if_error;
	/* what is fresh was to be validated for a client that wants it fresher:
	 * it is no staler for that */
	if (left_us(life, now_us) > 0 ||
	    -left_us(life, now_us) < allowed_s * CLOCK_SECOND)
		return (CACHE_USE_ERROR);
	return (CACHE_USE_FAIL);
}

bool
cache_is_error(uint16_t status)
{
	return (status == 500 || status == 502 || status == 503 || status == 504);
}

bool
cache_invalidates(struct span method, uint16_t status)
{
	/* safe ones in the IANA registry of methods */
	static const struct span safe[] = { { "GET", 3 }, { "HEAD", 4 }, { "OPTIONS", 7 },
		{ "TRACE", 5 }, { "PROPFIND", 8 }, { "REPORT", 6 }, { "SEARCH", 6 },
		{ "QUERY", 5 } };
	size_t i;

	if (status < 200 || status > 399)
		return (false);
	for (i = 0; i < sizeof(safe) / sizeof(safe[0]); i++)
		if (span_eq(method, safe[i]))
			return (false);
	return (true);
}
