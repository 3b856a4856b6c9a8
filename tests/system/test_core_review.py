# SPDX-License-Identifier: Apache-2.0
"""The request core at its seams: framing towards the origin, who waits for whom,
what a hostile peer may cost."""
import os
import random
import signal
import ssl
import subprocess
import sys
import threading
import time

import pytest

from yett_test.client import Closed, Connection, chunks, request, tls_context
from yett_test.gateway import plain_policy
from yett_test.wait import Port, seconds, until

TEXT = "text/plain"


def head_policy(inspect):
    return {"policies": {"default": {"mode": "detect", "request_body": {
        "inspect": inspect, "over_inspect": "head"}}}}


# --- framing towards the origin ---------------------------------------------------

@pytest.mark.parametrize("size", [999, 1000, 1001, 1500, 5000, 40000, 70000])
@pytest.mark.parametrize("way", ["length", "one chunk", "small chunks", "late end"])
def test_what_is_beyond_the_inspected_head_stays_in_the_body(gateway, origin, size, way):
    """A chunked body cut for inspection once got the length of its head alone: the
    rest was the origin's next request."""
    gw = gateway(threads=1, **head_policy(1000))
    body = bytes(range(32, 127)) * (size // 95 + 1)
    body = body[:size]
    fields = [("Content-Type", TEXT)]
    if way == "length":
        data, rest = request("POST", "/up", fields, body), b""
    else:
        step = size if way == "one chunk" else 700
        parts = [body[i:i + step] for i in range(0, size, step)]
        coded = chunks(*parts)
        fields.append(("Transfer-Encoding", "chunked"))
        cut = len(coded) - 3 if way == "late end" else len(coded)
        data, rest = request("POST", "/up", fields) + coded[:cut], coded[cut:]
    with gw.connect() as client:
        client.send(data)
        if rest:
            time.sleep(0.05)
            client.send(rest)
        assert client.response().status == 200
        client.send(request("GET", "/next"))
        assert client.response().status == 200
    assert [r.path for r in origin.requests] == ["/up", "/next"]
    assert origin.requests[0].body == body
    assert origin.errors == []


# --- who waits for whom -----------------------------------------------------------

def test_bytes_that_wait_for_the_origin_are_not_late(gateway, origin):
    """The client had sent its bytes in time; that the origin took none for a while was
    once held against it as soon as Yett turned to it again: 408."""
    def slow(exchange):
        time.sleep(3.5)
        exchange.read_body()
        exchange.answer()

    origin.on("/up", slow, lazy=True)
    gw = gateway(timeouts={"body_idle": "1s"}, policies={"default": {
        "mode": "off", "request_body": {"limit": "64MiB"}}})
    body = b"x" * (32 << 20)
    with gw.connect() as client:
        client.send(request("POST", "/up", [("Content-Type", TEXT)], body)[:-len(body)])
        for at in range(0, len(body), 16384):
            client.send(body[at:at + 16384])
            if at < 16 << 20:
                time.sleep(0.0002)      # short reads: Yett knows of no more
        assert client.response().status == 200
    assert origin.last().body == body


def test_empty_lines_keep_no_connection_open(gateway, origin):
    gw = gateway(timeouts={"header": "1s", "keepalive": "1s"}, **plain_policy())
    with gw.connect() as client, gw.connect() as served:
        served.send(request("GET", "/"))
        assert served.response().status == 200
        end = time.monotonic() + 4
        with pytest.raises((OSError, Closed)):
            while time.monotonic() < end:
                for one in (client, served):
                    one.send(b"\r\n")
                time.sleep(0.1)
                client.sock.settimeout(0.01)
                try:
                    if client.sock.recv(1) == b"":
                        raise Closed
                except TimeoutError:
                    pass
        served.sock.settimeout(2)
        assert served.closed()


FLOOD = """
import socket, sys, time
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sock.sendall(b"BAD\\r\\n\\r\\n")
piece = b"x" * (1 << 20)
end = time.monotonic() + 3
try:
    while time.monotonic() < end:
        sock.sendall(piece)
except OSError:
    pass
"""


def test_a_flood_behind_a_refusal_delays_nobody(gateway, origin):
    """What came after the last answer was once read for two seconds on end."""
    gw = gateway(threads=1, **plain_policy())
    floods = [subprocess.Popen([sys.executable, "-c", FLOOD, str(gw.port.number)])
              for _ in range(2)]
    worst = 0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        begin = time.monotonic()
        assert gw.get("/").status == 200
        worst = max(worst, time.monotonic() - begin)
    for flood in floods:
        flood.wait()
    assert worst < 0.8, worst


def test_an_answer_that_a_client_does_not_take_is_no_complete_one(gateway, origin):
    """To HTTP/1.0 the end of the connection is the end of the answer: giving up has
    to look different."""
    def long(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(400):
            exchange.send(b"x" * 65536)

    origin.on("/long", long, close=True)
    gw = gateway(timeouts={"send_idle": "1s"}, **plain_policy())
    with gw.connect(rcvbuf=4096) as client:
        client.send(request("GET", "/long", version="HTTP/1.0"))
        time.sleep(2.5)
        with pytest.raises(ConnectionResetError):
            while client.sock.recv(1 << 20):
                pass


def test_interim_answers_without_end(gateway, origin):
    def chatter(exchange):
        for _ in range(2000):
            exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
        exchange.answer()

    origin.on("/chatter", chatter)
    gw = gateway(**plain_policy())
    answer = gw.get("/chatter")
    assert answer.status == 502
    assert len(answer.informational) <= 32
    assert gw.audit(1)[0]["reason"] == "upstream"


def test_sigint_ends_a_drain(gateway, origin):
    held = []
    origin.on("/held", lambda exchange: held.append(exchange) or time.sleep(8))
    gw = gateway(**plain_policy())
    with gw.connect() as client:
        client.send(request("GET", "/held"))
        origin.wait(1)
        gw.deliver(signal.SIGTERM)
        gw.expect("draining")
        begin = time.monotonic()
        gw.deliver(signal.SIGINT)
        assert gw.wait(5) == 0
        assert time.monotonic() - begin < 3


# --- what a rule makes of an answer -------------------------------------------------

REFUSALS = [
    # action of the rule, target, status, location
    ("redirect:https://login.test/?from=%{ARGS.u}", "/?u=abc", 302,
     "https://login.test/?from=abc"),
    ("redirect:https://login.test/?from=%{ARGS.u}", "/?u=a%0d%0aSet-Cookie:%20a=b", 403,
     None),
    ("redirect:https://login.test/?from=%{ARGS.u}", "/?u=a%20b", 403, None),
    ("deny,status:304", "/?u=abc", 403, None),
    ("deny,status:204", "/?u=abc", 403, None),
    ("deny,status:429", "/?u=abc", 429, None),
]


@pytest.mark.parametrize("action,target,status,location", REFUSALS)
def test_what_a_rule_answers(gateway, origin, tmp_path, action, target, status, location):
    """A redirect filled from an argument once carried its line ends into the head."""
    rule = tmp_path / "own.conf"
    rule.write_text('SecRuleRemoveById 920000-999999\n'
                    f'SecRule ARGS:u "@rx ." "id:10001,phase:2,{action}"\n')
    gw = gateway(policies={"default": {"rules": [str(rule)]}})
    with gw.connect() as client:
        client.send(request("GET", target))
        answer = client.response()
        assert (answer.status, answer.get("location")) == (status, location)
        assert answer.get("set-cookie") is None
        client.send(request("GET", "/next"))
        assert client.response().status == 200


# --- what waiting costs -------------------------------------------------------------

def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def stalling(origin):
    """An origin that stops at each of the points where one can."""
    released = threading.Event()

    def stall(*said, read=False):
        def script(exchange):
            if read:
                exchange.read_body()
            for piece in said:
                exchange.send(piece)
            released.wait(seconds(30))
            exchange.close()
        return script

    def pour(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not released.is_set():
            exchange.send(b"x" * 65536)

    start = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    origin.on("/silent", stall(), lazy=True)
    origin.on("/half-head", stall(start), lazy=True)
    origin.on("/half-body", stall(start, b"Content-Length: 99\r\n\r\n", b"x"), lazy=True)
    origin.on("/half-chunk", stall(start, b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nab"),
              lazy=True)
    origin.on("/interim", stall(b"HTTP/1.1 103 Early Hints\r\n\r\n"), lazy=True)
    origin.on("/until-close", stall(start, b"\r\n", b"ab"), lazy=True)
    origin.on("/answers-early", stall(start, b"Content-Length: 9\r\n\r\n"), lazy=True)
    origin.on("/pours", pour, close=True, lazy=True)
    yield origin
    released.set()


def test_waiting_costs_nothing(gateway, stalling, authority):
    """Connections that stand still at every point there is: no timer and no readiness
    that nobody uses may keep the loop going."""
    pair = authority.issue("app.test")
    tls_port = Port()
    port = Port()
    gw = gateway(port, threads=1, listeners=[
        {"address": port.address}, {"address": tls_port.address, "tls": {"certificates": [
            {"certificate": str(pair.certificate), "key": str(pair.key)}]}}],
        policies={"default": {"mode": "detect"},
                  "head": {"mode": "detect", "response_body": {"inspect": "64KiB"},
                           "request_body": {"inspect": 1000, "over_inspect": "head"}},
                  "none": {"mode": "off", "request_body": {"limit": "1GiB"}}},
        sites=[{"hosts": ["waf.test"], "pool": "app", "policy": "default"},
               {"hosts": ["head.test"], "pool": "app", "policy": "head"},
               {"hosts": ["off.test"], "pool": "app", "policy": "none"}],
        timeouts={"header": "60s", "body_idle": "60s", "send_idle": "60s",
                  "handshake": "60s"})
    context = tls_context()
    clients = []

    def plain():
        clients.append(gw.connect())
        return clients[-1]

    def secure():
        clients.append(Connection((tls_port.host, tls_port.number), tls=context,
                                  sni="app.test"))
        return clients[-1]

    def pour(client, data):
        client.sock.setblocking(False)
        try:
            while True:
                client.sock.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            pass

    for client in (plain, secure):
        client()                                            # nothing said
        client().send(b"\r\n")
        client().send(b"GET / HT")
        client().send(request("GET", "/", host="off.test")).response()
        for host in ("waf.test", "head.test", "off.test"):
            post = request("POST", "/silent", [("Content-Length", "5000")], host=host)
            client().send(post)
            client().send(post + b"x" * 2000)
            client().send(request("POST", "/silent", [("Content-Length", "50"),
                                                      ("Expect", "100-continue")], host=host))
            client().send(request("POST", "/answers-early", [("Content-Length", "5000")],
                                  host=host) + b"x" * 2000)
            client().send(request("POST", "/silent", [("Transfer-Encoding", "chunked")],
                                  host=host) + b"ff\r\nab")
            for path in ("/silent", "/half-head", "/half-body", "/half-chunk", "/interim",
                         "/until-close"):
                client().send(request("GET", path, host=host))
                # and more behind it than a buffer holds
                pour(client().send(request("GET", path, host=host)),
                     request("GET", "/next", host=host) * 500)
            client().send(request("GET", "/pours", host=host))
        big = client().send(request("POST", "/silent", [("Content-Length", "900000000")],
                                    host="off.test"))
        pour(big, b"x" * 65536)
    raw = Connection((tls_port.host, tls_port.number))
    clients.append(raw)
    raw.send(b"\x16\x03\x01\x02\x00\x01\x00")               # half a hello
    time.sleep(1.5)
    before = cpu_seconds(gw.pid)
    time.sleep(2)
    spent = cpu_seconds(gw.pid) - before
    for client in clients:
        client.close()
    assert spent < 0.1, f"{spent:.2f} s of processor time in 2 s of standing still"


# --- whatever the cuts, the same requests -------------------------------------------

def random_requests(rng, hosts, count):
    """Pairs of bytes and what the origin has to see of them."""
    for number in range(count):
        path, size = f"/r{number}", rng.choice([0, 1, 50, 900, 1000, 1001, 2047, 2048, 2049,
                                                5000, 65536, 70000, 150000])
        fields = [("X-Pad", "p" * rng.choice([0, 1, 300])), ("Content-Type", TEXT)]
        host = rng.choice(hosts)
        kind = rng.choice(["get", "get", "length", "chunked", "head"])
        if kind in ("get", "head"):
            yield request(kind.upper(), path, fields, host=host), (kind.upper(), path, b"")
            continue
        body = rng.randbytes(size).replace(b"\r", b".")
        if kind == "length":
            yield request("POST", path, fields, body, host=host), ("POST", path, body)
            continue
        parts, at = [], 0
        while at < size:
            step = rng.choice([1, 7, 500] if size < 5000 else [500, 2048, 9000, 66000])
            parts.append(body[at:at + step])
            at += step
        fields.append(("Transfer-Encoding", "chunked"))
        yield (request("POST", path, fields, host=host) +
               chunks(*parts, trailers=rng.choice([b"", b"X-T: 1\r\n"])), ("POST", path, body))


def send_in_cuts(client, data, rng):
    """Sends and takes in what comes meanwhile, by turns: neither waits for the other."""
    client.sock.settimeout(0.02)
    at, piece = 0, b""
    while at < len(data):
        # what was refused comes again as it was: OpenSSL insists
        piece = piece or data[at:at + rng.choice([1, 3, 100, 1023, 2048, 4096, 16384])]
        try:
            at += client.sock.send(piece)
            piece = b""
        except (TimeoutError, ssl.SSLWantWriteError):
            pass
        if rng.random() < 0.1:
            try:
                client.buffer += client.sock.recv(65536)
            except (TimeoutError, ssl.SSLWantReadError):
                pass
    client.sock.settimeout(seconds(20))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("way", ["plain", "tls"])
def test_pipelines_arrive_as_they_were_sent(gateway, origin, authority, seed, way):
    """Small buffers, bodies around their sizes, cuts anywhere: what the origin gets and
    what the client gets back is the sequence that was sent."""
    rng = random.Random(seed)
    listener = {"address": Port().address}
    options = {}
    if way == "tls":
        pair = authority.issue("app.test")
        listener["tls"] = {"certificates": [{"certificate": str(pair.certificate),
                                             "key": str(pair.key)}]}
        options = {"tls": tls_context(), "sni": "app.test"}
    gateway(threads=1, listeners=[listener], max={"header_bytes": "1KiB"}, policies={
        "default": {"mode": "detect", "request_body": {"inspect": "256KiB"}},
        "head": {"mode": "detect", "request_body": {"inspect": 1000, "over_inspect": "head"}},
        "none": {"mode": "off"}},
        sites=[{"hosts": [f"{name}.test"], "pool": "app", "policy": name}
               for name in ("default", "head", "none")])
    pairs = list(random_requests(rng, ["default.test", "head.test", "none.test"], 25))
    data = b"".join(raw for raw, _ in pairs)
    host, port = listener["address"].split(":")

    with Connection((host, int(port)), timeout=30, **options) as client:
        send_in_cuts(client, data, rng)
        for _, (method, _, _) in pairs:
            answer = client.response(to_head=method == "HEAD")
            assert answer.status == 200
    seen = [(r.method, r.path, r.body) for r in origin.requests]
    assert len(seen) == len(pairs)
    for got, (_, wanted) in zip(seen, pairs):
        assert got == wanted
    assert origin.errors == [] or all("closed by the gateway" in e for e in origin.errors)


LIMITS = [
    # policy, size, status
    ({"mode": "detect", "request_body": {"inspect": "50KiB", "limit": "100KiB"}},
     50 << 10, 200),
    ({"mode": "detect", "request_body": {"inspect": "50KiB", "limit": "100KiB"}},
     (50 << 10) + 1, 413),
    ({"mode": "detect", "request_body": {"inspect": "200KiB", "limit": "100KiB"}},
     (100 << 10) + 1, 413),
    ({"mode": "detect", "request_body": {"inspect": 1000, "over_inspect": "head",
                                         "limit": "100KiB"}}, 100 << 10, 200),
    ({"mode": "detect", "request_body": {"inspect": 1000, "over_inspect": "head",
                                         "limit": "100KiB"}}, (100 << 10) + 1, 413),
    ({"mode": "detect", "request_body": {"inspect": 0, "over_inspect": "head",
                                         "limit": "100KiB"}}, 100 << 10, 200),
    ({"mode": "detect", "request_body": {"inspect": 0, "limit": "100KiB"}}, 0, 200),
    ({"mode": "detect", "request_body": {"inspect": 0, "limit": "100KiB"}}, 1, 413),
    ({"mode": "off", "request_body": {"limit": "100KiB"}}, 100 << 10, 200),
    ({"mode": "off", "request_body": {"limit": "100KiB"}}, (100 << 10) + 1, 413),
]


@pytest.mark.parametrize("policy,size,status", LIMITS)
@pytest.mark.parametrize("way", ["length", "chunked"])
def test_limits_of_bodies(gateway, origin, policy, size, status, way):
    gw = gateway(policies={"default": policy})
    body = b"plain words, " * (size // 13 + 1)
    body = body[:size]
    fields = [("Content-Type", TEXT), ("User-Agent", "x"), ("Accept", "*/*")]
    if way == "length":
        data = request("POST", "/up", fields, body)
    else:
        data = request("POST", "/up", fields + [("Transfer-Encoding", "chunked")]) + \
            chunks(*[body[at:at + 3000] for at in range(0, size, 3000)])
    answer = gw.raw(data)
    assert answer.status == status
    if status == 200:
        assert origin.last().body == body
    else:
        assert origin.requests == []
        assert gw.audit(id=answer.id)["reason"] == "body"


def test_the_nearer_of_two_deadlines_counts(gateway, stalling):
    """A client that neither takes its answer nor sends its body: the longer time was
    the one that ended it."""
    gw = gateway(timeouts={"send_idle": "1s", "body_idle": "30s"}, **plain_policy())
    with gw.connect(rcvbuf=4096) as client:
        client.send(request("POST", "/pours", [("Content-Length", "5000")]) + b"x")
        until(gw.accesses, timeout=6, what="the end of the request")
