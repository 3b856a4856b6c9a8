#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The binary has what configure.ac asks the compiler for: position-independent,
# read-only relocations bound at start, no executable stack, stack protector,
# checked libc calls.
set -euo pipefail
: "${top_builddir:?set by make check}"

binary=$top_builddir/yett
failed=0

# expect WHAT REGEX READELF-OPTION
expect()
{
	local said

	said=$(readelf -W "$3" "$binary")
	if grep -qE "$2" <<<"$said"; then
		echo "ok: $1"
	else
		echo "missing: $1"
		failed=1
	fi
}

expect "position-independent" 'Type: +DYN' -h
expect "read-only relocations" 'GNU_RELRO' -l
expect "bound at start" 'BIND_NOW|FLAGS.* NOW' -d
expect "stack not executable" 'GNU_STACK.* RW +0x' -l
expect "stack protector" '__stack_chk_fail' -s
if grep -q '#define YETT_LOCK_CHECK' "$top_builddir/config.h"; then
	echo "skipped: checked libc calls (a sanitizer build)"
else
	expect "checked libc calls" '__[a-z]+_chk@' -s
fi
exit "$failed"
