/* SPDX-License-Identifier: Apache-2.0 */
/* The three forms of HTTP-date as patterns over one small reader. */
#include "config.h"

#include "gateway/cache/date.h"

#include "gateway/http/chars.h"

#define DAY_SECONDS 86400

struct civil {
	int year, month, day; /* month from 0, day from 1 */
	int hour, minute, second;
	bool two_digits; /* year is within a century not known yet */
};

/* What is left to read. A failure is sticky: p is NULL from then on. */
struct reader {
	const char *p;
	size_t n;
};

static const char month_names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
static const char *const day_names[7] = { "sunday", "monday", "tuesday", "wednesday",
	"thursday", "friday", "saturday" };

static void
fail(struct reader *r)
{
	r->p = NULL;
	r->n = 0;
}

static void
advance(struct reader *r, size_t n)
{
	r->p += n;
	r->n -= n;
}

/* Does it go on with this text, whatever the case? `text` is in lower case. */
static bool
goes_on(const struct reader *r, const char *text, size_t n)
{
	size_t i;

	if (r->n < n)
		return (false);
	for (i = 0; i < n; i++)
		if (char_lower(r->p[i]) != text[i])
			return (false);
	return (true);
}

static void
literal(struct reader *r, const char *text)
{
	size_t n = strlen(text);

	if (goes_on(r, text, n))
		advance(r, n);
	else
		fail(r);
}

static int
digits(struct reader *r, size_t n)
{
	int value = 0;
	size_t i;

	if (r->n < n) {
		fail(r);
		return (0);
	}
	for (i = 0; i < n; i++) {
		if (r->p[i] < '0' || r->p[i] > '9') {
			fail(r);
			return (0);
		}
		value = value * 10 + (r->p[i] - '0');
	}
	advance(r, n);
	return (value);
}

static int
month(struct reader *r)
{
	int i;

	for (i = 0; i < 12; i++)
		if (goes_on(r, month_names + (size_t)i * 3, 3)) {
			advance(r, 3);
			return (i);
		}
	fail(r);
	return (0);
}

static void
clock_time(struct reader *r, struct civil *c)
{
	c->hour = digits(r, 2);
	literal(r, ":");
	c->minute = digits(r, 2);
	literal(r, ":");
	c->second = digits(r, 2);
}

/* The name of a day: three letters, or the long form when that is there. */
static bool
day_name(struct reader *r, bool *is_long_r)
{
	size_t n;
	int i;

	for (i = 0; i < 7; i++) {
		n = strlen(day_names[i]);
		*is_long_r = goes_on(r, day_names[i], n);
		if (*is_long_r || goes_on(r, day_names[i], 3)) {
			advance(r, *is_long_r ? n : 3);
			return (true);
		}
	}
	return (false);
}

static void
read_fixdate(struct reader *r, struct civil *c)
{
	literal(r, ", ");
	c->day = digits(r, 2);
	literal(r, " ");
	c->month = month(r);
	literal(r, " ");
	c->year = digits(r, 4);
	literal(r, " ");
	clock_time(r, c);
	literal(r, " gmt");
}

static void
read_rfc850(struct reader *r, struct civil *c)
{
	literal(r, ", ");
	c->day = digits(r, 2);
	literal(r, "-");
	c->month = month(r);
	literal(r, "-");
	c->year = digits(r, 2);
	c->two_digits = true;
	literal(r, " ");
	clock_time(r, c);
	literal(r, " gmt");
}

static void
read_asctime(struct reader *r, struct civil *c)
{
	literal(r, " ");
	c->month = month(r);
	literal(r, " ");
	if (goes_on(r, " ", 1)) {
		advance(r, 1);
		c->day = digits(r, 1);
	} else
		c->day = digits(r, 2);
	literal(r, " ");
	clock_time(r, c);
	literal(r, " ");
	c->year = digits(r, 4);
}

static bool
is_leap(int year)
{
	return (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

static bool
is_possible(const struct civil *c)
{
	static const int lengths[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int last = lengths[c->month] + (c->month == 1 && is_leap(c->year) ? 1 : 0);

	return (c->day >= 1 && c->day <= last && c->hour <= 23 && c->minute <= 59 &&
		c->second <= 60);
}

/* Days from 1970-01-01, in the proleptic Gregorian calendar: years that begin in
 * March have the leap day last. Year 0 and later. */
static int64_t
days_of(const struct civil *c)
{
	int64_t year = c->month < 2 ? c->year - 1 : c->year;
	int64_t month_of = c->month < 2 ? c->month + 10 : c->month - 2;
	int64_t era, year_of_era, day_of_year;

	year += 400; /* keeps the division from rounding towards zero */
	era = year / 400;
	year_of_era = year % 400;
	day_of_year = (153 * month_of + 2) / 5 + c->day - 1;
	return (era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
		day_of_year - 719468 - 146097);
}

static int64_t
seconds_of(const struct civil *c)
{
	return (days_of(c) * DAY_SECONDS + c->hour * INT64_C(3600) +
		c->minute * INT64_C(60) + c->second);
}

/* The year with these last two digits that is at most 50 years ahead (RFC 9110
 * 5.6.7), as text: the same date, 50 years on, must not be before it. */
static bool
choose_century(struct civil *c, int64_t now_s)
{
	struct civil earlier;
	int two = c->year;

	for (c->year = 9900 + two; c->year >= 0; c->year -= 100) {
		if (!is_possible(c)) /* the 29th of February of another century */
			continue;
		earlier = *c;
		earlier.year -= 50;
		if (earlier.year < 0 || seconds_of(&earlier) <= now_s)
			return (true);
	}
	return (false);
}

bool
cache_date_parse(struct span text, int64_t now_s, int64_t *seconds_r)
{
	struct reader r = { text.p, text.n };
	struct civil c = { 0 };
	bool is_long;

	if (text.n == 0 || !day_name(&r, &is_long))
		return (false);
	if (is_long)
		read_rfc850(&r, &c);
	else if (goes_on(&r, ",", 1))
		read_fixdate(&r, &c);
	else
		read_asctime(&r, &c);
	if (r.p == NULL || r.n != 0)
		return (false);
	if (c.two_digits) {
		if (!choose_century(&c, now_s))
			return (false);
	} else if (!is_possible(&c))
		return (false);
	*seconds_r = seconds_of(&c);
	return (true);
}
