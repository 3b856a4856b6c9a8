# SPDX-License-Identifier: Apache-2.0
"""Bodies stream both ways with back-pressure: memory stays flat."""
import hashlib
import socket
import threading

import pytest

from yett_test.client import request
from yett_test.wait import seconds, until

MIB = 1 << 20
PIECE = bytes(range(256)) * 256         # 64 KiB
BIG = 48 * MIB
SLACK = 12 * MIB                        # what a stalled stream may hold


@pytest.fixture(scope="module")
def gw(module_gateway):
    gateway = module_gateway(
        timeouts={"send_idle": "60s"},
        policies={"default": {"mode": "off", "request_body": {"limit": "1GiB"}}})
    for _ in range(20):
        gateway.get()
    return gateway


@pytest.fixture
def org(module_origin):
    module_origin.clear()
    return module_origin


def pour(exchange, size=BIG):
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(size // len(PIECE)):
        exchange.send(PIECE)


def test_big_answer(gw, org):
    org.on("/big", pour)
    answer = gw.get("/big")
    assert len(answer.body) == BIG
    assert hashlib.sha256(answer.body).digest() == \
        hashlib.sha256(PIECE * (BIG // len(PIECE))).digest()


def test_big_request(gw, org):
    result = {}

    def swallow(exchange):
        digest = hashlib.sha256()
        for piece in exchange.pieces():
            digest.update(piece)
        result["digest"] = digest.digest()
        exchange.answer()

    org.on("/big", swallow, lazy=True)
    with gw.connect() as connection:
        connection.send(request("POST", "/big", [("Content-Length", str(BIG))]))
        for _ in range(BIG // len(PIECE)):
            connection.send(PIECE)
        assert connection.response().status == 200
    assert result["digest"] == hashlib.sha256(PIECE * (BIG // len(PIECE))).digest()


def test_slow_reader_does_not_grow_memory(gw, org):
    """The client reads nothing: the origin must be held up, not read into memory."""
    sent = [0]

    def counted(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        for _ in range(BIG // len(PIECE)):
            exchange.send(PIECE)
            sent[0] += len(PIECE)

    org.on("/big", counted)
    before = gw.rss()
    with gw.connect(rcvbuf=16384) as connection:
        connection.send(request("GET", "/big"))
        org.wait()
        stalled(lambda: sent[0])
        assert sent[0] < BIG - MIB          # it is held up
        assert gw.rss() - before < SLACK
        assert len(connection.response().body) == BIG
    assert gw.rss() - before < SLACK


def test_more_slow_readers_than_large_buffers(gateway, origin):
    """There are 32 for a worker; who comes later gets the same bytes in small pieces."""
    size = 3 * MIB
    gw = gateway(threads=1, timeouts={"send_idle": "60s"},
                 policies={"default": {"mode": "off"}})
    origin.on("/big", lambda exchange: pour(exchange, size))
    before = gw.rss()
    slow = [gw.connect(rcvbuf=16384) for _ in range(40)]
    for connection in slow:
        connection.send(request("GET", "/big"))
    origin.wait(len(slow))
    assert gw.rss() - before < 32 * 0.5 * MIB + SLACK
    for connection in slow:
        with connection:        # no longer slow
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)
            assert connection.response().body == PIECE * (size // len(PIECE))


def stalled(progress):
    """Waits until a figure has stopped moving."""
    last = [-1, 0]

    def still():
        now = progress()
        last[1] = last[1] + 1 if now == last[0] else 0
        last[0] = now
        return last[1] >= 40
    until(still, 20, "a standstill")


def test_slow_origin_does_not_grow_memory(gw, org):
    go = threading.Event()

    def slow(exchange):
        go.wait(seconds(30))
        exchange.read_body()
        exchange.answer()

    org.on("/slow", slow, lazy=True)
    before = gw.rss()
    sent = [0]
    with gw.connect() as connection:
        def push():
            connection.send(request("POST", "/slow", [("Content-Length", str(BIG))]))
            for _ in range(BIG // len(PIECE)):
                connection.send(PIECE)
                sent[0] += len(PIECE)

        pusher = threading.Thread(target=push, daemon=True)
        pusher.start()
        org.wait()
        stalled(lambda: sent[0])
        assert sent[0] < BIG - MIB
        assert gw.rss() - before < SLACK
        go.set()
        assert connection.response().status == 200
        pusher.join(seconds(5))
    assert len(org.last().body) == BIG
    assert gw.rss() - before < SLACK


def test_many_stalled_streams(gw, org):
    org.on("/big", pour)
    before = gw.rss()
    connections = [gw.connect(rcvbuf=16384) for _ in range(20)]
    for connection in connections:
        connection.send(request("GET", "/big"))
    org.wait(20, timeout=20)
    stalled(gw.rss)
    assert gw.rss() - before < 20 * 2 * MIB
    for connection in connections:
        connection.reset()


def test_early_answer_while_the_body_still_comes(gw, org):
    """An origin that refuses an upload at once: the client sees its answer."""
    def refuse(exchange):
        exchange.answer(b"too much", "413 Content Too Large",
                        [("Connection", "close")])
        exchange.close()

    org.on("/upload", refuse, lazy=True)
    with gw.connect() as connection:
        connection.send(request("POST", "/upload", [("Content-Length", "100000")]) +
                        b"x" * 1000)
        answer = connection.response()
        assert answer.status in (413, 502)
    assert gw.get().status == 200


def test_client_leaves_in_the_middle(gw, org):
    """The origin's connection is closed too, and nothing is left behind."""
    org.on("/big", pour)
    for _ in range(20):
        connection = gw.connect(rcvbuf=16384)
        connection.send(request("GET", "/big"))
        connection.exactly(1000)
        connection.reset()
    until(lambda: len(org.open) <= 2, 20, "the origin's connections to be closed")
    for _ in range(20):
        connection = gw.connect()
        connection.send(request("POST", "/", [("Content-Length", "1000")]) + b"x" * 10)
        connection.reset()
    until(lambda: len(org.open) <= 2, 20, "the origin's connections to be closed")
    assert gw.get().status == 200


def test_interleaved_small_writes(gw, org):
    """An answer in many small pieces arrives piece by piece, not at its end."""
    step = threading.Semaphore(0)

    def drip(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                      b"Content-Type: text/event-stream\r\n\r\n")
        for number in range(5):
            step.acquire(timeout=seconds(10))
            exchange.send(b"2\r\n%d\n\r\n" % number)
        exchange.send(b"0\r\n\r\n")

    org.on("/events", drip)
    with gw.connect() as connection:
        connection.send(request("GET", "/events"))
        connection.head()
        for number in range(5):
            step.release()
            assert connection.until(b"\r\n") == b"2"
            assert connection.until(b"\r\n") == b"%d\n" % number
        assert connection.until(b"\r\n") == b"0"
