/* SPDX-License-Identifier: Apache-2.0 */
/* X-Forwarded-For, Forwarded and a single-value field: whatever a client writes, it
 * does not change what a trusted proxy writes behind it; what is read is canonical. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/access/identity.h"
#include "gateway/http/chars.h"

static struct identity *
make(const char *header, const char *trusted)
{
	struct conf_identity conf = { .header = header, .ipv6_prefix = 64 };
	struct netprefix prefix;

	CHECK(netprefix_parse(&prefix, span_of(trusted), NULL) == ERR_OK);
	conf.trusted_proxies.v = &prefix;
	conf.trusted_proxies.n = 1;
	return (identity_new(&conf));
}

static bool
same(const struct netaddr *a, const struct netaddr *b)
{
	return (netaddr_same_ip(a, b) && a->port == b->port);
}

/* One or two lines of the field. */
static enum identity_rc
find(const struct identity *id, const char *name, const struct span values[2],
    struct netaddr *client_r)
{
	struct netaddr peer = { .family = NETADDR_IP4, .ip = { 10, 0, 0, 1 } };
	struct http_field array[2];
	struct http_fields fields;
	enum identity_rc rc;
	unsigned i;

	http_fields_init(&fields, array, 2);
	for (i = 0; i < 2; i++)
		if (values[i].p != NULL)
			CHECK(http_fields_add(&fields, span_of(name), values[i]));
	rc = identity_find(id, &peer, &fields, client_r);
	if (rc == IDENTITY_PEER)
		CHECK(same(client_r, &peer));
	return (rc);
}

static void
check_reading(const char *name, const char *trusted, struct span value)
{
	struct identity *id = make(name, trusted);
	struct netaddr client, again, key;

	(void)find(id, name, (struct span[2]){ value, SPAN_NONE }, &client);
	CHECK(client.family == NETADDR_IP4 || client.family == NETADDR_IP6);
	again = identity_unwrap(&client);
	CHECK(same(&again, &client));
	key = identity_key(id, &client);
	again = identity_key(id, &key);
	CHECK(same(&again, &key) && key.port == 0);
	identity_free(&id);
}

/* The proxy writes behind the client's bytes, in the same line or a further one. */
static void
check_proxy_wins(const char *name, const char *says, struct span claim)
{
	struct identity *id = make(name, "10.0.0.0/8");
	struct netaddr told, client;
	struct text line;

	CHECK(find(id, name, (struct span[2]){ span_of(says), SPAN_NONE }, &told) ==
	      IDENTITY_TOLD);
	CHECK(find(id, name, (struct span[2]){ claim, span_of(says) }, &client) ==
	      IDENTITY_TOLD);
	CHECK(same(&client, &told));
	text_init(&line, claim.n + 256);
	text_put(&line, claim);
	text_puts(&line, ", ");
	text_puts(&line, says);
	CHECK(find(id, name, (struct span[2]){ text_span(&line), SPAN_NONE }, &client) ==
	      IDENTITY_TOLD);
	CHECK(same(&client, &told));
	text_free(&line);
	identity_free(&id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(span_mem(data, size));
	const struct span value = span_trim(span_mem(copy, size));

	/* other bytes don't get here */
	if (char_run_value(copy, 0, size) == size && size > 0) {
		check_reading("X-Forwarded-For", "0.0.0.0/0", value);
		check_reading("Forwarded", "0.0.0.0/0", value);
		check_reading("Forwarded", "10.0.0.0/8", value);
		check_reading("X-Real-IP", "10.0.0.0/8", value);
		check_proxy_wins("X-Forwarded-For", "203.0.113.7:5", value);
		check_proxy_wins("X-Forwarded-For", "[2001:db8::1]:5, 10.0.0.2", value);
		check_proxy_wins("Forwarded", "for=203.0.113.7", value);
		check_proxy_wins("Forwarded",
		    "for=\"[2001:db8::1]:5\";host=\"a\\\", for=10.0.0.2\\\\\"", value);
	}
	free(copy);
	return (0);
}
