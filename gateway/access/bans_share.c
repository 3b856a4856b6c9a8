/* SPDX-License-Identifier: Apache-2.0 */
/* Carries bans to Redis and from it. A command speaks of one key, so a ban is two
 * steps: its record (bans_client.lua), then its place in the index (bans_index.lua),
 * of which every gateway reads what is new. Whatever is bounded by the number of
 * errands waits where it came from: in the queues of bans.c, or in the index. */
#include "config.h"

#include "gateway/access/bans_share.h"

#include "gateway/access/bans_allowance.h"
#include "gateway/access/bans_news.h"
#include "gateway/access/bans_record.h"
#include "gateway/access/bans_scripts.h"
#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/hash.h"
#include "gateway/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_US (50 * CLOCK_MS)
#define POLL_US (300 * CLOCK_MS)
#define SCRUB_US (3 * CLOCK_SECOND)
#define COMPLAIN_US (10 * CLOCK_SECOND)
#define REST_US CLOCK_SECOND /* after a command that failed */
/* News told in a tick: 1280 commands a second, however many addresses attack. */
#define TELL_MAX 64
#define ERRANDS 192
#define PAGE 64
#define SCRUB 16
#define RESERVED (PAGE + SCRUB + 8) /* errands kept for what is to be heard */
#define ARGS_MAX 12
#define NUMBER_MAX 24
#define VERSION_MAX (UINT64_C(1) << 53)
#define HISTORY_MAX 65

/* What a flood of addresses may leave behind in Redis, whose keys last as long as
 * the window, or as a ban is remembered: so many in such a time. What is more stays
 * on this gateway. */
#define ALLOWED_CLIENTS 65536
#define ALLOWED_BANS 65536

enum errand_kind {
	COUNT, /* refusals: bans_client count */
	PUT, /* a ban made here */
	LIFT, /* one lifted here */
	NOTE, /* put into the index that one of these was done */
	PAGE_OF_NEWS,
	FETCH, /* the ban of a client in that page */
	SOME, /* entries of the index, to be looked through */
	CHECK_ONE, /* of these, one that is not known here */
	DROP, /* of these, one of whom Redis knows nothing any more */
};

struct errand {
	struct redis_ask ask;
	struct errand *next;
	struct bans_share *share;
	enum errand_kind kind;
	struct bans_news news;
	uint64_t version;
};

struct args {
	struct span v[ARGS_MAX];
	unsigned n;
	char numbers[ARGS_MAX][NUMBER_MAX];
};

#define BANS_SHARE_MAGIC 0xba25548eu
struct bans_share {
	unsigned magic;
	struct redis *redis;
	struct bans *bans;
	bool local_clock;
	char *prefix, *index_key;
	struct text key, ids, words;
	struct loop *loop;
	struct loop_timer timer;
	struct errand *errands, *idle;
	unsigned n_idle;
	struct bans_share_figures figures;
	struct bans_allowance clients, bans_made;

	char history[HISTORY_MAX]; /* of the index; "" none */
	uint64_t seen; /* version */
	int64_t poll_us, scrub_us, complain_us, tell_us;
	uint64_t listed; /* in the index, when last looked through */
	struct {
		bool busy, failed, more;
		unsigned waiting;
		char history[HISTORY_MAX];
		uint64_t last;
	} page;
};

/* --- errands -------------------------------------------------------------- */

static void done(struct redis_ask *ask, const struct redis_value *answer);

static struct errand *
take_errand(struct bans_share *s, enum errand_kind kind)
{
	struct errand *e = s->idle;

	if (e == NULL)
		return (NULL);
	s->idle = e->next;
	s->n_idle--;
	memset(&e->ask, 0, sizeof(e->ask));
	e->ask.done = done;
	e->ask.data = e;
	e->kind = kind;
	return (e);
}

static void
give_errand(struct errand *e)
{
	e->next = e->share->idle;
	e->share->idle = e;
	e->share->n_idle++;
}

static void
complain(struct bans_share *s, const char *what, struct span text)
{
	int64_t now = loop_now_us(s->loop);

	if (s->complain_us != 0 && now < s->complain_us)
		return;
	s->complain_us = now + COMPLAIN_US;
	log_warn("bans", "redis: %s: %.*s", what, (int)(text.n < 200 ? text.n : 200),
	    text.p != NULL ? text.p : "");
}

static void
add_text(struct args *a, struct span text)
{
	CHECK(a->n < ARGS_MAX);
	a->v[a->n++] = text.p != NULL ? text : SPAN("");
}

