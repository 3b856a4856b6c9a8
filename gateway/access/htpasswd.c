/* SPDX-License-Identifier: Apache-2.0 */
/* Password files: which hashes are taken, and the users sorted by name. */
#include "config.h"

#include "gateway/access/htpasswd.h"

#include "gateway/access/auth.h"
#include "gateway/access/lines.h"
#include "gateway/base/buf.h"
#include "gateway/base/check.h"
#include "gateway/base/hash.h"
#include "gateway/conf/value.h"

#include <crypt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES ((size_t)4 << 20)
#define BCRYPT_COST_MAX 14
#define SHA_ROUNDS_MAX 1000000
#define SALT_ALPHABET "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define TOO_DEAR "would take seconds to check"
#define BROKEN "is broken or cut short"

struct user {
	struct span name, hash;
	size_t line;
};

#define HTPASSWD_MAGIC 0x47a55d00u
struct htpasswd {
	unsigned magic;
	uint64_t serial;
	char *text; /* that users point into */
	size_t n_text;
	struct user *users; /* sorted by name */
	size_t n, size;
};

static bool
is_of_alphabet(struct span s, size_t least, size_t most)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || strchr(SALT_ALPHABET, s.p[i]) == NULL)
			return (false);
	return (s.n >= least && s.n <= most);
}

/* "05$" and 22 characters of salt, 31 of hash. */
static const char *
bcrypt_fault(struct span rest)
{
	uint64_t cost;

	if (rest.n != 56 || rest.p[2] != '$' || !span_u64(span_cut(rest, 0, 2), &cost) ||
	    cost < 4 || !is_of_alphabet(span_cut(rest, 3, 56), 53, 53))
		return (BROKEN);
	return (cost > BCRYPT_COST_MAX ? TOO_DEAR " (a cost of more than 14)" : NULL);
}

/* "rounds=5000$", which may be left out, then salt and hash. */
static const char *
sha_fault(struct span rest, size_t n_hash)
{
	struct span piece = SPAN_NONE;
	uint64_t rounds = 5000;

	span_split(&rest, '$', &piece);
	if (span_starts(piece, SPAN("rounds="))) {
		piece = span_cut(piece, 7, piece.n);
		if (piece.n == 0 || piece.n > 9 || piece.p[0] == '0' ||
		    !span_u64(piece, &rounds) || rounds < 1000)
			return (BROKEN);
		if (!span_split(&rest, '$', &piece))
			return (BROKEN);
	}
	if (!is_of_alphabet(piece, 1, 16) || !is_of_alphabet(rest, n_hash, n_hash))
		return (BROKEN);
	return (
	    rounds > SHA_ROUNDS_MAX ? TOO_DEAR " (more than 1,000,000 rounds)" : NULL);
}

static const char *
sha256_fault(struct span rest)
{
	return (sha_fault(rest, 43));
}

static const char *
sha512_fault(struct span rest)
{
	return (sha_fault(rest, 86));
}

/* "j9T$": what crypt_gensalt(3) makes for costs of 1 to 7, at most 64 MiB of
 * memory for each thread that checks; then salt and hash. */
static const char *
yescrypt_fault(struct span rest)
{
	struct span cost = SPAN_NONE, salt = SPAN_NONE;

	if (!span_split(&rest, '$', &cost) || !span_split(&rest, '$', &salt) ||
	    !is_of_alphabet(salt, 1, 86) || !is_of_alphabet(rest, 43, 43) ||
	    cost.n != 3 || cost.p[0] != 'j' || (cost.p[2] != '5' && cost.p[2] != 'T') ||
	    !is_of_alphabet(cost, 3, 3) || cost.p[1] < '7')
		return (BROKEN);
	return (cost.p[1] > 'B' ? TOO_DEAR " (a cost of more than 7)" : NULL);
}

