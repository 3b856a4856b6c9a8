/* SPDX-License-Identifier: Apache-2.0 */
/* The client and a cluster of three real masters: slots that move, servers that
 * die, replicas that take over. */
#include "config.h"

#include "tests/unit/redis_rig.h"

#include "gateway/base/check.h"
#include "gateway/redis/slots.h"
#include "tests/unit/tls_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MASTERS 3u

struct yard {
	struct redis_server *masters[MASTERS];
};

static void
open_yard(struct yard *yard, struct rig *rig)
{
	redis_lab_start_cluster(rig->lab, yard->masters, MASTERS, NULL);
	redis_lab_conf(&rig->conf, yard->masters[0]);
	rig->conf.kind = CONF_REDIS_CLUSTER;
	rig_use_ports(rig, yard->masters, 1);
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
}

/* Who the key belongs to, as the lab shared the slots out. */
static unsigned
owner_of(const char *key)
{
	unsigned slot = slot_of_key(span_of(key)), i;

	for (i = 0; i < MASTERS - 1 && slot > 16384 * (i + 1) / MASTERS - 1; i++)
		continue;
	return (i);
}

static unsigned long
info(struct redis_server *server, const char *section, const char *name)
{
	char *text = redis_lab_ask(server, "INFO %s", section);
	const char *at = strstr(text, name);
	unsigned long n = at != NULL ? strtoul(at + strlen(name), NULL, 10) : 0;

	free(text);
	return (n);
}

static void
node_id(struct redis_server *server, char out[41])
{
	char *id = redis_lab_ask(server, "CLUSTER MYID");

	assert_int_equal(strlen(id), 40);
	memcpy(out, id, 41);
	free(id);
}

static void
test_keys_go_to_their_servers(void **state)
{
	struct rig *rig = *state;
	char line[64], key[32];
	unsigned i, counts[MASTERS] = { 0 };
	struct yard yard;

	open_yard(&yard, rig);
	for (i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "yett:{k%u}:x", i);
		(void)snprintf(line, sizeof(line), "SET %s %u", key, i);
		assert_string_equal(rig_ask(rig, line), "OK");
		counts[owner_of(key)]++;
	}
	for (i = 0; i < MASTERS; i++) {
		assert_true(counts[i] > 10);
		assert_int_equal(
		    info(yard.masters[i], "keyspace", "db0:keys="), counts[i]);
		/* the map was right: nobody was sent elsewhere */
		assert_int_equal(
		    info(yard.masters[i], "errorstats", "errorstat_MOVED:count="), 0);
	}
	assert_int_equal(rig_state(rig).failures, 0);
}

/* Asks of one round, for all servers at once. */
static void
test_many_at_once(void **state)
{
	struct rig *rig = *state;
	struct redis_ask *asks = mem_zalloc(1000 * sizeof(*asks));
	char line[64];
	struct yard yard;
	unsigned i;

	open_yard(&yard, rig);
	for (i = 0; i < 1000; i++) {
		(void)snprintf(line, sizeof(line), "INCR k%u", i % 50);
		assert_true(rig_send(rig, &asks[i], line));
	}
	rig_finish(rig);
	for (i = 0; i < 50; i++) {
		(void)snprintf(line, sizeof(line), "GET k%u", i);
		assert_string_equal(rig_ask(rig, line), "20");
	}
	free(asks);
}

static void
test_script(void **state)
{
	static const struct redis_script set = { "return redis.call('SET', KEYS[1], "
						 "ARGV[1])",
		"d8f2fad9f8e86a53d2a6ebd960b33c4972cacc37" };
	static const char *const keys[] = { "a", "b", "c" };
	struct rig *rig = *state;
	struct yard yard;
	unsigned i;

	open_yard(&yard, rig);
	for (i = 0; i < 3; i++) {
		assert_string_equal(rig_call(rig, &set, keys[i], "v"), "OK");
		redis_lab_expect(yard.masters[owner_of(keys[i])], "v", "GET %s", keys[i]);
	}
}

static void
test_next_seed_is_asked(void **state)
{
	struct rig *rig = *state;
	struct redis_server *seeds[3];
	struct yard yard;

	open_yard(&yard, rig);
	rig_close(rig);
	seeds[0] = redis_lab_start_port(rig->lab, false, NULL);
	seeds[1] = redis_lab_start_port(rig->lab, false, NULL); /* in no cluster */
	seeds[2] = yard.masters[1];
	redis_lab_kill(seeds[0]);
	rig_use_ports(rig, seeds, 3);
	rig_open(rig);
	assert_string_equal(rig_ask(rig, "GET a"), "");
	assert_string_equal(rig->failure, "the cluster's slots are not known yet");
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	assert_string_equal(rig_ask(rig, "SET a 1"), "OK");
}