static void
add_number(struct args *a, int64_t number)
{
	CHECK(a->n < ARGS_MAX);
	snprintf(a->numbers[a->n], NUMBER_MAX, "%lld", (long long)number);
	add_text(a, span_of(a->numbers[a->n]));
}

/* Sends it, or gives the errand back. */
static bool
send_client(struct errand *e, const char *op, struct args *more)
{
	struct bans_share *s = e->share;
	struct args a = { .n = 0 };
	char client[BANS_CLIENT_MAX];
	unsigned i;

	if (s->local_clock)
		add_number(&a, clock_wall_us() / CLOCK_MS);
	else
		add_text(&a, SPAN(""));
	add_text(&a, span_of(op));
	for (i = 0; more != NULL && i < more->n; i++)
		add_text(&a, more->v[i]);
	text_reset(&s->key);
	text_printf(
	    &s->key, "%sban:{%s}", s->prefix, bans_client_text(&e->news.ban, client));
	if (redis_call(
		s->redis, &e->ask, &bans_client_script, text_span(&s->key), a.v, a.n))
		return (true);
	s->figures.failed++;
	give_errand(e);
	return (false);
}

static bool
send_index(struct errand *e, struct args *a)
{
	struct bans_share *s = e->share;

	if (redis_call(
		s->redis, &e->ask, &bans_index_script, span_of(s->index_key), a->v, a->n))
		return (true);
	s->figures.failed++;
	give_errand(e);
	return (false);
}

/* --- telling -------------------------------------------------------------- */

/* Bans by hand, and ends of bans, always. */
static bool
is_allowed(struct bans_share *s, const struct bans_rule *rule, const struct bans_news *n)
{
	int64_t now = loop_now_us(s->loop);

	if (n->kind == BANS_NEWS_REFUSALS)
		return (bans_may_take(&s->bans_made, now, rule->max_us) &&
			bans_take(&s->clients, ALLOWED_CLIENTS, now, rule->within_us));
	if (n->kind == BANS_NEWS_MADE && !n->ban.by_hand)
		return (bans_take(&s->bans_made, ALLOWED_BANS, now, rule->max_us));
	return (true);
}

static void
put_words(struct bans_share *s, const char *words)
{
	text_reset(&s->words);
	bans_record_words(span_of(words), &s->words);
}

static void
put_ids(struct bans_share *s, const struct ban *ban)
{
	text_reset(&s->ids);
	bans_record_ids(ban, &s->ids);
}

static bool
tell_refusals(struct errand *e, const struct bans_rule *rule)
{
	struct bans_share *s = e->share;
	struct args a = { .n = 0 };

	add_number(&a, rule->within_us / CLOCK_MS);
	add_number(&a, rule->after);
	add_number(&a, rule->for_us / CLOCK_MS);
	add_number(&a, rule->max_us / CLOCK_MS);
	add_number(&a, e->news.refusals);
	add_number(&a, e->news.kinds);
	add_text(&a, rule->shadow ? SPAN("s") : SPAN(""));
	put_words(s, rule->node);
	add_text(&a, text_span(&s->words));
	put_ids(s, &e->news.ban);
	add_text(&a, text_span(&s->ids));
	return (send_client(e, "count", &a));
}

static bool
tell_ban(struct errand *e, const struct bans_rule *rule)
{
	const struct ban *ban = &e->news.ban;
	int64_t now = clock_wall_us(), left, age;
	struct bans_share *s = e->share;
	struct args a = { .n = 0 };
	struct span node;

	left = (ban->until_us - now) / CLOCK_MS;
	age = (now - ban->since_us) / CLOCK_MS;
	if (left <= 0) {
		give_errand(e);
		return (true);
	}
	add_number(&a, age > 0 ? age : 0);
	add_number(&a, left);
	add_number(&a, ban->level);
	add_number(&a, ban->by_hand ? 0 : rule->for_us / CLOCK_MS);
	add_number(&a, rule->max_us / CLOCK_MS);
	add_text(&a, span_of(bans_record_flags(ban)));
	text_reset(&s->words);
	bans_record_words(span_of(ban->node), &s->words);
	node.n = s->words.n;
	bans_record_words(span_of(ban->reason), &s->words);
	node.p = s->words.p; /* it may have moved */
	add_text(&a, node);
	put_ids(s, ban);
	add_text(&a, text_span(&s->ids));
	add_text(&a, span_cut(text_span(&s->words), node.n, s->words.n));
	return (send_client(e, "put", &a));
}

static int64_t
left_ms(const struct ban *ban)
{
	int64_t left = (ban->until_us - clock_wall_us()) / CLOCK_MS;

	return (left > 0 ? left : 0);
}

