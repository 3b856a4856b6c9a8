/* SPDX-License-Identifier: Apache-2.0 */
/* Password files and credentials: which hashes are taken, who gets in, what is
 * remembered. Files are made by htpasswd and openssl, too, where they are there. */
#include "config.h"

#include "gateway/access/auth.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/access/htpasswd.h"
#include "gateway/base/clock.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* All of them of "open sesame". */
#define BCRYPT_Y "$2y$04$UpXkXO4OOTTwWfFRI5OvbOdq5Mt799oXtdT4Y62qEMbUMShjycx4q"
#define BCRYPT_8 "$2y$08$UpXkXO4OOTTwWfFRI5OvbOrQ9YQ6n434tE0vo3M0hw5gET5MoSB/O"
#define A43 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
#define A53 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ."

static void
test_hashes(void **state)
{
	static const struct {
		const char *hash, *fault, *why;
	} rows[] = {
		{ "$2y$05$" A53, NULL, "bcrypt, htpasswd's own" },
		{ "$2b$10$" A53, NULL, "bcrypt" },
		{ "$2a$14$" A53, NULL, "bcrypt, the dearest" },
		{ "$2y$15$" A53, "take seconds", "bcrypt, too dear" },
		{ "$2y$31$" A53, "take seconds", "bcrypt, absurd" },
		{ "$2y$03$" A53, "broken", "bcrypt has no such cost" },
		{ "$2y$5$" A53 ".", "broken", "two digits" },
		{ "$2y$-5$" A53, "broken", "sign" },
		{ "$2y$05$" A53 ".", "broken", "too long" },
		{ "$2y$05$" A43, "broken", "too short" },
		{ "$2y$", "broken", "nothing" },
		{ "$2y$05$" A43 "-123456789", "broken", "alphabet" },
		{ "$2x$05$" A53, "not taken", "the broken bcrypt" },
		{ "$5$salt$" A43, NULL, "SHA-256" },
		{ "$5$rounds=1000$salt$" A43, NULL, "fewest rounds" },
		{ "$5$rounds=1000000$salt$" A43, NULL, "most rounds" },
		{ "$5$rounds=1000001$salt$" A43, "take seconds", "too many" },
		{ "$5$rounds=999999999$salt$" A43, "take seconds", "absurd" },
		{ "$5$rounds=9999999999$salt$" A43, "broken", "no number" },
		{ "$5$rounds=999$salt$" A43, "broken", "too few" },
		{ "$5$rounds=$salt$" A43, "broken", "no number" },
		{ "$5$rounds=5000$" A43, "broken", "no salt" },
		{ "$5$rounds=5000", "broken", "cut short" },
		{ "$5$$" A43, "broken", "empty salt" },
		{ "$5$12345678901234567$" A43, "broken", "long salt" },
		{ "$5$salt$" A43 A43, "broken", "SHA-512's length" },
		{ "$6$salt$" A43 A43, NULL, "SHA-512" },
		{ "$6$salt$" A43, "broken", "SHA-256's length" },
		{ "$6$sa:t$" A43 A43, "broken", "salt" },
		{ "$6$salt$" A43 A43 "$", "broken", "a tail" },
		{ "$y$j9T$saltsalt$" A43, NULL, "yescrypt" },
		{ "$y$jBT$saltsalt$" A43, NULL, "yescrypt, the dearest" },
		{ "$y$jCT$saltsalt$" A43, "take seconds", "yescrypt, too dear" },
		{ "$y$jzT$saltsalt$" A43, "take seconds", "yescrypt, absurd" },
		{ "$y$jzz$saltsalt$" A43, "broken", "unusual parameters" },
		{ "$y$j9T/x$saltsalt$" A43, "broken", "more parameters" },
		{ "$apr1$salt$abcdefghijklmnopqrstuv", "MD5", "htpasswd's old default" },
		{ "$1$salt$abcdefghijklmnopqrstuv", "MD5", "MD5" },
		{ "{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=", "SHA-1", "SHA-1" },
		{ "{SSHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=", "SHA-1", "salted SHA-1" },
		{ "rqXexS6ZhobKA", "DES", "DES" },
		{ "$7$CU..../....salt$" A43, "not taken", "scrypt" },
		{ "secret", "the password itself", "plain text" },
		{ "", "the password itself", "none" },
		{ "*", "the password itself", "locked" },
	};
	const char *fault;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		fault = htpasswd_fault(span_of(rows[i].hash));
		if (rows[i].fault == NULL
			? fault != NULL
			: fault == NULL || strstr(fault, rows[i].fault) == NULL)
			fail_msg("%s (%s): %s", rows[i].hash, rows[i].why,
			    fault != NULL ? fault : "taken");
	}
}

