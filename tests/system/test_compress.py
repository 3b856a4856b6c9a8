# SPDX-License-Identifier: Apache-2.0
"""Compression of answers: who gets which coding, what the head says then, and that the
body comes through whole, in time, and with bounded memory."""
import gzip
import hashlib
import json
import random
import shutil
import subprocess
import threading
import time
import zlib

import pytest

from yett_test.client import Closed, Connection, request, tls_context
from yett_test.gateway import plain_policy
from yett_test.wait import SLOW, Port, seconds, until

brotli = pytest.importorskip("brotli")
zstandard = pytest.importorskip("zstandard")

CONF = {"types": ["text/*", "application/json"], "min": "1KiB",
        "encodings": ["zstd", "br", "gzip"]}
RANDOM = random.Random(5)
WORDS = [b"%x" % RANDOM.getrandbits(40) for _ in range(3000)]


def text(size):
    """Words in no order: packs about 2:1."""
    out = b""
    while len(out) < size:
        out += b" ".join(RANDOM.choices(WORDS, k=2000)) + b"\n"
    return out[:size]


PAGE = text(20000)


def decoded(coding, body):
    """All of it, strictly."""
    if coding is None:
        return body
    if coding == "gzip":
        maker = zlib.decompressobj(wbits=31)
        out = maker.decompress(body)
        assert maker.eof and maker.unused_data == b""
        return out
    if coding == "br":
        return brotli.decompress(body)
    assert coding == "zstd"
    maker = zstandard.ZstdDecompressor().decompressobj()
    out = maker.decompress(body)
    assert maker.eof and maker.unused_data == b""
    return out


class Stream:
    """A decoder that gives what can be had of what came so far."""

    def __init__(self, coding):
        self.coding = coding
        self.maker = {"gzip": lambda: zlib.decompressobj(wbits=31),
                      "br": brotli.Decompressor,
                      "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
                      None: lambda: None}[coding]()

    def feed(self, data):
        if self.coding is None:
            return data
        return self.maker.process(data) if self.coding == "br" else \
            self.maker.decompress(data)


def site(gateway, compress=CONF, **config):
    config = {**plain_policy(), "threads": 1, **config}
    sites = [{"hosts": ["*"], "pool": "app", "policy": "default", "compress": compress}]
    return gateway(**{"sites": sites, **config})


