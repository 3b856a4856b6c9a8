#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what building and testing need, builds Yett and runs all tests.
#
# usage: packaging/check.sh [--build FOLDER] [OPTION OF CONFIGURE...]
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=packaging/packages.sh
. "$top/packaging/packages.sh"

build=$top/build/check
if [ "${1:-}" = --build ]; then
	[ $# -ge 2 ] || { echo "check.sh: --build needs a folder" >&2; exit 2; }
	mkdir -p "$2"
	build=$(cd "$2" && pwd)
	shift 2
fi

fail()
{
	echo "check.sh: FAILED: $*" >&2
	exit 1
}

# shellcheck disable=SC2086 # lists of words
packages_install $packages_build $packages_test || fail "installing packages"

cd "$top"
echo "Making configure."
./autogen.sh >/dev/null 2>&1 || ./autogen.sh || fail "autogen.sh"
mkdir -p "$build"
cd "$build"
echo "Configuring and building in $build."
"$top/configure" --quiet "$@" || fail "configure; see $build/config.log"
make --no-print-directory -j"$(nproc)" || fail "the build"

echo "Running the tests."
status=0
make --no-print-directory -j"$(nproc)" check || status=$?
echo
/usr/bin/python3 "$top/packaging/tally.py" "$build" || true
[ "$status" -eq 0 ] || fail "tests; their output is in $build/test-suite.log"
echo "All tests passed."