static bool
tell_lift(struct errand *e)
{
	struct args a = { .n = 0 };

	add_number(&a, left_ms(&e->news.ban));
	return (send_client(e, "lift", &a));
}

/* The errand goes on: what was done becomes news for all. */
static void
note(struct errand *e)
{
	struct bans_share *s = e->share;
	char client[BANS_CLIENT_MAX], history[NUMBER_MAX];
	struct args a = { .n = 0 };
	struct bans_news news;
	uint64_t name;

	random_bytes(&name, sizeof(name));
	snprintf(history, sizeof(history), "%016llx", (unsigned long long)name);
	e->kind = NOTE;
	add_text(&a, SPAN("note"));
	add_text(&a, span_of(bans_client_text(&e->news.ban, client)));
	add_number(&a, left_ms(&e->news.ban) + 1000);
	add_text(&a, span_of(history));
	news = e->news;
	if (!send_index(e, &a))
		bans_news_keep(s->bans, &news);
}

static void
tell(struct bans_share *s)
{
	struct bans_rule rule;
	struct bans_news news;
	struct errand *e;
	unsigned i;
	bool sent = true;

	bans_rule(s->bans, &rule);
	for (i = 0; i < TELL_MAX && s->n_idle > RESERVED && sent; i++) {
		if (!bans_news_take(s->bans, &news))
			return;
		if (!is_allowed(s, &rule, &news)) {
			s->figures.kept++;
			continue;
		}
		e = take_errand(s, COUNT);
		e->news = news;
		s->figures.told++;
		switch (news.kind) {
		case BANS_NEWS_REFUSALS: sent = tell_refusals(e, &rule); break;
		case BANS_NEWS_MADE:
			e->kind = PUT;
			sent = tell_ban(e, &rule);
			break;
		case BANS_NEWS_LIFTED:
			e->kind = LIFT;
			sent = tell_lift(e);
			break;
		}
		if (!sent)
			bans_news_keep(s->bans, &news);
	}
}

/* --- hearing -------------------------------------------------------------- */

static void
ask_news(struct bans_share *s)
{
	struct args a = { .n = 0 };
	struct errand *e;

	if (s->page.busy)
		return;
	e = take_errand(s, PAGE_OF_NEWS);
	if (e == NULL)
		return;
	add_text(&a, SPAN("news"));
	add_text(&a, span_of(s->history));
	add_number(&a, (int64_t)s->seen);
	add_number(&a, PAGE);
	s->page.busy = send_index(e, &a);
	s->page.failed = s->page.more = false;
	s->page.waiting = 0;
}

static void
end_page(struct bans_share *s)
{
	s->page.busy = false;
	s->poll_us = loop_now_us(s->loop) + POLL_US;
	if (s->page.failed)
		return;
	memcpy(s->history, s->page.history, sizeof(s->history));
	s->seen = s->page.last;
	if (s->page.more)
		ask_news(s);
}

static void
fetched(struct bans_share *s)
{
	if (--s->page.waiting == 0)
		end_page(s);
}

static bool
fetch(struct bans_share *s, enum errand_kind kind, struct span client, uint64_t version)
{
	struct errand *e;
	struct ban ban;

	if (!bans_client_read(client, &ban)) {
		s->figures.bad++;
		return (true); /* nothing to be heard of it */
	}
	if (kind == CHECK_ONE &&
	    bans_knows(s->bans, &ban.client, ban.bits, clock_wall_us()))
		return (true);
	e = take_errand(s, kind);
	if (e == NULL)
		return (false);
	e->news.ban.client = ban.client;
	e->news.ban.bits = ban.bits;
	e->version = version;
	if (!send_client(e, "get", NULL))
		return (false);
	if (kind == FETCH)
		s->page.waiting++;
	return (true);
}

/* {history, number, client, version, ...}: all of it text, the clients in pairs. */
static bool
read_list(struct bans_share *s, const struct redis_value *answer, uint64_t *number_r)
{
	uint64_t version;
	size_t i;

	if (answer->type != REDIS_ARRAY || answer->n_items < 2 ||
	    answer->n_items % 2 != 0 || answer->n_items > 2 + 2 * (PAGE + 1))
		goto bad;
	for (i = 0; i < answer->n_items; i++)
		if (answer->items[i].type != REDIS_TEXT ||
		    answer->items[i].text.n >= HISTORY_MAX)
			goto bad;
	for (i = 3; i < answer->n_items; i += 2)
		if (!span_u64(answer->items[i].text, &version) || version > VERSION_MAX)
			goto bad;
	if (span_u64(answer->items[1].text, number_r) && *number_r <= VERSION_MAX)
		return (true);
bad:
	s->figures.bad++;
	complain(s, "the index of bans is none of ours", SPAN(""));
	return (false);
}

