/* SPDX-License-Identifier: Apache-2.0 */
/* The client and a master that Sentinels watch: found, followed, lost, found again. */
#include "config.h"

#include "tests/unit/redis_rig.h"
#include "tests/unit/tls_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct yard {
	struct redis_server *master, *replica, *sentinel;
};

/* Until the answer holds `what`. A Sentinel ends a server's connections when it gives
 * it another part. */
static void
wait_for(struct redis_server *server, const char *what, const char *command)
{
	int64_t until_us = clock_mono_us() + 30 * CLOCK_SECOND;
	char *text = NULL;

	do {
		free(text);
		(void)usleep(20000);
		text = redis_lab_try(server, command);
		if (clock_mono_us() > until_us)
			fail_msg("%s: no \"%s\" in \"%s\"", command, what,
			    text != NULL ? text : "a broken connection");
	} while (text == NULL || strstr(text, what) == NULL);
	free(text);
}

/* A master with a replica that its Sentinel knows. */
static void
open_yard(struct yard *yard, struct rig *rig, const char *const *sentinel_options)
{
	const char *options[] = { "--replicaof", NULL, NULL };
	char master[32];

	yard->master = redis_lab_start_port(rig->lab, false, NULL);
	(void)snprintf(master, sizeof(master), "127.0.0.1 %u", yard->master->port);
	options[1] = master;
	yard->replica = redis_lab_start_port(rig->lab, false, options);
	wait_for(yard->replica, "master_link_status:up", "INFO replication");
	yard->sentinel =
	    redis_lab_start_sentinel(rig->lab, yard->master, sentinel_options);
	redis_lab_conf(&rig->conf, yard->master);
	rig->conf.kind = CONF_REDIS_SENTINEL;
	rig->conf.master = "yard";
	rig_use_ports(rig, &yard->sentinel, 1);
}

static void
test_master_is_found(void **state)
{
	struct rig *rig = *state;
	struct yard yard;

	open_yard(&yard, rig, NULL);
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	assert_string_equal(rig_ask(rig, "SET a 1"), "OK");
	redis_lab_expect(yard.master, "1", "GET a");
	/* it goes on without Sentinels */
	redis_lab_kill(yard.sentinel);
	rig_run(rig, 1500 * CLOCK_MS);
	assert_int_equal(rig_state(rig).link, REDIS_UP);
	assert_string_equal(rig_ask(rig, "GET a"), "1");
}

static void
test_next_sentinel_is_asked(void **state)
{
	struct rig *rig = *state;
	struct redis_server *sentinels[2];
	struct redis_server *stranger;
	struct yard yard;

	open_yard(&yard, rig, NULL);
	/* the first knows no "yard", since it is no Sentinel at all */
	stranger = redis_lab_start_port(rig->lab, false, NULL);
	sentinels[0] = stranger;
	sentinels[1] = yard.sentinel;
	rig_use_ports(rig, sentinels, 2);
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	rig_close(rig);
	redis_lab_kill(stranger);
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	assert_string_equal(rig_ask(rig, "SET a 1"), "OK");
}

static void
test_unknown_master(void **state)
{
	struct rig *rig = *state;
	struct yard yard;

	open_yard(&yard, rig, NULL);
	rig->conf.master = "nobody";
	rig_open(rig);
	rig_wait(rig, REDIS_DOWN, 5 * CLOCK_SECOND);
	assert_string_equal(
	    rig_state(rig).reason, "the Sentinel knows no master of that name");
	assert_string_equal(rig_ask(rig, "PING"), "");
}

static void
test_passwords(void **state)
{
	static const char *const options[] = { "--requirepass", "sesame", NULL };
	struct rig *rig = *state;
	struct yard yard;

	open_yard(&yard, rig, options);
	rig_open(rig);
	rig_wait(rig, REDIS_DOWN, 5 * CLOCK_SECOND);
	assert_string_equal(rig_state(rig).reason, "the server wants a password");
	rig_close(rig);
	rig->conf.sentinel_password_file =
	    redis_lab_file(rig->lab, "sentinel", "sesame\n");
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	rig_close(rig);
	/* the servers' password is another one */
	redis_lab_expect(yard.master, "OK", "CONFIG SET requirepass gold");
	yard.master->password = "gold";
	rig->conf.password_file = redis_lab_file(rig->lab, "server", "gold\n");
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	assert_string_equal(rig_ask(rig, "SET a 1"), "OK");
}

