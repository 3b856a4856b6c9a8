/* SPDX-License-Identifier: Apache-2.0 */
/* A Redis service: what its connections share. */
#include "config.h"

#include "gateway/redis/service.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Of causes that alternate, and of a service that comes and goes, not all is told. */
#define TELL_OTHER_US (10 * CLOCK_SECOND)
#define TELL_AGAIN_US CLOCK_SECOND

static enum err_code
read_all(int fd, char *to, size_t size, size_t *n_r, struct err *e)
{
	ssize_t got;

	*n_r = 0;
	while (*n_r < size) {
		got = read(fd, to + *n_r, size - *n_r);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return (err_errno(e, "cannot read"));
		if (got == 0)
			return (ERR_OK);
		*n_r += (size_t)got;
	}
	return (err_set(e, ERR_RANGE, "longer than %d bytes", REDIS_SECRET_MAX));
}

/* The file's only line. "" is no file. */
static enum err_code
read_secret(char **secret_r, const char *path, struct err *e)
{
	char bytes[REDIS_SECRET_MAX + 2];
	enum err_code code;
	size_t n = 0;
	int fd;

	*secret_r = NULL;
	if (path[0] == '\0')
		return (ERR_OK);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return (err_errno(e, "%s: cannot open", path));
	code = read_all(fd, bytes, sizeof(bytes), &n, e);
	(void)close(fd);
	if (code == ERR_OK) {
		if (n > 0 && bytes[n - 1] == '\n')
			n--;
		if (n > 0 && bytes[n - 1] == '\r')
			n--;
		if (n == 0 || memchr(bytes, '\0', n) != NULL ||
		    memchr(bytes, '\n', n) != NULL)
			code = err_set(e, ERR_FORMAT, "not one line with a password");
		else
			*secret_r = span_strdup(span_mem(bytes, n));
	}
	explicit_bzero(bytes, sizeof(bytes));
	return (code == ERR_OK ? ERR_OK : err_wrap(e, "%s", path));
}

static void
forget_secret(char **secret)
{
	if (*secret != NULL)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

static enum err_code
service_fill(struct redis_service *service, const struct conf_redis *cf, struct err *e)
{
	struct tls_client_options options = { .ca = cf->ca,
		.verify = cf->verify,
		.no_alpn = true,
		.files = { cf->certificate, cf->key, "" } };
	enum err_code code;

	service->server.username = cf->username;
	service->server.must_be_master = cf->kind == CONF_REDIS_SENTINEL;
	if (cf->kind != CONF_REDIS_CLUSTER) /* a cluster has but one */
		service->server.database = cf->database;
	service->sentinel.username = "";
	if (strlen(cf->username) > REDIS_SECRET_MAX)
		return (err_set(e, ERR_RANGE, "the username is longer than %d bytes",
		    REDIS_SECRET_MAX));
	code = read_secret(&service->server.password, cf->password_file, e);
	if (code == ERR_OK && cf->kind == CONF_REDIS_SENTINEL)
		code = read_secret(
		    &service->sentinel.password, cf->sentinel_password_file, e);
	if (code == ERR_OK && cf->tls)
		code = tls_client_new(&service->tls, &options, e);
	return (code);
}

enum err_code
redis_service_new(
    struct redis_service **service_r, const struct conf_redis *cf, struct err *e)
{
	struct redis_service *service = mem_zalloc(sizeof(*service));
	enum err_code code;

	service->magic = REDIS_SERVICE_MAGIC;
	atomic_init(&service->references, 1);
	service->conf = cf;
	atomic_init(&service->told, NULL);
	atomic_init(&service->told_us, -TELL_OTHER_US);
	code = service_fill(service, cf, e);
	if (code == ERR_OK && cf->n_hosts == 0 && cf->unix_path[0] == '\0')
		code = err_set(e, ERR_MISSING, "no server is named");
	if (code != ERR_OK) {
		redis_service_free(&service);
		(void)err_wrap(e, "redis");
	}
	*service_r = service;
	return (code);
}

struct redis_service *
redis_service_ref(struct redis_service *service)
{
	CHECK_OBJ(service, REDIS_SERVICE_MAGIC);
	(void)atomic_fetch_add_explicit(&service->references, 1, memory_order_relaxed);
	return (service);
}

void
redis_service_free(struct redis_service **service_p)
{
	struct redis_service *service = *service_p;

	*service_p = NULL;
	if (service == NULL)
		return;
	CHECK_OBJ(service, REDIS_SERVICE_MAGIC);
	if (atomic_fetch_sub_explicit(&service->references, 1, memory_order_acq_rel) != 1)
		return;
	forget_secret(&service->server.password);
	forget_secret(&service->sentinel.password);
	if (service->tls != NULL)
		tls_client_free(&service->tls);
	service->magic = 0;
	free(service);
}

void
service_tell_failure(struct redis_service *service, const char *who, const char *reason)
{
	const char *told = atomic_load(&service->told);
	int64_t since_us = clock_mono_us() - atomic_load(&service->told_us);

	/* What is not told now is not told to be over, either. */
	if (told == reason || since_us < (told != NULL ? TELL_OTHER_US : TELL_AGAIN_US))
		return;
	atomic_store(&service->told_us, clock_mono_us());
	if (atomic_exchange(&service->told, reason) != reason)
		log_warn("redis", "%s: %s", who, reason);
}

void
service_tell_success(struct redis_service *service, const char *who)
{
	if (atomic_exchange(&service->told, NULL) != NULL)
		log_info("redis", "%s: connected again", who);
}