const char *
htpasswd_fault(struct span hash)
{
	static const struct {
		const char *prefix;
		const char *(*fault)(struct span rest);
		const char *refusal; /* of all of the kind */
	} kinds[] = {
		{ "$2y$", bcrypt_fault, NULL },
		{ "$2b$", bcrypt_fault, NULL },
		{ "$2a$", bcrypt_fault, NULL },
		{ "$5$", sha256_fault, NULL },
		{ "$6$", sha512_fault, NULL },
		{ "$y$", yescrypt_fault, NULL },
		{ "$apr1$", NULL, "is MD5 (apr1), which is guessed too fast" },
		{ "$1$", NULL, "is MD5, which is guessed too fast" },
		{ "{SHA}", NULL, "is SHA-1, which is guessed too fast" },
		{ "{SSHA}", NULL, "is SHA-1, which is guessed too fast" },
		{ "$", NULL, "is of a kind that is not taken" },
	};
	char text[sizeof(((struct auth_claim *)NULL)->hash)];
	const char *fault;
	int salt;
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (span_starts(hash, span_of(kinds[i].prefix)))
			break;
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return (is_of_alphabet(hash, 13, 13)
			    ? "is DES crypt, which is guessed too fast"
			    : "is none: the password itself, or another kind");
	if (kinds[i].refusal != NULL)
		return (kinds[i].refusal);
	fault = kinds[i].fault(span_cut(hash, strlen(kinds[i].prefix), hash.n));
	if (fault != NULL)
		return (fault);
	CHECK(hash.n < sizeof(text)); /* what the kinds above allow is shorter */
	memcpy(text, hash.p, hash.n);
	text[hash.n] = '\0';
	salt = crypt_checksalt(text);
	if (salt == CRYPT_SALT_INVALID || salt == CRYPT_SALT_METHOD_DISABLED)
		return ("is of a kind that this system's libcrypt does not take");
	return (NULL);
}

static int
compare_names(struct span a, struct span b)
{
	const size_t n = a.n < b.n ? a.n : b.n;
	const int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return (order != 0 ? order : (a.n > b.n) - (a.n < b.n));
}

/* Users of one name stay in the order of the file. */
static int
order_users(const void *a, const void *b)
{
	const struct user *x = a, *y = b;
	const int order = compare_names(x->name, y->name);

	return (order != 0 ? order : (x->line > y->line) - (x->line < y->line));
}

