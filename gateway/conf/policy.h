/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/policy.h - the part of the configuration that speaks of what the
 * WAF does. As in conf.h. */
#ifndef YETT_CONF_POLICY_H
#define YETT_CONF_POLICY_H

#include "gateway/conf/controls.h"

struct conf_exclude {
	struct conf_place place;
	uint32_t rule;			/* 0: by tag */
	const char *tag;		/* "": by rule */
	const char *target;		/* "ARGS:q", "ARGS:/regex/", "": whole rule */
	const char *path;		/* prefix, or "=/exact", or "" any */
	struct conf_strings method;	/* none: any */
};

enum conf_waf_mode { CONF_WAF_BLOCK, CONF_WAF_DETECT, CONF_WAF_OFF };
enum conf_over_inspect { CONF_OVER_REJECT, CONF_OVER_HEAD };

struct conf_policy {
	struct conf_place place;
	const char *name;
	enum conf_waf_mode mode;
	struct {
		const char *path;	/* folder of the rule set; "" : the system's */
		uint32_t paranoia;	/* 1..4 */
		uint32_t inbound_threshold, outbound_threshold;
		struct conf_strings apps;
	} crs;
	struct conf_strings rules;	/* SecLang files, globs already expanded */
	struct conf_strings allow;	/* of: remote_rules exec lua inspect_file rbl */
	struct conf_exclude *exclude;
	size_t n_exclude;
	struct {
		uint64_t inspect, limit;
		enum conf_over_inspect over_inspect;
		uint32_t arguments;
	} request_body;
	struct {
		uint64_t inspect;	/* 0: answers are not inspected */
		struct conf_strings types;
	} response_body;
};

#endif