static void
test_slot_moves(void **state)
{
	struct rig *rig = *state;
	const unsigned slot = slot_of_key(SPAN("{t}a"));
	struct redis_server *from, *to;
	char from_id[41], to_id[41];
	struct yard yard;
	unsigned i;

	open_yard(&yard, rig);
	from = yard.masters[owner_of("{t}a")];
	to = yard.masters[(owner_of("{t}a") + 1) % MASTERS];
	node_id(from, from_id);
	node_id(to, to_id);
	assert_string_equal(rig_ask(rig, "SET {t}a 1"), "OK");
	redis_lab_expect(to, "OK", "CLUSTER SETSLOT %u IMPORTING %s", slot, from_id);
	redis_lab_expect(from, "OK", "CLUSTER SETSLOT %u MIGRATING %s", slot, to_id);
	/* what is still there is answered there, what is not elsewhere: ASK */
	assert_string_equal(rig_ask(rig, "GET {t}a"), "1");
	assert_string_equal(rig_ask(rig, "SET {t}b 2"), "OK");
	assert_int_equal(info(to, "commandstats", "cmdstat_asking:calls="), 1);
	assert_string_equal(rig_ask(rig, "GET {t}b"), "2");
	assert_int_equal(info(to, "commandstats", "cmdstat_asking:calls="), 2);
	/* keys on both sides: nobody can do it now; and it is not tried for ever */
	assert_string_equal(rig_ask(rig, "MGET {t}a {t}b"), "");
	assert_string_equal(rig->failure, "sent from server to server");
	redis_lab_expect(from, "OK", "MIGRATE 127.0.0.1 %u {t}a 0 1000", to->port);
	for (i = 0; i < MASTERS; i++)
		redis_lab_expect(
		    yard.masters[i], "OK", "CLUSTER SETSLOT %u NODE %s", slot, to_id);
	/* the map is out of date: MOVED, once */
	assert_string_equal(rig_ask(rig, "MGET {t}a {t}b"), "1 2");
	assert_int_equal(info(from, "errorstats", "errorstat_MOVED:count="), 1);
	assert_string_equal(rig_ask(rig, "GET {t}a"), "1");
	rig_run(rig, 300 * CLOCK_MS); /* a new map */
	assert_string_equal(rig_ask(rig, "GET {t}a"), "1");
	assert_int_equal(info(from, "errorstats", "errorstat_MOVED:count="), 1);
	assert_int_equal(rig_state(rig).failures, 1);
}

/* Cancelled on its way: the redirection is not followed. */
static void
test_cancelled_while_it_moves(void **state)
{
	struct rig *rig = *state;
	const unsigned slot = slot_of_key(SPAN("{t}a"));
	struct redis_server *from, *to;
	struct redis_ask asks[2];
	char to_id[41];
	struct yard yard;
	unsigned i;

	open_yard(&yard, rig);
	from = yard.masters[owner_of("{t}a")];
	to = yard.masters[(owner_of("{t}a") + 1) % MASTERS];
	node_id(to, to_id);
	for (i = 0; i < MASTERS; i++)
		redis_lab_expect(
		    yard.masters[i], "OK", "CLUSTER SETSLOT %u NODE %s", slot, to_id);
	assert_true(rig_send(rig, &asks[0], "SET {t}a 1"));
	assert_true(rig_send(rig, &asks[1], "SET {t}b 1"));
	redis_cancel(&asks[0]);
	rig->left--;
	rig_finish(rig);
	assert_string_equal(rig->answer, "OK");
	assert_int_equal(info(from, "errorstats", "errorstat_MOVED:count="), 2);
	redis_lab_expect(to, "(nil)", "GET {t}a");
}

