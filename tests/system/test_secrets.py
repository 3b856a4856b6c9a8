# SPDX-License-Identifier: Apache-2.0
"""Secrets never reach a log, nor what `yett explain` prints from it."""
import json

import pytest

from yett_test.client import request
from yett_test.gateway import run
from yett_test.wait import until

SECRET = "hunter2x"
ATTACK = "1'%20OR%201=1--"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")

ROWS = [
    # why, request with a secret in it that is refused
    ("query", request("GET", f"/?password={SECRET}&id={ATTACK}")),
    ("escaped name", request("GET", f"/?p%61ssword={SECRET}&id={ATTACK}")),
    ("part of the name", request("GET", f"/?user_password2={SECRET}&id={ATTACK}")),
    ("Authorization", request("GET", f"/?id={ATTACK}",
                              [("Authorization", f"Bearer {SECRET}")])),
    ("Cookie", request("GET", f"/?id={ATTACK}", [("Cookie", f"sid={SECRET}; b=1")])),
    ("Referer", request("GET", f"/?id={ATTACK}",
                        [("Referer", f"http://a.test/?token={SECRET}")])),
    ("form", request("POST", "/", [FORM], f"passwd={SECRET}&id={ATTACK}".encode())),
    ("json", request("POST", "/", [JSON], json.dumps(
        {"user": {"password": SECRET}, "id": "1' OR 1=1--"}).encode())),
    ("json text in a form", request("POST", "/", [FORM],
                                    f'x={{"token":"{SECRET}"}}&id={ATTACK}'.encode())),
    ("the attack is in the secret", request(
        "GET", f"/?password={SECRET}'%20OR%201=1--%20{SECRET}")),
    ("attack in a secret of a form", request(
        "POST", "/", [FORM], f"password={SECRET}'+OR+1=1--+{SECRET}".encode())),
    ("attack in a secret of JSON", request("POST", "/", [JSON], json.dumps(
        {"token": f"{SECRET}' OR 1=1-- {SECRET}"}).encode())),
    ("attack in a cookie", request("GET", "/", [
        ("Cookie", f"sid={SECRET}'%20OR%201=1--%20{SECRET}")])),
    ("attack in Authorization", request("GET", "/", [
        ("Authorization", f"Basic {SECRET}<script>alert(1)</script>' OR 1=1--"),
        ("User-Agent", "sqlmap/1")])),
    ("malformed head", request("GET", f"/?token={SECRET}", [
        ("Cookie", f"a={SECRET}"), ("Bad Name", "x")])),
]


@pytest.fixture(scope="module")
def gw(module_gateway):
    """Paranoia 4: as many rules as can be speak of the secret."""
    return module_gateway(policies={"default": {"crs": {"paranoia": 4}}})


@pytest.mark.parametrize("why,data", ROWS, ids=[r[0] for r in ROWS])
def test_secret_is_masked(gw, why, data):
    answer = gw.raw(data)
    assert answer.status in (400, 403)
    record = gw.audit(id=answer.id)
    assert SECRET not in json.dumps(record)
    told = run("explain", answer.id, "--audit", gw.audit_path)
    assert told.returncode == 0, told.stderr
    assert SECRET not in told.stdout + told.stderr
    access = until(lambda: next((r for r in gw.accesses() if r["id"] == answer.id), None))
    assert SECRET not in json.dumps(access)
    assert SECRET not in gw.stderr


def test_what_is_no_secret_stays(gw):
    answer = gw.get(f"/?password={SECRET}&city=Perth&id={ATTACK}")
    text = json.dumps(gw.audit(id=answer.id))
    assert "Perth" in text and "***" in text


def test_own_words(gateway):
    gw = gateway(logs={"audit": {"mask": ["pin"]}})
    answer = gw.get(f"/?pin={SECRET}&id={ATTACK}")
    assert SECRET not in json.dumps(gw.audit(id=answer.id))


def test_a_path_in_the_key_of_a_limit(gateway):
    gw = gateway(limits={"pages": {"key": ["path", "client"], "rate": "1/h", "burst": 1}},
                 sites=[{"hosts": ["*"], "pool": "app", "limits": ["pages"]}])
    for target in (f"/a;token={SECRET}/b", f"/c;p%61ssword={SECRET}"):
        gw.get(target)
        answer = gw.get(target)
        assert answer.status == 429
        record = gw.audit(id=answer.id)
        assert SECRET not in json.dumps(record)
        assert record["limit"]["key"].startswith(f"pages|{record['request']['path']}")
