# SPDX-License-Identifier: Apache-2.0
"""Answers and request bodies at random: sizes around those of buffers, framings, paces,
features, clients. What comes through is what was sent, byte for byte. What chance
chose is in the message of what fails; YETT_TEST_SEED and YETT_TEST_ROUNDS choose it
again, and more of it."""
import contextlib
import copy
import hashlib
import os
import random
import re
import socket
import threading
import time
import zlib

import pytest

from yett_test.client import Closed, Connection, request, tls_context
from yett_test.wait import Port, seconds

brotli = pytest.importorskip("brotli")
zstandard = pytest.importorskip("zstandard")

SEED = int(os.environ.get("YETT_TEST_SEED", "1"))
ROUNDS = int(os.environ.get("YETT_TEST_ROUNDS", "20"))
CLIENTS = 6
KIB = 1024
AROUND = [4, 16, 32, 33, 64, 128, 256, 512, 2048]
INSPECTED = {"waf.test": 64, "file.test": 300}
MAX_OBJECT = 1024 * KIB
COMPRESS = {"types": ["text/*"], "min": "1KiB", "encodings": ["zstd", "br", "gzip"]}
CACHE = {"cache": "on"}
WAF = {"policy": "seen"}
SITES = {
    "plain.test": {},
    "waf.test": WAF,
    "file.test": {"policy": "filed"},
    "cache.test": CACHE,
    "zip.test": {"compress": COMPRESS},
    "cache-zip.test": {**CACHE, "compress": COMPRESS},
    "waf-cache.test": {**WAF, **CACHE},
    "all.test": {**WAF, **CACHE, "compress": COMPRESS},
}
WORDS = random.Random(5)
# nothing in it looks alike, so that no piece can take the place of another
BASE = b"".join(b"%08x" % WORDS.getrandbits(32) + (b"\n" if i % 9 == 0 else b" ")
                for i in range(260_000))
CONTROLS = ["max-age=1000", "max-age=1000", "max-age=0",
            "max-age=0, stale-while-revalidate=1000", "no-store", None]


def size_of(rng):
    if rng.random() < 0.15:
        return rng.choice([0, 1, 2])
    size = rng.choice(AROUND) * KIB
    return max(0, size + rng.choice([0, -1, 1, rng.randint(-2 * KIB, 2 * KIB)]))


def sleep_while(rng, most):
    time.sleep(rng.random() * most)