/* Redis has lost what it knew, or goes on from an older copy: everyone tells again
 * what they hold. */
static void
begin_again(struct bans_share *s)
{
	if (s->history[0] != '\0')
		bans_news_all(s->bans, clock_wall_us());
	s->seen = 0;
}

static void
hear_news(struct bans_share *s, const struct redis_value *answer)
{
	struct span history;
	uint64_t version, at;
	size_t i;

	if (!read_list(s, answer, &version)) {
		s->page.failed = true;
		end_page(s);
		return;
	}
	history = answer->items[0].text;
	if (!span_eq(history, span_of(s->history)) || version < s->seen)
		begin_again(s);
	memset(s->page.history, 0, sizeof(s->page.history));
	if (history.n > 0)
		memcpy(s->page.history, history.p, history.n);
	s->page.last = s->seen;
	s->page.more = answer->n_items >= 2 + 2 * PAGE;
	s->page.waiting = 1; /* this loop */
	for (i = 2; i < answer->n_items; i += 2) {
		span_u64(answer->items[i + 1].text, &at);
		if (!fetch(s, FETCH, answer->items[i].text, at)) {
			s->page.failed = true;
			break;
		}
		s->page.last = at;
	}
	if (!s->page.more)
		s->page.last = version;
	fetched(s);
}

static void
ask_some(struct bans_share *s)
{
	struct args a = { .n = 0 };
	struct errand *e;
	uint64_t any;

	e = take_errand(s, SOME);
	if (e == NULL)
		return;
	random_bytes(&any, sizeof(any));
	add_text(&a, SPAN("some"));
	add_number(&a, s->listed > SCRUB ? (int64_t)(any % s->listed) : 0);
	add_number(&a, SCRUB);
	send_index(e, &a);
}

/* Entries of bans that ended, which nothing else removes; and by the way any that
 * was missed. */
static void
hear_some(struct bans_share *s, const struct redis_value *answer)
{
	uint64_t at;
	size_t i;

	if (!read_list(s, answer, &s->listed))
		return;
	for (i = 2; i < answer->n_items; i += 2) {
		span_u64(answer->items[i + 1].text, &at);
		if (!fetch(s, CHECK_ONE, answer->items[i].text, at))
			return;
	}
}

static void
drop(struct errand *e)
{
	char client[BANS_CLIENT_MAX];
	struct args a = { .n = 0 };

	e->kind = DROP;
	add_text(&a, SPAN("drop"));
	add_text(&a, span_of(bans_client_text(&e->news.ban, client)));
	add_number(&a, (int64_t)e->version);
	send_index(e, &a);
}

/* What bans_client.lua answered; *ban_r is whole but for BAD and NONE. */
static enum bans_record
read_record(struct errand *e, const struct redis_value *answer, struct ban *ban_r)
{
	enum bans_record record = BANS_RECORD_BAD;

	if (answer->type == REDIS_NIL)
		return (BANS_RECORD_NONE);
	if (answer->type == REDIS_TEXT)
		record = bans_record_read(answer->text, clock_wall_us(), ban_r);
	if (record == BANS_RECORD_BAD) {
		e->share->figures.bad++;
		complain(e->share, "a ban's record is none of ours",
		    answer->type == REDIS_TEXT ? answer->text : SPAN(""));
	} else if (record != BANS_RECORD_NONE) {
		ban_r->client = e->news.ban.client;
		ban_r->bits = e->news.ban.bits;
	}
	return (record);
}

static void
made_by_all(struct bans_share *s, const struct ban *ban)
{
	struct bans_rule rule;

	bans_rule(s->bans, &rule);
	bans_take(&s->bans_made, ALLOWED_BANS, loop_now_us(s->loop), rule.max_us);
	bans_log(ban);
}

/* COUNT, PUT, FETCH and CHECK_ONE. */
static void
hear_client(struct errand *e, const struct redis_value *answer)
{
	struct bans_share *s = e->share;
	enum errand_kind kind = e->kind;
	enum bans_record record;
	struct ban ban;

	record = read_record(e, answer, &ban);
	if (record == BANS_RECORD_HELD || record == BANS_RECORD_MADE) {
		s->figures.heard++;
		bans_heard(s->bans, &ban);
		if (kind == COUNT && record == BANS_RECORD_MADE) {
			made_by_all(s, &ban);
			e->news.kind = BANS_NEWS_MADE;
			e->news.ban = ban;
		}
	}
	if (kind == PUT || (kind == COUNT && record == BANS_RECORD_MADE)) {
		note(e);
		return;
	}
	if (kind == CHECK_ONE && answer->type == REDIS_NIL) {
		drop(e);
		return;
	}
	if (kind == FETCH && record == BANS_RECORD_NONE &&
	    bans_heard_lift(s->bans, &e->news.ban.client, e->news.ban.bits))
		s->figures.heard++;
	give_errand(e);
	if (kind == FETCH)
		fetched(s);
}

