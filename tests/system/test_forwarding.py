# SPDX-License-Identifier: Apache-2.0
"""What the origin gets is written anew; what the client gets is what it said."""
import json

import pytest

from yett_test.client import chunks, request
from yett_test.gateway import plain_policy


@pytest.fixture(scope="module")
def gw(module_gateway):
    return module_gateway(**plain_policy())


@pytest.fixture
def org(module_origin):
    module_origin.clear()
    return module_origin


def test_hop_by_hop_fields_stay_here(gw, org):
    answer = gw.ask(fields=[
        ("Connection", "keep-alive, X-Secret, Cookie-Jar"), ("X-Secret", "1"),
        ("Cookie-Jar", "2"), ("Keep-Alive", "timeout=9"), ("TE", "trailers"),
        ("Proxy-Connection", "close"), ("Proxy-Authorization", "Basic eDp5"),
        ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk"), ("X-Kept", "3")])
    assert answer.status == 200
    got = org.last()
    for name in ("x-secret", "cookie-jar", "keep-alive", "te", "proxy-connection",
                 "proxy-authorization", "upgrade", "http2-settings"):
        assert got.get(name) is None, name
    assert got.get("x-kept") == "3"


def test_connection_cannot_name_what_framing_rests_on(gw, org):
    """Taking Content-Length or Host off by Connection would be a smuggling."""
    answer = gw.ask("POST", "/", [("Connection", "content-length, host, x-forwarded-for,"
                                   " x-request-id, via")], b"abc")
    assert answer.status in (200, 400)
    if answer.status == 200:
        got = org.last()
        assert (got.body, got.get("host")) == (b"abc", "app.test")
        assert got.get("x-forwarded-for") == "127.0.0.1"
        assert got.get("x-request-id")


def test_forwarding_fields(gw, org):
    gw.get("/x?y=z")
    got = org.last()
    assert got.line == "GET /x?y=z HTTP/1.1"
    assert got.all("host") == ["app.test"]
    assert got.all("x-forwarded-for") == ["127.0.0.1"]
    assert got.all("x-forwarded-proto") == ["http"]
    assert got.all("x-forwarded-host") == ["app.test"]
    assert len(got.all("forwarded")) == 1
    forwarded = got.get("forwarded").lower().replace('"', "")
    for part in ("for=127.0.0.1", "proto=http", "host=app.test"):
        assert part in forwarded
    assert "1.1" in got.get("via")
    assert len(got.get("x-request-id")) == 26


def test_forged_forwarding_fields_are_replaced(gw, org):
    gw.ask(fields=[("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "7.7.7.7"),
                   ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.test"),
                   ("Forwarded", "for=6.6.6.6"), ("X-Request-Id", "forged")])
    got = org.last()
    assert b"6.6.6.6" not in got.head and b"7.7.7.7" not in got.head
    assert b"evil.test" not in got.head and b"forged" not in got.head
    assert got.all("x-forwarded-for") == ["127.0.0.1"]
    assert got.all("x-forwarded-proto") == ["http"]
    assert len(got.all("x-request-id")) == 1


def test_via_is_added_to(gw, org):
    gw.ask(fields=[("Via", "1.0 fred")])
    via = ", ".join(org.last().all("via"))
    assert via.startswith("1.0 fred,") and len(via.split(",")) == 2


def test_client_bytes_are_not_passed_on(gw, org):
    gw.raw(b"GET http://app.test/a/../b?q HTTP/1.1\r\nhOsT:   APP.test\r\n"
           b"X-Many: a\r\nX-many:\tb \r\n\r\n")
    got = org.last()
    assert got.line == "GET /b?q HTTP/1.1"
    assert got.get("host") == "app.test"
    assert got.all("x-many") == ["a", "b"]
    assert b"\t" not in got.head


def test_http_1_0_client_gets_no_chunks(gw, org):
    org.on("/chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
           chunks(b"one", b"two"))
    with gw.connect() as connection:
        connection.send(b"GET /chunked HTTP/1.0\r\nHost: app.test\r\n\r\n")
        answer = connection.response()
        assert answer.get("transfer-encoding") is None
        assert answer.body == b"onetwo"
        assert connection.closed()
    assert org.last().version == "HTTP/1.1"


def test_http_1_0_keep_alive(gw, org):
    with gw.connect() as connection:
        for _ in range(2):
            connection.send(b"GET / HTTP/1.0\r\nHost: a.test\r\n"
                            b"Connection: keep-alive\r\n\r\n")
            answer = connection.response()
            assert answer.body == b"ok\n"
            if answer.get("connection", "").lower() != "keep-alive":
                break       # closing is allowed, but then it must say nothing else


def test_head(gw, org):
    with gw.connect() as connection:
        for _ in range(3):
            answer = connection.send(request("HEAD", "/")).response(to_head=True)
            assert answer.status == 200
            assert answer.get("content-length") == "3"
        assert connection.send(request("GET", "/")).response().body == b"ok\n"
    assert [r.method for r in org.requests] == ["HEAD"] * 3 + ["GET"]


def test_options_asterisk(gw, org):
    answer = gw.raw(b"OPTIONS * HTTP/1.1\r\nHost: app.test\r\n\r\n")
    assert answer.status in (200, 204)
    if org.requests:
        assert org.last().line == "OPTIONS * HTTP/1.1"


def test_expect_100_continue(gw, org):
    with gw.connect() as connection:
        connection.send(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n"
                        b"Expect: 100-continue\r\n\r\n")
        assert connection.head().startswith(b"HTTP/1.1 100")
        answer = connection.send(b"hello").response()
        assert answer.status == 200
        assert answer.informational == []       # only one 100
    assert org.last().body == b"hello"


def test_expect_from_http_1_0_is_ignored(gw, org):
    with gw.connect() as connection:
        connection.send(b"POST / HTTP/1.0\r\nHost: app.test\r\nContent-Length: 5\r\n"
                        b"Expect: 100-continue\r\n\r\nhello")
        answer = connection.response()
        assert (answer.status, answer.informational) == (200, [])


def test_informational_answers_pass(gw, org):
    org.on("/hints", b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
           b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    answer = gw.get("/hints")
    assert answer.body == b"ok"
    assert [i.status for i in answer.informational] == [103]
    assert answer.informational[0].get("link") == "</a.css>; rel=preload"


def test_informational_answers_stay_away_from_http_1_0(gw, org):
    org.on("/hints", b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
           b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    answer = gw.raw(b"GET /hints HTTP/1.0\r\nHost: a.test\r\n\r\n")
    assert (answer.status, answer.informational) == (200, [])


def test_keep_alive_over_one_connection(gw, org):
    with gw.connect() as connection:
        for number in range(50):
            answer = connection.send(request("GET", f"/{number}")).response()
            assert answer.status == 200
        connection.send(request("GET", "/", [("Connection", "close")]))
        answer = connection.response()
        assert answer.get("connection").lower() == "close"
        assert connection.closed()
    assert len({r.connection for r in org.requests}) <= 2


def test_pipelined_requests_are_answered_in_order(gw, org):
    def echo(exchange):
        exchange.answer(exchange.request.target.encode())

    for number in range(20):
        org.on(f"/{number}", echo)
    batch = b"".join(
        request("POST" if n % 3 else "GET", f"/{n}", [], b"x" * n if n % 3 else None)
        for n in range(20))
    with gw.connect() as connection:
        connection.send(batch)
        for number in range(20):
            assert connection.response().body == b"/%d" % number


def test_pipelined_behind_a_malformed_one(gw, org):
    with gw.connect() as connection:
        connection.send(request("GET", "/1") + b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n" +
                        request("GET", "/3"))
        assert connection.response().status == 200
        assert connection.response().status == 400
        assert connection.closed()
    assert [r.path for r in org.requests] == ["/1"]


def test_chunked_both_ways(gw, org):
    def echo(exchange):
        body = exchange.request.body
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                      b"Trailer: X-End\r\n\r\n" +
                      chunks(body[:3], body[3:], trailers=b"X-End: 1\r\n"))

    org.on("/echo", echo)
    with gw.connect() as connection:
        for _ in range(3):
            connection.send(request("POST", "/echo", [("Transfer-Encoding", "chunked")]) +
                            chunks(b"ab", b"cdefg", trailers=b"X-Sum: 9\r\n"))
            assert connection.response().body == b"abcdefg"
    assert org.last().body == b"abcdefg"
    assert not (org.last().get("content-length") and
                org.last().get("transfer-encoding"))


def test_request_id_is_in_the_access_log(gw, org):
    gw.get("/logged?x=1")
    id = org.last().get("x-request-id")
    from yett_test.wait import until
    line = until(lambda: next((r for r in gw.accesses() if r["id"] == id), None))
    text = json.dumps(line)
    assert "/logged" in text and line["status"] == 200
