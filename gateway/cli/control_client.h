/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cli/control_client.h - asks the running gateway over its control socket.
 * Waits at most 10 s for each piece of an answer. */
#ifndef YETT_CONTROL_CLIENT_H
#define YETT_CONTROL_CLIENT_H

#include <jansson.h>

#include "gateway/base/err.h"

#define CONTROL_SOCKET_DEFAULT "/run/yett/control.sock"

/* Where the user says the gateway is; NULL: not said. */
struct control_target { const char *socket, *config; };

/* Sends the question (taken over) and reads the answer, the caller's. The socket is
 * the one named, else the one of the configuration named, else that of the usual
 * configuration if there is one, else the usual one. ERR_MISSING: no gateway there;
 * ERR_FORMAT: an answer that is none; ERR_RANGE: the gateway refused, its words. */
enum err_code control_ask(const struct control_target *, json_t *question,
    json_t **answer_r, struct err *);
/* A member of an answer: its text, "-" where it has none; its number, or 0. */
const char *control_text(const json_t *object, const char *key);
long long control_number(const json_t *object, const char *key);
/* Prints the error, returns the exit code that goes with it. */
int control_failed(const char *command, const struct err *);

#endif