static bool
is_name(struct span name)
{
	size_t i;

	for (i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
			return (false);
	return (name.n > 0 && name.n <= AUTH_USER_MAX);
}

/* What is on the line is not shown, be it wrong or not: it may be a password. */
static enum err_code
add_user(struct htpasswd *file, struct span line, size_t number, struct err *e)
{
	struct user user = { .line = number };
	const char *fault;
	struct text quoted;
	struct span rest = line;

	span_split(&rest, ':', &user.name);
	if (rest.p == NULL || !is_name(user.name))
		return (err_set(e, ERR_FORMAT,
		    "not USER:HASH with a user of 1 to %d characters; made by: "
		    "htpasswd -B FILE USER",
		    AUTH_USER_MAX));
	span_split(&rest, ':', &user.hash);
	fault = htpasswd_fault(user.hash);
	if (fault != NULL) {
		text_init(&quoted, 1024);
		value_quote(user.name, &quoted);
		err_set(e, ERR_UNSUPPORTED,
		    "the hash of user %.*s %s; taken are bcrypt, SHA-256, SHA-512 and "
		    "yescrypt; make it anew with: htpasswd -B FILE USER",
		    SPAN_FMT(text_span(&quoted)), fault);
		text_free(&quoted);
		return (ERR_UNSUPPORTED);
	}
	if (file->n == file->size) {
		file->size = file->size != 0 ? 2 * file->size : 16;
		file->users = mem_realloc(file->users, file->size * sizeof(*file->users));
	}
	file->users[file->n++] = user;
	return (ERR_OK);
}

static enum err_code
sort_users(struct htpasswd *file, const char *name, struct err *e)
{
	const struct user *v = file->users;
	struct text quoted;
	size_t i;

	if (file->n == 0)
		return (ERR_OK);
	qsort(file->users, file->n, sizeof(*file->users), order_users);
	for (i = 1; i < file->n; i++)
		if (span_eq(v[i - 1].name, v[i].name)) {
			text_init(&quoted, 1024);
			value_quote(v[i].name, &quoted);
			err_set(e, ERR_CONFLICT,
			    "%s:%zu: user %.*s is on line %zu already", name, v[i].line,
			    SPAN_FMT(text_span(&quoted)), v[i - 1].line);
			text_free(&quoted);
			return (ERR_CONFLICT);
		}
	return (ERR_OK);
}

enum err_code
htpasswd_parse(
    struct htpasswd **file_r, const char *name, struct span text, struct err *e)
{
	struct htpasswd *file = mem_zalloc(sizeof(*file));
	enum err_code rc = ERR_OK;
	struct lines lines;
	struct span line;

	file->magic = HTPASSWD_MAGIC;
	random_bytes(&file->serial, sizeof(file->serial));
	file->text = span_strdup(text);
	file->n_text = text.n;
	lines_begin(&lines, span_mem(file->text, file->n_text));
	while (rc == ERR_OK && lines_next(&lines, &line)) {
		rc = add_user(file, line, lines.number, e);
		if (rc != ERR_OK)
			err_wrap(e, "%s:%zu", name, lines.number);
	}
	if (rc == ERR_OK)
		rc = sort_users(file, name, e);
	if (rc != ERR_OK)
		htpasswd_free(&file);
	*file_r = file;
	return (rc);
}

void
htpasswd_free(struct htpasswd **file_p)
{
	struct htpasswd *file = *file_p;

	*file_p = NULL;
	if (file == NULL)
		return;
	CHECK_OBJ(file, HTPASSWD_MAGIC);
	file->magic = 0;
	explicit_bzero(file->text, file->n_text);
	free(file->text);
	free(file->users);
	free(file);
}

size_t
htpasswd_count(const struct htpasswd *file)
{
	CHECK_OBJ(file, HTPASSWD_MAGIC);
	return (file->n);
}

uint64_t
htpasswd_serial(const struct htpasswd *file)
{
	CHECK_OBJ(file, HTPASSWD_MAGIC);
	return (file->serial);
}

struct span
htpasswd_find(const struct htpasswd *file, struct span user)
{
	size_t low = 0, n, middle;
	int order;

	CHECK_OBJ(file, HTPASSWD_MAGIC);
	n = file->n;
	while (low < n) {
		middle = low + (n - low) / 2;
		order = compare_names(file->users[middle].name, user);
		if (order == 0)
			return (file->users[middle].hash);
		if (order < 0)
			low = middle + 1;
		else
			n = middle;
	}
	return (SPAN_NONE);
}

struct span
htpasswd_any(const struct htpasswd *file, uint64_t choice)
{
	CHECK_OBJ(file, HTPASSWD_MAGIC);
	return (file->n > 0 ? file->users[choice % file->n].hash : SPAN_NONE);
}

static enum err_code
load_object(void **object_r, const char *path, void *data, struct err *e)
{
	struct htpasswd *parsed;
	struct lines_file file;
	enum err_code rc;

	(void)data;
	*object_r = NULL;
	rc = lines_read(&file, path, FILE_MAX_BYTES, e);
	if (rc != ERR_OK)
		return (rc);
	rc = htpasswd_parse(&parsed, path, span_mem(file.bytes, file.n), e);
	explicit_bzero(file.bytes, file.n);
	free(file.bytes);
	*object_r = parsed;
	return (rc);
}

static void
free_object(void *object)
{
	struct htpasswd *file;

	CAST_OBJ(file, object, HTPASSWD_MAGIC);
	htpasswd_free(&file);
}

static void
describe_object(const void *object, char *out, size_t size)
{
	const struct htpasswd *file;

	CAST_OBJ(file, object, HTPASSWD_MAGIC);
	snprintf(out, size, "users: %zu", file->n);
}

const struct watched_ops htpasswd_watched = {
	.area = "auth",
	.load = load_object,
	.free = free_object,
	.describe = describe_object,
};
