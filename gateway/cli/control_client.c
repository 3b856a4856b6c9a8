/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the running gateway over its control socket. */
#include "config.h"

#include "gateway/cli/control_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/buf.h"
#include "gateway/base/check.h"
#include "gateway/cli/cli.h"
#include "gateway/conf/conf.h"

#define ANSWER_MAX (64u << 20)
#define WAIT_S 10

/* The path is malloc'd. */
static enum err_code
socket_of_configuration(const char *file, char **path_r, struct err *e)
{
	struct conf_problems problems;
	enum err_code code;
	struct conf *conf;

	code = ERR_OK;
	conf = conf_load(file, &problems);
	if (conf == NULL)
		code = err_set(e, ERR_FORMAT,
		    "%s: cannot be read as a configuration: see yett check -c %s", file,
		    file);
	else if (strcmp(conf->admin.socket, "off") == 0)
		code = err_set(e, ERR_MISSING, "%s: admin.socket is off", file);
	else
		*path_r = mem_strdup(conf->admin.socket);
	conf_problems_free(&problems);
	if (conf != NULL)
		conf_free(&conf);
	return (code);
}

static enum err_code
find_socket(const struct control_target *target, char **path_r, struct err *e)
{
	if (target->socket != NULL) {
		*path_r = mem_strdup(target->socket);
		return (ERR_OK);
	}
	if (target->config != NULL)
		return (socket_of_configuration(target->config, path_r, e));
	if (access(CLI_CONFIG_DEFAULT, R_OK) == 0)
		return (socket_of_configuration(CLI_CONFIG_DEFAULT, path_r, e));
	*path_r = mem_strdup(CONTROL_SOCKET_DEFAULT);
	return (ERR_OK);
}

static enum err_code
dial(const char *path, int *fd_r, struct err *e)
{
	struct timeval wait = { .tv_sec = WAIT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return (err_set(e, ERR_RANGE, "%s: too long for a socket", path));
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return (err_errno(e, "cannot make a socket"));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		err_errno(e, "%s: no gateway there; does it run, and may you", path);
		close(fd);
		return (e->code = ERR_MISSING);
	}
	*fd_r = fd;
	return (ERR_OK);
}

static enum err_code
send_line(int fd, const json_t *question, struct err *e)
{
	enum err_code code;
	size_t n, sent;
	ssize_t rc;
	char *line;

	line = json_dumps(question, JSON_COMPACT);
	CHECK(line != NULL);
	n = strlen(line);
	line[n++] = '\n'; /* in the place of the NUL */
	code = ERR_OK;
	for (sent = 0; sent < n; sent += (size_t)rc) {
		rc = send(fd, line + sent, n - sent, MSG_NOSIGNAL);
		if (rc < 0) {
			code = err_errno(e, "cannot ask the gateway");
			break;
		}
	}
	free(line);
	return (code);
}

static enum err_code
receive_line(int fd, struct text *line, struct err *e)
{
	char piece[16384];
	ssize_t rc;

	while (line->n == 0 || line->p[line->n - 1] != '\n') {
		rc = recv(fd, piece, sizeof(piece), 0);
		if (rc < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return (err_set(
			    e, ERR_IO, "the gateway did not answer in %d s", WAIT_S));
		if (rc < 0)
			return (err_errno(e, "cannot read the gateway's answer"));
		if (rc == 0)
			return (err_set(e, ERR_IO, "the gateway hung up"));
		text_put(line, span_mem(piece, (size_t)rc));
		if (line->overflow)
			return (err_set(e, ERR_FORMAT, "the answer is too long"));
	}
	return (ERR_OK);
}

static enum err_code
read_answer(struct span line, json_t **answer_r, struct err *e)
{
	const char *error;
	json_t *answer;

	answer = json_loadb(line.p, line.n, 0, NULL);
	if (!json_is_object(answer)) {
		json_decref(answer);
		return (err_set(e, ERR_FORMAT, "the answer is not JSON"));
	}
	if (json_is_true(json_object_get(answer, "ok"))) {
		*answer_r = answer;
		return (ERR_OK);
	}
	error = json_string_value(json_object_get(answer, "error"));
	err_set(e, ERR_RANGE, "%s", error != NULL ? error : "refused");
	json_decref(answer);
	return (ERR_RANGE);
}

enum err_code
control_ask(const struct control_target *target, json_t *question, json_t **answer_r,
    struct err *e)
{
	enum err_code code;
	struct text line;
	char *path;
	int fd;

	path = NULL;
	fd = -1;
	text_init(&line, ANSWER_MAX);
	code = find_socket(target, &path, e);
	if (code == ERR_OK)
		code = dial(path, &fd, e);
	if (code == ERR_OK)
		code = send_line(fd, question, e);
	if (code == ERR_OK)
		code = receive_line(fd, &line, e);
	if (code == ERR_OK)
		code = read_answer(text_span(&line), answer_r, e);
	if (fd >= 0)
		close(fd);
	free(path);
	text_free(&line);
	json_decref(question);
	return (code);
}

const char *
control_text(const json_t *object, const char *key)
{
	const char *text;

	text = json_string_value(json_object_get(object, key));
	return (text != NULL ? text : "-");
}

long long
control_number(const json_t *object, const char *key)
{
	return ((long long)json_integer_value(json_object_get(object, key)));
}

int
control_failed(const char *command, const struct err *e)
{
	fprintf(stderr, "yett %s: %s\n", command, e->text);
	return (
	    e->code == ERR_RANGE || e->code == ERR_FORMAT ? CLI_BAD_INPUT : CLI_SYSTEM);
}
