/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/redis_lab.h - real redis-servers for tests: each in a process of its
 * own, with a unix socket and, if wanted, a port, in a folder that goes with the
 * lab. They die with the test. What goes wrong here fails the test. */
#ifndef YETT_REDIS_LAB_H
#define YETT_REDIS_LAB_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "gateway/conf/conf.h"

struct redis_lab;
struct redis_server {
	struct redis_lab *lab;
	pid_t pid;		/* 0: not running */
	bool sentinel;
	uint16_t port;		/* plain or TLS; 0: none */
	char socket[100];
	char folder[100];
	const char *password;	/* of the lab's own questions; NULL: none */
	char **argv;
};

/* Ends the program with 77 (skipped), saying so, where there is no redis-server.
 * The first thing in main. */
void redis_lab_or_skip(void);

struct redis_lab *redis_lab_new(void);
/* Ends all servers and removes the folder. NULLs the pointer. */
void redis_lab_free(struct redis_lab **);
const char *redis_lab_folder(const struct redis_lab *);

/* Starts a server that saves nothing, on a unix socket only, and waits until it
 * answers. `options`: NULL-terminated words for its command line, or NULL. The
 * server belongs to the lab. */
struct redis_server *redis_lab_start(struct redis_lab *, const char *const *options);
/* Also on a free port of 127.0.0.1; with `tls` it speaks TLS there (the options
 * then name the certificate). */
struct redis_server *redis_lab_start_port(
    struct redis_lab *, bool tls, const char *const *options);
/* A Sentinel that watches `master` (which has a port) as "yard": decides alone,
 * down after 300 ms. The options may give it a TLS port, too. */
struct redis_server *redis_lab_start_sentinel(
    struct redis_lab *, const struct redis_server *master, const char *const *options);
/* `n` masters with all slots between them, in `servers`; none has a replica. With
 * `tls`, the options of the certificate, they speak TLS. */
void redis_lab_start_cluster(struct redis_lab *, struct redis_server **servers,
    unsigned n, const char *const *tls);

void redis_lab_kill(struct redis_server *);	/* SIGKILL, and waits */
void redis_lab_restart(struct redis_server *);	/* as it was started; empty */
void redis_lab_freeze(struct redis_server *);	/* SIGSTOP */
void redis_lab_thaw(struct redis_server *);	/* SIGCONT */

/* A command, over the unix socket, waiting for the answer: printf's format, words
 * separated by spaces. The answer as text: "OK", "5", "(nil)", an error's text; the
 * items of an array one in a line. The caller frees it. */
char *redis_lab_ask(struct redis_server *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, but NULL when the connection breaks, as it may while the server is given
 * another part. */
char *redis_lab_try(struct redis_server *, const char *command);
/* Fails the test when the answer is another. */
void redis_lab_expect(struct redis_server *, const char *answer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The configuration of one server over its unix socket; no string in it is NULL. */
void redis_lab_conf(struct conf_redis *, const struct redis_server *);

/* A file in the lab's folder; returns its path, which the lab frees. */
const char *redis_lab_file(struct redis_lab *, const char *name, const char *text);
/* A port nobody has, until somebody takes it. */
uint16_t redis_lab_port(void);

#endif
