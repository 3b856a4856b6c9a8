# SPDX-License-Identifier: Apache-2.0
"""The WAF's verdicts: modes, policies, exclusions, own rules, records."""
import json

import pytest

from yett_test.client import chunks, request
from yett_test.gateway import rules

SQLI = "/?id=1'%20OR%201=1--"
XSS = "/?q=<script>alert(1)</script>".replace("<", "%3C").replace(">", "%3E")


@pytest.fixture(scope="module")
def gw(module_gateway):
    return module_gateway()


@pytest.fixture
def org(module_origin):
    module_origin.clear()
    return module_origin


def site(**more):
    return [{"hosts": ["*"], "pool": "app", "policy": "default", **more}]


def test_clean_request_passes(gw, org):
    before = len(gw.records())
    assert gw.get("/index.html?page=2").status == 200
    assert gw.form(b"name=Ann&city=Perth").status == 200
    assert gw.json(b'{"name": "Ann"}').status == 200
    assert len(org.requests) == 3
    assert len(gw.records()) == before


def test_sql_injection_is_refused(gw, org):
    answer = gw.get(SQLI)
    assert answer.status == 403
    assert org.requests == []
    record = gw.audit(id=answer.id)
    assert (record["reason"], record["action"], record["status"]) == \
        ("waf", "blocked", 403)
    waf = record["waf"]
    assert 942100 in rules(record)
    assert waf["score"] >= waf["threshold"] == 5
    assert waf["paranoia"] == 1
    hit = next(r for r in waf["rules"] if r["id"] == 942100)
    assert hit["variable"] == "ARGS:id"
    assert "OR 1=1" in hit["value"]
    assert hit["score"] == 5
    assert "attack-sqli" in hit["tags"]
    assert "SQL" in hit["message"]
    # No word of rules, scores or the product's version for the client.
    for word in ("942100", "SQL", "score", "rule", "ModSecurity", "CRS", "OWASP"):
        assert word not in answer.text, word
    assert answer.id in answer.text


def test_the_whole_record(gw):
    answer = gw.ask("POST", "/a/b?x=1", [
        ("Content-Type", "application/x-www-form-urlencoded"), ("User-Agent", "me"),
        ("X-Two", "1"), ("X-Two", "2")], b"id=1' OR 1=1--")
    record = gw.audit(id=answer.id)
    assert record["time"].endswith("Z") and len(record["time"]) == 27
    assert record["client"]["address"] == "127.0.0.1"
    assert record["client"]["port"] > 0
    asked = record["request"]
    assert asked["method"] == "POST"
    assert asked["protocol"] == "HTTP/1.1"
    assert asked["host"] == "app.test"
    assert asked["path"] == "/a/b"
    assert asked["query"] == "x=1"
    assert asked["body_bytes"] == asked["inspected_bytes"] == 14
    fields = json.dumps(asked["fields"]).lower()
    assert "user-agent" in fields and '"me"' in fields and '"2"' in fields
    assert record["node"] == "gw-test"
    assert record["site"] == "*"
    assert record["duration_us"] > 0


def test_xss_path_traversal_rce(gw, org):
    for target in (XSS, "/?f=../../../etc/passwd", "/?c=%3Bcat%20/etc/passwd",
                   "/?x=%24%7Bjndi:ldap://e.test/a%7D"):
        assert gw.get(target).status == 403, target
    for name, value in (("User-Agent", "sqlmap/1.0"), ("Referer", "x' OR 1=1--"),
                        ("Cookie", "a=<script>alert(1)</script>")):
        assert gw.ask(fields=[(name, value)]).status == 403, name
    assert org.requests == []


def test_encoded_question_mark_in_the_path(gw, org):
    """CVE-2024-1019: behind %3f the engine saw a query string and looked away."""
    for path in ("/a%3f%3Cscript%3Ealert(1)%3C/script%3E",
                 "/a%3F/..%252f..%252f..%252fetc/passwd",
                 "/a%23%3Cscript%3Ealert(1)%3C/script%3E"):
        answer = gw.get(path.replace(" ", "%20").replace("'", "%27"))
        assert answer.status == 403, path
        assert gw.audit(id=answer.id)["reason"] == "waf"
    assert gw.get("/a%3fb").status == 200
    assert len(org.requests) == 1


def test_problem_json_page(gw):
    for accept, kind in (("application/json", "application/problem+json"),
                         ("application/problem+json", "application/problem+json"),
                         ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
                         ("application/json;q=0.1, text/html", "text/html"),
                         ("*/*", "text/html")):
        answer = gw.ask(target=SQLI, fields=[("Accept", accept)])
        assert answer.status == 403
        assert answer.get("content-type").startswith(kind), accept
        if "json" in kind:
            page = json.loads(answer.body)
            assert page["status"] == 403
            assert answer.id in json.dumps(page)
        else:
            assert answer.body.lower().startswith(b"<!doctype html>")
        assert "no-store" in (answer.get("cache-control") or "no-store")


