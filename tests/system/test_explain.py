# SPDX-License-Identifier: Apache-2.0
"""`yett explain`: the story of a refusal, and an exclusion that really serves."""
import re

import pytest
import yaml

from yett_test.client import request
from yett_test.gateway import run

FORM = [("Content-Type", "application/x-www-form-urlencoded")]
JSON = [("Content-Type", "application/json")]

ROWS = [
    # why, the request refused, one that must still be refused afterwards
    ("argument", request("GET", "/?q=1'%20OR%201=1--"),
     request("GET", "/?r=1'%20OR%201=1--")),
    ("two rules", request("GET", "/search?q=<script>alert(1)</script>"
                          .replace("<", "%3C").replace(">", "%3E")),
     request("GET", "/search?q=1'%20OR%201=1--")),
    ("form", request("POST", "/form", FORM, b"note=1'+OR+1=1--"),
     request("POST", "/form", FORM, b"other=1'+OR+1=1--")),
    ("json", request("POST", "/api", JSON, b'{"a": {"b": "1\' OR 1=1--"}}'),
     request("POST", "/api", JSON, b'{"a": {"c": "1\' OR 1=1--"}}')),
    ("header", request("GET", "/", [("User-Agent", "sqlmap/1.0")]),
     request("GET", "/?q=1'%20OR%201=1--")),
    ("cookie", request("GET", "/", [("Cookie", "c=1'%20OR%201=1--")]),
     request("GET", "/", [("Cookie", "d=1'%20OR%201=1--")])),
]


def excludes(text):
    """The exclude entries that explain prints, as the configuration takes them."""
    found = []
    for line in text.splitlines():
        match = re.match(r"^\s*-\s*(\{.*\})\s*(#.*)?$", line)
        if match:
            entry = yaml.safe_load(match.group(1))
            if isinstance(entry, dict) and ("rule" in entry or "tag" in entry):
                found.append(entry)
    return found


@pytest.mark.parametrize("why,data,other", ROWS, ids=[r[0] for r in ROWS])
def test_the_exclusion_lets_the_request_pass(gateway, why, data, other):
    gw = gateway()
    answer, record = gw.record_of(data)
    assert answer.status == 403
    told = run("explain", answer.id, "--audit", gw.audit_path)
    assert told.returncode == 0, told.stderr
    assert answer.id in told.stdout
    assert str(record["waf"]["score"]) in told.stdout
    for rule in record["waf"]["rules"]:
        if rule["score"]:
            assert str(rule["id"]) in told.stdout
            assert rule["variable"] in told.stdout
    entries = excludes(told.stdout)
    assert entries, told.stdout
    assert all(e.get("target") and e.get("path") for e in entries), entries
    freed = gateway(policies={"default": {"exclude": entries}})
    assert freed.raw(data).status == 200, entries
    assert freed.raw(other).status == 403


def test_explain_of_other_reasons(gateway):
    gw = gateway()
    answer, _ = gw.record_of(b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n")
    told = run("explain", answer.id, "--audit", gw.audit_path)
    assert told.returncode == 0
    assert "space before the colon" in told.stdout
    assert "exclude" not in told.stdout.lower() or not excludes(told.stdout)


def test_explain_takes_the_path_from_the_configuration(gateway):
    gw = gateway()
    answer, _ = gw.record_of(request("GET", "/?q=1'%20OR%201=1--"))
    told = run("explain", answer.id, "-c", gw.file)
    assert told.returncode == 0, told.stderr
    assert "942100" in told.stdout


def test_explain_of_an_unknown_id(gateway):
    gw = gateway()
    gw.record_of(request("GET", "/?q=1'%20OR%201=1--"))
    told = run("explain", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--audit", gw.audit_path)
    assert told.returncode == 1
    assert "no record has this id" in told.stderr
    assert run("explain", "not-an-id", "--audit", gw.audit_path).returncode in (1, 2)
    assert run("explain").returncode == 2


def test_explain_reads_a_broken_log(gateway, tmp_path):
    gw = gateway()
    answer, _ = gw.record_of(request("GET", "/?q=1'%20OR%201=1--"))
    broken = tmp_path / "broken.log"
    broken.write_bytes(b"not json\n{\n\xff\xfe\0\n" + gw.audit_path.read_bytes() +
                       b'{"id": "half')
    told = run("explain", answer.id, "--audit", broken)
    assert told.returncode == 0, told.stderr
    assert "942100" in told.stdout


