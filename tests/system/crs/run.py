#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the regression tests that the OWASP CRS ships through the whole gateway
and judges each by the audit record. Every request comes from a loopback address
of its own, which is how its record is found.

Fails on any failure that known-failures.txt does not list, on a listed one that
passes, and on a request refused before the WAF that refused-earlier.txt does not
list."""
import argparse
import base64
import collections
import json
import re
import sys
import tempfile
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

import fetch                                            # noqa: E402
from yett_test.client import Closed, Connection         # noqa: E402
from yett_test.gateway import Gateway                   # noqa: E402
from yett_test.origin import Origin                     # noqa: E402
from yett_test.wait import Port                         # noqa: E402

# What the tests' own README asks of a configuration, and a point for every
# request, so that each is "detected" and its record lists all that matched.
OWN_RULES = """\
SecAction "id:10900,phase:1,pass,nolog,\\
    setvar:tx.crs_validate_utf8_encoding=1,\\
    setvar:tx.arg_name_length=100,\\
    setvar:tx.arg_length=400,\\
    setvar:tx.combined_file_sizes=65535,\\
    setvar:'tx.allowed_methods=GET HEAD POST OPTIONS',\\
    setvar:tx.anomaly_score_pl1=+1"
"""
FORCED = 1
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
           "CONNECT", "TEST", "FOO", "SUBSCRIBE", "REALLYLONGUNREALMETHOD"]
# Paths that the tests expect the app not to have.
MISSING = ["/i%FFndex.html"]


class Case:
    def __init__(self, title, stage, number):
        self.title = title
        self.input = stage["input"]
        self.output = stage["output"]
        self.address = f"127.1.{number // 250}.{number % 250 + 1}"
        self.status = None          # None: no answer came
        self.record = None
        self.result = self.cause = None

    def wanted(self):
        """(id that must be logged or None, id that must not be, statuses, error)"""
        def id_of(name):
            match = re.search(r"\d{6}", str(self.output.get(name, "")))
            return int(match.group(0)) if match else None
        status = self.output.get("status", [])
        return (id_of("log_contains"), id_of("no_log_contains"),
                status if isinstance(status, list) else [status],
                bool(self.output.get("expect_error")))

    def bytes(self):
        """The request as the tests' own runner would send it."""
        given = self.input
        if given.get("encoded_request"):
            return base64.b64decode(given["encoded_request"])
        if given.get("raw_request"):
            return given["raw_request"].encode().decode("unicode_escape").encode("latin-1")
        data = given.get("data", "")
        data = "\r\n".join(map(str, data)) if isinstance(data, list) else str(data)
        fields = dict(given.get("headers") or {})
        if data and not given.get("stop_magic"):
            data = self.form(fields, data)
        body = data.encode("utf-8")
        if data and not given.get("stop_magic"):
            fields.setdefault("Content-Length", len(body))
        head = f"{given.get('method', 'GET')} {given.get('uri', '/')} " \
            f"{given.get('version', 'HTTP/1.1')}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return head.encode("utf-8") + b"\r\n" + body

    @staticmethod
    def form(fields, data):
        """A body without a type is a form; one without escapes gets them."""
        form = "application/x-www-form-urlencoded"
        fields.setdefault("Content-Type", form)
        if fields["Content-Type"] == form and urllib.parse.unquote(data) == data:
            pairs = urllib.parse.parse_qsl(data)
            return urllib.parse.urlencode(pairs) if pairs else data
        return data

    def send(self, target):
        connection = Connection(target, source=self.address)
        try:
            connection.send(self.bytes())
            head = self.input.get("method") == "HEAD"
            self.status = connection.response(to_head=head).status
        except (Closed, OSError):
            self.status = None
        finally:
            connection.close()

    def judge(self):
        present, absent, statuses, error = self.wanted()
        record = self.record or {}
        reason = record.get("reason")
        ids = {r["id"] for r in (record.get("waf") or {}).get("rules", [])}
        score = (record.get("waf") or {}).get("score", 0) - FORCED
        early = reason in ("protocol", "method", "body")
        if self.status in statuses:
            return "passed", ""
        if error and self.status is None:
            return "passed", ""
        if early and (present or absent or statuses or error):
            return "refused", f"{self.status} {reason}: {record.get('detail', '')}"
        if not record:
            return "failed", f"no audit record; status {self.status}"
        if present:
            return ("passed", "") if present in ids else \
                ("failed", f"{present} is not among {sorted(ids)}")
        if absent:
            return ("failed", f"{absent} matched: {self.hit(absent)}") \
                if absent in ids else ("passed", "")
        if 403 in statuses and score >= 5:      # only the mode let it pass
            return "passed", ""
        return "failed", f"status {self.status}, score {score}, rules {sorted(ids)}"

    def hit(self, id):
        rule = next(r for r in self.record["waf"]["rules"] if r["id"] == id)
        return f"{rule['variable']} {rule['value'][:60]!r}"


