/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/inside.h - what the files that make, lend and keep connections
 * share of one worker thread: choose.c (which server), kept.c (idle connections),
 * queue.c (who waits for room), upstream.c (new connections). */
#ifndef YETT_UPSTREAM_INSIDE_H
#define YETT_UPSTREAM_INSIDE_H

#include <sys/queue.h>

#include "gateway/upstream/pool.h"

#define KEPT_BUCKETS 64u

#define CONN_MAGIC 0xc0991ec7u
struct conn {
	struct upstream_conn pub; /* first: lent as a pointer to it */
	struct upstream *up;
	struct upstream_pool *pool;
	struct loop_timer timer; /* while idle */
	struct conn *newer, *older; /* while idle */
};

/* Idle connections to one server; stays, with a reference, until the server is
 * gone. */
struct kept {
	struct upstream_server *server;
	struct kept *next;
	struct conn *newest, *oldest;
	uint32_t n;
};

/* Who waits for room in one pool, in order; there while somebody does. */
struct queue {
	struct upstream *up;
	struct upstream_pool *pool;
	struct queue *next;
	struct loop_timer timer;
	TAILQ_HEAD(, try) waiting;
	uint32_t n;
};

#define UPSTREAM_MAGIC 0x0b5743a3u
struct upstream {
	unsigned magic;
	struct loop *loop;
	uint32_t lent, asking;
	struct kept *kept[KEPT_BUCKETS];
	struct queue *queues;
	struct balance_state *states; /* of one pick */
	uint32_t n_states;
	uint64_t random;
	/* The other workers; `told` is set while `room` is in our mailbox. */
	struct upstream *const *all;
	uint32_t n_all;
	struct loop_message room;
	_Atomic bool told;
};

/* An ask that can't be served from a kept connection: waits, connects, goes on to
 * the next server. */
#define TRY_MAGIC 0x7279aa11u
struct
try {
	unsigned magic;
	struct upstream *up;
	struct upstream_pool *pool;
	struct upstream_ask *ask;
	TAILQ_ENTRY(try) link;
	struct queue *queue; /* NULL: it does not wait */
	int64_t queue_until_us;
	struct upstream_server *server; /* being connected; with a reference */
	bool probe; /* it finds out whether the server is back */
	bool blame; /* the failure is the server's, not ours */
	bool again; /* connect when the timer ends */
	bool cookie_anew;
	int fd; /* while connecting; then the stream's */
	struct stream *stream;
	struct loop_io io;
	struct loop_timer timer;
	int64_t deadline_us;
	struct conn *conn; /* of success */
};

/* --- choose.c */

enum choice { CHOICE_SERVER, CHOICE_WAIT, CHOICE_NOBODY };
struct chosen {
	struct upstream_server *server; /* as long as this callback */
	bool cookie_anew, probe;
};
enum choice choose(struct upstream *, struct upstream_pool *, const struct upstream_ask *,
    struct chosen *chosen_r);
/* Has a server room for this ask that gets nothing else new, a drained one that its
 * cookie means? Then it is not its turn that it waits for. */
bool choose_has_own(
    struct upstream *, const struct upstream_pool *, const struct upstream_ask *);
/* Not again for this ask. */
void choose_mark_tried(
    struct upstream_pool *, struct upstream_ask *, const struct upstream_server *);
void choose_note(
    struct upstream_pool *, struct upstream_server *, bool failed, int64_t now_us);

/* --- kept.c */

/* Takes room for one more connection; false: the server has max_connections. */
bool conn_reserve(const struct upstream_pool *, struct upstream_server *);
void conn_unreserve(const struct upstream_pool *, struct upstream_server *);
/* With room that was taken; counts as active. */
struct conn *conn_made(
    struct upstream *, struct upstream_pool *, struct upstream_server *, struct stream *);
bool kept_has(struct upstream *, const struct upstream_server *);
/* The newest idle connection of the server that is still good, or NULL. */
struct conn *kept_take(struct upstream *, struct upstream_server *);
/* Closes the oldest idle connection of the server; false: there is none. */
bool kept_make_room(struct upstream *, const struct upstream_server *);
/* Closes idle connections of pools in which others wait. */
void kept_give_up(struct upstream *);
void kept_free(struct upstream *);
enum upstream_rc conn_lend(struct upstream *, struct upstream_ask *, struct conn *);

/* --- queue.c */

bool queue_has(struct upstream *, const struct upstream_pool *);
/* To the end. False: the queue is full. */
bool queue_enter(struct try *);
void queue_leave(struct try *);
/* A connection of this pool was released or closed: somebody may go on soon, of
 * other workers where it was ceded to them. */
void queue_room(struct upstream *, struct upstream_pool *, bool ceded);
/* Do others wait for this pool, and it is their turn? */
bool queue_cedes(struct upstream *, struct upstream_pool *);
void queue_init(struct upstream *);

/* --- upstream.c */

/* Goes on with one that waited: false, there is no room yet. */
bool try_resume(struct try *);
void try_overdue(struct try *);

#endif
