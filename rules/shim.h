/* SPDX-License-Identifier: Apache-2.0 */
/* rules/shim.h - libmodsecurity's C++ classes behind a C face. Yett walks the
 * rules of a phase itself and hands each one to the engine: so it knows which
 * rules matched as a whole, can leave out excluded ones, and fills the engine's
 * variables with the canonical request instead of letting it parse the target
 * again. Whether a rule matches is the engine's word alone. No exception leaves
 * the shim. A set of rules is read-only once sealed and shared by all threads;
 * a transaction is used by one thread at a time. */
#ifndef YETT_RULES_SHIM_H
#define YETT_RULES_SHIM_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "gateway/base/buf.h"
#include "gateway/http/message.h"
#include "rules/waf.h"

#define SHIM_PHASES 5
#define SHIM_HITS_MAX 128
#define SHIM_VALUE_MAX 1024

/* The library; one per process. */
struct shim_engine;
struct shim_engine *shim_engine_new(void);
const char *shim_engine_version(void); /* "3.0.9" */

/* Rules, parsed file by file. Parsing is not thread-safe: one lock around all
 * of new, add, seal and free. */
struct shim_rules;
struct facts;
struct shim_rules *shim_rules_new(struct shim_engine *);
void shim_rules_free(struct shim_rules **);
/* False: `error` has the parser's word, with file and line. */
bool shim_rules_add_text(
    struct shim_rules *, const char *name, const char *text, struct text *error);
bool shim_rules_add_file(struct shim_rules *, const char *path, struct text *error);
/* What was added from here on is the operator's own. */
void shim_rules_own(struct shim_rules *);
/* What the files' texts say of the rules, taken over; before the seal. */
void shim_rules_facts(struct shim_rules *, struct facts *);
/* No more is added; false when the engine failed. */
bool shim_rules_seal(struct shim_rules *);

struct shim_rule {
	uint32_t id; /* 0: a marker */
	uint8_t phase; /* 1..5 */
	const char *file;
	uint32_t line;
};
uint32_t shim_rules_count(const struct shim_rules *);
struct shim_rule shim_rules_at(const struct shim_rules *, uint32_t index);
/* Sets has_r[index] for each rule that has the tag; false when the engine failed. */
bool shim_rules_tagged(struct shim_rules *, const char *tag, bool *has_r);
/* "OWASP_CRS/3.3.4", "" without a rule set. */
const char *shim_rules_component(const struct shim_rules *);

/* An exclusion as the walk needs it: `next` chains those of one rule. */
struct shim_exclude {
	const char *collection; /* NULL: the whole rule */
	const char *name; /* member of the collection; NULL: all of it */
	bool nocase; /* names of fields */
	const pcre2_code *regex; /* instead of name */
};
struct shim_exclude_link {
	uint16_t exclude; /* index of a shim_exclude */
	uint16_t next; /* index of the next link; 0: none */
};
struct shim_excludes {
	const struct shim_exclude *v;
	const struct shim_exclude_link *links; /* [0] is not used */
	const uint16_t *first; /* by index of the rule; NULL: nothing is excluded */
};

struct shim_setting {
	const char *name, *value;
};

/* One request. `settings`: variables of TX set before any rule. NULL: out of
 * memory or the engine failed. */
struct shim_txn;
struct shim_txn_args {
	struct shim_engine *engine;
	struct shim_rules *rules;
	const char *id;
	const struct shim_setting *settings;
	uint32_t n_settings;
	struct shim_excludes excludes;
	const bool *active; /* by index of shim_exclude: does it hold here? */
	uint8_t paranoia; /* whose scores count */
	bool detect; /* go on after a rule that would refuse */
};
struct shim_txn *shim_txn_new(const struct shim_txn_args *);
void shim_txn_free(struct shim_txn **);

void shim_set_tx(struct shim_txn *, const char *name, struct span value);
void shim_connection(struct shim_txn *, const char *client, uint16_t client_port,
    const char *local, uint16_t local_port);
void shim_request(struct shim_txn *, const struct http_request *);
enum shim_body {
	SHIM_BODY_RAW,
	SHIM_BODY_FORM,
	SHIM_BODY_MULTIPART,
	SHIM_BODY_JSON,
	SHIM_BODY_XML
};
/* What the body is, found by the caller; before phase 1. */
void shim_body_kind(struct shim_txn *, enum shim_body);
bool shim_body_append(struct shim_txn *, const void *, size_t);
/* Parses what was appended. `boundary`: of a multipart body, as the caller read it
 * (the engine takes exception to valid quoting and to other parameters); absent:
 * the engine reads it from the Content-Type. `lenient`: a body that does not parse
 * is no error but is shown to the rules as it is. */
void shim_body_parse(struct shim_txn *, struct span boundary, bool lenient);
void shim_body_argument(struct shim_txn *, const char *name, struct span value);
uint32_t shim_arguments(const struct shim_txn *);
void shim_response(struct shim_txn *, const struct http_response *);
void shim_response_body(struct shim_txn *, struct span);

/* Runs the rules of a phase. */
void shim_phase(struct shim_txn *, int phase);

/* What came of it so far. */
struct shim_result {
	bool decided; /* a rule refuses (detect: would refuse) */
	bool fault; /* the engine threw: refuse */
	uint16_t status;
	struct span redirect;
	uint32_t inbound, outbound;
	const struct waf_hit *hits;
	uint32_t n_hits, n_hits_lost;
};
void shim_read(struct shim_txn *, struct shim_result *);
/* A hit of Yett's own checks, which decides. */
void shim_refuse(struct shim_txn *, const struct waf_hit *, uint16_t status);

#ifdef __cplusplus
}
#endif

#endif
