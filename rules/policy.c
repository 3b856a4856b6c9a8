/* SPDX-License-Identifier: Apache-2.0 */
/* A policy: a reference on a parsed base, the rule set's setup as variables
 * that are set before the first rule, and compiled exclusions. Nothing is parsed
 * for it, so one more policy costs a few kilobytes at most. */
#include "config.h"

#include "rules/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"

/* What the gateway lets through, the rule set need not refuse again: methods
 * are a matter of the site. */
#define METHODS                                                            \
	"GET HEAD POST OPTIONS PUT PATCH DELETE CHECKOUT COPY LOCK MERGE " \
	"MKACTIVITY MKCALENDAR MKCOL MOVE PROPFIND PROPPATCH REPORT SEARCH UNLOCK"

static void
setting(struct waf_policy *p, const char *name, char *value)
{
	CHECK(p->n_settings < WAF_SETTINGS_MAX);
	p->settings[p->n_settings].name = name;
	p->settings[p->n_settings++].value = value;
}

/* "OWASP_CRS/3.3.4" to 334, as crs-setup.conf numbers itself. */
static unsigned
setup_version(const char *component)
{
	unsigned n = 0, digits = 0;

	for (const char *c = component; *c != '\0' && digits < 3; c++)
		if (isdigit((unsigned char)*c)) {
			n = n * 10 + (unsigned)(*c - '0');
			digits++;
		}
	return (digits == 3 ? n : 334);
}

/* Variables of both CRS 3.3 and 4; a set ignores the other's. */
static void
make_settings(struct waf_policy *p, const struct conf_policy *c)
{
	setting(p, "crs_setup_version",
	    mem_printf("%u", setup_version(shim_rules_component(p->base->rules))));
	setting(p, "paranoia_level", mem_printf("%u", c->crs.paranoia));
	setting(p, "executing_paranoia_level", mem_printf("%u", c->crs.paranoia));
	setting(p, "blocking_paranoia_level", mem_printf("%u", c->crs.paranoia));
	setting(p, "detection_paranoia_level", mem_printf("%u", c->crs.paranoia));
	setting(p, "inbound_anomaly_score_threshold",
	    mem_printf("%u", c->crs.inbound_threshold));
	setting(p, "outbound_anomaly_score_threshold",
	    mem_printf("%u", c->crs.outbound_threshold));
	setting(p, "allowed_methods", mem_strdup(METHODS));
}

static const char *const apps[] = {
	"cpanel",
	"dokuwiki",
	"drupal",
	"nextcloud",
	"wordpress",
	"xenforo",
	NULL,
};

static enum err_code
make_apps(struct waf_policy *p, const struct conf_policy *c, struct err *e)
{
	const char *component = shim_rules_component(p->base->rules);
	char *name;

	if (c->crs.apps.n > 0 && strncmp(component, "OWASP_CRS/3", 11) != 0)
		return (err_set(e, ERR_UNSUPPORTED,
		    "crs.apps: %s has no applications built in: put its plugins into "
		    "the folder plugins of crs.path",
		    component));
	for (size_t i = 0; i < c->crs.apps.n; i++) {
		size_t a = 0;

		while (apps[a] != NULL && strcmp(apps[a], c->crs.apps.v[i]) != 0)
			a++;
		if (apps[a] == NULL)
			return (err_set(e, ERR_RANGE,
			    "crs.apps: found \"%s\"; allowed: cpanel, dokuwiki, drupal, "
			    "nextcloud, wordpress, xenforo",
			    c->crs.apps.v[i]));
		if (p->n_settings == WAF_SETTINGS_MAX)
			return (err_set(e, ERR_RANGE, "crs.apps: named more than once"));
		name = mem_printf("crs_exclusions_%s", apps[a]);
		setting(p, name, mem_strdup("1"));
	}
	return (ERR_OK);
}

static void
copy_plain(struct waf_policy *p, const struct conf_policy *c)
{
	p->mode = c->mode;
	p->paranoia = (uint8_t)c->crs.paranoia;
	p->inbound_threshold = c->crs.inbound_threshold;
	p->outbound_threshold = c->crs.outbound_threshold;
	p->arguments = c->request_body.arguments;
	p->response_inspect = c->response_body.inspect;
	p->n_response_types = c->response_body.types.n;
	p->response_types = mem_zalloc((p->n_response_types + 1) * sizeof(char *));
	for (size_t i = 0; i < p->n_response_types; i++)
		p->response_types[i] = mem_strdup(c->response_body.types.v[i]);
}

enum err_code
waf_policy_new(struct waf_policy **policy_r, struct waf *waf, const struct conf_policy *c,
    struct err *e)
{
	struct waf_policy *p = mem_zalloc(sizeof(*p));
	enum err_code rc;

	CHECK_OBJ(waf, WAF_MAGIC);
	*policy_r = NULL;
	p->magic = WAF_POLICY_MAGIC;
	atomic_init(&p->refs, 1);
	p->waf = waf;
	copy_plain(p, c);
	lock_take(&waf->lock);
	rc = waf_base_get(&p->base, waf, c, e);
	if (rc == ERR_OK) {
		make_settings(p, c);
		rc = make_apps(p, c, e);
	}
	if (rc == ERR_OK)
		rc = exclude_new(&p->excludes, c, p->base->rules, e);
	lock_release(&waf->lock);
	if (rc != ERR_OK) {
		waf_policy_free(&p);
		return (err_wrap(e, "policy %s", c->name));
	}
	*policy_r = p;
	return (ERR_OK);
}

struct waf_policy *
waf_policy_ref(struct waf_policy *p)
{
	CHECK_OBJ(p, WAF_POLICY_MAGIC);
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return (p);
}

static bool
is_app(const char *name)
{
	return (strncmp(name, "crs_exclusions_", 15) == 0);
}

void
waf_policy_free(struct waf_policy **policy)
{
	struct waf_policy *p = *policy;

	*policy = NULL;
	if (p == NULL)
		return;
	CHECK_OBJ(p, WAF_POLICY_MAGIC);
	if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < p->n_settings; i++) {
		union {
			const char *from;
			char *to;
		} name = { p->settings[i].name }, value = { p->settings[i].value };

		if (is_app(name.from))
			free(name.to);
		free(value.to);
	}
	for (size_t i = 0; i < p->n_response_types; i++)
		free(p->response_types[i]);
	free(p->response_types);
	exclude_free(&p->excludes);
	if (p->base != NULL)
		atomic_fetch_sub_explicit(&p->base->refs, 1, memory_order_release);
	p->magic = 0;
	free(p);
}