def load(folder, only):
    cases, disabled, number = [], 0, 0
    for path in sorted(folder.rglob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for test in document["tests"]:
            if not document["meta"].get("enabled", True):
                disabled += 1
                continue
            for stage in test["stages"]:
                number += 1
                if not only or re.search(only, str(test["test_title"])):
                    cases.append(Case(str(test["test_title"]), stage["stage"], number))
    return cases, disabled


def reasons(path):
    """`TITLE: why` lines of a list; a line without a reason is an error."""
    found = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            title, _, why = line.partition(":")
            if not why.strip():
                sys.exit(f"{path}: {title}: no reason given")
            found[title.strip()] = why.strip()
    return found


def run(cases, folder, paranoia):
    """Sends everything; afterwards each case has its status and record."""
    origin, port = Origin(), Port()
    for path in MISSING:
        origin.on(path, lambda exchange: exchange.answer(b"", "404 Not Found"))
    rules = folder / "own.conf"
    rules.write_text(OWN_RULES)
    gateway = Gateway(
        folder, origin, port, timeouts={"header": "2s", "body_idle": "2s"},
        policies={"default": {
            "mode": "detect", "rules": [str(rules)],
            "crs": {"paranoia": paranoia, "inbound_threshold": 1},
            "request_body": {"inspect": "1MiB", "arguments": 255}}},
        sites=[{"hosts": ["*"], "pool": "app", "policy": "default",
                "methods": METHODS}])
    begin = time.monotonic()
    try:
        with ThreadPoolExecutor(4) as pool:
            for _ in pool.map(lambda case: case.send(gateway.target), cases):
                pass
    finally:
        gateway.stop()
        origin.stop()
    took = time.monotonic() - begin
    records = collections.defaultdict(list)
    for record in gateway.records():
        records[record["client"]["address"]].append(record)
    for case in cases:
        # What follows a refused or short request on its connection is no test.
        case.record = (records.get(case.address) or [None])[0]
    return took


def report(cases, disabled, known, early, whole):
    """Prints the outcome; returns the number of surprises."""
    surprises = []
    by = collections.defaultdict(list)
    for case in cases:
        case.result, case.cause = case.judge()
        by[case.result].append(case)
        if case.result == "failed" and case.title not in known:
            surprises.append(f"{case.title}: {case.cause}")
        if case.result == "refused" and case.title not in early:
            surprises.append(f"{case.title}: refused before the WAF: {case.cause}")
    failed = {c.title for c in by["failed"]}
    refused = {c.title for c in by["refused"]}
    ran = {c.title for c in cases}
    for title in sorted(known.keys() & ran - failed):
        surprises.append(f"{title}: is listed as a known failure, but passes")
    for title in sorted(early.keys() & ran - refused):
        surprises.append(f"{title}: is listed as refused earlier, but is not")
    if whole:
        for title in sorted((known.keys() | early.keys()) - ran):
            surprises.append(f"{title}: is listed, but there is no such test")
    print("refused before the WAF:")
    for case in by["refused"]:
        print(f"  {case.title}: {case.cause} ({early.get(case.title, 'not listed')})")
    print("failed:")
    for case in by["failed"]:
        print(f"  {case.title}: {case.cause} ({known.get(case.title, 'not listed')})")
    if surprises:
        print("not as expected:")
        for line in surprises:
            print(f"  {line}")
    print(f"CRS regression tests: {len(cases)} run, {len(by['passed'])} passed, "
          f"{len(by['refused'])} refused earlier, {len(by['failed'])} failed "
          f"({len(failed & known.keys())} known), {disabled} disabled by their authors, "
          f"{len(surprises)} not as expected")
    return len(surprises)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tests", type=Path, help="folder of the tests; default: fetch")
    parser.add_argument("--cache", type=Path, help="where what is fetched is kept")
    parser.add_argument("--only", help="run tests whose title matches")
    parser.add_argument("--paranoia", type=int, default=4)
    parser.add_argument("--json", type=Path, help="write every case's outcome there")
    arguments = parser.parse_args()
    cases, disabled = load(arguments.tests or fetch.tests(arguments.cache),
                           arguments.only)
    if not cases:
        sys.exit("no tests there")
    with tempfile.TemporaryDirectory(prefix="yett-crs-") as folder:
        took = run(cases, Path(folder), arguments.paranoia)
    surprises = report(cases, disabled, reasons(HERE / "known-failures.txt"),
                       reasons(HERE / "refused-earlier.txt"), not arguments.only)
    print(f"in {took:.1f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(
            [{"title": c.title, "result": c.result, "cause": c.cause,
              "status": c.status} for c in cases], indent=1))
    sys.exit(1 if surprises else 0)


if __name__ == "__main__":
    main()
