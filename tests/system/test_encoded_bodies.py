# SPDX-License-Identifier: Apache-2.0
"""Bodies of requests with a Content-Encoding: the rules see what they say, and the
origin gets what the rules saw."""
import gzip
import io
import random
import time
import zlib

import pytest

from yett_test.client import chunks, request
from yett_test.gateway import rules
from yett_test.wait import SLOW, seconds, until

brotli = pytest.importorskip("brotli")
zstandard = pytest.importorskip("zstandard")

FORM = "application/x-www-form-urlencoded"
CLEAN = b"name=" + b"lorem+ipsum+" * 40 + b"&b=2"
ATTACK = CLEAN + b"&id=1'+OR+1=1--"


def raw_deflate(data):
    maker = zlib.compressobj(wbits=-15)
    return maker.compress(data) + maker.flush()


def br(data):
    return brotli.compress(data, quality=5)


def zstd(data):
    return zstandard.ZstdCompressor().compress(data)


CODINGS = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "upper": ("GZip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", raw_deflate),
    "br": ("br", br),
    "zstd": ("zstd", zstd),
}
each = pytest.mark.parametrize("coding", CODINGS)


def packed(coding, data):
    """Field and body."""
    name, pack = CODINGS[coding]
    return [("Content-Type", FORM), ("Content-Encoding", name)], pack(data)


NOISE = random.Random(4)


def noise(size):
    return NOISE.randbytes(size)


@pytest.fixture(scope="module")
def gw(module_gateway):
    return module_gateway()


@pytest.fixture
def org(module_origin):
    module_origin.clear()
    return module_origin


@each
def test_clean_body_reaches_the_origin_decoded(gw, org, coding):
    fields, body = packed(coding, CLEAN)
    assert len(body) < len(CLEAN)
    answer = gw.ask("POST", "/", fields, body)
    assert answer.status == 200, answer
    got = org.last()
    assert got.body == CLEAN
    assert got.all("content-length") == [str(len(CLEAN))]
    assert got.all("content-encoding") == got.all("transfer-encoding") == []


@each
def test_attack_inside_is_refused(gw, org, coding):
    fields, body = packed(coding, ATTACK)
    answer = gw.ask("POST", "/", fields, body)
    assert answer.status == 403
    record = gw.audit(id=answer.id)
    assert (record["reason"], 942100 in rules(record)) == ("waf", True)
    assert record["request"]["body_bytes"] == len(ATTACK)
    assert record["request"]["inspected_bytes"] == len(ATTACK)
    # the record shows what was sent
    sent = {f["name"]: f["value"] for f in record["request"]["fields"]}
    assert sent["Content-Encoding"] == CODINGS[coding][0]
    assert org.requests == []


@each
def test_in_chunks_of_any_size(gw, org, coding):
    fields, body = packed(coding, CLEAN)
    fields.append(("Transfer-Encoding", "chunked"))
    for size in (1, 7, 100000):
        parts = [body[i:i + size] for i in range(0, len(body), size)]
        answer = gw.raw(request("POST", "/", fields) + chunks(*parts))
        assert (answer.status, org.last().body) == (200, CLEAN)
        assert org.last().get("content-length") == str(len(CLEAN))


@each
def test_byte_by_byte_on_a_kept_connection(gw, org, coding):
    fields, body = packed(coding, CLEAN)
    with gw.connect() as connection:
        for _ in range(2):
            connection.send(request("POST", "/", fields + [
                ("Content-Length", str(len(body)))]))
            for i in range(0, len(body)):
                connection.send(body[i:i + 1])
            assert connection.response().status == 200
            assert org.last().body == CLEAN
        # two at once, the second behind the first in the same bytes
        whole = request("POST", "/", fields, body)
        connection.send(whole + whole)
        assert [connection.response().status for _ in range(2)] == [200, 200]
    assert [r.body for r in org.requests] == [CLEAN] * 4


def test_http_1_0(gw, org):
    fields, body = packed("gzip", CLEAN)
    assert gw.raw(request("POST", "/", fields, body, version="HTTP/1.0")).status == 200
    assert (org.last().body, org.last().get("content-encoding")) == (CLEAN, None)


def test_continue_comes_before_the_body(gw, org):
    fields, body = packed("zstd", CLEAN)
    fields += [("Expect", "100-continue"), ("Content-Length", str(len(body)))]
    with gw.connect() as connection:
        connection.send(request("POST", "/", fields))
        assert connection.head().startswith(b"HTTP/1.1 100")
        assert connection.send(body).response().status == 200
    assert org.last().body == CLEAN


UNKNOWN = [
    ("unknown", "compress"),
    ("unknown", "aws-chunked"),
    ("unknown", "gzipp"),
    ("unknown", "gzip;q=1"),
    ("more than one", "gzip, br"),
    ("more than one", "gzip, gzip"),
    ("more than one", "identity, gzip"),
]