static void
failed(struct errand *e, const struct redis_value *answer)
{
	struct bans_share *s = e->share;
	enum errand_kind kind = e->kind;

	s->figures.failed++;
	s->tell_us = loop_now_us(s->loop) + REST_US;
	if (answer != NULL)
		complain(s, "a command was refused", answer->text);
	if (kind == PUT || kind == LIFT || kind == NOTE)
		bans_news_keep(s->bans, &e->news);
	give_errand(e);
	if (kind == PAGE_OF_NEWS || kind == FETCH)
		s->page.failed = true;
	if (kind == PAGE_OF_NEWS)
		end_page(s);
	if (kind == FETCH)
		fetched(s);
}

static void
done(struct redis_ask *ask, const struct redis_value *answer)
{
	struct errand *e = ask->data;
	struct bans_share *s = e->share;

	CHECK_OBJ(s, BANS_SHARE_MAGIC);
	if (answer == NULL || answer->type == REDIS_ERROR) {
		failed(e, answer);
		return;
	}
	switch (e->kind) {
	case COUNT:
	case PUT:
	case FETCH:
	case CHECK_ONE: hear_client(e, answer); return;
	case LIFT: note(e); return;
	case PAGE_OF_NEWS:
		give_errand(e);
		hear_news(s, answer);
		return;
	case SOME:
		give_errand(e);
		hear_some(s, answer);
		return;
	case NOTE:
	case DROP: give_errand(e); return;
	}
	WRONG("errand");
}

/* --- the clock ------------------------------------------------------------ */

static void
tick(struct loop_timer *timer)
{
	struct redis_state state;
	struct bans_share *s;
	int64_t now;

	CAST_OBJ(s, timer->data, BANS_SHARE_MAGIC);
	now = loop_now_us(s->loop);
	redis_state(s->redis, &state);
	if (state.link == REDIS_UP) {
		if (now >= s->tell_us)
			tell(s);
		if (now >= s->poll_us)
			ask_news(s);
		if (now >= s->scrub_us) {
			s->scrub_us = now + SCRUB_US;
			ask_some(s);
		}
	} else {
		bans_news_forget_refusals(s->bans);
	}
	loop_timer_set(&s->timer, TICK_US);
}

struct bans_share *
bans_share_new(
    struct loop *loop, struct redis *redis, struct bans *bans, const struct conf *conf)
{
	struct bans_share *s;
	unsigned i;

	s = mem_zalloc(sizeof(*s));
	s->magic = BANS_SHARE_MAGIC;
	s->loop = loop;
	s->redis = redis;
	s->bans = bans;
	s->local_clock = conf->redis.clock == CONF_CLOCK_LOCAL;
	s->prefix = mem_strdup(conf->redis.prefix);
	s->index_key = mem_printf("%sbans", s->prefix);
	text_init(&s->key, 4096);
	text_init(&s->ids, 4096);
	text_init(&s->words, 4096);
	s->errands = mem_zalloc(ERRANDS * sizeof(*s->errands));
	for (i = 0; i < ERRANDS; i++) {
		s->errands[i].share = s;
		give_errand(&s->errands[i]);
	}
	bans_news_on(bans, true);
	bans_news_all(bans, clock_wall_us());
	loop_timer_init(&s->timer, loop, tick, s);
	loop_timer_set(&s->timer, TICK_US);
	return (s);
}

void
bans_share_free(struct bans_share **share)
{
	struct bans_share *s = *share;
	unsigned i;

	*share = NULL;
	if (s == NULL)
		return;
	CHECK_OBJ(s, BANS_SHARE_MAGIC);
	loop_timer_stop(&s->timer);
	for (i = 0; i < ERRANDS; i++)
		redis_cancel(&s->errands[i].ask);
	bans_news_on(s->bans, false);
	text_free(&s->key);
	text_free(&s->ids);
	text_free(&s->words);
	free(s->prefix);
	free(s->index_key);
	free(s->errands);
	s->magic = 0;
	free(s);
}

void
bans_share_figures(const struct bans_share *s, struct bans_share_figures *figures_r)
{
	CHECK_OBJ(s, BANS_SHARE_MAGIC);
	*figures_r = s->figures;
}
