/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/bans_record.h - bans as Redis holds them: text with tabs between
 * (bans_client.lua), read as strictly as anything that a stranger may have written.
 * Pure. */
#ifndef YETT_BANS_RECORD_H
#define YETT_BANS_RECORD_H

#include "gateway/access/bans.h"
#include "gateway/base/buf.h"

enum bans_record {
	BANS_RECORD_BAD,		/* no record: not one of ours */
	BANS_RECORD_NONE,		/* not banned */
	BANS_RECORD_HELD,		/* was banned before */
	BANS_RECORD_MADE,		/* banned by this command */
};

/* Times come relative, and are made absolute by `wall_us`. Sets all of *ban_r but
 * client and bits. */
enum bans_record bans_record_read(struct span text, int64_t wall_us, struct ban *ban_r);

#define BANS_CLIENT_MAX 64
/* "192.0.2.1/32": the client of a ban, and its name in keys. */
const char *bans_client_text(const struct ban *, char out[BANS_CLIENT_MAX]);
/* The form that bans_client_text writes, and no other. */
bool bans_client_read(struct span text, struct ban *ban_r);

/* Parts of a record. Control characters become spaces: no field ends early. */
void bans_record_ids(const struct ban *, struct text *out);
void bans_record_words(struct span words, struct text *out);
const char *bans_record_flags(const struct ban *);

#endif
