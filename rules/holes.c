/* SPDX-License-Identifier: Apache-2.0 */
/* Known security faults of versions of libmodsecurity 3. */
#include "config.h"

#include "rules/holes.h"

#include <stdio.h>

struct hole {
	unsigned fixed_in; /* patch level of 3.0 */
	const char *name, *what, *answer;
};

static const struct hole HOLES[] = {
	{ 10, "CVE-2023-38285", "slow transformations",
	    "Debian 12 has the fix; bodies and arguments are capped before the engine" },
	{ 10, "match limit",
	    "SecPcreMatchLimit has no effect: a regular expression may run long",
	    "eased: arguments, fields and inspected bytes are capped before the engine" },
	{ 12, "CVE-2024-1019", "an escaped ? in a path hides what is behind it",
	    "closed: the engine is given the canonical path and query apart" },
	{ 13, "collections", "those that outlive a request race between threads",
	    "closed: nothing writes to them, and rules of yours that would are refused" },
	{ 15, "CVE-2026-30923", "crash in hexDecode", "Debian 12 has the fix (deb12u2)" },
	{ 15, "CVE-2026-42268", "exception in verify operators",
	    "Debian 12 has the fix (deb12u2)" },
	{ 16, "CVE-2026-52747", "CR or LF in multipart part headers",
	    "closed: such a body is refused before the engine" },
	{ 16, "CVE-2026-52761", "fixed upstream in 3.0.16",
	    "open: not known to be mended in Debian 12; watch for an update" },
};

void
waf_holes(const char *version, struct text *out)
{
	unsigned patch;
	size_t i;

	if (sscanf(version, "3.0.%u", &patch) != 1) {
		text_printf(out, "engine %s: nothing is known of its holes\n", version);
		return;
	}
	text_printf(out, "known holes of libmodsecurity %s as released:\n", version);
	for (i = 0; i < sizeof(HOLES) / sizeof(HOLES[0]); i++)
		if (patch < HOLES[i].fixed_in)
			text_printf(out, "  %s  %s\n    %s\n", HOLES[i].name,
			    HOLES[i].what, HOLES[i].answer);
}
