# SPDX-License-Identifier: Apache-2.0
"""Strict HTTP/1 requests: what is refused, how, and that it is recorded."""
import pytest

from yett_test.client import chunks, request
from yett_test.gateway import plain_policy

H = b"Host: app.test\r\n"
GET = b"GET / HTTP/1.1\r\n" + H
POST = b"POST / HTTP/1.1\r\n" + H
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"\r\n"

BAD = [
    # why, bytes, status
    ("length and coding", POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"0\r\n\r\n", 400),
    ("two lengths", POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    ("same length twice", POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
     400),
    ("list of lengths", POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    ("signed length", POST + b"Content-Length: +3\r\n\r\nabc", 400),
    ("negative length", POST + b"Content-Length: -3\r\n\r\nabc", 400),
    ("hexadecimal length", POST + b"Content-Length: 0x3\r\n\r\nabc", 400),
    ("empty length", POST + b"Content-Length: \r\n\r\n", 400),
    ("length of 2^64", POST + b"Content-Length: 18446744073709551616\r\n\r\n", 400),
    ("coding gzip", POST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    ("gzip before chunked", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
     501),
    ("chunked twice", POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
     None),
    ("chunked in two fields", POST + b"Transfer-Encoding: chunked\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", None),
    ("chunked not last", POST + b"Transfer-Encoding: chunked, identity\r\n\r\n"
     b"0\r\n\r\n", None),
    ("coding with a tab and junk", POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n"
     b"0\r\n\r\n", None),
    ("coding identity", POST + b"Transfer-Encoding: identity\r\n\r\n", 501),
    ("empty coding", POST + b"Transfer-Encoding:\r\n\r\n", None),
    ("coding in HTTP/1.0", b"POST / HTTP/1.0\r\n" + H +
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("bare CR in a value", GET + b"X: a\rb\r\n\r\n", 400),
    ("bare CR ends a line", GET + b"X: a\rY: b\r\n\r\n", 400),
    ("bare LF ends a line", GET + b"X: a\nY: b\r\n\r\n", 400),
    ("bare LF ends the request line", b"GET / HTTP/1.1\n" + H + END, 400),
    ("bare LF ends the head", GET + b"X: a\r\n\n", 400),
    ("NUL in a value", GET + b"X: a\0b\r\n\r\n", 400),
    ("control byte in a value", GET + b"X: a\x07b\r\n\r\n", 400),
    ("DEL in a value", GET + b"X: a\x7fb\r\n\r\n", 400),
    ("NUL in a name", GET + b"X\0Y: a\r\n\r\n", 400),
    ("space before the colon", GET + b"X : a\r\n\r\n", 400),
    ("tab before the colon", GET + b"X\t: a\r\n\r\n", 400),
    ("folded line", GET + b"X: a\r\n b\r\n\r\n", 400),
    ("folded by a tab", GET + b"X: a\r\n\tb\r\n\r\n", 400),
    ("space before the first field", b"GET / HTTP/1.1\r\n " + H + END, 400),
    ("no colon", GET + b"Xab\r\n\r\n", 400),
    ("empty name", GET + b": a\r\n\r\n", 400),
    ("name with a bracket", GET + b"X(: a\r\n\r\n", 400),
    ("name with a byte over 127", GET + b"X\xe9: a\r\n\r\n", 400),
    ("no Host", b"GET / HTTP/1.1\r\nX: a\r\n\r\n", 400),
    ("two Hosts", GET + b"Host: other.test\r\n\r\n", 400),
    ("same Host twice", GET + H + END, 400),
    ("empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("Host with a path", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("Host with user information", b"GET / HTTP/1.1\r\nHost: u@app.test\r\n\r\n", 400),
    ("Host with a space", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("Host list", b"GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n", 400),
    ("Host with a bad port", b"GET / HTTP/1.1\r\nHost: a.test:99999\r\n\r\n", 400),
    ("Host disagrees with the target", b"GET http://other.test/ HTTP/1.1\r\n" + H + END,
     400),
    ("HTTP/0.9", b"GET /\r\n\r\n", 400),
    ("HTTP/2.0", b"GET / HTTP/2.0\r\n" + H + END, 505),
    ("HTTP/3", b"GET / HTTP/3\r\n" + H + END, None),
    ("lower case protocol", b"GET / http/1.1\r\n" + H + END, None),
    ("JUNK/1.1", b"GET / JUNK/1.1\r\n" + H + END, None),
    ("HTTP/1.10", b"GET / HTTP/1.10\r\n" + H + END, None),
    ("two spaces", b"GET  / HTTP/1.1\r\n" + H + END, 400),
    ("two spaces before the version", b"GET /  HTTP/1.1\r\n" + H + END, 400),
    ("space behind the version", b"GET / HTTP/1.1 \r\n" + H + END, None),
    ("leading space", b" GET / HTTP/1.1\r\n" + H + END, 400),
    ("tab as separator", b"GET\t/\tHTTP/1.1\r\n" + H + END, 400),
    ("space in the target", b"GET /a b HTTP/1.1\r\n" + H + END, None),
    ("control byte in the target", b"GET /a\x01b HTTP/1.1\r\n" + H + END, 400),
    ("invalid method", b"G{T / HTTP/1.1\r\n" + H + END, 400),
    ("CONNECT", b"CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n\r\n", None),
    ("no slash", b"GET foo HTTP/1.1\r\n" + H + END, 400),
    ("asterisk for GET", b"GET * HTTP/1.1\r\n" + H + END, 400),
    ("other scheme", b"GET ftp://app.test/ HTTP/1.1\r\n" + H + END, 400),
    ("unknown expectation", POST + b"Expect: 200-maybe\r\nContent-Length: 0\r\n\r\n",
     417),
    ("chunk size with 0x", CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", 400),
    ("negative chunk size", CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n", 400),
    ("empty chunk size", CHUNKED + b"\r\nabc\r\n0\r\n\r\n", 400),
    ("chunk size of 2^64", CHUNKED + b"10000000000000000\r\nabc\r\n", 400),
    ("chunk size with a space before", CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n", 400),
    ("bare LF behind the chunk size", CHUNKED + b"3\nabc\r\n0\r\n\r\n", 400),
    ("bare LF behind the chunk", CHUNKED + b"3\r\nabc\n0\r\n\r\n", 400),
    ("chunk longer than its size", CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", 400),
    ("bare CR in a chunk extension", CHUNKED + b"3;a\rb\r\nabc\r\n0\r\n\r\n", 400),
    ("NUL in a chunk extension", CHUNKED + b"3;a=\0\r\nabc\r\n0\r\n\r\n", 400),
    ("chunk extension without a name", CHUNKED + b"3;=\r\nabc\r\n0\r\n\r\n", 400),
    ("bad trailer", CHUNKED + b"3\r\nabc\r\n0\r\nX : y\r\n\r\n", 400),
    ("bare LF in a trailer", CHUNKED + b"3\r\nabc\r\n0\r\nX: y\n\r\n", 400),
    ("TLS hello on a plain port", bytes.fromhex(
        "16030100c8010000c40303") + b"\0" * 190, 400),
]

# A refused target leaves no doubt about the framing: the connection may go on.
TARGETS = ("CONNECT", "no slash", "asterisk for GET", "other scheme")

GOOD = [
    # why, bytes; the origin must see the request once
    ("plain", GET + END),
    ("empty lines before", b"\r\n" + GET + END),
    ("HTTP/1.0 without Host", b"GET / HTTP/1.0\r\n\r\n"),
    ("absolute form", b"GET http://app.test/ HTTP/1.1\r\n" + H + END),
    ("absolute form, Host of other case", b"GET http://APP.test/ HTTP/1.1\r\n" + H + END),
    ("empty value", GET + b"X:\r\n\r\n"),
    ("tabs around the value", GET + b"X:\t a \t\r\n\r\n"),
    ("obs-text in a value", GET + b"X: caf\xe9\r\n\r\n"),
    ("odd but valid name", GET + b"x!#$%&'*+-.^_`|~1: a\r\n\r\n"),
    ("unknown method", b"PROPFIND / HTTP/1.1\r\n" + H + END),
    ("quoted chunk extension", CHUNKED + b'3;a="x;\\"y"\r\nabc\r\n0\r\n\r\n'),
    ("chunk extension", CHUNKED + b"3;a=b;c\r\nabc\r\n0\r\n\r\n"),
    ("upper case chunk size with zeros", CHUNKED + b"000A\r\n0123456789\r\n0\r\n\r\n"),
    ("CHUNKED", POST + b"Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n"),
    ("trailers", CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"),
    ("framing in a trailer is dropped with it",
     CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"),
    ("Host with a port", b"GET / HTTP/1.1\r\nHost: app.test:8080\r\n\r\n"),
    ("Host as IPv6", b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"),
]


@pytest.fixture(scope="module")
def gw(module_gateway):
    return module_gateway(**plain_policy(), sites=[{
        "hosts": ["*"], "pool": "app", "policy": "default",
        "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS",
                    "PROPFIND"]}],
        max={"header_bytes": "16KiB", "fields": 50})


@pytest.mark.parametrize("why,data,status", BAD, ids=[r[0] for r in BAD])
def test_refused(gw, module_origin, why, data, status):
    module_origin.clear()
    with gw.connect() as connection:
        answer = connection.send(data).response()
        assert answer.status == status or \
            status is None and answer.status in (400, 405, 501, 505)
        if why in TARGETS and answer.get("connection") is None:
            assert connection.send(GET + END).response().status == 200
            module_origin.clear()
        else:
            assert answer.get("connection", "").lower() == "close"
            assert connection.closed()
    record = gw.audit(id=answer.id)
    assert record["reason"] == ("method" if answer.status == 405 else "protocol")
    assert record["action"] == "blocked"
    assert record["status"] == answer.status
    assert record["client"]["address"] == "127.0.0.1"
    assert module_origin.requests == []
    assert gw.get().status == 200       # the next connection is fine


@pytest.mark.parametrize("why,data", GOOD, ids=[r[0] for r in GOOD])
def test_taken(gw, module_origin, why, data):
    module_origin.clear()
    before = len(gw.records())
    answer = gw.raw(data)
    assert answer.status == 200, answer
    assert len(module_origin.requests) == 1
    assert len(gw.records()) == before


@pytest.mark.parametrize("split", [1, 2, 7])
def test_bytes_in_small_pieces(gw, split):
    data = request("POST", "/pieces", [("Transfer-Encoding", "chunked"), ("X", "y")]) \
        + chunks(b"abc", b"defgh", trailers=b"X-T: 1\r\n")
    with gw.connect() as connection:
        for at in range(0, len(data), split):
            connection.send(data[at:at + split])
        assert connection.response().status == 200


def test_smuggled_request_is_never_seen(gw, module_origin):
    """The bytes behind a refused request are not read as a request."""
    module_origin.clear()
    inner = b"GET /smuggled HTTP/1.1\r\n" + H + END
    with gw.connect() as connection:
        connection.send(POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"0\r\n\r\n" + inner)
        assert connection.response().status == 400
        assert connection.closed()
    assert module_origin.requests == []


def test_414_and_431(gw):
    long = request("GET", "/" + "a" * 20000)
    answer, record = gw.record_of(long)
    assert (answer.status, record["reason"]) == (414, "protocol")
    wide = request("GET", "/", [("X", "a" * 20000)])
    answer, record = gw.record_of(wide)
    assert (answer.status, record["reason"]) == (431, "protocol")
    many = request("GET", "/", [(f"X-{i}", "a") for i in range(60)])
    answer, record = gw.record_of(many)
    assert (answer.status, record["reason"]) == (431, "protocol")


def test_endless_head_is_cut_off(gw):
    with gw.connect() as connection:
        try:
            for _ in range(4000):
                connection.send(b"X" * 1000)
        except OSError:
            return
        assert connection.response().status in (400, 414, 431)


def test_unknown_method_is_405(gw, module_origin):
    module_origin.clear()
    answer, record = gw.record_of(request("BREW", "/"))
    assert (answer.status, record["reason"]) == (405, "method")
    assert module_origin.requests == []


def test_unknown_host_is_refused(gateway, origin):
    gw = gateway(**plain_policy(), sites=[
        {"hosts": ["app.test", "*.app.test"], "pool": "app", "policy": "default"}])
    assert gw.get().status == 200
    assert gw.ask(host="x.app.test").status == 200
    assert gw.ask(host="APP.TEST").status == 200
    assert gw.ask(host="app.test.").status == 200
    answer = gw.ask(host="other.test")
    assert answer.status in (404, 421), answer
    assert len(origin.requests) == 4
