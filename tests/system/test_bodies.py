# SPDX-License-Identifier: Apache-2.0
"""Inspection of request bodies: kinds, limits, and what lies beyond them."""
import json

import pytest

from yett_test.client import chunks, request
from yett_test.gateway import rules

ATTACK = b"1' OR 1=1--"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=----frontier"


def multipart(*parts):
    """parts: (disposition parameters, content type or None, bytes)"""
    body = b""
    for parameters, kind, content in parts:
        body += b"------frontier\r\nContent-Disposition: form-data; " + parameters
        body += b"\r\nContent-Type: " + kind if kind else b""
        body += b"\r\n\r\n" + content + b"\r\n"
    return body + b"------frontier--\r\n"


KINDS = [
    # why, content type, clean body, the same with an attack
    ("form", FORM, b"a=1&b=2", b"a=1&b=" + ATTACK.replace(b" ", b"+")),
    ("form escaped", FORM, b"a=%31", b"a=1%27%20OR%201%3D1--"),
    ("form, upper case", "APPLICATION/X-WWW-FORM-URLENCODED; charset=utf-8", b"a=1",
     b"a=" + ATTACK),
    ("json", "application/json", b'{"a": {"b": ["x", 1, null]}}',
     b'{"a": {"b": ["x", "' + ATTACK + b'"]}}'),
    ("json with charset", "application/json; charset=utf-8", b'{"a": 1}',
     b'{"a": "' + ATTACK + b'"}'),
    ("json escapes", "application/json", b'{"a": "\\u0031"}',
     b'{"a": "1\\u0027 OR 1=1--"}'),
    ("json key", "application/json", b'{"a": 1}', b'{"' + ATTACK + b'": 1}'),
    ("json:api", "application/vnd.api+json", b'{"a": 1}', b'{"a": "' + ATTACK + b'"}'),
    ("json-ld", "application/ld+json", b'{"a": 1}', b'{"a": "' + ATTACK + b'"}'),
    ("xml", "application/xml", b"<a><b>x</b></a>", b"<a><b>" + ATTACK + b"</b></a>"),
    ("xml text", "text/xml", b"<a>x</a>", b"<a>" + ATTACK + b"</a>"),
    ("soap", "application/soap+xml", b"<a>x</a>", b"<a>" + ATTACK + b"</a>"),
    ("multipart field", MULTIPART, multipart((b'name="a"', None, b"x")),
     multipart((b'name="a"', None, ATTACK))),
    ("multipart file name", MULTIPART,
     multipart((b'name="f"; filename="photo.txt"', b"text/plain", b"x")),
     multipart((b'name="f"; filename="shell.php"', b"text/plain", b"x"))),
]


@pytest.fixture(scope="module")
def gw(module_gateway, types):
    return module_gateway(policies={"default": {"rules": [types]}})


@pytest.fixture(scope="module")
def types(tmp_path_factory):
    """CRS allows few content types; these tests are about more of them."""
    path = tmp_path_factory.mktemp("rules") / "types.conf"
    path.write_text("SecRuleRemoveById 920420\n")
    return str(path)


@pytest.fixture
def org(module_origin):
    module_origin.clear()
    return module_origin


@pytest.mark.parametrize("why,kind,clean,bad", KINDS, ids=[r[0] for r in KINDS])
@pytest.mark.parametrize("way", ["length", "chunked", "pieces"])
def test_kind(gw, org, why, kind, clean, bad, way):
    def post(body):
        fields = [("Content-Type", kind)]
        if way == "chunked":
            return gw.raw(request("POST", "/", fields + [("Transfer-Encoding", "chunked")])
                          + chunks(body[:5], body[5:]))
        with gw.connect() as connection:
            data = request("POST", "/", fields, body)
            for at in range(0, len(data), 50 if way == "pieces" else len(data)):
                connection.send(data[at:at + (50 if way == "pieces" else len(data))])
            return connection.response()

    assert post(clean).status == 200
    assert org.last().body == clean
    answer = post(bad)
    assert answer.status == 403
    assert len(org.requests) == 1
    record = gw.audit(id=answer.id)
    assert record["request"]["inspected_bytes"] == len(bad)