class Page:
    """What the origin says at one path, and how."""

    def __init__(self, rng, path):
        self.path = path
        size = size_of(rng)
        at = rng.randrange(len(BASE) - size)
        self.body = BASE[at:at + size]
        self.framing = rng.choice(["length", "length", "chunks", "chunks", "close"])
        self.pace = rng.choice(["once", "once", "once", "dribble", "pause", "late"])
        self.control = rng.choice(CONTROLS)
        self.etag = f'"{path[1:]}"' if rng.random() < 0.6 else None
        self.kind = rng.choice(["text/html", "text/plain", "image/png"])
        self.dies = size > 100 and rng.random() < 0.12 and rng.random()
        self.last = rng.random() < 0.1
        self.early = rng.random() < 0.1
        self.seed = rng.random()
        self.count = 0

    def __repr__(self):
        return (f"{self.path}: {len(self.body)} bytes, {self.framing}, {self.pace}, "
                f"{self.control}, {self.kind}, etag {self.etag}, dies {self.dies}, "
                f"last {self.last}")

    def head(self, status, *fields):
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {self.kind}", *fields]
        if self.control:
            lines.append(f"Cache-Control: {self.control}")
        if self.etag:
            lines.append(f"ETag: {self.etag}")
        if self.last:
            lines.append("Connection: close")
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" if self.early else b""
        return early + "\r\n".join(lines).encode() + b"\r\n\r\n"

    def framed(self, rng):
        if self.framing != "chunks":
            return self.body
        out, at = [], 0
        while at < len(self.body):
            size = rng.choice([1, 100, 4000, 16 * KIB, 70_000, 600_000])
            size = max(rng.randint(size // 2, size), len(self.body) // 300, 1)
            piece = self.body[at:at + size]
            more = b";a=b" if rng.random() < 0.1 else b""
            out.append(b"%x%s\r\n%s\r\n" % (len(piece), more, piece))
            at += len(piece)
        return b"".join(out) + b"0\r\n" + \
            (b"X-Sum: 1\r\n" if rng.random() < 0.2 else b"") + b"\r\n"

    def __call__(self, exchange):
        self.count += 1
        rng = random.Random(f"{self.seed} {self.count}")
        asked = exchange.request
        if self.etag and self.etag in (asked.get("if-none-match") or ""):
            exchange.send(self.head("304 Not Modified"))
            return self.end(exchange)
        fields = {"length": [f"Content-Length: {len(self.body)}"],
                  "chunks": ["Transfer-Encoding: chunked"], "close": []}[self.framing]
        head = self.head("200 OK", *fields)
        data = b"" if asked.method == "HEAD" else self.framed(rng)
        if self.dies and self.count % 2 == 1 and asked.method != "HEAD" and \
                self.framing != "close":
            data = data[:int(len(data) * self.dies)]
            self.send(exchange, rng, head, data)
            return exchange.close()
        self.send(exchange, rng, head, data)
        return self.end(exchange)

    def send(self, exchange, rng, head, data):
        if self.pace == "once" or not data:
            exchange.send(head + data)
        elif self.pace == "late":
            exchange.send(head)
            sleep_while(rng, 0.03)
            exchange.send(data)
        else:
            exchange.send(head)
            cuts = sorted(rng.randint(0, len(data))
                          for _ in range(20 if self.pace == "dribble" else 1))
            for start, stop in zip([0, *cuts], [*cuts, len(data)]):
                exchange.send(data[start:stop])
                sleep_while(rng, 0.002 if self.pace == "dribble" else 0.05)

    def end(self, exchange):
        if not self.last and self.framing != "close":
            return
        with contextlib.suppress(OSError, AttributeError):
            exchange.sock.unwrap()  # TLS says that this was all
        exchange.close()


def decoder(coding):
    if coding == "gzip":
        return zlib.decompressobj(wbits=31).decompress
    if coding == "br":
        return brotli.Decompressor().process
    if coding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress
    assert coding is None, coding
    return lambda data: data


class Slow(Connection):
    """Takes little at once, and its time."""

    def __init__(self, rng, **target):
        super().__init__(timeout=60, rcvbuf=4096, **target)
        self.rng = rng
        self.naps = 12

    def _more(self):
        if self.naps:
            self.naps -= 1
            sleep_while(self.rng, 0.02)
        if self.naps == 0:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        super()._more()


class Client:
    """One task: a page asked for in some way."""

    def __init__(self, rng, site, page):
        self.site, self.page = site, page
        self.way = rng.choice(["get", "get", "get", "range", "head", "leave", "old"])
        self.slow = rng.random() < 0.3
        self.accept = rng.choice([None, "gzip", "br", "zstd", "gzip, br, zstd"])
        self.span = sorted(rng.randint(0, max(len(page.body), 1)) for _ in range(2))
        self.seed = rng.random()

    def __repr__(self):
        return (f"{self.way} {self.site}{self.page!r}; slow {self.slow}, "
                f"accepts {self.accept}, bytes {self.span}")

    def ask(self, target, kept):
        rng = random.Random(self.seed)
        fields = [("Accept-Encoding", self.accept)] if self.accept else []
        if self.way == "range":
            fields.append(("Range", f"bytes={self.span[0]}-{self.span[1]}"))
        connection = kept.pop() if kept and not self.slow else \
            Slow(rng, **target) if self.slow else Connection(timeout=60, **target)
        method = "HEAD" if self.way == "head" else "GET"
        connection.send(request(
            method, self.page.path, fields, host=self.site,
            version="HTTP/1.0" if self.way == "old" else "HTTP/1.1"))
        try:
            again = self.take(connection, rng)
        except Closed:
            assert self.may_be_cut(), "cut"
            again = False
        if again and not self.slow:
            kept.append(connection)
        else:
            connection.close()

    def may_be_cut(self):
        """Also who reads what another one stores, when that can't be stored whole."""
        return self.page.dies or (
            "cache" in SITES[self.site] and self.page.framing != "length" and
            len(self.page.body) > MAX_OBJECT)

    def take(self, connection, rng):
        """True: the connection may be used again."""
        if self.way == "leave":
            self.leave(connection, rng)
            return False
        answer = connection.response(to_head=self.way == "head")
        if answer.status == 502:
            assert self.page.dies
            return False
        whole = self.page.body
        if answer.status == 206:
            first, last, length = map(int, re.match(
                r"bytes (\d+)-(\d+)/(\d+)$", answer.get("content-range")).groups())
            assert length == len(whole) and first == self.span[0] <= last
            assert last == min(self.span[1], length - 1)
            whole = whole[first:last + 1]
        elif answer.status == 416:
            assert self.way == "range" and self.span[0] >= len(whole)
            whole = b""
        else:
            assert answer.status == 200, answer
        if self.way == "head":
            return answer.get("connection") != "close"
        coding = answer.get("content-encoding")
        if self.way == "old" and self.may_be_cut() and \
                answer.get("content-length") is None:
            assert whole.startswith(answer.body)
            return False
        same(decoder(coding)(answer.body), whole)
        return answer.get("connection") != "close" and self.way != "old"

    def leave(self, connection, rng):
        """What came until then is the beginning of it."""
        enough = rng.randint(0, 100_000)
        head = connection.head()
        while head.startswith(b"HTTP/1.1 1"):
            head = connection.head()
        connection.sock.settimeout(0.1)
        while len(connection.buffer) < enough:
            try:
                connection._more()
            except (Closed, TimeoutError):
                break
        line, *fields = head.lower().split(b"\r\n")
        names = {field.split(b":")[0] for field in fields}
        if b" 200 " in line and not names & {b"content-encoding", b"transfer-encoding"}:
            assert self.page.body.startswith(bytes(connection.buffer))
        if rng.random() < 0.5:
            connection.reset()
        else:
            connection.close()


def same(got, wanted):
    if got == wanted:
        return
    at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b),
              min(len(got), len(wanted)))
    raise AssertionError(f"{len(got)} bytes for {len(wanted)}; the first other one at "
                         f"{at}: {got[at:at + 20]!r} for {wanted[at:at + 20]!r}")