static void
test_files(void **state)
{
	static const struct {
		struct span text;
		const char *problem; /* NULL: taken */
		size_t n;
		const char *why;
	} rows[] = {
		{ SPAN(""), NULL, 0, "nobody" },
		{ SPAN("# users\n\n"), NULL, 0, "nobody" },
		{ SPAN("joe:$2y$05$" A53), NULL, 1, "no newline" },
		{ SPAN("\xef\xbb\xbfjoe:$2y$05$" A53 "\r\nanne:$5$x$" A43 "\r\n"), NULL,
		    2, "CRLF, byte order mark" },
		{ SPAN("joe:$2y$05$" A53 ":Joe:/home/joe\n"), NULL, 1, "more fields" },
		{ SPAN("j\xc3\xb6:$2y$05$" A53 "\n"), NULL, 1, "UTF-8" },
		{ SPAN("joe:$2y$05$" A53 "\nsecret\n"), "f:2: not USER:HASH", 0,
		    "no colon" },
		{ SPAN(":$2y$05$" A53), "f:1: not USER:HASH", 0, "no user" },
		{ SPAN("a\0b:$2y$05$" A53), "f:1: not USER:HASH", 0, "NUL" },
		{ SPAN("#\njoe:$apr1$salt$abcdefghijklmnopqrstuv\n"),
		    "f:2: the hash of user \"joe\" is MD5 (apr1)", 0, "weak" },
		{ SPAN("joe:secret\n"), "make it anew with: htpasswd -B FILE USER", 0,
		    "plain" },
		{ SPAN("joe:$2y$05$" A53 "\nann:$2y$05$" A53 "\njoe:$2y$04$" A53 "\n"),
		    "f:3: user \"joe\" is on line 1 already", 0, "twice" },
	};
	struct htpasswd *file;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		if ((htpasswd_parse(&file, "f", rows[i].text, &e) == ERR_OK) !=
		    (rows[i].problem == NULL))
			fail_msg("%s: %s", rows[i].why, e.text);
		if (rows[i].problem == NULL) {
			assert_int_equal(htpasswd_count(file), rows[i].n);
			htpasswd_free(&file);
		} else if (strstr(e.text, rows[i].problem) == NULL)
			fail_msg("%s: %s", rows[i].why, e.text);
		else if (strstr(e.text, "secret") != NULL)
			fail_msg("a password is shown: %s", e.text);
		assert_null(file);
	}
}