def test_page_does_not_echo_the_request(gw):
    answer = gw.get("/%3Cscript%3Ealert(1)%3C/script%3E")
    assert answer.status == 403
    assert b"<script" not in answer.body and b"alert" not in answer.body


def test_connection_goes_on_after_a_refusal(gw, org):
    with gw.connect() as connection:
        for _ in range(5):
            assert connection.send(request("GET", SQLI)).response().status == 403
            assert connection.send(request("GET", "/")).response().status == 200
    assert len(org.requests) == 5


def test_pipelined_clean_and_attack(gw, org):
    batch = [(request("GET", SQLI), 403) if n % 3 == 1 else
             (request("POST", f"/{n}", [("Content-Type", "application/json")],
                      b'{"a": "1\' OR 1=1--"}'), 403) if n % 3 == 2 else
             (request("GET", f"/{n}"), 200) for n in range(24)]
    with gw.connect() as connection:
        connection.send(b"".join(data for data, _ in batch))
        for _, status in batch:
            assert connection.response().status == status
    assert [r.path for r in org.requests] == [f"/{n}" for n in range(0, 24, 3)]


def test_head_of_an_attack_has_no_body(gw):
    with gw.connect() as connection:
        answer = connection.send(request("HEAD", SQLI)).response(to_head=True)
        assert answer.status == 403
        assert connection.send(request("GET", "/")).response().status == 200


def test_detect_only(gateway, origin):
    gw = gateway(policies={"default": {"mode": "detect"}})
    assert gw.get(SQLI).status == 200
    record, = gw.audit(1)
    assert (record["reason"], record["action"], record["status"]) == \
        ("waf", "detected", 200)
    assert 942100 in rules(record)
    assert len(origin.requests) == 1
    assert gw.form(b"a=" + b"x' OR 1=1--").status == 200
    assert origin.last().body.endswith(b"OR 1=1--")
    gw.audit(2)


def test_mode_off(gateway, origin):
    gw = gateway(policies={"default": {"mode": "off"}})
    assert gw.get(SQLI).status == 200
    gw.stop()
    assert gw.records() == []


def test_policies_per_route(gateway, origin):
    gw = gateway(
        policies={"strict": {"crs": {"paranoia": 4}}, "watch": {"mode": "detect"}},
        sites=site(routes=[{"path": "/strict/", "policy": "strict"},
                           {"path": "/watch/", "policy": "watch"},
                           {"path": "/static/", "policy": "off"}]))
    assert gw.get(SQLI).status == 403
    assert gw.get("/watch" + SQLI).status == 200
    assert gw.get("/static" + SQLI).status == 200
    odd = "/?q=" + "%27a%27%20%7c%7c%20%27b%27%3b%23%23"
    strict = gw.get("/strict" + odd)
    assert strict.status == 403
    assert gw.audit(id=strict.id)["waf"]["paranoia"] == 4
    assert gw.audit(id=strict.id)["route"] == "/strict/"


def test_threshold(gateway):
    gw = gateway(policies={"default": {"crs": {"inbound_threshold": 1000}}})
    assert gw.get(SQLI).status == 200
    low = gateway(policies={"default": {"crs": {"inbound_threshold": 1}}})
    assert low.get(SQLI).status == 403


EXCLUDES = [
    # exclusion, request that passes now, request that must still be refused
    ({"rule": 942100, "target": "ARGS:id"}, ("GET", "/?id={}"), ("GET", "/?other={}")),
    ({"rule": 942100}, ("GET", "/?any={}"), None),
    ({"rule": 942100, "path": "/free"}, ("GET", "/free?id={}"), ("GET", "/x?id={}")),
    ({"rule": 942100, "path": "=/free"}, ("GET", "/free?id={}"),
     ("GET", "/free/x?id={}")),
    ({"rule": 942100, "method": ["GET"]}, ("GET", "/?id={}"), ("HEAD", "/?id={}")),
    ({"rule": 942100, "target": "ARGS:id", "path": "/free", "method": ["GET"]},
     ("GET", "/free?id={}"), ("HEAD", "/free?id={}")),
    ({"rule": 942100, "target": "ARGS:/^it.m$/"}, ("GET", "/?item={}"),
     ("GET", "/?items={}")),
    ({"tag": "attack-sqli", "target": "ARGS:q"}, ("GET", "/?q={}"),
     ("GET", "/?r={}")),
    ({"tag": "attack-sqli", "target": "ARGS:/^json\\.items\\..*\\.note$/"},
     ("JSON", '{{"items": [{{"note": "{}"}}]}}'), ("JSON", '{{"note": "{}"}}')),
]


