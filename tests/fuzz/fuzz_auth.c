/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords: the first line is an Authorization field, the rest a password file.
 * Whatever they are: what is taken of the field is what it says, users are found
 * as a search line by line finds them, hashes that are let through are cheap
 * enough. Nothing is hashed. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/access/auth.h"
#include "gateway/access/htpasswd.h"
#include "gateway/base/log.h"
#include "gateway/base/utf8.h"

/* The hash of the user as the file has it; absent: none. */
static struct span
plain_find(struct span text, struct span user)
{
	struct span rest = text, line, name = SPAN_NONE, hash = SPAN_NONE;

	if (span_starts(rest, SPAN("\xef\xbb\xbf")))
		rest = span_cut(rest, 3, rest.n);
	while (span_split(&rest, '\n', &line)) {
		if (span_ends(line, SPAN("\r")))
			line.n--;
		line = span_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		CHECK(span_split(&line, ':', &name) && span_split(&line, ':', &hash));
		if (span_eq(name, user))
			return (hash);
	}
	return (SPAN_NONE);
}

static void
check_costs(struct span hash)
{
	char text[256];
	unsigned long rounds;
	char *at;

	CHECK(hash.n < sizeof(text) && htpasswd_fault(hash) == NULL);
	memcpy(text, hash.p, hash.n);
	text[hash.n] = '\0';
	CHECK(strlen(text) == hash.n);
	if (strncmp(text, "$2", 2) == 0)
		CHECK(strtoul(text + 4, NULL, 10) <= 14);
	else if (strncmp(text, "$y$", 3) == 0)
		CHECK(text[3] == 'j' && text[4] <= 'B');
	else {
		CHECK(strncmp(text, "$5$", 3) == 0 || strncmp(text, "$6$", 3) == 0);
		at = strstr(text, "rounds=");
		rounds = at != NULL ? strtoul(at + 7, NULL, 10) : 5000;
		CHECK(rounds <= 1000000);
	}
}

static size_t
encode(char *out, const char *user, const char *password)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char in[AUTH_USER_MAX + AUTH_PASSWORD_MAX + 4] = { 0 };
	size_t i, n = 0, size;

	size = (size_t)snprintf((char *)in, sizeof(in), "%s:%s", user, password);
	for (i = 0; i < size; i += 3) {
		out[n++] = digits[in[i] >> 2];
		out[n++] = digits[(in[i] << 4 & 0x30) | in[i + 1] >> 4];
		out[n++] =
		    i + 1 < size ? digits[(in[i + 1] << 2 & 0x3c) | in[i + 2] >> 6] : '=';
		out[n++] = i + 2 < size ? digits[in[i + 2] & 0x3f] : '=';
	}
	return (n);
}

static void
check_field(struct auth *auth, struct span field, struct span file)
{
	char again[(AUTH_USER_MAX + AUTH_PASSWORD_MAX) * 2];
	struct auth_claim claim;
	enum auth_rc rc;
	struct span hash;
	size_t n;

	rc = auth_begin(auth, field, &claim, 0);
	CHECK(rc != AUTH_ACCEPTED && (rc == AUTH_REFUSED || claim.given));
	if (claim.given) {
		n = encode(again, claim.user, claim.password);
		CHECK(claim.user[0] != '\0' && strchr(claim.user, ':') == NULL);
		CHECK(span_eq(span_mem(again, n),
		    span_trim(span_cut(field, sizeof("Basic"), field.n))));
		hash = plain_find(file, span_of(claim.user));
		CHECK(claim.known == (hash.p != NULL));
		CHECK(!claim.known || span_eq(hash, span_of(claim.hash)));
	}
	if (rc == AUTH_HASH) {
		check_costs(span_of(claim.hash));
		claim.hashed = true;
		claim.accepted = claim.known;
		CHECK(auth_settle(auth, &claim, 0) == claim.known);
		rc = claim.known ? AUTH_ACCEPTED : AUTH_REFUSED;
		CHECK(auth_begin(auth, field, &claim, 1) == rc);
		CHECK(claim.accepted == (rc == AUTH_ACCEPTED));
	}
	auth_forget(&claim);
}

static void
check_file(struct span text)
{
	struct htpasswd *file;
	struct err e;

	if (htpasswd_parse(&file, "file", text, &e) == ERR_OK) {
		if (htpasswd_count(file) > 0)
			check_costs(htpasswd_any(file, text.n));
		htpasswd_free(&file);
	} else {
		CHECK(strncmp(e.text, "file:", 5) == 0);
		CHECK(utf8_is_valid(span_of(e.text)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(span_mem(data, size)), path[64];
	struct span field = SPAN_NONE, rest = span_mem(copy, size);
	struct auth *auth;
	int fd;

	log_set_level(LOG_LEVEL_ERROR);
	span_split(&rest, '\n', &field);
	check_file(rest);
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	CHECK(fd >= 0 &&
	      write(fd, rest.p != NULL ? rest.p : "", rest.n) == (ssize_t)rest.n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (auth_new(&auth, path, NULL) == ERR_OK) {
		check_field(auth, field, rest);
		auth_free(&auth);
	}
	close(fd);
	free(copy);
	return (0);
}