def page(body=PAGE, kind="text/html", status=b"200 OK", fields=(), length=True):
    """A script of the origin; the length is told, or else the body goes in chunks."""
    def answer(exchange):
        head = b"HTTP/1.1 " + status + b"\r\n"
        if kind:
            head += b"Content-Type: " + kind.encode() + b"\r\n"
        for name, value in fields:
            head += f"{name}: {value}\r\n".encode()
        if length:
            head += b"Content-Length: %d\r\n\r\n" % len(body)
        else:
            head += b"Transfer-Encoding: chunked\r\n\r\n"
        exchange.send(head)
        if exchange.request.method != "HEAD":
            exchange.send(body if length else b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    return answer


@pytest.fixture(scope="module")
def gw(module_gateway):
    return site(module_gateway)


@pytest.fixture
def org(module_origin):
    module_origin.clear()
    module_origin.on("/", page())
    return module_origin


def accept(value):
    return [("Accept-Encoding", value)]


# --- negotiation ------------------------------------------------------------------

NEGOTIATED = [
    (None, None),
    ("", None),
    ("gzip", "gzip"),
    ("br", "br"),
    ("zstd", "zstd"),
    ("gzip, deflate, br, zstd", "zstd"),
    ("gzip, deflate, br", "br"),
    ("GZIP", "gzip"),
    ("x-gzip", "gzip"),
    ("deflate", None),
    ("identity", None),
    ("*", "zstd"),
    ("gzip, *", "gzip"),
    ("*;q=0.1, br;q=0.2", "br"),
    ("gzip;q=1.0, br;q=0.5", "gzip"),
    ("gzip;q=0.5, br;q=0.500", "br"),
    ("gzip;q=0", None),
    ("zstd;q=0, *", "br"),
    ("gzip;q=0.3, identity;q=0.7", None),
    ("identity;q=0, gzip", "gzip"),
    ("identity;q=0", None),
    ("*;q=0", None),
    ("gzip;q=2", None),
    ("gzip;level=9", None),
    ("gzip q=1", None),
    ("compress, sdch", None),
    (", ".join(["x"] * 70 + ["gzip"]), None),
]


@pytest.mark.parametrize("value,coding", NEGOTIATED)
def test_negotiation(gw, org, value, coding):
    answer = gw.get("/", accept(value) if value is not None else [])
    assert answer.status == 200
    assert answer.get("content-encoding") == coding
    assert answer.all("vary") == ["Accept-Encoding"]
    assert decoded(coding, answer.body) == PAGE
    if coding:
        assert len(answer.body) < len(PAGE) * 3 // 4
        assert answer.get("content-length") is None
        assert answer.get("transfer-encoding") == "chunked"
    else:
        assert answer.get("content-length") == str(len(PAGE))
    # the origin hears what the client said
    assert org.last().all("accept-encoding") == ([value] if value is not None else [])


def test_two_fields_are_one_list(gw, org):
    answer = gw.get("/", accept("gzip;q=0.5") + accept("br"))
    assert answer.get("content-encoding") == "br"


def test_codings_of_the_operator(gateway, origin):
    origin.on("/", page())
    for order, coding in ((["gzip", "br"], "gzip"), (["br"], "br")):
        gw = site(gateway, {**CONF, "encodings": order})
        assert gw.get("/", accept("zstd, br, gzip")).get("content-encoding") == coding
        answer = gw.get("/", accept("zstd"))
        assert (answer.get("content-encoding"), answer.body) == (None, PAGE)


@pytest.mark.parametrize("level", [1, 3, 6, 9])
def test_levels(gateway, origin, level):
    origin.on("/", page())
    gw = site(gateway, {**CONF, "level": level})
    for coding in ("gzip", "br", "zstd"):
        assert decoded(coding, gw.get("/", accept(coding)).body) == PAGE


# --- what is compressed -------------------------------------------------------------

# why, script's arguments, compressed?
ANSWERS = [
    ("a type that is meant", {"kind": "text/plain"}, True),
    ("with parameters", {"kind": "Application/JSON; charset=utf-8"}, True),
    ("another type", {"kind": "image/png"}, False),
    ("one that begins like it", {"kind": "application/json5"}, False),
    ("no type", {"kind": None}, False),
    ("less than the least", {"body": PAGE[:1023]}, False),
    ("the least", {"body": PAGE[:1024]}, True),
    ("of unknown length", {"body": PAGE[:10], "length": False}, True),
    ("empty, of unknown length", {"length": False, "body": b""}, None),
    ("an error", {"status": b"404 Not Found"}, True),
    ("a failure", {"status": b"500 Internal Server Error"}, True),
    ("a part", {"status": b"206 Partial Content",
                "fields": [("Content-Range", "bytes 0-19999/30000")]}, False),
    ("a part by its field", {"fields": [("Content-Range", "bytes 0-19999/30000")]}, False),
    ("encoded already", {"fields": [("Content-Encoding", "gzip")]}, False),
    ("encoded by what is unknown", {"fields": [("Content-Encoding", "dcb")]}, False),
    ("an empty coding", {"fields": [("Content-Encoding", "")]}, True),
    ("must not be transformed", {"fields": [("Cache-Control", "max-age=1, No-Transform")]},
     False),
    ("a cookie, over plain HTTP", {"fields": [("Set-Cookie", "a=b")]}, True),
]


@pytest.mark.parametrize("why,script,packed", ANSWERS)
def test_answers(gw, org, why, script, packed):
    if packed is None:
        org.on("/x", b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        packed = True
    else:
        org.on("/x", page(**script))
    with gw.connect() as connection:
        for coding in ("gzip", "br", "zstd"):
            connection.send(request("GET", "/x", accept(coding)))
            answer = connection.response()
            sent = dict(script.get("fields", [])).get("Content-Encoding") or None
            assert answer.get("content-encoding") == (coding if packed else sent)
            body = decoded(coding, answer.body) if packed else answer.body
            assert body == script.get("body", PAGE)
            assert (answer.get("vary") is not None) == packed


def test_http_1_0_gets_it_as_it_is(gw, org):
    answer = gw.raw(request("GET", "/", accept("gzip"), version="HTTP/1.0"))
    assert (answer.get("content-encoding"), answer.body) == (None, PAGE)


def test_until_close_of_the_origin(gw, org):
    org.on("/x", b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE, close=True)
    answer = gw.get("/x", accept("br"))
    assert decoded(answer.get("content-encoding"), answer.body) == PAGE
    assert answer.get("content-encoding") == "br"


def test_origin_that_compresses_itself(gw, org):
    packed = gzip.compress(PAGE)
    org.on("/x", page(packed, fields=[("Content-Encoding", "gzip"), ("ETag", '"a"'),
                                      ("Vary", "Accept-Encoding")]))
    answer = gw.get("/x", accept("zstd, br, gzip"))
    assert (answer.all("content-encoding"), answer.body) == (["gzip"], packed)
    assert (answer.get("etag"), answer.all("vary")) == ('"a"', ["Accept-Encoding"])
    assert answer.get("content-length") == str(len(packed))


def test_sites_and_routes(gateway, origin):
    for path in ("/a", "/b/", "/c/"):
        origin.on(path, page())
    gw = gateway(**plain_policy(), sites=[
        {"hosts": ["*"], "pool": "app", "policy": "default", "compress": CONF, "routes": [
            {"path": "/b/", "compress": "off"},
            {"path": "/c/", "compress": {"types": ["text/html"], "encodings": ["gzip"]}}]},
        {"hosts": ["other.test"], "pool": "app", "policy": "default"}])
    every = accept("zstd, br, gzip")
    assert gw.get("/a", every).get("content-encoding") == "zstd"
    assert gw.get("/b/", every).get("content-encoding") is None
    assert gw.get("/c/", every).get("content-encoding") == "gzip"
    answer = gw.get("/a", every + [("Host", "other.test")])
    assert (answer.get("content-encoding"), answer.get("vary")) == (None, None)


def test_refusals_are_not_compressed(gateway, origin):
    gw = site(gateway, policies={"default": {"mode": "block"}})
    answer = gw.get("/?id=1'%20OR%201=1--", accept("gzip"))
    assert (answer.status, answer.get("content-encoding")) == (403, None)
    assert gw.audit(id=answer.id)


# --- the head -----------------------------------------------------------------------

def test_head_of_a_compressed_answer(gw, org):
    org.on("/x", page(fields=[("ETag", '"abc"'), ("Accept-Ranges", "bytes"),
                              ("Content-MD5", "x"), ("Digest", "sha-256=x"),
                              ("Repr-Digest", "sha-256=:x:"),
                              ("Last-Modified", "Sat, 01 Nov 2025 00:00:00 GMT"),
                              ("Vary", "Cookie"), ("X-Other", "1")]))
    answer = gw.get("/x", accept("gzip"))
    assert answer.get("etag") == 'W/"abc"'
    for name in ("accept-ranges", "content-md5", "digest", "repr-digest",
                 "content-length"):
        assert answer.get(name) is None
    assert answer.all("vary") == ["Cookie", "Accept-Encoding"]
    assert answer.get("last-modified") and answer.get("x-other") == "1"
    # who takes no coding gets all of it, and learns on what it depends
    plain = gw.get("/x")
    assert (plain.get("etag"), plain.get("accept-ranges")) == ('"abc"', "bytes")
    assert plain.all("vary") == ["Cookie", "Accept-Encoding"]
    org.on("/x", page(fields=[("ETag", 'W/"abc"'), ("Vary", "accept-encoding, Cookie")]))
    answer = gw.get("/x", accept("gzip"))
    assert (answer.get("etag"), answer.all("vary")) == (
        'W/"abc"', ["accept-encoding, Cookie"])
    org.on("/x", page(fields=[("Vary", "*")]))
    assert gw.get("/x", accept("gzip")).all("vary") == ["*"]


@pytest.mark.parametrize("value", [None, "gzip", "br", "zstd"])
def test_head_is_that_of_get(gw, org, value):
    org.on("/x", page(fields=[("ETag", '"abc"'), ("Accept-Ranges", "bytes")]))
    fields = accept(value) if value else []
    unlike = {"date", "transfer-encoding"}
    with gw.connect() as connection:
        connection.send(request("GET", "/x", fields))
        get = connection.response()
        connection.send(request("HEAD", "/x", fields))
        head = connection.response(to_head=True)
        # nothing followed the head
        connection.send(request("GET", "/x", fields))
        assert connection.response().body == get.body
    assert head.status == get.status == 200
    assert [f for f in head.fields if f[0].lower() not in unlike] == \
        [f for f in get.fields if f[0].lower() not in unlike]
    assert head.get("content-encoding") == value


def test_validation_with_a_weak_tag(gw, org):
    """What a client got compressed it validates by the tag that it got, and is told of
    the same one."""
    def cached(exchange):
        named = exchange.request.get("if-none-match") or ""
        if '"v1"' in named:             # weak comparison, RFC 9110 13.1.2
            exchange.send(b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n\r\n')
        else:
            page(fields=[("ETag", '"v1"')])(exchange)

    org.on("/x", cached)
    for fields in (accept("gzip"), []):
        first = gw.get("/x", fields)
        assert first.status == 200
        again = gw.get("/x", fields + [("If-None-Match", first.get("etag"))])
        assert (again.status, again.body) == (304, b"")
        assert again.get("etag") == first.get("etag")
        assert again.get("content-encoding") is None
        assert again.all("vary") == (["Accept-Encoding"] if fields else [])
    several = gw.get("/x", accept("gzip") + [("If-None-Match", 'W/"v0", W/"v1"')])
    assert (several.status, several.get("etag")) == (304, 'W/"v1"')
    other = gw.get("/x", accept("gzip") + [("If-None-Match", '"W/", "v1"')])
    assert (other.status, other.get("etag")) == (304, '"v1"')


def test_ranges_are_of_the_plain_answer(gw, org):
    def ranged(exchange):
        if exchange.request.get("range") == "bytes=100-1999":
            page(PAGE[100:2000], status=b"206 Partial Content", fields=[
                ("Content-Range", f"bytes 100-1999/{len(PAGE)}"), ("ETag", '"r"')])(exchange)
        else:
            page(fields=[("ETag", '"r"'), ("Accept-Ranges", "bytes")])(exchange)

    org.on("/x", ranged)
    part = gw.get("/x", accept("gzip") + [("Range", "bytes=100-1999")])
    assert (part.status, part.body) == (206, PAGE[100:2000])
    assert (part.get("content-encoding"), part.get("etag")) == (None, '"r"')
    whole = gw.get("/x", accept("gzip"))
    assert decoded("gzip", whole.body) == PAGE and whole.get("accept-ranges") is None


def test_changes_of_fields(gateway, origin):
    """The operator's word on Vary does not take ours away."""
    origin.on("/", page(fields=[("Vary", "Accept-Encoding"), ("ETag", '"e"')]))
    gw = site(gateway, sites=[{
        "hosts": ["*"], "pool": "app", "policy": "default", "compress": CONF,
        "headers": {"response": {"remove": ["Vary", "ETag"]}}}])
    answer = gw.get("/", accept("gzip"))
    assert decoded("gzip", answer.body) == PAGE
    assert (answer.all("vary"), answer.get("etag")) == (["Accept-Encoding"], None)


# --- BREACH -------------------------------------------------------------------------

COOKIE = ("Cookie", "session=1")
SECRETS = [
    # why, target, fields of the request, of the answer, compressed over TLS?
    ("no credentials", "/x?q=1", [], [], True),
    ("no input", "/x", [COOKIE], [], True),
    ("an empty query", "/x?", [COOKIE], [], True),
    ("credentials and a query", "/x?q=1", [COOKIE], [], False),
    ("a password and a query", "/x?q=1", [("Authorization", "Basic eDp5")], [], False),
    ("sets a cookie", "/x", [], [("Set-Cookie", "a=b")], False),
    ("public", "/x?q=1", [COOKIE], [("Cache-Control", "public, max-age=60")], True),
    ("from the site itself", "/x?q=1", [COOKIE, ("Sec-Fetch-Site", "same-origin")], [],
     True),
    ("typed in", "/x?q=1", [COOKIE, ("Sec-Fetch-Site", "none")], [], True),
    ("from another site", "/x?q=1", [COOKIE, ("Sec-Fetch-Site", "cross-site")], [], False),
    ("from a sister", "/x?q=1", [COOKIE, ("Sec-Fetch-Site", "same-site")], [], False),
    ("two claims", "/x?q=1", [COOKIE, ("Sec-Fetch-Site", "none"),
                              ("Sec-Fetch-Site", "none")], [], False),
]


def test_secrets(gateway, origin, authority):
    ports = [Port(), Port()]
    pair = authority.issue("app.test")
    gw = site(gateway, port=ports[0], listeners=[
        {"address": ports[0].address},
        {"address": ports[1].address, "tls": {"certificates": [pair.conf()]}}])
    last = Port()
    site(gateway, {**CONF, "secrets": "on"}, port=last, listeners=[
        {"address": last.address, "tls": {"certificates": [pair.conf()]}}])
    behind = site(gateway, identity={"trusted_proxies": ["127.0.0.1"]})
    context = tls_context(authority.file)

    def coding(target, data, **tls):
        with Connection(target, **tls) as connection:
            return connection.send(data).response().get("content-encoding")

    secure = {"tls": context, "sni": "app.test"}
    for why, target, fields, answer, packed in SECRETS:
        origin.on("/x", page(fields=answer))
        data = request("GET", target, accept("gzip") + fields)
        want = "gzip" if packed else None
        assert coding(gw.target, data) == "gzip", why
        assert coding((ports[1].host, ports[1].number), data, **secure) == want, why
        assert coding((last.host, last.number), data, **secure) == "gzip", why
        # a proxy in front that is trusted may have spoken TLS
        assert coding(behind.target, data) == want, why
    origin.on("/x", page())
    form = request("POST", "/x", accept("gzip") + [COOKIE], b"a=1")
    assert coding((ports[1].host, ports[1].number), form, **secure) is None


# --- the way of the body --------------------------------------------------------------

CODINGS = ["gzip", "br", "zstd"]


def in_chunks(sock_send, body, sizes):
    at = 0
    while at < len(body):
        size = sizes[at % len(sizes)]
        piece = body[at:at + size]
        sock_send(b"%x\r\n%s\r\n" % (len(piece), piece))
        at += size
    sock_send(b"0\r\n\r\n")


@pytest.mark.parametrize("coding", CODINGS)
def test_large_bodies(gw, org, coding):
    large = text(3 << 20)
    org.on("/length", page(large))
    org.on("/chunked", page(large, length=False))

    def pieces(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n")
        in_chunks(exchange.send, large, [1, 100, 40000, 7, 65536])

    org.on("/pieces", pieces)
    with gw.connect(timeout=30) as connection:
        for path in ("/length", "/chunked", "/pieces"):
            connection.send(request("GET", path, accept(coding)))
            answer = connection.response()
            assert answer.get("content-encoding") == coding
            assert decoded(coding, answer.body) == large
            assert len(answer.body) < len(large) * 3 // 4


def test_incompressible_and_extreme_bodies(gw, org):
    for body in (RANDOM.randbytes(300000), bytes(5 << 20), b"x" * 1024):
        org.on("/x", page(body, kind="text/plain"))
        for coding in CODINGS:
            answer = gw.get("/x", accept(coding))
            assert decoded(coding, answer.body) == body


@pytest.mark.parametrize("coding", CODINGS)
def test_events_get_through_at_once(gw, org, coding):
    """Each event is sent only when the one before has arrived: one that an encoder
    held back would never come."""
    arrived = threading.Semaphore(0)

    def events(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(30):
            event = b"data: %d\n\n" % number
            exchange.send(b"%x\r\n%s\r\n" % (len(event), event))
            assert arrived.acquire(timeout=seconds(10))
        exchange.send(b"0\r\n\r\n")

    org.on("/events", events)

    def took(value):
        """Seconds from one event to the next."""
        times = []
        with gw.connect(timeout=10) as connection:
            connection.send(request("GET", "/events", accept(value) if value else []))
            head = connection.head().lower()
            assert (b"content-encoding" in head) == bool(value)
            stream = Stream(value)
            for number in range(30):
                began = time.monotonic()
                event = b""
                while not event.endswith(b"\n\n"):
                    event += stream.feed(connection.exactly(
                        int(connection.until(b"\r\n"), 16)))
                    connection.exactly(2)
                assert event == b"data: %d\n\n" % number
                times.append(time.monotonic() - began)
                arrived.release()
            connection.chunked()
        return sorted(times)[len(times) // 2]

    control, packed = took(None), took(coding)
    assert packed < control * 5 + seconds(0.02), (control, packed)


@pytest.mark.parametrize("coding", CODINGS)
def test_page_that_begins_and_pauses(gw, org, coding):
    """What the origin has said before a pause is there before it ends."""
    go_on = threading.Event()

    def slow(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(PAGE) + PAGE[:5000])
        assert go_on.wait(seconds(10))
        exchange.send(PAGE[5000:])

    org.on("/x", slow)
    with gw.connect() as connection:
        connection.send(request("GET", "/x", accept(coding)))
        connection.head()
        stream, got = Stream(coding), b""
        while len(got) < 5000:
            got += stream.feed(connection.exactly(int(connection.until(b"\r\n"), 16)))
            connection.exactly(2)
        assert got == PAGE[:5000]
        go_on.set()
        assert got + stream.feed(connection.chunked()) == PAGE


@pytest.mark.parametrize("coding", CODINGS)
def test_broken_off_answer_stays_broken_off(gw, org, coding):
    """No end of the coding, no last chunk."""
    def broken(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                      b"Content-Length: %d\r\n\r\n" % len(PAGE) + PAGE[:-1])
        exchange.close()

    org.on("/x", broken)
    with gw.connect() as connection:
        connection.send(request("GET", "/x", accept(coding)))
        with pytest.raises(Closed):
            connection.response()
        assert b"0\r\n\r\n" not in connection.buffer[-7:]
    record = until(lambda: next((r for r in reversed(gw.records())
                                 if r["reason"] == "upstream"), None))
    assert record["status"] == 200
    assert gw.get("/", accept(coding)).status == 200


def test_kept_connections(gw, org):
    """Both sides': many answers of all kinds over one."""
    before = org.connections
    with gw.connect() as connection:
        for turn in range(40):
            coding = (CODINGS + [None])[turn % 4]
            connection.send(request("GET", "/", accept(coding) if coding else []))
            assert decoded(coding, connection.response().body) == PAGE
        both = request("GET", "/", accept("br")) + request("GET", "/", accept("gzip"))
        connection.send(both)
        assert decoded("br", connection.response().body) == PAGE
        assert decoded("gzip", connection.response().body) == PAGE
    assert org.connections - before <= 2


@pytest.mark.parametrize("coding", CODINGS)
def test_slow_reader_holds_the_origin_up(gw, org, coding):
    """Back-pressure through the encoder: little is read ahead, memory is bounded."""
    piece = text(1 << 20)
    total = 64
    sent = [0]

    def counted(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                      b"Content-Length: %d\r\n\r\n" % (total * len(piece)))
        for _ in range(total):
            exchange.send(piece)
            sent[0] += 1

    org.on("/big", counted)
    before = gw.rss()
    with gw.connect(rcvbuf=16384, timeout=60) as connection:
        connection.send(request("GET", "/big", accept(coding)))
        org.wait()
        last = [-1, 0]

        def still():
            last[1] = last[1] + 1 if sent[0] == last[0] else 0
            last[0] = sent[0]
            return last[1] >= 100
        until(still, 20, "the origin to be held up")
        assert sent[0] < total - 8
        assert gw.rss() - before < (24 << 20) * max(1, SLOW)
    # who leaves takes nothing along
    assert gw.get("/", accept(coding)).status == 200


def test_memory_for_encoders_is_bounded(gateway, origin):
    """More answers under way than there is memory for: the others come as they are."""
    started = threading.Semaphore(0)
    go_on = threading.Event()

    def held(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n6\r\ndata\n\n\r\n")
        started.release()
        go_on.wait(seconds(60))
        exchange.send(b"0\r\n\r\n")

    origin.on("/", held)
    gw = site(gateway, max={"connections_per_client": 500})
    before = gw.rss()
    held_open, codings = [], []
    try:
        for _ in range(100):
            connection = gw.connect(timeout=20)
            held_open.append(connection)
            connection.send(request("GET", "/", accept("br")))
            head = connection.head().lower()
            codings.append(b"content-encoding: br" in head)
        assert any(codings) and not all(codings)
        assert codings == sorted(codings, reverse=True)
        assert gw.rss() - before < (160 << 20) * max(1, SLOW)
    finally:
        go_on.set()
        for connection in held_open:
            connection.close()
    origin.on("/", page())
    until(lambda: gw.get("/", accept("br")).get("content-encoding") == "br",
          what="memory to be free again")


def test_others_have_their_turn(gw, org):
    """A long body at the slowest coding does not hold up the short ones: each waits
    for a step of it, not for the whole."""
    large = text(1 << 20) * 24
    org.on("/long", page(large, kind="text/plain"))
    times = []
    done = threading.Event()
    got = []

    def take():
        with gw.connect(timeout=60) as connection:
            connection.send(request("GET", "/long", accept("br")))
            got.append(hashlib.sha256(decoded("br", connection.response().body)).digest())
        done.set()

    reader = threading.Thread(target=take, daemon=True)
    began = time.monotonic()
    reader.start()
    with gw.connect(timeout=60) as other:
        while not done.is_set():
            sent = time.monotonic()
            assert other.send(request("GET", "/small")).response().status == 200
            times.append(time.monotonic() - sent)
    reader.join(seconds(60))
    whole = time.monotonic() - began
    assert got == [hashlib.sha256(large).digest()]
    assert sorted(times)[len(times) // 2] < max(whole / 5, seconds(0.02)), whole


def test_inspected_answers(gateway, origin):
    """The rules see the plain answer, the client gets it compressed."""
    def answer(exchange):
        page(exchange.request.target == "/bad" and
             PAGE + b"You have an error in your SQL syntax; check the manual that "
             b"corresponds to your MySQL server version" or PAGE)(exchange)

    for path in ("/", "/bad"):
        origin.on(path, answer)
    gw = gateway(policies={"default": {"response_body": {"inspect": "64KiB"}}},
                 sites=[{"hosts": ["*"], "pool": "app", "policy": "default",
                         "compress": CONF}])
    for coding in CODINGS:
        got = gw.get("/", accept(coding))
        assert got.get("content-encoding") == coding
        assert decoded(coding, got.body) == PAGE
        bad = gw.get("/bad", accept(coding))
        assert (bad.status, bad.get("content-encoding")) == (403, None)
    assert {r.get("accept-encoding") for r in origin.requests} == {"identity"}


def test_answer_before_the_request_is_sent(gw, org):
    """A client that sends its body and takes the answer at the same time."""
    def early(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in exchange.pieces():
            exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        exchange.send(b"0\r\n\r\n")

    org.on("/echo", early, lazy=True)
    with gw.connect() as connection:
        connection.send(request("POST", "/echo", accept("zstd") + [
            ("Content-Length", str(len(PAGE)))]))
        sent, got = 0, b""
        connection.send(PAGE[:10000])
        connection.head()
        stream = Stream("zstd")
        sent = 10000
        while len(got) < sent:
            got += stream.feed(connection.exactly(int(connection.until(b"\r\n"), 16)))
            connection.exactly(2)
        connection.send(PAGE[sent:])
        assert got + stream.feed(connection.chunked()) == PAGE


def test_a_client_that_pauses_is_not_taken_for_the_origin(gateway, origin):
    """The origin comes in pieces and has to wait, longer than its own idle time, for a
    client that takes none: it is not what stalled."""
    sent, reading, rng = [], threading.Event(), random.Random(1)

    def stream(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n")
        while not reading.is_set():
            sent.append(rng.randbytes(8192).hex().encode())
            exchange.send(b"%x\r\n%s\r\n" % (len(sent[-1]), sent[-1]))
            time.sleep(0.001)   # so that each is flushed
        exchange.send(b"0\r\n\r\n")

    def stands():
        before = len(sent)
        time.sleep(1.2)
        return 0 < before == len(sent)

    origin.on("/x", stream)
    gw = site(gateway, {**CONF, "level": 1}, pools={"app": {"timeouts": {"idle": "500ms"}}})
    with gw.connect(rcvbuf=4096) as connection:
        connection.send(request("GET", "/x", accept("gzip")))
        until(stands, 30, "an origin that has to wait")
        reading.set()
        assert decoded("gzip", connection.response().body) == b"".join(sent)


# --- stored answers -----------------------------------------------------------------------

def cached_site(gateway, **over):
    return gateway(**plain_policy(), threads=1,
                   cache={"memory": "32MiB", "max_object": "8MiB"},
                   sites=[{"hosts": ["*"], "pool": "app", "policy": "default",
                           "compress": CONF, "cache": "on", **over}])


def bytes_in(port):
    with Connection((port.host, port.number)) as connection:
        told = connection.send(request("GET", "/metrics")).response().text
    line = next(l for l in told.splitlines() if 'bytes_total{side="in"}' in l)
    return int(line.split()[-1])


def test_stored_answer_is_compressed_once(gateway, origin):
    port = Port()
    large = text(300000)
    origin.on("/", page(large, fields=[("Cache-Control", "max-age=600"), ("ETag", '"s"')]))
    gw = gateway(**plain_policy(), threads=1, admin={"metrics": port.address},
                 cache={"memory": "32MiB", "max_object": "8MiB"},
                 sites=[{"hosts": ["*"], "pool": "app", "policy": "default",
                         "compress": CONF, "cache": "on"}])
    assert gw.get().body == large                    # stored, plain
    for coding in CODINGS:
        before = bytes_in(port)
        first = gw.get("/", accept(coding))         # made for this one, and kept
        assert bytes_in(port) - before == len(large)
        assert first.get("transfer-encoding") == "chunked"
        with gw.connect() as connection:
            for _ in range(3):
                connection.send(request("GET", "/", accept(coding)))
                again = connection.response()
                assert again.get("content-length") == str(len(first.body))
                assert again.body == first.body
                assert decoded(coding, again.body) == large
                assert again.get("content-encoding") == coding
                assert (again.get("etag"), again.all("vary")) == (
                    'W/"s"', ["Accept-Encoding"])
        assert bytes_in(port) - before == len(large)
        head = gw.ask("HEAD", "/", accept(coding))
        assert (head.status, head.get("content-encoding")) == (200, coding)
        same = gw.get("/", accept(coding) + [("If-None-Match", again.get("etag"))])
        assert (same.status, same.get("etag")) == (304, 'W/"s"')
        # a part is one of the plain answer
        part = gw.get("/", accept(coding) + [("Range", "bytes=10-1999")])
        assert (part.status, part.body) == (206, large[10:2000])
        assert (part.get("content-encoding"), part.get("etag")) == (None, '"s"')
    assert gw.get().body == large
    assert len(origin.requests) == 1


@pytest.mark.parametrize("coding", CODINGS)
def test_first_answer_is_stored_plain(gateway, origin, coding):
    """Who brings it gets it compressed, whoever comes next gets what he wants."""
    origin.on("/", page(fields=[("Cache-Control", "max-age=600")]))
    gw = cached_site(gateway)
    assert decoded(coding, gw.get("/", accept(coding)).body) == PAGE
    assert gw.get().body == PAGE
    for other in CODINGS:
        assert decoded(other, gw.get("/", accept(other)).body) == PAGE
    assert len(origin.requests) == 1


def test_compressed_form_that_came_to_nothing_is_made_again(gateway, origin):
    """The client that it was made for left in the middle."""
    large = text(6 << 20)
    origin.on("/", page(large, fields=[("Cache-Control", "max-age=600")]))
    gw = cached_site(gateway)
    assert gw.get().body == large
    with gw.connect(rcvbuf=8192) as connection:
        connection.send(request("GET", "/", accept("gzip")))
        connection.head()
        # meanwhile others get it all the same
        assert decoded("gzip", gw.get("/", accept("gzip")).body) == large
        connection.reset()
    until(lambda: gw.get("/", accept("gzip")).get("content-length"),
          what="the compressed form to be kept")
    assert decoded("gzip", gw.get("/", accept("gzip")).body) == large
    assert len(origin.requests) == 1


def test_many_threads_make_the_forms_of_one_answer(gateway, origin):
    large = text(200000)
    paths = [f"/{n}" for n in range(6)]
    for path in paths:
        origin.on(path, page(large, fields=[("Cache-Control", "max-age=600")]))
    gw = gateway(**plain_policy(), threads=2,
                 cache={"memory": "32MiB", "max_object": "8MiB"},
                 sites=[{"hosts": ["*"], "pool": "app", "policy": "default",
                         "compress": CONF, "cache": "on"}])
    wrong = []

    def client(turn):
        try:
            for path in paths:
                with gw.connect(timeout=30) as connection:
                    for step in range(4):
                        coding = (CODINGS + [None])[(turn + step) % 4]
                        connection.send(request("GET", path,
                                                accept(coding) if coding else []))
                        answer = connection.response()
                        assert answer.get("content-encoding") == coding
                        assert decoded(coding, answer.body) == large
        except BaseException as error:          # told by the test, not by the thread
            wrong.append(repr(error))

    clients = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    assert wrong == []
    assert len(origin.requests) == len(paths)


def test_stored_secrets_are_not_compressed(gateway, origin, authority):
    """What is stored was compressed for one client; the next one's request may be one
    that BREACH is about."""
    port = Port()
    pair = authority.issue("app.test")
    origin.on("/x", page(fields=[("Cache-Control", "max-age=600")]))
    gw = gateway(**plain_policy(), threads=1, port=port, listeners=[
        {"address": port.address, "tls": {"certificates": [pair.conf()]}}],
        cache={"memory": "32MiB", "max_object": "8MiB"},
        sites=[{"hosts": ["*"], "pool": "app", "policy": "default",
                "compress": CONF, "cache": "on"}])
    secure = {"tls": tls_context(authority.file), "sni": "app.test"}

    def coding(*fields):
        with gw.connect(**secure) as connection:
            connection.send(request("GET", "/x?q=1", accept("gzip") + list(fields)))
            return connection.response().get("content-encoding")

    assert [coding(), coding(), coding()] == ["gzip"] * 3
    assert coding(COOKIE) is None
    assert coding(COOKIE, ("Sec-Fetch-Site", "same-origin")) == "gzip"
    assert len(origin.requests) == 1


# --- clients as they are ----------------------------------------------------------------

@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("coding", [None] + CODINGS)
def test_curl(gw, org, coding, tmp_path):
    out = tmp_path / "out"
    wish = ["-H", f"Accept-Encoding: {coding}"] if coding else []
    told = subprocess.run(
        ["curl", "-sS", "--compressed", *wish, "-o", out, "-D", "-", gw.url + "/"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds(20))
    if b"Unrecognized content encoding" in told.stderr:
        pytest.skip("this curl does not know the coding")
    assert told.returncode == 0, told.stderr
    assert b"content-encoding: " + (coding or "").encode() in told.stdout.lower()
    assert out.read_bytes() == PAGE


@pytest.mark.timing
def test_chromium(gateway, origin, authority, browser):
    """Page, script and data, each compressed, over TLS; Chromium takes them all."""
    listing = json.dumps([f"entry {n}" for n in range(500)]).encode()
    origin.on("/", page(b"<!doctype html><title>Begin</title>" + b"<p>text</p>" * 500 +
                        b"<script src=/app.js></script>"))
    origin.on("/app.js", page(
        b"fetch('/list').then(r => r.json()).then(l => "
        b"{ document.title = l[499] + ' ' + document.querySelectorAll('p').length; });" +
        b"// nothing\n" * 200, kind="text/javascript"))
    origin.on("/list", page(listing, kind="application/json"))
    port = Port()
    pair = authority.issue("localhost")
    gw = site(gateway, port=port, listeners=[{
        "address": port.address, "tls": {"certificates": [pair.conf()]}}])
    browser.get(f"https://localhost:{port.number}/")
    from selenium.webdriver.support.ui import WebDriverWait
    WebDriverWait(browser, seconds(20)).until(lambda b: b.title == "entry 499 500")

    def sizes_told():
        """The log's writer takes its time."""
        told = {line["path"]: line["bytes"] for line in gw.accesses()}
        return told if {"/", "/list"} <= told.keys() else None

    sizes = until(sizes_told, what="the access lines")
    assert sizes["/list"] < len(listing) // 2
    assert sizes["/"] < 1000


def test_counted(gateway, origin):
    port = Port()
    origin.on("/", page())
    origin.on("/png", page(kind="image/png"))
    gw = site(gateway, admin={"metrics": port.address})
    for _ in range(3):
        packed = len(gw.get("/", accept("gzip")).body)
    gw.get("/")
    gw.get("/png", accept("gzip"))
    with Connection((port.host, port.number)) as connection:
        told = connection.send(request("GET", "/metrics")).response().text
    assert 'yett_compress_answers_total{result="compressed"} 3' in told
    assert 'yett_compress_answers_total{result="accept-encoding"} 1' in told
    assert 'yett_compress_answers_total{result="type"} 1' in told
    assert f'yett_compress_bytes_total{{side="in"}} {3 * len(PAGE)}' in told
    assert f'yett_compress_bytes_total{{side="out"}} {3 * packed}' in told