static void
test_finding_users(void **state)
{
	struct htpasswd *file, *again;
	const struct span text =
	    SPAN("mo:$5$m$" A43 "\nab:$5$a$" A43 "\nz:$5$z$" A43 "\nabc:$5$c$" A43 "\n");
	bool seen[128] = { false };
	struct span hash;
	uint64_t i;

	(void)state;
	assert_int_equal(htpasswd_parse(&file, "f", text, NULL), ERR_OK);
	assert_int_equal(htpasswd_parse(&again, "f", text, NULL), ERR_OK);
	assert_true(htpasswd_serial(file) != htpasswd_serial(again));
	assert_int_equal(htpasswd_find(file, SPAN("mo")).p[3], 'm');
	assert_int_equal(htpasswd_find(file, SPAN("ab")).p[3], 'a');
	assert_int_equal(htpasswd_find(file, SPAN("abc")).p[3], 'c');
	assert_int_equal(htpasswd_find(file, SPAN("z")).p[3], 'z');
	assert_null(htpasswd_find(file, SPAN("a")).p);
	assert_null(htpasswd_find(file, SPAN("zz")).p);
	assert_null(htpasswd_find(file, SPAN("MO")).p);
	assert_null(htpasswd_find(file, SPAN("")).p);
	for (i = 0; i < 8; i++) {
		hash = htpasswd_any(file, i);
		seen[(unsigned char)hash.p[3]] = true;
	}
	assert_true(seen['m'] && seen['a'] && seen['c'] && seen['z']);
	htpasswd_free(&file);
	htpasswd_free(&again);
	assert_int_equal(htpasswd_parse(&file, "f", SPAN(""), NULL), ERR_OK);
	assert_null(htpasswd_any(file, 1).p);
	htpasswd_free(&file);
}

/* "Basic " and base64 of the text. */
static struct span
basic(char out[1024], const void *bytes, size_t n)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = bytes;
	char *to = out + 6;
	uint32_t bits;
	size_t i;

	memcpy(out, "Basic ", 6);
	for (i = 0; i < n; i += 3) {
		bits = (uint32_t)p[i] << 16;
		bits |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
		bits |= i + 2 < n ? p[i + 2] : 0u;
		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = i + 1 < n ? digits[bits >> 6 & 63] : '=';
		*to++ = i + 2 < n ? digits[bits & 63] : '=';
	}
	return (span_mem(out, (size_t)(to - out)));
}

