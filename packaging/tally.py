#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the tests that really ran in build folders, from their logs.

A log of cmocka or pytest counts with each of its cases, any other test that
automake ran counts as one. Prints a table for people; with --sum only
"PASSED FAILED".
"""
import argparse
import os
import re
import sys

CMOCKA_PASSED = re.compile(r"^\[  PASSED  \] (\d+) test\(s\)", re.M)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] \d+ test\(s\), listed below", re.M)
CMOCKA_FAILED_COUNT = re.compile(r"^ ?(\d+) FAILED TEST\(S\)", re.M)
PYTEST_LAST = re.compile(r"^=* ?((?:\d+ \w+(?:, )?)+) in [\d.]+s", re.M)
PYTEST_PART = re.compile(r"(\d+) (passed|failed|error|errors|skipped|xfailed|xpassed)\b")
TRS_RESULT = re.compile(r"^:test-result: (\w+)", re.M)


def cases(text):
    """(passed, failed, skipped) of one log, or None where it lists no cases."""
    passed = failed = skipped = 0
    found = False
    for match in CMOCKA_PASSED.finditer(text):
        found = True
        passed += int(match.group(1))
    if CMOCKA_FAILED.search(text):
        found = True
        failed += sum(int(m.group(1)) for m in CMOCKA_FAILED_COUNT.finditer(text))
    for match in PYTEST_LAST.finditer(text):
        for number, what in PYTEST_PART.findall(match.group(1)):
            found = True
            if what in ("passed", "xfailed"):
                passed += int(number)
            elif what == "skipped":
                skipped += int(number)
            else:
                failed += int(number)
    return (passed, failed, skipped) if found else None


def of_test(trs_path):
    """The same for one automake test; what automake says of it wins over its log."""
    with open(trs_path, encoding="utf-8", errors="replace") as f:
        result = TRS_RESULT.search(f.read())
    result = result.group(1) if result else "ERROR"
    try:
        with open(trs_path[:-4] + ".log", encoding="utf-8", errors="replace") as f:
            counted = cases(f.read())
    except FileNotFoundError:
        counted = None
    if counted is None:
        counted = {"PASS": (1, 0, 0), "XFAIL": (1, 0, 0), "SKIP": (0, 0, 1)}.get(result, (0, 1, 0))
    passed, failed, skipped = counted
    if result in ("FAIL", "XPASS", "ERROR") and failed == 0:
        failed = 1                      # died beside its cases
    return passed, failed, skipped


def collect(folder):
    """Rows of (name, passed, failed, skipped) of one build folder."""
    rows = []
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(d for d in folders if not d.startswith("yett-"))
        for name in sorted(files):
            if name.endswith(".trs"):
                path = os.path.join(where, name)
                rows.append((os.path.relpath(path, folder)[:-4],) + of_test(path))
    return rows


def main():
    parser = argparse.ArgumentParser(description="counts tests that ran")
    parser.add_argument("--sum", action="store_true", help="print PASSED FAILED only")
    parser.add_argument("paths", nargs="+", metavar="FOLDER")
    args = parser.parse_args()
    rows = []
    for path in args.paths:
        rows += collect(path)
    passed, failed, skipped = (sum(row[i] for row in rows) for i in (1, 2, 3))
    if args.sum:
        print(passed, failed)
        return 0
    for name, ok, bad, left in rows:
        note = f", {left} skipped" if left else ""
        print(f"{'FAIL' if bad else 'ok':4} {name}: {ok} passed, {bad} failed{note}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