@pytest.mark.parametrize("why,value", UNKNOWN)
def test_what_is_not_understood_is_refused_unread(gw, org, why, value):
    with gw.connect() as connection:
        connection.send(request("POST", "/", [
            ("Content-Encoding", value), ("Content-Length", "1000000"[:5]),
            ("Expect", "100-continue")]))
        answer = connection.response()
        assert (answer.status, answer.informational) == (415, [])
        assert answer.get("accept-encoding") == "gzip, deflate, br, zstd"
        assert connection.closed()
    record = gw.audit(id=answer.id)
    assert (record["reason"], record["status"]) == ("body", 415)
    assert why in record["detail"]
    assert org.requests == []


def test_two_fields_are_two_codings(gw):
    answer = gw.ask("POST", "/", [("Content-Encoding", "gzip"),
                                  ("Content-Encoding", "gzip")], gzip.compress(CLEAN))
    assert answer.status == 415


def test_identity_is_as_it_is(gw, org):
    """But the rule set does not like the field."""
    answer = gw.ask("POST", "/", [("Content-Type", FORM),
                                  ("Content-Encoding", "identity")], CLEAN)
    assert 920450 in rules(gw.audit(id=answer.id))


BROKEN = {
    "not the coding": lambda pack: CLEAN,
    "cut short": lambda pack: pack(CLEAN)[:-1],
    "half of it": lambda pack: pack(CLEAN)[:len(pack(CLEAN)) // 2],
    "one byte": lambda pack: pack(CLEAN)[:1],
    "something behind it": lambda pack: pack(CLEAN) + b"x",
    "an attack behind it": lambda pack: pack(CLEAN) + ATTACK,
    "a second one behind it": lambda pack: pack(CLEAN) + pack(ATTACK),
}


@pytest.mark.parametrize("why", BROKEN)
@each
def test_broken_body_is_refused(gw, org, coding, why):
    fields, _ = packed(coding, b"")
    body = BROKEN[why](CODINGS[coding][1])
    with gw.connect() as connection:
        answer = connection.send(request("POST", "/", fields, body)).response()
        assert answer.status == 400
        record = gw.audit(id=answer.id)
        assert (record["reason"], record["detail"]) == ("body",
                                                        "compressed body is broken")
        if answer.get("connection") is None:
            # all of it was read: the connection is as good as before
            assert connection.send(request()).response().status == 200
    assert org.last().method == "GET" if org.requests else True


def test_connection_stays_usable_after_a_refusal(gw):
    fields, body = packed("gzip", CLEAN)
    with gw.connect() as connection:
        answer = connection.send(request("POST", "/", fields, body[:-1])).response()
        assert (answer.status, answer.get("connection")) == (400, None)
        assert connection.send(request("POST", "/", fields, body)).response().status == 200


def test_empty_body_of_a_coding(gw, org):
    for coding in ("gzip", "br"):
        fields, _ = packed(coding, b"")
        assert gw.ask("POST", "/", fields, b"").status == 200
        assert (org.last().get("content-length"), org.last().body) == ("0", b"")
        fields, body = packed(coding, b"")
        assert gw.ask("POST", "/", fields, body).status == 200
        assert (org.last().get("content-length"), org.last().body) == ("0", b"")
        assert org.last().get("content-encoding") is None


def test_header_of_gzip_is_not_seen_by_anybody(gw, org):
    """A form in the file name of a gzip header: an origin that ignored the coding
    would read it."""
    out = io.BytesIO()
    with gzip.GzipFile(filename="&id=1' OR 1=1--&", mode="wb", fileobj=out) as maker:
        maker.write(CLEAN)
    fields, _ = packed("gzip", b"")
    assert gw.ask("POST", "/", fields, out.getvalue()).status == 200
    assert org.last().body == CLEAN


def test_lookalike_field_does_not_reach_the_origin(gw, org):
    """CGI can't tell Content_Encoding from Content-Encoding."""
    assert gw.ask("POST", "/", [("Content-Type", FORM), ("Content_Encoding", "gzip")],
                  CLEAN).status == 200
    assert (org.last().body, org.last().get("content_encoding")) == (CLEAN, None)


def test_what_is_not_inspected_passes_as_it_is(gateway, origin):
    body = gzip.compress(ATTACK)
    for config in ({"policies": {"default": {"mode": "off"}}},
                   {"sites": [{"hosts": ["*"], "pool": "app", "policy": "off"}]}):
        gw = gateway(**config)
        for name, sent in (("gzip", body), ("compress", b"whatever"),
                           ("gzip, br", b"whatever")):
            fields = [("Content-Type", FORM), ("Content-Encoding", name)]
            assert gw.ask("POST", "/", fields, sent).status == 200
            got = origin.last()
            assert (got.body, got.all("content-encoding")) == (sent, [name])
            assert got.get("content-length") == str(len(sent))


def test_policy_that_only_detects_decodes_too(gateway, origin):
    gw = gateway(policies={"default": {"mode": "detect"}})
    fields, body = packed("br", ATTACK)
    assert gw.ask("POST", "/", fields, body).status == 200
    assert origin.last().body == ATTACK
    assert gw.audit(1)[0]["action"] == "detected"


# --- limits -------------------------------------------------------------------

def test_cap_of_what_is_inspected(gateway, origin):
    gw = gateway(policies={"default": {"rules": [], "request_body": {
        "inspect": "20KiB", "limit": "40KiB"}}})
    for size, status in ((20 << 10, 200), ((20 << 10) + 1, 413), (200 << 10, 413)):
        fields, body = packed("gzip", b"a=" + b"x" * (size - 2))
        answer = gw.ask("POST", "/", fields, body)
        assert answer.status == status, size
        if status == 413:
            assert gw.audit(id=answer.id)["reason"] == "body"
    # what came is larger than what it becomes: that it fits is what counts
    plain = noise(10 << 10).hex().encode()
    stored = zlib.compressobj(level=0, wbits=31)
    body = stored.compress(plain) + stored.flush()
    assert len(body) > 20 << 10 == len(plain)
    assert gw.ask("POST", "/", [("Content-Type", "application/octet-stream"),
                                ("Content-Encoding", "gzip")], body).status in (200, 403)
    # and nothing is read that is larger than the limit
    answer = gw.ask("POST", "/", packed("gzip", b"")[0] + [
        ("Content-Length", str(50 << 10))])
    assert answer.status == 413


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_bombs(gateway, coding):
    """Ratio and size are held to, quickly, whatever they would become."""
    gw = gateway(threads=1, policies={"default": {"request_body": {
        "inspect": "64MiB", "limit": "64MiB"}}})
    fields, bomb = packed(coding, bytes(64 << 20))
    assert gw.ask("POST", "/", *packed(coding, CLEAN)).status == 200
    before = gw.rss()
    began = time.monotonic()
    with gw.connect() as other:
        for _ in range(8):
            answer = gw.ask("POST", "/", fields, bomb)
            assert answer.status == 400
            assert other.send(request()).response().status == 200
    assert time.monotonic() - began < seconds(10)
    assert gw.rss() - before < (48 << 20) * max(1, SLOW)
    record = gw.audit(id=answer.id)
    assert (record["reason"], record["detail"]) == ("body",
                                                    "compressed body grows too much")
    assert record["request"]["body_bytes"] <= 4 << 20


def test_size_is_held_to_under_the_ratio(gateway):
    gw = gateway(policies={"default": {"request_body": {
        "inspect": "64KiB", "limit": "1MiB", "over_inspect": "head"}}})
    plain = noise(500000).hex().encode() + b"x" * (1 << 20)
    fields, body = packed("gzip", plain)
    with gw.connect() as connection:
        connection.send(request("POST", "/", fields, body))
        # bytes to the origin may have begun, but not to the client
        answer = connection.response()
    assert answer.status == 413
    record = gw.audit(id=answer.id)
    assert "larger" in record["detail"]
    assert (1 << 20) < record["request"]["body_bytes"] <= (1 << 20) + 1


# --- large bodies --------------------------------------------------------------

def large(size):
    """Text that a rule has nothing to say about, and that packs about 2:1."""
    return noise(size // 2).hex().encode()


@pytest.mark.parametrize("coding", ["gzip", "bare deflate", "br", "zstd"])
def test_large_bodies_by_file(gateway, origin, coding):
    gw = gateway(policies={"default": {"mode": "detect", "request_body": {
        "inspect": "4MiB", "limit": "8MiB"}}})
    for size in (65535, 65536, 65537, 1 << 20):
        plain = large(size)
        _, body = packed(coding, plain)
        fields = [("Content-Type", "application/octet-stream"), ("Content-Encoding", CODINGS[coding][0])]
        assert gw.ask("PUT", "/", fields, body).status == 200
        got = origin.last()
        assert got.body == plain
        assert got.get("content-length") == str(len(plain))


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_head_only(gateway, origin, coding):
    """The rest streams behind what was inspected, out of the same decoder."""
    gw = gateway(policies={"default": {"mode": "detect", "request_body": {
        "inspect": "100KiB", "limit": "64MiB", "over_inspect": "head"}}})
    for size in (5000, 100 << 10, (100 << 10) + 2, 3 << 20):
        plain = large(size)
        _, body = packed(coding, plain)
        fields = [("Content-Type", "application/octet-stream"), ("Content-Encoding", coding)]
        answer = gw.ask("POST", "/", fields, body)
        assert answer.status == 200
        assert origin.last().body == plain
        assert origin.last().get("content-encoding") is None
        whole = size <= 100 << 10
        assert (origin.last().get("content-length") == str(size)) == whole
        assert (origin.last().get("transfer-encoding") == "chunked") != whole


def test_head_only_finds_what_stands_there(gateway, origin):
    gw = gateway(policies={"default": {"request_body": {
        "inspect": "8KiB", "limit": "8MiB", "over_inspect": "head"}}})
    fields, body = packed("zstd", ATTACK + b"&x=" + large(100000))
    answer = gw.ask("POST", "/", fields, body)
    assert answer.status == 403
    assert gw.audit(id=answer.id)["request"]["inspected_bytes"] == 8 << 10
    fields, body = packed("zstd", b"a=1&x=" + large(100000))
    assert gw.ask("POST", "/", fields, body).status == 200


def test_break_behind_the_inspected_part(gateway, origin):
    """The origin never sees the end of a body that turned out to be broken."""
    gw = gateway(policies={"default": {"mode": "detect", "request_body": {
        "inspect": "8KiB", "limit": "8MiB", "over_inspect": "head"}}})
    plain = large(1 << 20)
    body = gzip.compress(plain)
    fields = [("Content-Type", "application/octet-stream"), ("Content-Encoding", "gzip")]
    answer = gw.ask("POST", "/", fields, body[:-4] + b"abcd")
    assert answer.status == 400
    assert gw.audit(id=answer.id)["detail"] == "compressed body is broken"
    assert origin.requests == []
    assert gw.ask("POST", "/", fields, body).status == 200


def test_put_is_sent_again(gateway, origin):
    """A kept connection that the origin closes just then."""
    gw = gateway(threads=1)
    assert gw.get().status == 200
    known = {r.connection for r in origin.requests}

    def rude(exchange):
        if exchange.request.connection in known:
            exchange.close()
        exchange.answer()

    origin.on("/again", rude)
    fields, body = packed("br", CLEAN)
    assert gw.ask("PUT", "/again", fields, body).status == 200
    assert [r.body for r in origin.requests if r.target == "/again"] == [CLEAN] * 2


def test_others_have_their_turn(gateway, origin):
    """While a long body is decoded, others are served: no step of it is long."""
    gw = gateway(threads=1, policies={"default": {"mode": "detect", "request_body": {
        "inspect": "1KiB", "limit": "1GiB", "over_inspect": "head"}}})
    plain = b"".join(noise(16) + b"x" * 90 for _ in range(32 << 10)) * 8
    _, body = packed("zstd", plain)
    slowest = []
    with gw.connect(timeout=60) as long, gw.connect() as other:
        long.send(request("POST", "/long", [
            ("Content-Type", "application/octet-stream"), ("Content-Encoding", "zstd"),
            ("Content-Length", str(len(body)))]))
        sent = 0
        while sent < len(body):
            long.send(body[sent:sent + (256 << 10)])
            sent += 256 << 10
            began = time.monotonic()
            assert other.send(request()).response().status == 200
            slowest.append(time.monotonic() - began)
        assert long.response().status == 200
    assert origin.last().body == plain
    assert sorted(slowest)[len(slowest) // 2] < seconds(0.25)


def test_memory_of_many_decoders_is_bounded(gateway):
    """Windows that are filled and held by clients that send no more: what decoders hold
    in all has a bound, who comes then gets 503, and it is free again when they go."""
    gw = gateway(threads=1, policies={"default": {"mode": "detect", "request_body": {
        "inspect": "1KiB", "limit": "64MiB", "over_inspect": "head"}}})
    settings = zstandard.ZstdCompressionParameters(window_log=23, compression_level=1)
    maker = zstandard.ZstdCompressor(compression_params=settings)
    body = maker.compress(large(9 << 20))
    _, small = packed("zstd", CLEAN)
    fields = [("Content-Type", "application/octet-stream"), ("Content-Encoding", "zstd")]
    before = gw.rss()
    held = []
    try:
        while gw.records() == []:
            assert len(held) < 40
            held.append(gw.connect())
            try:
                held[-1].send(request("POST", "/", fields + [
                    ("Content-Length", str(len(body)))]) + body[:-1000])
            except OSError:
                break
        assert gw.get().status == 200
        assert gw.rss() - before < (400 << 20) * max(1, SLOW)
    finally:
        for connection in held:
            connection.close()
    until(lambda: gw.ask("POST", "/", fields, small).status == 200,
          what="decoders to be free again")
    until(lambda: "no memory for compressed bodies" in {r["detail"] for r in gw.records()},
          what="the record of a refusal")
