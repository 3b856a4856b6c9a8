/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration made of one URL. */
#include "config.h"

#include "gateway/cli/protect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "gateway/base/json.h"
#include "gateway/base/log.h"
#include "gateway/base/netaddr.h"
#include "gateway/tls/tls.h"

static char *
usual_state_folder(void)
{
	const char *base;

	if (geteuid() == 0)
		return (mem_strdup("/var/lib/yett"));
	base = getenv("XDG_STATE_HOME");
	if (base != NULL && base[0] == '/')
		return (mem_printf("%s/yett", base));
	base = getenv("HOME");
	return (mem_printf("%s/.local/state/yett", base != NULL ? base : "."));
}

static enum err_code
make_folder(const char *path, struct err *e)
{
	char *part;
	size_t i;
	int rc;

	for (i = 1; path[i - 1] != '\0'; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		part = span_strdup(span_mem(path, i));
		rc = mkdir(part, 0700);
		free(part);
		if (rc != 0 && errno != EEXIST)
			return (err_errno(e, "%s: cannot make the state folder", path));
	}
	return (ERR_OK);
}

/* A string as YAML takes it: JSON is a subset. */
static void
put_string(struct text *yaml, const char *prefix, const char *value, const char *suffix)
{
	struct json_out json;

	text_puts(yaml, prefix);
	json_start(&json, yaml);
	json_put_string(&json, span_of(value));
	text_puts(yaml, suffix);
}

/* A folder that is too deep for a socket is no reason not to start. */
static char *
control_socket(const char *state)
{
	struct netaddr address;
	char *path;

	path = mem_printf("%s/control.sock", state);
	if (strlen(path) < sizeof(address.path))
		return (path);
	log_warn("admin", "no control socket: %s is too long a path for one", path);
	free(path);
	return (mem_strdup("off"));
}

static void
write_yaml(const struct protect_options *o, const char *state, const char *certificate,
    const char *key, struct text *yaml)
{
	char *audit, *access, *control;

	control = control_socket(state);
	audit = mem_printf("%s/audit.log", state);
	access = mem_printf("%s/access.log", state);
	put_string(yaml, "listeners:\n  - address: ", o->listen, "\n");
	put_string(yaml, "    tls: { certificates: [ { certificate: ", certificate, "");
	put_string(yaml, ", key: ", key, " } ] }\n");
	put_string(yaml, "pools:\n  app: { servers: [ { url: ", o->url, " } ] }\n");
	text_puts(yaml,
	    "limits:\n  per-client: { key: client, rate: 100/s, burst: 200 }\n"
	    "sites:\n  - { hosts: [\"*\"], pool: app, limits: [per-client] }\n");
	put_string(yaml, "admin: { socket: ", control, " }\n");
	put_string(yaml, "logs:\n  audit: { path: ", audit, " }\n");
	put_string(yaml, "  access: { path: ", access, " }\n");
	free(audit);
	free(access);
	free(control);
}

enum err_code
protect_configuration(const struct protect_options *o, struct text *yaml, struct err *e)
{
	static const char *const names[] = { NULL };
	char *state, *certificate, *key;
	enum err_code code;
	bool made;

	state = o->state != NULL ? mem_strdup(o->state) : usual_state_folder();
	code = make_folder(state, e);
	if (code == ERR_OK)
		code = tls_self_signed(state, names, &certificate, &key, &made, e);
	if (code == ERR_OK) {
		if (made)
			log_info(
			    "tls", "made a self-signed certificate: %s", certificate);
		else
			log_info("tls", "self-signed certificate: %s", certificate);
		write_yaml(o, state, certificate, key, yaml);
		free(certificate);
		free(key);
	}
	free(state);
	return (code);
}