def attack(gw, row):
    text = "1' OR 1=1--"        # 942100 and nothing else at paranoia 1
    method, form = row
    if method == "JSON":
        return gw.json(form.format(text).encode()).status
    target = form.format(text.replace(" ", "%20").replace("'", "%27"))
    return gw.ask(method, target).status


@pytest.mark.parametrize("exclude,free,held", EXCLUDES,
                         ids=[json.dumps(r[0]) for r in EXCLUDES])
def test_exclusion(gateway, exclude, free, held):
    gw = gateway(policies={"default": {"exclude": [exclude]}})
    if free:
        assert attack(gw, free) == 200
    if held:
        assert attack(gw, held) == 403


def test_own_rules(gateway, tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.conf").write_text(
        'SecRule REQUEST_HEADERS:X-Tea "@streq earl" '
        '"id:10001,phase:1,deny,status:418,log,msg:\'Tea\',tag:\'own\'"\n'
        'SecRule ARGS:go "@streq away" '
        '"id:10002,phase:2,redirect:http://elsewhere.test/,log,msg:\'Away\'"\n')
    (folder / "b.conf").write_text(
        'SecRule ARGS:note "@contains odd" '
        '"id:10003,phase:2,pass,log,msg:\'Note\','
        'setvar:tx.anomaly_score_pl1=+%{tx.critical_anomaly_score}"\n')
    gw = gateway(policies={"default": {"rules": [str(folder / "*.conf")]}})
    answer = gw.ask(fields=[("X-Tea", "earl")])
    assert answer.status == 418
    record = gw.audit(id=answer.id)
    assert 10001 in rules(record) and record["reason"] == "waf"
    moved = gw.get("/?go=away")
    assert moved.status in (301, 302, 303, 307, 308)
    assert moved.get("location") == "http://elsewhere.test/"
    assert gw.get("/?go=on").status == 200
    assert gw.get(SQLI).status == 403


def test_response_inspection(gateway, origin):
    leak = b"<html>ORA-00933: SQL command not properly ended</html>"
    origin.on("/leak", lambda e: e.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
        % len(leak) + leak))
    origin.on("/image", lambda e: e.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"
        % len(leak) + leak))
    origin.on("/late", lambda e: e.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
        % (len(leak) + 500000) + b"x" * 500000 + leak))
    gw = gateway(policies={"default": {"response_body": {"inspect": "64KiB"}}})
    answer = gw.get("/leak")
    assert answer.status == 403
    assert b"ORA-" not in answer.body
    record = gw.audit(id=answer.id)
    assert record["reason"] == "waf"
    assert any(951000 <= r < 952000 for r in rules(record))
    assert gw.get("/image").body == leak
    assert len(gw.get("/late").body) == 500000 + len(leak)
    assert gw.get("/").status == 200
    blind = gateway()
    assert blind.get("/leak").body == leak


def test_a_large_answer_behind_what_is_inspected_is_whole(gateway, origin):
    """The origin is far ahead of the inspection, so that large pieces are there."""
    body = bytes(range(65, 91)) * 40000
    for path, head in (("/length", b"Content-Length: %d" % len(body)),
                       ("/chunks", b"Transfer-Encoding: chunked")):
        data = chunks(body[:7], body[7:]) if path == "/chunks" else body
        origin.on(path, lambda e, head=head, data=data: e.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + head + b"\r\n\r\n" + data))
    gw = gateway(policies={"default": {"response_body": {"inspect": "64KiB"}}})
    for _ in range(20):
        assert gw.get("/length").body == body
        assert gw.get("/chunks").body == body


def test_odd_bytes_give_valid_records(gw):
    """Every line is JSON in valid UTF-8, whatever the client sent."""
    odd = bytes(set(range(128, 256)))
    answer = gw.raw(b"GET /?id=1'+OR+1=1--%ff%fe%00" + b" HTTP/1.1\r\nHost: a.test\r\n"
                    b"X-Odd: " + odd + b"\"\\\r\n\r\n")
    assert answer.status == 403
    record = gw.audit(id=answer.id)
    assert "X-Odd" in json.dumps(record["request"]["fields"])


def test_duplicate_fields_reach_the_rules(gw):
    """Names with _ or ., and every one of several fields of one name."""
    for fields in ([("X_Under", "() { :;}; echo x")], [("X.Dot", "() { :;}; echo x")],
                   [("X-A", "fine"), ("X-A", "() { :;}; echo x")]):
        assert gw.ask(fields=fields).status == 403, fields


def test_many_hits_in_one_record_are_bounded(gateway):
    gw = gateway(policies={"default": {"crs": {"paranoia": 4}}})
    query = "&".join(f"a{n}=1'%20OR%201=1--%3Cscript%3E" for n in range(100))
    answer = gw.get("/?" + query)
    assert answer.status == 403
    record = gw.audit(id=answer.id)
    assert 1 < len(record["waf"]["rules"]) <= 128
    assert len(json.dumps(record)) < 600000