static char *
write_file(const char *text)
{
	char *path = strdup("/tmp/test_auth.XXXXXX");
	FILE *file = fdopen(mkstemp(path), "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	return (path);
}

static struct auth *
make(const char *path)
{
	struct auth *auth;
	struct err e;

	if (auth_new(&auth, path, &e) != ERR_OK)
		fail_msg("%s", e.text);
	return (auth);
}

/* What the field says, to the end. */
static bool
gets_in(struct auth *auth, struct span field, int64_t now_us, bool *hashed_r)
{
	struct auth_claim claim;
	enum auth_rc rc = auth_begin(auth, field, &claim, now_us);
	bool fine = rc == AUTH_ACCEPTED;

	*hashed_r = rc == AUTH_HASH;
	if (rc == AUTH_HASH) {
		auth_check(&claim);
		fine = auth_settle(auth, &claim, now_us);
	}
	auth_forget(&claim);
	return (fine);
}

static bool
login(struct auth *auth, const char *text, bool *hashed_r)
{
	char out[1024];

	return (gets_in(auth, basic(out, text, strlen(text)), 0, hashed_r));
}

static void
test_fields(void **state)
{
	static const struct {
		struct span field;
		bool given;
		const char *why;
	} rows[] = {
		{ SPAN("Basic am9lOm9wZW4gc2VzYW1l"), true, "joe:open sesame" },
		{ SPAN("bASIC  am9lOm9wZW4gc2VzYW1l"), true, "case, two blanks" },
		{ SPAN("Basic am9lOg=="), true, "no password, two of padding" },
		{ SPAN("Basic am9lOjE="), true, "one of padding" },
		{ SPAN_NONE, false, "absent" },
		{ SPAN(""), false, "empty" },
		{ SPAN("Basic"), false, "scheme alone" },
		{ SPAN("Basic "), false, "scheme and a blank" },
		{ SPAN("Basicam9lOg=="), false, "no blank" },
		{ SPAN("Bearer am9lOg=="), false, "another scheme" },
		{ SPAN("Basic am9lOg"), false, "no padding" },
		{ SPAN("Basic am9lOg="), false, "half a padding" },
		{ SPAN("Basic am9lOg==="), false, "too much padding" },
		{ SPAN("Basic am9lOh=="), false, "bits left over" },
		{ SPAN("Basic am9lOjF="), false, "bits left over" },
		{ SPAN("Basic ===="), false, "padding alone" },
		{ SPAN("Basic am9l=g=="), false, "padding within" },
		{ SPAN("Basic am9l Og=="), false, "blank within" },
		{ SPAN("Basic am9lOg==, x"), false, "a tail" },
		{ SPAN("Basic am9l-_=="), false, "the other alphabet" },
		{ SPAN("Basic am9l"), false, "no colon" },
		{ SPAN("Basic Om9wZW4="), false, "no user" },
		{ SPAN("Basic am8AOjE="), false, "NUL in the user" },
		{ SPAN("Basic am9lOgAx"), false, "NUL in the password" },
		{ SPAN("Basic am9lOgox"), false, "newline in the password" },
	};
	char *path = write_file("joe:" BCRYPT_Y "\n"), long_text[512], out[1024];
	struct auth *auth = make(path);
	struct auth_claim claim;
	enum auth_rc rc;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		rc = auth_begin(auth, rows[i].field, &claim, 0);
		if (claim.given != rows[i].given ||
		    rc != (rows[i].given ? AUTH_HASH : AUTH_REFUSED))
			fail_msg("%s", rows[i].why);
		if (rows[i].given)
			assert_string_equal(claim.user, "joe");
	}
	memset(long_text, 'x', sizeof(long_text));
	long_text[AUTH_USER_MAX] = ':';
	i = AUTH_USER_MAX + 1 + AUTH_PASSWORD_MAX;
	rc = auth_begin(auth, basic(out, long_text, i), &claim, 0);
	assert_int_equal(rc, AUTH_HASH);
	assert_int_equal(strlen(claim.user), AUTH_USER_MAX);
	assert_int_equal(strlen(claim.password), AUTH_PASSWORD_MAX);
	rc = auth_begin(auth, basic(out, long_text, i + 1), &claim, 0);
	assert_int_equal(rc, AUTH_REFUSED);
	rc = auth_begin(auth, basic(out, long_text + 1, i), &claim, 0);
	assert_int_equal(rc, AUTH_REFUSED);
	rc = auth_begin(auth, basic(out, long_text + 1, i - 1), &claim, 0);
	assert_int_equal(rc, AUTH_HASH);
	long_text[AUTH_USER_MAX] = 'x';
	long_text[AUTH_USER_MAX + 1] = ':';
	rc = auth_begin(auth, basic(out, long_text, i), &claim, 0);
	assert_int_equal(rc, AUTH_REFUSED);
	auth_forget(&claim);
	assert_memory_equal(&claim, &(struct auth_claim){ 0 }, sizeof(claim));
	auth_free(&auth);
	assert_null(auth);
	unlink(path);
	free(path);
}

