# SPDX-License-Identifier: Apache-2.0
"""The same strictness for what the origin answers: 502 and a record."""
import pytest

from yett_test.client import request
from yett_test.gateway import plain_policy
from yett_test.wait import until

OK = b"HTTP/1.1 200 OK\r\n"

BAD = [
    # why, bytes of the origin
    ("no status line", b"hello\r\n\r\n"),
    ("HTTP/2", b"HTTP/2 200 OK\r\n\r\n"),
    ("bad status", b"HTTP/1.1 20 OK\r\n\r\n"),
    ("status of four digits", b"HTTP/1.1 2000 OK\r\n\r\n"),
    ("status 000", b"HTTP/1.1 000 OK\r\n\r\n"),
    ("two spaces", b"HTTP/1.1  200 OK\r\n\r\n"),
    ("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    ("bare CR in a value", OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n"),
    ("NUL in a value", OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"),
    ("space before the colon", OK + b"X : a\r\nContent-Length: 0\r\n\r\n"),
    ("folded line", OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
    ("invalid name", OK + b"X(): a\r\nContent-Length: 0\r\n\r\n"),
    ("two lengths", OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    ("length and coding", OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"0\r\n\r\n"),
    ("bad length", OK + b"Content-Length: 3x\r\n\r\nabc"),
    ("length of 2^64", OK + b"Content-Length: 18446744073709551616\r\n\r\n"),
    ("coding gzip", OK + b"Transfer-Encoding: gzip\r\n\r\n"),
    ("head of a megabyte", OK + b"X: " + b"a" * (1 << 20) + b"\r\n\r\n"),
    ("a thousand fields", OK + b"X: a\r\n" * 2000 + b"\r\n"),
    ("nothing", b""),
    ("half a head", OK + b"Content-"),
    ("101 that nobody asked for", b"HTTP/1.1 101 Switching Protocols\r\n"
     b"Upgrade: x\r\nConnection: Upgrade\r\n\r\n"),
]

BROKEN_BODIES = [
    # why, bytes: the head is fine, so the client sees a cut answer
    ("short of its length", OK + b"Content-Length: 10\r\n\r\nabc"),
    ("bad chunk size", OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    ("chunk without end", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc"),
    ("no last chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
]


@pytest.fixture(scope="module")
def gw(module_gateway):
    return module_gateway(**plain_policy())


@pytest.mark.parametrize("why,data", BAD, ids=[r[0] for r in BAD])
def test_bad_answer_is_502(gw, module_origin, why, data):
    module_origin.clear()
    module_origin.on("/bad", data, close=True)
    answer = gw.get("/bad")
    assert answer.status == 502
    record = gw.audit(id=answer.id)
    assert (record["reason"], record["status"]) == ("upstream", 502)
    assert b"rules" not in answer.body
    assert gw.get("/").status == 200


@pytest.mark.parametrize("why,data", BROKEN_BODIES, ids=[r[0] for r in BROKEN_BODIES])
def test_broken_body_never_looks_whole(gw, module_origin, why, data):
    """What broke after the head went out must not end like a good answer; a
    gateway that still holds the head may answer 502 instead."""
    module_origin.clear()
    module_origin.on("/broken", data, close=True)
    with gw.connect() as connection:
        connection.send(b"GET /broken HTTP/1.1\r\nHost: app.test\r\n\r\n")
        try:
            answer = connection.response()
        except (ConnectionError, ValueError, AssertionError):
            return
        except Exception as error:
            assert type(error).__name__ == "Closed"
            return
        assert answer.status == 502
    assert gw.get("/").status == 200


def test_bytes_behind_an_answer_never_reach_a_client(gw, module_origin):
    """A second answer nobody asked for must not become another client's."""
    module_origin.clear()
    module_origin.on("/split", OK + b"Content-Length: 2\r\n\r\nok" +
                     OK + b"Content-Length: 6\r\n\r\npoison")
    for _ in range(8):
        assert gw.get("/split").body == b"ok"
        assert gw.get("/").body == b"ok\n"


def test_answer_until_close(gw, module_origin):
    module_origin.clear()
    module_origin.on("/old", b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold",
                     close=True)
    assert gw.get("/old").body == b"old"


def test_hop_by_hop_of_the_answer(gw, module_origin):
    module_origin.clear()
    module_origin.on("/hop", OK + b"Content-Length: 2\r\nConnection: keep-alive, X-Hop\r\n"
                     b"Keep-Alive: timeout=5\r\nX-Hop: 1\r\nProxy-Authenticate: Basic\r\n"
                     b"X-Stay: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nok")
    answer = gw.get("/hop")
    assert answer.body == b"ok"
    assert answer.get("x-hop") is None
    assert answer.get("keep-alive") is None
    assert answer.get("x-stay") == "2"
    assert answer.all("set-cookie") == ["a=1", "b=2"]
    assert "yett" in (answer.get("via") or "yett")


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(gw, module_origin, status):
    module_origin.clear()
    module_origin.on("/empty", b"HTTP/1.1 %d X\r\nX: y\r\n\r\n" % status)
    with gw.connect() as connection:
        for _ in range(3):
            connection.send(b"GET /empty HTTP/1.1\r\nHost: app.test\r\n\r\n")
            answer = connection.response()
            assert (answer.status, answer.body) == (status, b"")
            assert answer.get("transfer-encoding") is None


@pytest.mark.parametrize("inspect", ["0", "8KiB"])
def test_an_answer_of_length_0_ends_with_its_head(gateway, origin, inspect):
    """Nothing more is waited for: not for the record, the next request, the WAF."""
    origin.on("/empty", OK + b"Content-Type: text/html\r\nContent-Length: 0\r\n\r\n")
    gw = gateway(policies={"default": {"response_body": {"inspect": inspect}}},
                 pools={"app": {"timeouts": {"idle": "60s"}}})
    with gw.connect() as connection:
        for _ in range(3):
            answer = connection.send(request("GET", "/empty")).response()
            assert (answer.status, answer.body) == (200, b"")
    assert origin.connections == 1
    until(lambda: len(gw.accesses()) == 3, what="three lines")


def test_an_interim_answer_keeps_its_fields(gw, module_origin):
    """Nothing is compressed there."""
    module_origin.clear()
    early = (b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nETag: \"a\"\r\n"
             b"Accept-Ranges: bytes\r\n\r\n")
    module_origin.on("/early", early + OK + b"Content-Length: 2\r\n\r\nok")
    answer = gw.get("/early")
    assert answer.body == b"ok"
    assert [i.fields for i in answer.informational] == [
        [("Link", "</a.css>; rel=preload"), ("ETag", '"a"'), ("Accept-Ranges", "bytes")]]
