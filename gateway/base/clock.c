/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the clocks and writing times for records and fields. */
#include "config.h"

#include "gateway/base/clock.h"

#include "gateway/base/check.h"

#include <time.h>

static int64_t
read_clock(clockid_t which)
{
	struct timespec ts;

	CHECK(clock_gettime(which, &ts) == 0);
	return ((int64_t)ts.tv_sec * CLOCK_SECOND + ts.tv_nsec / 1000);
}

int64_t
clock_mono_us(void)
{
	return (read_clock(CLOCK_MONOTONIC));
}

int64_t
clock_wall_us(void)
{
	return (read_clock(CLOCK_REALTIME));
}

/* Calendar fields of a time, by hand: gmtime_r and strftime take the time zone
 * lock and the locale, which four threads writing records would fight over. */
struct civil {
	unsigned year, month, day; /* month and day from 1 */
	unsigned hour, minute, second, micros;
	unsigned weekday; /* 0: Sunday */
};

static struct civil
civil_of(int64_t wall_us)
{
	struct civil c;
	int64_t days, second, z, era, day_of_era, year_of_era, day_of_year, month;

	/* Records are of 1970 to 9999: a clock beyond that is clipped. */
	if (wall_us < 0)
		wall_us = 0;
	if (wall_us > INT64_C(253402300799999999))
		wall_us = INT64_C(253402300799999999);
	second = wall_us / CLOCK_SECOND;
	days = second / 86400;
	second %= 86400;
	/* Years that begin in March put the leap day last, so that months
	 * are a linear function of the day; 400 years are 146097 days. */
	z = days + 719468;
	era = z / 146097;
	day_of_era = z % 146097;
	year_of_era =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) /
	    365;
	day_of_year =
	    day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month = (5 * day_of_year + 2) / 153;
	c.day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1);
	c.month = (unsigned)(month < 10 ? month + 3 : month - 9);
	c.year = (unsigned)(year_of_era + era * 400 + (c.month <= 2 ? 1 : 0));
	c.hour = (unsigned)(second / 3600);
	c.minute = (unsigned)(second / 60 % 60);
	c.second = (unsigned)(second % 60);
	c.micros = (unsigned)(wall_us % CLOCK_SECOND);
	c.weekday = (unsigned)((days + 4) % 7);
	return (c);
}

static char *
put_digits(char *to, unsigned value, int digits)
{
	int i;

	for (i = digits - 1; i >= 0; i--) {
		to[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return (to + digits);
}

static char *
put_char(char *to, char c)
{
	*to = c;
	return (to + 1);
}

/* The index-th name of three letters. */
static char *
put_name(char *to, const char *names, unsigned index)
{
	unsigned i;

	for (i = 0; i < 3; i++)
		to[i] = names[index * 3 + i];
	return (to + 3);
}

static char *
put_hms(char *to, const struct civil *c)
{
	to = put_char(put_digits(to, c->hour, 2), ':');
	to = put_char(put_digits(to, c->minute, 2), ':');
	return (put_digits(to, c->second, 2));
}

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char day_names[] = "SunMonTueWedThuFriSat";

size_t
clock_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_MAX])
{
	struct civil c = civil_of(wall_us);
	char *to = out;

	to = put_char(put_digits(to, c.year, 4), '-');
	to = put_char(put_digits(to, c.month, 2), '-');
	to = put_char(put_digits(to, c.day, 2), 'T');
	to = put_char(put_hms(to, &c), '.');
	to = put_char(put_digits(to, c.micros, 6), 'Z');
	*to = '\0';
	return ((size_t)(to - out));
}

size_t
clock_http_date(int64_t wall_us, char out[CLOCK_HTTP_MAX])
{
	struct civil c = civil_of(wall_us);
	char *to = out;

	to = put_name(to, day_names, c.weekday);
	to = put_char(put_char(to, ','), ' ');
	to = put_char(put_digits(to, c.day, 2), ' ');
	to = put_char(put_name(to, month_names, c.month - 1), ' ');
	to = put_char(put_digits(to, c.year, 4), ' ');
	to = put_char(put_hms(to, &c), ' ');
	to = put_char(put_char(put_char(to, 'G'), 'M'), 'T');
	*to = '\0';
	return ((size_t)(to - out));
}

size_t
clock_clf(int64_t wall_us, char out[CLOCK_HTTP_MAX])
{
	struct civil c = civil_of(wall_us);
	char *to = out;
	const char *zone;

	to = put_char(put_digits(to, c.day, 2), '/');
	to = put_char(put_name(to, month_names, c.month - 1), '/');
	to = put_char(put_digits(to, c.year, 4), ':');
	to = put_hms(to, &c);
	for (zone = " +0000"; *zone != '\0'; zone++)
		to = put_char(to, *zone);
	*to = '\0';
	return ((size_t)(to - out));
}