static void
test_who_gets_in(void **state)
{
	static const struct {
		const char *text;
		bool in;
		const char *why;
	} rows[] = {
		{ "y:open sesame", true, "$2y$" },
		{ "b:open sesame", true, "$2b$" },
		{ "a:open sesame", true, "$2a$" },
		{ "s5:open sesame", true, "$5$" },
		{ "s6:open sesame", true, "$6$" },
		{ "s6r:open sesame", true, "$6$ with rounds" },
		{ "yes:open sesame", true, "$y$" },
		{ "y:open sesam", false, "one short" },
		{ "y:open sesame ", false, "one long" },
		{ "y:Open sesame", false, "case" },
		{ "y:", false, "no password" },
		{ "s5:", false, "no password" },
		{ "yes:x", false, "wrong" },
		{ "Y:open sesame", false, "users have case" },
		{ "nobody:open sesame", false, "another's password" },
		{ "somebody:open sesame", false, "another's password" },
		{ "one more:open sesame", false, "another's password" },
		{ "y:" BCRYPT_Y, false, "the hash is no password" },
	};
	static const char text[] =
	    "y:" BCRYPT_Y "\n"
	    "b:$2b$04$UpXkXO4OOTTwWfFRI5OvbOdq5Mt799oXtdT4Y62qEMbUMShjycx4q\n"
	    "a:$2a$04$UpXkXO4OOTTwWfFRI5OvbOdq5Mt799oXtdT4Y62qEMbUMShjycx4q\n"
	    "s5:$5$Za3/.x$uv0xmF6SmFgPOYr0zAAEedeLgwrsKwiYIxRw2ZhPdF.\n"
	    "s6:$6$saltsaltsaltsalt$bFDPCeim1lAoNHIVuV/"
	    "pMLnUrlFnTeup0Y2rY3Qzhrpc5jt4juzyyDqJOnx7GDYBMXDgBtUoroCXtDWBR9jZX.\n"
	    "s6r:$6$rounds=1234$s$0/gKjcsf/"
	    "03zbHJNPtnqu5Sj97fo5DsEmEoxpDkLcEJBERo0L8ytOY2rwTfpOteW9isfRCAxS2n2AzadJDT."
	    "S/\n"
	    "yes:$y$j75$4hB3b9Rvbq/"
	    "KhCi1Zpis70$cg56OHIByv9mxqCvQINNdHkuutw80A7q6QwZ.mvCNKC\n";
	char *path = write_file(text);
	struct auth *auth = make(path);
	bool hashed;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		if (login(auth, rows[i].text, &hashed) != rows[i].in)
			fail_msg("%s: %s", rows[i].text, rows[i].why);
		if (!hashed)
			fail_msg("%s was not hashed", rows[i].text);
	}
	auth_free(&auth);
	unlink(path);
	free(path);
}

static void
test_nobody_gets_into_an_empty_file(void **state)
{
	char *path = write_file("# none\n");
	struct auth *auth = make(path);
	bool hashed;

	(void)state;
	assert_false(login(auth, "joe:", &hashed));
	assert_false(hashed);
	auth_free(&auth);
	unlink(path);
	free(path);
}

static void
test_remembered_for_a_minute(void **state)
{
	char *path = write_file("joe:" BCRYPT_Y "\n"), right[1024], wrong[1024];
	const struct span good = basic(right, "joe:open sesame", 15);
	const struct span bad = basic(wrong, "joe:open barley", 15);
	struct auth *auth = make(path);
	struct auth_claim claim;
	bool hashed;
	char text[32];
	int i, n;

	(void)state;
	assert_true(gets_in(auth, good, 5, &hashed) && hashed);
	assert_true(gets_in(auth, good, 6, &hashed) && !hashed);
	assert_true(gets_in(auth, good, 59 * CLOCK_SECOND, &hashed) && !hashed);
	assert_true(gets_in(auth, good, 5 + 60 * CLOCK_SECOND, &hashed) && hashed);
	assert_false(gets_in(auth, bad, 5, &hashed));
	assert_true(hashed);
	assert_false(gets_in(auth, bad, 6, &hashed));
	assert_false(hashed);
	assert_false(gets_in(auth, bad, 61 * CLOCK_SECOND, &hashed));
	assert_true(hashed);
	/* guesses don't push out what is right */
	assert_true(gets_in(auth, good, 200 * CLOCK_SECOND, &hashed) && hashed);
	for (i = 0; i < 4000; i++) {
		char out[1024];

		n = snprintf(text, sizeof(text), "joe:%d", i);
		assert_int_equal(auth_begin(auth, basic(out, text, (size_t)n), &claim,
				     200 * CLOCK_SECOND),
		    AUTH_HASH);
		claim.hashed = true; /* as auth_check would find */
		assert_false(auth_settle(auth, &claim, 200 * CLOCK_SECOND));
	}
	assert_true(gets_in(auth, good, 201 * CLOCK_SECOND, &hashed) && !hashed);
	/* what could not be worked out is not remembered */
	assert_int_equal(auth_begin(auth, bad, &claim, 900 * CLOCK_SECOND), AUTH_HASH);
	snprintf(claim.hash, sizeof(claim.hash), "%s", "*0");
	auth_check(&claim);
	assert_false(auth_settle(auth, &claim, 900 * CLOCK_SECOND));
	assert_int_equal(auth_begin(auth, bad, &claim, 900 * CLOCK_SECOND), AUTH_HASH);
	auth_free(&auth);
	unlink(path);
	free(path);
}