/* A key of each server. */
static const char *
key_of(unsigned owner)
{
	static const char *const keys[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	unsigned i;

	for (i = 0; i < 8; i++)
		if (owner_of(keys[i]) == owner)
			return (keys[i]);
	fail_msg("no key for %u", owner);
	return (NULL);
}

static void
test_server_dies_and_comes_back(void **state)
{
	struct rig *rig = *state;
	char lines[MASTERS][32];
	struct yard yard;
	unsigned i;

	open_yard(&yard, rig);
	for (i = 0; i < MASTERS; i++) {
		redis_lab_expect(
		    yard.masters[i], "OK", "CONFIG SET cluster-require-full-coverage no");
		(void)snprintf(lines[i], sizeof(lines[i]), "INCR %s", key_of(i));
		assert_string_equal(rig_ask(rig, lines[i]), "1");
	}
	redis_lab_kill(yard.masters[0]); /* the one that told the map, too */
	rig_run(rig, 50 * CLOCK_MS);
	assert_string_equal(rig_ask(rig, lines[0]), "");
	assert_non_null(rig->failure);
	assert_string_equal(rig_ask(rig, lines[1]), "2");
	assert_string_equal(rig_ask(rig, lines[2]), "2");
	rig_run(rig, CLOCK_SECOND);
	assert_int_equal(rig_state(rig).link, REDIS_UP);
	assert_string_equal(rig_ask(rig, lines[1]), "3");
	redis_lab_restart(yard.masters[0]);
	assert_true(rig_until(rig, "1", lines[0], 10 * CLOCK_SECOND) < 10 * CLOCK_SECOND);
	assert_true(rig_state(rig).reconnects > 0);
}

/* Two of three are dead: the third refuses to decide. */
static void
test_cluster_is_down(void **state)
{
	struct rig *rig = *state;
	char line[32];
	int64_t until_us = clock_mono_us() + 20 * CLOCK_SECOND;
	struct yard yard;

	open_yard(&yard, rig);
	(void)snprintf(line, sizeof(line), "INCR %s", key_of(2));
	assert_string_equal(rig_ask(rig, line), "1");
	redis_lab_kill(yard.masters[0]);
	redis_lab_kill(yard.masters[1]);
	while (rig_ask(rig, line)[0] != '\0') {
		assert_true(clock_mono_us() < until_us);
		rig_run(rig, 50 * CLOCK_MS);
	}
	assert_string_equal(rig->failure, "the cluster is down");
}

/* A replica takes over the slots of its master that died. */
static void
test_fail_over(void **state)
{
	static const char *const options[] = { "--cluster-enabled", "yes",
		"--cluster-node-timeout", "1000", NULL };
	struct rig *rig = *state;
	struct redis_server *replica;
	char line[32], master[41], *text;
	struct yard yard;

	open_yard(&yard, rig);
	(void)snprintf(line, sizeof(line), "INCR %s", key_of(1));
	assert_string_equal(rig_ask(rig, line), "1");
	replica = redis_lab_start_port(rig->lab, false, options);
	redis_lab_expect(
	    replica, "OK", "CLUSTER MEET 127.0.0.1 %u", yard.masters[1]->port);
	node_id(yard.masters[1], master);
	for (;;) {
		text = redis_lab_ask(replica, "CLUSTER REPLICATE %s", master);
		if (strcmp(text, "OK") == 0)
			break;
		free(text); /* they don't know each other yet */
		(void)usleep(20000);
	}
	free(text);
	while (info(replica, "replication", "slave_repl_offset:") == 0 ||
	       info(yard.masters[1], "replication", "connected_slaves:") == 0)
		(void)usleep(20000);
	(void)usleep(500000); /* the others hear of it */
	redis_lab_kill(yard.masters[1]);
	assert_string_equal(rig_ask(rig, line), "");
	(void)rig_until(rig, "2", line, 20 * CLOCK_SECOND);
	redis_lab_expect(replica, "2", "GET %s", key_of(1));
}

static void
test_tls(void **state)
{
	const char *options[] = { "--tls-cert-file", NULL, "--tls-key-file", NULL,
		"--tls-ca-cert-file", NULL, NULL };
	struct rig *rig = *state;
	char line[32];
	struct lab lab;
	struct yard yard;
	unsigned i;

	lab_open(&lab);
	lab_make(&lab, &(struct lab_cert){ .file = "ca", .ca = true });
	lab_make(&lab, &(struct lab_cert){
			   .file = "node", .names = "IP:127.0.0.1", .issuer = "ca" });
	options[1] = lab_path(&lab, "node.pem");
	options[3] = lab_path(&lab, "node.key");
	options[5] = lab_path(&lab, "ca.pem");
	redis_lab_start_cluster(rig->lab, yard.masters, MASTERS, options);
	redis_lab_conf(&rig->conf, yard.masters[0]);
	rig->conf.kind = CONF_REDIS_CLUSTER;
	rig->conf.tls = true;
	rig->conf.certificate = options[1];
	rig->conf.key = options[3];
	rig->conf.ca = options[5];
	rig_use_ports(rig, yard.masters, 1);
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	for (i = 0; i < MASTERS; i++) {
		(void)snprintf(line, sizeof(line), "SET %s 1", key_of(i));
		assert_string_equal(rig_ask(rig, line), "OK");
	}
	lab_close(&lab);
}

static void
test_wrong_kind(void **state)
{
	struct rig *rig = *state;
	struct yard yard;
	char line[32];

	open_yard(&yard, rig);
	rig_close(rig);
	rig->conf.kind = CONF_REDIS_SINGLE; /* redis:// where redis+cluster:// is due */
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	(void)snprintf(line, sizeof(line), "GET %s", key_of(2));
	assert_string_equal(rig_ask(rig, line), "");
	assert_string_equal(rig->failure, "the server belongs to a cluster");
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_keys_go_to_their_servers),
		RIG_TEST(test_many_at_once),
		RIG_TEST(test_script),
		RIG_TEST(test_next_seed_is_asked),
		RIG_TEST(test_slot_moves),
		RIG_TEST(test_cancelled_while_it_moves),
		RIG_TEST(test_server_dies_and_comes_back),
		RIG_TEST(test_cluster_is_down),
		RIG_TEST(test_fail_over),
		RIG_TEST(test_tls),
		RIG_TEST(test_wrong_kind),
	};

	redis_lab_or_skip();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