/* The master dies; its replica takes over. */
static void
test_master_dies(void **state)
{
	struct rig *rig = *state;
	struct yard yard;

	open_yard(&yard, rig, NULL);
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	assert_string_equal(rig_ask(rig, "SET a 1"), "OK");
	wait_for(yard.sentinel, "slaves=1", "INFO sentinel");
	redis_lab_kill(yard.master);
	rig_wait(rig, REDIS_DOWN, 2 * CLOCK_SECOND);
	(void)rig_until(rig, "OK", "SET b 2", 30 * CLOCK_SECOND);
	redis_lab_expect(yard.replica, "2", "GET b");
	assert_int_equal(rig_state(rig).link, REDIS_UP);
}

/* The master is told to give way, lives on as a replica and takes no more. */
static void
test_master_gives_way(void **state)
{
	struct rig *rig = *state;
	struct yard yard;

	open_yard(&yard, rig, NULL);
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	assert_string_equal(rig_ask(rig, "SET a 1"), "OK");
	/* not before it has looked at the replica */
	wait_for(yard.sentinel, "OK", "SENTINEL FAILOVER yard");
	wait_for(yard.replica, "role:master", "INFO replication");
	rig_run(rig, 2 * CLOCK_SECOND); /* nobody writes: it is noticed all the same */
	(void)rig_until(rig, "OK", "SET b 2", 5 * CLOCK_SECOND);
	redis_lab_expect(yard.replica, "2", "GET b");
	/* and back */
	wait_for(yard.master, "role:slave", "INFO replication");
}

/* Everybody speaks TLS to everybody. */
static void
test_tls(void **state)
{
	const char *options[] = { "--tls-cert-file", NULL, "--tls-key-file", NULL,
		"--tls-ca-cert-file", NULL, "--tls-replication", "yes", NULL, NULL,
		NULL };
	struct rig *rig = *state;
	struct yard yard;
	struct lab lab;
	char port[8];

	lab_open(&lab);
	lab_make(&lab, &(struct lab_cert){ .file = "ca", .ca = true });
	lab_make(&lab, &(struct lab_cert){
			   .file = "node", .names = "IP:127.0.0.1", .issuer = "ca" });
	options[1] = lab_path(&lab, "node.pem");
	options[3] = lab_path(&lab, "node.key");
	options[5] = lab_path(&lab, "ca.pem");
	yard.master = redis_lab_start_port(rig->lab, true, options);
	(void)snprintf(port, sizeof(port), "%u", redis_lab_port());
	options[8] = "--tls-port";
	options[9] = port;
	yard.sentinel = redis_lab_start_sentinel(rig->lab, yard.master, options);
	redis_lab_conf(&rig->conf, yard.master);
	rig->conf.kind = CONF_REDIS_SENTINEL;
	rig->conf.master = "yard";
	rig->conf.tls = true;
	rig->conf.certificate = options[1];
	rig->conf.key = options[3];
	rig->conf.ca = options[5];
	rig_use_ports(rig, &yard.sentinel, 1);
	rig->hosts[0].port = (uint16_t)strtoul(port, NULL, 10);
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	assert_string_equal(rig_ask(rig, "SET a 1"), "OK");
	lab_close(&lab);
}

/* A replica that Sentinel, out of date, still takes for the master is not used. */
static void
test_no_master(void **state)
{
	struct rig *rig = *state;
	struct yard yard;

	open_yard(&yard, rig, NULL);
	redis_lab_freeze(yard.sentinel);
	redis_lab_expect(yard.master, "OK", "REPLICAOF 127.0.0.1 %u", yard.replica->port);
	redis_lab_thaw(yard.sentinel);
	redis_lab_expect(yard.sentinel, "OK",
	    "SENTINEL SET yard down-after-milliseconds "
	    "60000");
	rig_open(rig);
	rig_wait(rig, REDIS_DOWN, 5 * CLOCK_SECOND);
	assert_string_equal(rig_state(rig).reason, "the server is not a master");
	redis_lab_expect(yard.master, "OK", "REPLICAOF NO ONE");
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	assert_string_equal(rig_ask(rig, "SET a 1"), "OK");
	redis_lab_expect(yard.master, "OK", "REPLICAOF 127.0.0.1 %u", yard.replica->port);
	rig_wait(rig, REDIS_DOWN, 3 * CLOCK_SECOND); /* asked by the second */
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_master_is_found),
		RIG_TEST(test_next_sentinel_is_asked),
		RIG_TEST(test_unknown_master),
		RIG_TEST(test_passwords),
		RIG_TEST(test_master_dies),
		RIG_TEST(test_master_gives_way),
		RIG_TEST(test_tls),
		RIG_TEST(test_no_master),
	};

	redis_lab_or_skip();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
