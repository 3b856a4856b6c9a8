#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets with clang, in a build folder of their own, and runs
# them one after the other; called by `make fuzz` and `make fuzz-merge`.
# usage: FUZZ_NAMES="uri ..." FUZZ_SECONDS=60 run.sh fuzz|merge SOURCE BUILD
set -eu
what=$1
source=$2
top=$3
work=$top/fuzz-build
found=$top/fuzz-findings
: "${CLANG:=clang}" "${CLANGXX:=clang++}" "${MAKE:=make}" "${FUZZ_JOBS:=2}"
# what the make that called us was told is not for the make we call
unset MAKEFLAGS MFLAGS MAKELEVEL

die()
{
	echo "fuzz: $*" >&2
	exit 1
}

command -v "$CLANG" >/dev/null || die "$CLANG is missing: apt-get install clang"

# A tree that was configured in place can't be the source of another build:
# the fuzzers are then built from a copy of it made of links.
mirror()
{
	(cd "$source" && find . \( -name .git -o -name .deps -o -path ./fuzz-build \
	    -o -path ./fuzz-findings \) -prune -o -type f ! -name '*.[oa]' \
	    ! -name 'config.[sl]*' ! -name config.h ! -name stamp-h1 \
	    ! -name .dirstamp ! -path ./Makefile -print) |
	while IFS= read -r file; do
		mkdir -p "$work/source/${file%/*}"
		ln -sf "$source/$file" "$work/source/$file"
	done
}

build()
{
	tree=$source
	mkdir -p "$work/obj" "$found"
	if [ -e "$source/config.status" ]; then
		mirror
		tree=$work/source
	fi
	if [ ! -e "$work/obj/config.status" ]; then
		echo "fuzz: configuring in $work/obj"
		(cd "$work/obj" && "$tree/configure" --enable-asan --enable-arena-malloc \
		    CC="$CLANG" CXX="$CLANGXX" CXXFLAGS="-g -O1 -fsanitize=fuzzer-no-link" \
		    CFLAGS="-g -O1 -fsanitize=fuzzer-no-link -DYETT_FUZZ_ENGINE" \
		    >configure.out 2>&1) || die "configure failed: see $work/obj/configure.out"
	fi
	programs=
	for name in $FUZZ_NAMES; do
		programs="$programs tests/fuzz/fuzz_$name"
	done
	# shellcheck disable=SC2086 # a list of words
	"$MAKE" -C "$work/obj" --no-print-directory -s -j "$FUZZ_JOBS" \
	    LDFLAGS=-fsanitize=fuzzer $programs >"$work/build.log" 2>&1 ||
	    { tail -n 30 "$work/build.log" >&2; die "build failed: see $work/build.log"; }
}

options()
{
	for dict in "$source/tests/fuzz/$1.dict" "$source/tests/fuzz/http.dict"; do
		if [ -e "$dict" ]; then
			printf '%s' "-dict=$dict"
			return
		fi
	done
}

run_one()
{
	name=$1
	log=$work/$name.log
	corpus=$source/tests/fuzz/corpus/$name
	mkdir -p "$work/corpus/$name"
	[ -d "$corpus" ] || die "$corpus is missing"
	printf 'fuzz: %s for %s s ... ' "$name" "$FUZZ_SECONDS"
	if "$work/obj/tests/fuzz/fuzz_$name" -max_total_time="$FUZZ_SECONDS" -timeout=10 \
	    -rss_limit_mb=1024 -max_len=2048 -print_final_stats=1 \
	    -artifact_prefix="$found/$name-" "$(options "$name")" \
	    "$work/corpus/$name" "$corpus" >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		cov=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
		echo "nothing found in $runs runs, $cov edges covered"
	else
		echo "FOUND SOMETHING"
		grep -E 'ERROR|SUMMARY|check failed|Test unit written' "$log" || tail "$log"
		failed="$failed $name"
	fi
}

failed=
build
case $what in
fuzz)
	for name in $FUZZ_NAMES; do
		run_one "$name"
	done
	[ -z "$failed" ] || die "findings in:$failed; inputs in $found, logs in $work"
	;;
merge)
	for name in $FUZZ_NAMES; do
		mkdir -p "$work/corpus/$name"
		"$work/obj/tests/fuzz/fuzz_$name" -merge=1 -max_len=512 \
		    "$source/tests/fuzz/corpus/$name" "$work/corpus/$name" 2>&1 |
		    grep 'MERGE-OUTER:.*new'
	done
	;;
*) die "fuzz or merge, not $what" ;;
esac