@pytest.mark.parametrize("body", [b'{"a": ', b"[1, 2", b'{"a": 1}}', b"\xff\xfe{}"])
def test_json_that_does_not_parse_is_refused(gw, org, body):
    answer = gw.json(body)
    assert answer.status in (400, 403)
    assert gw.audit(id=answer.id)["reason"] in ("waf", "body")
    assert org.requests == []


def test_multipart_tricks_are_refused(gw, org):
    for body, kind in (
            (multipart((b'name="a"', None, b"x")).replace(b"--\r\n", b"\r\n"), MULTIPART),
            (b"no boundary at all", MULTIPART),
            (multipart((b'name="a"', None, b"x")), "multipart/form-data"),
            (multipart((b'name="a"', None, b"x")),
             MULTIPART + "; boundary=other")):
        answer = gw.ask("POST", "/", [("Content-Type", kind)], body)
        assert answer.status in (400, 403), (kind, body)
    assert org.requests == []


def test_odd_multipart_in_detect_mode_still_shows_the_rules(gateway, origin):
    """The check before the engine once was all that the record told."""
    gw = gateway(policies={"default": {"mode": "detect"}})
    body = multipart((b'name="a"', None, ATTACK)).replace(b"\r\n", b"\n")
    assert gw.ask("POST", "/", [("Content-Type", MULTIPART)], body).status == 200
    record, = gw.audit(1)
    assert record["action"] == "detected"
    assert 942100 in rules(record) and len(rules(record)) > 2
    assert origin.last().body == body


def test_over_inspect_reject(gateway, origin):
    gw = gateway(policies={"default": {"request_body": {
        "inspect": "8KiB", "limit": "1MiB", "over_inspect": "reject"}}})
    assert gw.form(b"a=" + b"x" * 8000).status == 200
    big = request("POST", "/", [("Content-Type", FORM)], b"a=" + b"x" * 9000)
    answer, record = gw.record_of(big)
    assert (answer.status, record["reason"], record["status"]) == (413, "body", 413)
    chunked = request("POST", "/", [("Content-Type", FORM),
                                    ("Transfer-Encoding", "chunked")]) + \
        chunks(*[b"a=" + b"x" * 1000] * 20)
    answer, record = gw.record_of(chunked)
    assert (answer.status, record["reason"]) == (413, "body")
    assert len(origin.requests) == 1


def test_over_inspect_head(gateway, origin):
    gw = gateway(policies={"default": {"request_body": {
        "inspect": "8KiB", "limit": "1MiB", "over_inspect": "head"}}})
    body = b"a=" + b"x" * 100000
    assert gw.form(body).status == 200
    assert origin.last().body == body
    answer = gw.form(b"id=1'+OR+1=1--&a=" + b"x" * 100000)
    assert answer.status == 403
    record = gw.audit(id=answer.id)
    assert record["request"]["inspected_bytes"] == 8192
    text = json.dumps({"pad": "x" * 20000}).encode()
    assert gw.json(text).status == 200      # cut JSON must not become a parse error
    assert origin.last().body == text
    pdf = multipart((b'name="f"; filename="a.txt"', b"text/plain", b"y" * 50000))
    assert gw.ask("POST", "/", [("Content-Type", MULTIPART)], pdf).status == 200
    assert origin.last().body == pdf


