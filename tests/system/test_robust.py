# SPDX-License-Identifier: Apache-2.0
"""Odd clients, scarce resources, mutated bytes: it goes on, and its books balance."""
import collections
import os
import random
import re
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from yett_test.client import Closed, Connection, chunks, request
from yett_test.gateway import plain_policy
from yett_test.wait import SLOW, seconds, until

FORM = ("Content-Type", "application/x-www-form-urlencoded")


def processor_time(gw):
    fields = open(f"/proc/{gw.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_half_a_request_and_half_a_close(gateway):
    gw = gateway(timeouts={"header": "20s", "body_idle": "20s"})
    begin = time.monotonic()
    for data in (b"GET / HT", request("POST", "/", [("Content-Length", "9")], b"abc")):
        with gw.connect() as connection:
            connection.send(data)
            connection.shut()
            rest = connection.rest()
            assert rest == b"" or rest.startswith(b"HTTP/1.1 400")
    assert time.monotonic() - begin < seconds(5)


def test_pipelined_flood_that_is_not_read(gateway, origin):
    """Requests behind answers that nobody reads are not taken in."""
    origin.on("/", lambda e: e.answer(b"x" * 20000))
    gw = gateway(**plain_policy())
    gw.get()
    before = gw.rss()
    data = request("GET", "/") * 1000
    connection = gw.connect(rcvbuf=8192)
    sent = [0]

    def push():
        try:
            for _ in range(500):
                connection.send(data)
                sent[0] += 1000
        except OSError:
            pass

    pusher = threading.Thread(target=push, daemon=True)
    pusher.start()
    last = [-1, 0]

    def still():
        last[1] = last[1] + 1 if last[0] == len(origin.requests) else 0
        last[0] = len(origin.requests)
        return last[1] > 40
    until(still, 20, "a standstill")
    assert sent[0] < 400000
    assert len(origin.requests) < 1000
    assert gw.rss() - before < 8 << 20
    connection.sock.shutdown(socket.SHUT_RDWR)      # wakes the pusher, too
    pusher.join(seconds(5))
    connection.reset()
    assert gw.get().status == 200


def test_out_of_descriptors(gateway, origin):
    """It pauses and goes on; it neither dies nor spins."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    gw = gateway(**plain_policy(), max={"connections": 1000,
                                        "connections_per_client": 1000})
    resource.prlimit(gw.pid, resource.RLIMIT_NOFILE, (80, hard))
    held = [gw.connect() for _ in range(120)]
    gw.expect("", 5)
    before = processor_time(gw)
    time.sleep(1)
    assert processor_time(gw) - before < 0.5
    for connection in held:
        connection.close()
    until(lambda: gw.get().status == 200, 10, "service again")
    assert soft > 200


def test_audit_log_that_does_not_take_lines(gateway, tmp_path):
    """A pipe that nobody reads: requests go on, what is lost is counted."""
    fifo = tmp_path / "audit.fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    gw = gateway(**plain_policy(), logs={"audit": {"path": str(fifo)}})
    data = request("GET", "/%00", [(f"X-{n}", "x" * 3900) for n in range(7)])
    for _ in range(1500):
        assert gw.raw(data).status == 400
    assert gw.get().status == 200

    def drain():
        os.set_blocking(reader, True)
        while os.read(reader, 65536):
            pass

    threading.Thread(target=drain, daemon=True).start()
    gw.stop()
    assert re.search(r"audit.*(dropped|lost)|(dropped|lost).*audit", gw.stderr), gw.stderr
    os.close(reader)


SEEDS = [
    request("GET", "/a/b?c=d", [("X-A", "1"), ("Cookie", "a=b")]),
    request("POST", "/form", [FORM], b"name=Ann&city=Perth"),
    request("POST", "/form", [FORM, ("Transfer-Encoding", "chunked")]) +
    chunks(b"name=Ann", b"&city=Perth", trailers=b"X-T: 1\r\n"),
    request("PUT", "/x", [("Expect", "100-continue"), ("Connection", "close")], b"abc"),
    b"GET http://app.test/abs HTTP/1.1\r\nHost: app.test\r\n\r\n",
    b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: app.test\r\n\r\n",
]
TOKENS = [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"0", b"1", b"-",
          b"+", b"\x0b", b"\x85", b"\xff", b"%2e", b"%00", b"/", b"\\", b"..", b"#", b"?",
          b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"chunked",
          b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: x\r\n",
          b"Host: other.test\r\n", b"Connection: close\r\n", b"\r\n\r\n", b"0\r\n\r\n",
          b"GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n", b"HTTP/1.1", b"HTTP/1.0"]


def mutate(rand, data):
    data = bytearray(data)
    for _ in range(rand.choice([1, 1, 1, 2, 3])):
        at = rand.randrange(len(data) + 1)
        kind = rand.random()
        if kind < 0.5:
            data[at:at] = rand.choice(TOKENS)
        elif kind < 0.7 and at < len(data):
            del data[at:at + rand.choice([1, 1, 2, 5])]
        elif kind < 0.85 and at < len(data):
            data[at] = rand.randrange(256)
        else:
            end = min(len(data), at + rand.randrange(1, 40))
            data[at:at] = data[at:end]
    return bytes(data)


def statuses(gw, data):
    """Counts the answers to these bytes, up to the gateway's close."""
    found = collections.Counter()
    with gw.connect() as connection:
        try:
            connection.send(data)
            while True:
                found[connection.response().status] += 1
        except (Closed, OSError):
            return found


@pytest.mark.parametrize("seed", range(4))
def test_mutated_requests(gateway, origin, seed):
    """Whatever comes in, what goes out is well formed, answers are as many as
    requests that the origin saw plus refusals, and each refusal has its record."""
    rand = random.Random(seed)
    gw = gateway(policies={"default": {"mode": "off" if seed % 2 else "block"}},
                 timeouts={"header": "300ms", "body_idle": "300ms"})
    last = request("GET", "/last", [("Connection", "close")])
    batch = [mutate(rand, rand.choice(SEEDS)) + last for _ in range(600)]
    with ThreadPoolExecutor(12) as pool:
        answers = sum(pool.map(lambda data: statuses(gw, data), batch),
                      collections.Counter())
    good = sum(n for s, n in answers.items() if s < 400)
    assert answers[200] > 100
    assert not any(s >= 500 and s not in (501, 505) for s in answers), answers
    assert len(origin.requests) >= good
    assert not [e for e in origin.errors if "Value" in e], origin.errors
    for got in origin.requests:
        assert not re.search(rb"[\0\r\n]", got.head.replace(b"\r\n", b"")), got
        assert re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+ (/[^ ]*|\*) HTTP/1\.1", got.line)
        assert len(got.all("host")) == 1
        assert len(got.all("content-length")) + len(got.all("transfer-encoding")) <= 1
    gw.stop()
    refused = sum(n for s, n in answers.items() if s >= 400)
    records = [r for r in gw.records() if r["status"] and not r["aborted"]]
    assert len(records) == refused


def test_connections_that_come_and_go_in_every_state(gateway, origin):
    """Resets at random points; no descriptor and no memory stays behind."""
    rand = random.Random(7)
    gw = gateway(timeouts={"header": "2s", "body_idle": "2s"})
    for _ in range(50):
        gw.get()
    open_files = len(os.listdir(f"/proc/{gw.pid}/fd"))
    before = gw.rss()
    for _ in range(600):
        data = rand.choice(SEEDS)
        connection = Connection(gw.target)
        connection.send(data[:rand.randrange(len(data) + 1)])
        if rand.random() < 0.3:
            connection.shut()
        if rand.random() < 0.7:
            connection.reset()
        else:
            connection.close()
    until(lambda: len(os.listdir(f"/proc/{gw.pid}/fd")) <= open_files + 8, 10,
          "descriptors to be closed")
    assert gw.rss() - before < (24 << 20) * SLOW
    assert gw.get().status == 200