/* A file that was replaced is taken up at the second look: the first may have come
 * while it was written. */
static void
replace(struct auth *auth, const char *path, const char *text)
{
	char *other = write_file(text);
	int i;

	assert_int_equal(rename(other, path), 0);
	free(other);
	for (i = 0; i < 3; i++)
		watched_poll(auth_watched(auth));
	watched_settle(auth_watched(auth));
}

static void
test_a_new_file_forgets(void **state)
{
	char *path = write_file("joe:" BCRYPT_Y "\nann:" BCRYPT_Y "\n");
	struct auth *auth = make(path);
	struct watched_state st;
	bool hashed;

	(void)state;
	assert_true(login(auth, "joe:open sesame", &hashed));
	assert_true(login(auth, "ann:open sesame", &hashed));
	assert_false(login(auth, "jim:open sesame", &hashed));
	replace(auth, path, "ann:" BCRYPT_Y "\njim:" BCRYPT_Y "\n");
	assert_false(login(auth, "joe:open sesame", &hashed));
	assert_true(login(auth, "jim:open sesame", &hashed));
	assert_true(login(auth, "ann:open sesame", &hashed) && hashed);
	replace(auth, path, "ann:" BCRYPT_Y "\njoe:plain\n");
	watched_state(auth_watched(auth), &st);
	assert_true(st.stale);
	assert_non_null(strstr(st.problem, ":2: the hash of user \"joe\" is none"));
	assert_true(login(auth, "ann:open sesame", &hashed) && !hashed);
	assert_true(login(auth, "jim:open sesame", &hashed) && !hashed);
	auth_free(&auth);
	unlink(path);
	free(path);
}

#define THREADS 4

struct visitor {
	pthread_t thread;
	struct auth *auth;
	_Atomic(bool) *stop;
	unsigned let_in;
};

/* Comes back again and again; what hashing would find is known. */
static void *
visit(void *data)
{
	struct visitor *visitor = data;
	char right[1024], wrong[1024], text[32];
	const struct span good = basic(right, "joe:open sesame", 15);
	struct auth_claim claim;
	enum auth_rc rc;
	unsigned i;
	int n;

	for (i = 0; i < 1000 || !atomic_load(visitor->stop); i++) {
		rc = auth_begin(visitor->auth, good, &claim, i);
		if (rc == AUTH_HASH) {
			claim.hashed = claim.accepted = true;
			rc = auth_settle(visitor->auth, &claim, i) ? AUTH_ACCEPTED
								   : AUTH_REFUSED;
		}
		visitor->let_in += rc == AUTH_ACCEPTED;
		n = snprintf(text, sizeof(text), "joe:%u", i);
		rc = auth_begin(visitor->auth, basic(wrong, text, (size_t)n), &claim, i);
		claim.hashed = true;
		if (rc == AUTH_HASH && auth_settle(visitor->auth, &claim, i))
			abort();
	}
	visitor->let_in = visitor->let_in == i;
	return (NULL);
}

