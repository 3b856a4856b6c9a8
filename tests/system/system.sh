#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The system tests against the yett of the build tree. Arguments go to pytest.
# Sanitizer builds get more time. YETT_SYSTEM_SELECT: only those that it names, as
# pytest's -k.
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=$(pwd)}"
export top_srcdir top_builddir

if grep -q '^#define YETT_LOCK_CHECK 1' "$top_builddir/config.h" 2>/dev/null; then
	: "${YETT_TEST_SLOW:=4}"
	export YETT_TEST_SLOW
fi
# The source tree may be read-only: no byte code, no cache of pytest's.
exec /usr/bin/python3 -B -m pytest -p no:cacheprovider -q -rsfE --durations=10 \
	${YETT_SYSTEM_SELECT:+-k "$YETT_SYSTEM_SELECT"} "$top_srcdir/tests/system" "$@"
