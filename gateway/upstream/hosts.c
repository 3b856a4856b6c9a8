/* SPDX-License-Identifier: Apache-2.0 */
/* The hosts file. */
#include "config.h"

#include "gateway/upstream/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/check.h"

char *
hosts_read(const char *path)
{
	size_t n = 0, room = 4096;
	char *text;
	ssize_t got;
	int fd;

	text = mem_alloc(room);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	while (fd >= 0 && n < HOSTS_BYTES_MAX) {
		if (n + 1 == room)
			text = mem_realloc(text, room *= 2);
		got = read(fd, text + n, room - n - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (fd >= 0)
		(void)close(fd);
	text[n] = '\0';
	return (text);
}

static bool
is_space(char c)
{
	return (c == ' ' || c == '\t' || c == '\r');
}

static struct span
next_word(struct span *line)
{
	size_t from = 0, to;

	while (from < line->n && is_space(line->p[from]))
		from++;
	for (to = from; to < line->n && !is_space(line->p[to]); to++)
		continue;
	line->p += from;
	line->n -= from;
	return (span_mem(line->p, to - from));
}

/* The address of a line that names it. */
static bool
line_has(struct span line, struct span name, struct netaddr *addr_r)
{
	struct span address, word;

	address = next_word(&line);
	for (word = address; word.n != 0; word = next_word(&line)) {
		if (word.p != address.p && span_eq_nocase(word, name))
			return (netaddr_parse_ip(addr_r, address));
		line = span_cut(line, word.n, line.n);
	}
	return (false);
}

static bool
is_localhost(struct span name)
{
	const struct span plain = SPAN("localhost"), below = SPAN(".localhost");

	return (span_eq_nocase(name, plain) ||
		(name.n > below.n &&
		    span_eq_nocase(span_cut(name, name.n - below.n, name.n), below)));
}

bool
hosts_find(const char *text, struct span name, struct resolve_set *set)
{
	const struct netaddr loopback[] = {
		{ .family = NETADDR_IP4, .ip = { 127, 0, 0, 1 } },
		{ .family = NETADDR_IP6, .ip = { [15] = 1 } },
	};
	struct span rest = span_of(text), line;
	struct netaddr addr;
	bool found = false;

	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	while (span_split(&rest, '\n', &line)) {
		line = span_cut(line, 0, span_index(line, '#'));
		if (!line_has(line, name, &addr))
			continue;
		resolve_set_add(set, &addr);
		found = true;
	}
	if (found || !is_localhost(name))
		return (found);
	resolve_set_add(set, &loopback[0]);
	resolve_set_add(set, &loopback[1]);
	return (true);
}