class Upload:
    """One task: a body sent in some way."""

    def __init__(self, rng, path):
        self.path = path
        self.site = rng.choice(["plain.test", "waf.test", "file.test", "zip.test"])
        size = size_of(rng)
        at = rng.randrange(len(BASE) - size)
        self.body = BASE[at:at + size]
        self.chunked = rng.random() < 0.5
        self.coding = rng.choice([None, None, "gzip"])
        self.method = rng.choice(["POST", "PUT"])
        self.expect = rng.random() < 0.2
        self.early = rng.random() < 0.1
        self.goes = rng.random() < 0.2      # without a word: a later request hits on it
        self.seed = rng.random()
        self.got = []

    def __repr__(self):
        return (f"{self.method} {self.site}{self.path}: {len(self.body)} bytes, chunked "
                f"{self.chunked}, coding {self.coding}, expect {self.expect}, early "
                f"{self.early}, goes {self.goes}")

    def __call__(self, exchange):
        rng = random.Random(f"{self.seed} origin")
        for piece in exchange.pieces():
            exchange.request.body += piece
            if self.early and len(exchange.request.body) > len(self.body) // 3:
                exchange.answer(b"early")
                exchange.close()
            if rng.random() < 0.1:
                sleep_while(rng, 0.005)
        self.got.append((exchange.request.get("content-encoding"), exchange.request.body))
        exchange.answer(hashlib.sha256(exchange.request.body).hexdigest().encode())
        if self.goes:
            exchange.close()

    def may_fail(self):
        """What can't be sent twice, to an origin that closed a kept connection."""
        return self.early or self.method == "POST" or \
            len(self.body) > INSPECTED.get(self.site, 0) * KIB

    def ask(self, target, kept):
        rng = random.Random(self.seed)
        connection = kept.pop() if kept else Connection(timeout=60, **target)
        data, fields = self.body, [("Content-Type", "application/octet-stream")]
        if self.coding:
            maker = zlib.compressobj(wbits=31)
            data = maker.compress(data) + maker.flush()
            fields.append(("Content-Encoding", "gzip"))
        sent = data
        if self.expect:
            fields.append(("Expect", "100-continue"))
        if self.chunked:
            fields.append(("Transfer-Encoding", "chunked"))
            out, at = b"", 0
            while at < len(data):
                size = max(rng.randint(1, rng.choice([10, 3000, 40_000, 500_000])),
                           len(data) // 200)
                out += b"%x\r\n%s\r\n" % (len(data[at:at + size]), data[at:at + size])
                at += size
            data = out + b"0\r\n\r\n"
        else:
            fields.append(("Content-Length", str(len(data))))
        head = request(self.method, self.path, fields, host=self.site)
        if self.expect:
            connection.send(head)
            sleep_while(rng, 0.01)
        else:
            data = head + data
        cuts = sorted(rng.randint(0, len(data)) for _ in range(rng.choice([0, 1, 10])))
        try:
            for start, stop in zip([0, *cuts], [*cuts, len(data)]):
                connection.send(data[start:stop])
                sleep_while(rng, 0.005)
            answer = connection.response()
        except (OSError, Closed):
            assert self.early   # and the connection closed, on a slow machine
            return connection.close()
        if answer.status == 502 and self.may_fail() or answer.body == b"early":
            return connection.close()
        assert answer.status == 200, answer
        coding, got = self.got[-1]
        same(got, self.body if self.coding and coding is None else sent)
        assert answer.body == hashlib.sha256(got).hexdigest().encode()
        if answer.get("connection") == "close":
            connection.close()
        else:
            kept.append(connection)
        return None


def work(tasks, lock, failures, target):
    kept = []
    while not failures:
        with lock:
            if not tasks:
                break
            task = tasks.pop(0)
        try:
            task.ask(target, kept)
        except Exception as error:
            failures.append(f"seed {SEED}: {task!r}: {error!r}")
    for connection in kept:
        connection.close()


def run_all(tasks, target):
    lock, failures = threading.Lock(), []
    threads = [threading.Thread(target=work, args=(tasks, lock, failures, target))
               for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds(200))
    assert not any(thread.is_alive() for thread in threads)
    assert not failures, "\n".join(failures)


def config():
    policies = {
        "default": {"mode": "off", "request_body": {"limit": "64MiB"}},
        "seen": {"mode": "detect", "response_body": {"inspect": "24KiB"},
                 "request_body": {"inspect": "64KiB", "limit": "64MiB",
                                  "over_inspect": "head"}},
        # more than is kept in memory
        "filed": {"mode": "detect", "request_body": {
            "inspect": "300KiB", "limit": "64MiB", "over_inspect": "head"}}}
    sites = [{"hosts": [host], "pool": "app", "policy": "default", **copy.deepcopy(more)}
             for host, more in SITES.items()]
    return {"policies": policies, "sites": sites, "threads": 2,
            "cache": {"memory": "16MiB", "max_object": "1MiB"}}


@pytest.fixture(params=["plain", "tls"])
def way(request):
    """The origin, and what starts the gateway: over TLS on both sides, or neither."""
    start = request.getfixturevalue("gateway")
    if request.param == "plain":
        return request.getfixturevalue("origin"), lambda: start(**config())
    authority = request.getfixturevalue("authority")
    origin = request.getfixturevalue("tls_origin")
    pair, port = authority.issue("app.test"), Port()
    pool = {"servers": [{"url": origin.url}],
            "tls": {"ca": authority.file, "server_name": "origin.test"}}
    return origin, lambda: start(origin=origin, port=port, **config(), listeners=[
        {"address": port.address, "tls": {"certificates": [pair.conf()]}}],
        pools={"app": pool})


def client_of(gw):
    secure = "tls" in gw.config["listeners"][0]
    return {"target": gw.target, "tls": tls_context() if secure else None}


def pages(rng, origin, number):
    """A page, and some who want it at once."""
    page = Page(rng, f"/page{number}")
    origin.on(page.path, page)
    group = [Client(rng, site, page) for site in rng.sample(sorted(SITES), 2)
             for _ in range(rng.choice([1, 2, 4]))]
    rng.shuffle(group)
    return group


def uploads(rng, origin, number):
    several = [Upload(rng, f"/up{number}/{i}") for i in range(2)]
    for upload in several:
        origin.on(upload.path, upload, lazy=True)
    return several


def test_bodies_come_through_as_they_were_sent(way):
    origin, start = way
    rng, tasks = random.Random(SEED), []
    for i in range(ROUNDS):
        tasks += pages(rng, origin, i) + uploads(rng, origin, i)
    run_all(tasks, client_of(start()))
