#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The binary has what configure.ac asks the compiler for: position-independent,
# read-only relocations bound at start, no executable stack, stack protector,
# checked libc calls.
set -euo pipefail
: "${top_builddir:?set by make check}"

binary=$top_builddir/yett
failed=0

expect()
{
	if grep -qE "$2"; then
		echo "ok: $1"
	else
		echo "missing: $1"
		failed=1
	fi
}

readelf -hW "$binary" | expect "position-independent" 'Type: +DYN'
readelf -lW "$binary" | expect "read-only relocations" 'GNU_RELRO'
readelf -dW "$binary" | expect "bound at start" 'BIND_NOW|FLAGS.* NOW'
readelf -lW "$binary" | expect "stack not executable" 'GNU_STACK.* RW +0x'
readelf -sW "$binary" | expect "stack protector" '__stack_chk_fail'
if grep -q '#define YETT_LOCK_CHECK' "$top_builddir/config.h"; then
	echo "skipped: checked libc calls (a sanitizer build)"
else
	readelf -sW "$binary" | expect "checked libc calls" '__[a-z]+_chk@'
fi
exit "$failed"
