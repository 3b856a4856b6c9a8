/* SPDX-License-Identifier: Apache-2.0 */
/* Error texts, files and defaults that servers and clients share. */
#include "config.h"

#include "gateway/tls/internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/check.h"

#define FILE_MAX (1024 * 1024)

/* For TLS 1.2 the cipher suites with forward secrecy and authenticated
 * encryption only, AES-128 first as every browser has it; those of TLS 1.3 are
 * all sound. */
#define CIPHERS_1_2                                                  \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_1_3 \
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"

const char *
tls_reason(void)
{
	unsigned long code = ERR_peek_error();
	const char *text;

	if (ERR_SYSTEM_ERROR(code))
		text = strerrordesc_np(ERR_GET_REASON(code));
	else
		text = ERR_reason_error_string(code);
	return (text != NULL ? text : "no reason given");
}

enum err_code
tls_err(struct err *e, enum err_code code, const char *path, const char *what)
{
	(void)err_set(e, code, "%s: %s: %s", path, what, tls_reason());
	ERR_clear_error();
	return (code);
}

int
tls_no_passphrase(char *buf, int size, int writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)writing;
	if (asked != NULL)
		*(bool *)asked = true;
	return (-1);
}

bool
tls_is_end_of_pem(void)
{
	unsigned long code = ERR_peek_last_error();

	return (ERR_GET_LIB(code) == ERR_LIB_PEM &&
		ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
}

/* Reads what `fd` has, one byte more than allowed at most. */
static bool
read_all(int fd, struct tls_file *file)
{
	ssize_t n;

	while (file->n <= FILE_MAX) {
		n = read(fd, file->bytes + file->n, FILE_MAX + 1 - file->n);
		if (n == 0)
			return (true);
		if (n < 0 && errno != EINTR)
			return (false);
		if (n > 0)
			file->n += (size_t)n;
	}
	return (true);
}

enum err_code
tls_file_read(struct tls_file *file, const char *path, struct err *e)
{
	enum err_code code = ERR_OK;
	struct stat st;
	int fd;

	memset(file, 0, sizeof(*file));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return (err_errno(e, "%s: cannot open", path));
	file->bytes = mem_alloc(FILE_MAX + 1);
	if (fstat(fd, &st) != 0 || !read_all(fd, file))
		code = err_errno(e, "%s: cannot read", path);
	else if (file->n > FILE_MAX)
		code = err_set(e, ERR_RANGE, "%s: larger than 1 MiB", path);
	else
		file->world_readable = (st.st_mode & S_IROTH) != 0;
	close(fd);
	if (code != ERR_OK)
		tls_file_free(file);
	return (code);
}

void
tls_file_free(struct tls_file *file)
{
	if (file->bytes != NULL)
		OPENSSL_cleanse(file->bytes, file->n);
	free(file->bytes);
	file->bytes = NULL;
}

const char *
tls_time_text(const ASN1_TIME *at, char out[TLS_TIME_MAX])
{
	BIO *bio;
	int n = 0;

	bio = BIO_new(BIO_s_mem());
	if (bio != NULL && ASN1_TIME_print(bio, at) == 1)
		n = BIO_read(bio, out, TLS_TIME_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
	return (out);
}

void
tls_ctx_defaults(SSL_CTX *ctx)
{
	/* Constants all of them: a failure is a mistake of ours. */
	CHECK(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
	CHECK(SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) == 1);
	CHECK(SSL_CTX_set_ciphersuites(ctx, CIPHERS_1_3) == 1);
	CHECK(SSL_CTX_set1_groups_list(ctx, GROUPS) == 1);
	/* Renegotiation and compression have had attacks and have no use here. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* A connection that waits holds no buffers; writes come from moving
	 * memory, a record at a time. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* One system call for header and body of a record. */
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_max_early_data(ctx, 0);
}