static void
test_threads(void **state)
{
	char *path = write_file("joe:" BCRYPT_Y "\n"), *other;
	struct visitor visitors[THREADS] = { 0 };
	struct auth *auth = make(path);
	_Atomic(bool) stop = false;
	size_t i;

	(void)state;
	for (i = 0; i < THREADS; i++) {
		visitors[i].auth = auth;
		visitors[i].stop = &stop;
		assert_int_equal(
		    pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]), 0);
	}
	for (i = 0; i < 20; i++) {
		other = write_file("ann:" BCRYPT_Y "\njoe:" BCRYPT_Y "\n");
		assert_int_equal(rename(other, path), 0);
		free(other);
		watched_poll(auth_watched(auth));
		watched_poll(auth_watched(auth));
	}
	assert_true(watched_version(auth_watched(auth)) > 10);
	atomic_store(&stop, true);
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(visitors[i].thread, NULL), 0);
		assert_int_equal(visitors[i].let_in, 1);
	}
	watched_settle(auth_watched(auth));
	auth_free(&auth);
	unlink(path);
	free(path);
}

/* The output of a command, "" when there is no such command. */
static void
run(const char *command, char *out, size_t size)
{
	FILE *pipe = popen(command, "r");
	size_t n;

	assert_non_null(pipe);
	n = fread(out, 1, size - 1, pipe);
	out[n] = '\0';
	if (pclose(pipe) != 0)
		out[0] = '\0';
}

static void
test_files_of_the_usual_tools(void **state)
{
	static const struct {
		const char *command, *user;
	} rows[] = {
		{ "htpasswd -nbB -C 4 joe 'p:\xc3\xa4ss' 2>/dev/null", "" },
		{ "htpasswd -nb5 joe 'p:\xc3\xa4ss' 2>/dev/null", "" },
		{ "htpasswd -nb2 -r 1000 joe 'p:\xc3\xa4ss' 2>/dev/null", "" },
		{ "openssl passwd -5 'p:\xc3\xa4ss' 2>/dev/null", "joe:" },
		{ "openssl passwd -6 'p:\xc3\xa4ss' 2>/dev/null", "joe:" },
		{ "openssl passwd -6 -salt ab.c/EFG 'p:\xc3\xa4ss' 2>/dev/null", "joe:" },
	};
	char out[1024], text[2048], *path;
	struct auth *auth;
	bool hashed;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		run(rows[i].command, out, sizeof(out));
		if (out[0] == '\0')
			continue;
		snprintf(text, sizeof(text), "%s%s", rows[i].user, out);
		path = write_file(text);
		auth = make(path);
		if (!login(auth, "joe:p:\xc3\xa4ss", &hashed))
			fail_msg("%s", rows[i].command);
		if (login(auth, "joe:p:ass", &hashed))
			fail_msg("%s", rows[i].command);
		auth_free(&auth);
		unlink(path);
		free(path);
	}
}

static int64_t
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (t.tv_sec * CLOCK_SECOND + t.tv_nsec / 1000);
}

/* A user who does not exist takes as long as one who does. */
static void
test_time_tells_nothing(void **state)
{
	char *path = write_file("joe:" BCRYPT_8 "\n"), out[1024], text[32];
	struct auth *auth = make(path);
	int64_t known = INT64_MAX, unknown = INT64_MAX, start, took;
	bool hashed;
	int i, n;

	(void)state;
	for (i = 0; i < 10; i++) {
		n = snprintf(text, sizeof(text), "%s:%d", i & 1 ? "joe" : "jim", i);
		start = cpu_us();
		assert_false(gets_in(auth, basic(out, text, (size_t)n), i, &hashed));
		took = cpu_us() - start;
		assert_true(hashed);
		if (i & 1)
			known = took < known ? took : known;
		else
			unknown = took < unknown ? took : unknown;
	}
	assert_true(known < 2 * unknown && unknown < 2 * known);
	auth_free(&auth);
	unlink(path);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_finding_users),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_who_gets_in),
		cmocka_unit_test(test_nobody_gets_into_an_empty_file),
		cmocka_unit_test(test_remembered_for_a_minute),
		cmocka_unit_test(test_a_new_file_forgets),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_files_of_the_usual_tools),
		cmocka_unit_test(test_time_tells_nothing),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