def test_limit_is_413(gateway, origin):
    gw = gateway(policies={"default": {"request_body": {
        "inspect": "8KiB", "limit": "64KiB", "over_inspect": "head"}}})
    with gw.connect() as connection:
        connection.send(request("POST", "/", [("Content-Length", "10000000"),
                                              ("Expect", "100-continue")]))
        answer = connection.response()
        assert answer.status == 413 and answer.informational == []
    assert gw.audit(id=answer.id)["reason"] == "body"
    with gw.connect() as connection:
        connection.send(request("POST", "/", [("Transfer-Encoding", "chunked")]))
        try:
            for _ in range(100):
                connection.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            pass
        # Bytes to the origin may have begun: then the connection ends instead.
        rest = connection.rest()
        assert rest == b"" or b" 413 " in rest.split(b"\r\n")[0]
    assert gw.get().status == 200


def test_arguments_cap(gateway, origin):
    gw = gateway(policies={"default": {"request_body": {"arguments": 50}}})
    few = "&".join(f"a{n}={n}" for n in range(40))
    many = "&".join(f"a{n}={n}" for n in range(60))
    assert gw.get("/?" + few).status == 200
    assert gw.form(few.encode()).status == 200
    assert gw.json(json.dumps([str(n) for n in range(40)]).encode()).status == 200
    for answer in (gw.get("/?" + many), gw.form(many.encode()),
                   gw.json(json.dumps([str(n) for n in range(60)]).encode())):
        assert answer.status in (400, 403, 413)
        assert gw.audit(id=answer.id)["reason"] in ("waf", "body")
    assert len(origin.requests) == 3


def test_attack_behind_many_arguments(gw):
    """Arguments past the engine's cap are never passed unseen."""
    query = "&".join(f"a{n}=1" for n in range(300)) + "&id=1'%20OR%201=1--"
    assert gw.get("/?" + query).status in (400, 403)
    assert gw.form(query.encode()).status in (400, 403)


def test_big_body_by_file(gateway, origin):
    """More than fits memory is inspected from an unlinked file, and passed on."""
    gw = gateway(policies={"default": {"request_body": {
        "inspect": "512KiB", "limit": "8MiB"}}})
    body = b"a=" + b"x" * (400 << 10)
    assert gw.form(body).status == 200
    assert origin.last().body == body
    answer = gw.form(body + b"&id=1'+OR+1=1--")
    assert answer.status == 403
    assert gw.audit(id=answer.id)["request"]["inspected_bytes"] > 400 << 10


def test_get_with_a_body_is_inspected(gw, org):
    answer = gw.ask("GET", "/", [("Content-Type", FORM)], b"id=" + ATTACK)
    assert answer.status == 403


def test_body_of_other_types_passes(gw, org):
    for kind, body in (("text/plain", b"hello"), ("application/octet-stream", b"\0\xff"),
                       ("image/png", b"\x89PNG\r\n\x1a\n")):
        answer = gw.ask("POST", "/", [("Content-Type", kind)], body)
        assert (answer.status, org.last().body) == (200, body)


def test_empty_body(gw, org):
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = gw.ask(method, "/", [("Content-Length", "0")])
        assert answer.status == 200
    answer = gw.ask("POST", "/", [("Content-Type", "application/json"),
                                  ("Content-Length", "0")])
    assert answer.status == 200


def test_expect_continue_under_the_waf(gw, org):
    with gw.connect() as connection:
        connection.send(request("POST", "/", [("Content-Type", FORM),
                                              ("Content-Length", "7"),
                                              ("Expect", "100-continue")]))
        assert connection.head().startswith(b"HTTP/1.1 100")
        assert connection.send(b"a=1&b=2").response().status == 200
    assert org.last().body == b"a=1&b=2"


def test_deep_json_is_refused_quickly(gw):
    answer = gw.json(b"[" * 20000 + b"]" * 20000)
    assert answer.status in (400, 403, 413)


def test_rules_of_a_body(gw):
    answer = gw.json(b'{"user": {"name": "' + ATTACK + b'"}}')
    record = gw.audit(id=answer.id)
    hit = next(r for r in record["waf"]["rules"] if r["id"] == 942100)
    assert hit["variable"] == "ARGS:json.user.name"
    assert 942100 in rules(record)
