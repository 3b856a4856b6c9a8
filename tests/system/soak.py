#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A long run: clean, attacking, malformed and aborted requests, mixed, from a few
processes. Afterwards: no 5xx, memory flat, as many audit records of each status
as the clients counted refusals, a clean end, no sanitizer's report."""
import argparse
import asyncio
import collections
import json
import multiprocessing
import os
import random
import re
import signal
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from yett_test.certs import Authority                               # noqa: E402
from yett_test.client import Closed, Connection, chunks, request    # noqa: E402
from yett_test.client import tls_context                            # noqa: E402
from yett_test.gateway import Gateway                               # noqa: E402
from yett_test.wait import SLOW, Port, until                        # noqa: E402

BIG = 512 * 1024
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")
BROWSER = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"),
    ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.5"), ("Accept-Encoding", "gzip, deflate"),
    ("Cookie", "session=0123456789abcdef; theme=dark")]

CLEAN = [
    request("GET", "/index.html", BROWSER),
    request("GET", "/search?q=red+shoes&page=2&sort=price", BROWSER),
    request("GET", "/static/app.js", BROWSER),
    request("GET", "/static/style.css", BROWSER),
    request("POST", "/form", [*BROWSER, FORM], b"name=Ann&city=Perth&note=hello"),
    request("POST", "/api", [*BROWSER, JSON], b'{"items": [1, 2, {"a": "b"}]}'),
    request("POST", "/form", [*BROWSER, FORM, ("Transfer-Encoding", "chunked")]) +
    chunks(b"name=Ann&", b"city=Perth"),
]
HEADS = [request("HEAD", "/index.html", BROWSER)]
ATTACKS = [
    request("GET", "/?id=1'%20OR%201=1--", BROWSER),
    request("GET", "/?q=%3Cscript%3Ealert(1)%3C/script%3E", BROWSER),
    request("GET", "/?f=../../../../etc/passwd", BROWSER),
    request("GET", "/x%3f%3Cscript%3Ealert(1)%3C/script%3E", BROWSER),
    request("POST", "/form", [*BROWSER, FORM], b"a=1'+OR+1=1--"),
    request("POST", "/api", [*BROWSER, JSON], b'{"a": "1\' OR 1=1--"}'),
]
H = b"Host: app.test\r\n"
MALFORMED = [
    (b"GET / HTTP/1.1\r\n" + H + b"X : y\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + H + b"\r\n", 400),
    (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"GET /%00 HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b"GET /\r\n\r\n", 400),
    (b"GET / HTTP/3.7\r\n" + H + b"\r\n", 505),
    (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\n" + H + b"\r\n", 414),
    (b"GET / HTTP/1.1\r\n" + H + b"X: y\r\n" * 120 + b"\r\n", 431),
    (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"\0" * 200, 400),
    (b"BREW / HTTP/1.1\r\n" + H + b"\r\n", 405),
    (b"POST /form HTTP/1.1\r\n" + H + b"Content-Length: 99999999\r\n\r\n", 413),
]
UPLOAD = request("POST", "/form", [FORM, ("Content-Length", "5000")])
CUT_CHUNKS = request("POST", "/form", [FORM, ("Transfer-Encoding", "chunked")])
ABORTED = [b"", b"GET / HT", CLEAN[0][:-4], UPLOAD, UPLOAD + b"a=" + b"x" * 2000,
           CUT_CHUNKS + b"5\r\nab", CLEAN[0], CLEAN[1], CLEAN[4]]


# --- the origin: one process, quick enough to be no bottleneck ------------------

class Answers(asyncio.Protocol):
    """Answers any request; what a path begins with chooses the answer."""
    small = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n"
    body = b"<p>hello</p>\n"
    big = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n" \
        b"Content-Length: %d\r\n\r\n" % BIG + b"x" * BIG
    length = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
    chunked = re.compile(rb"\r\ntransfer-encoding:", re.I)

    def __init__(self):
        self.buffer = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.buffer[:end + 2]
            if self.chunked.search(head):
                last = self.buffer.find(b"0\r\n\r\n", end + 4)
                if last < 0:
                    return
                stop = last + 5
            else:
                found = self.length.search(head)
                stop = end + 4 + (int(found.group(1)) if found else 0)
                if len(self.buffer) < stop:
                    return
            self.buffer = self.buffer[stop:]
            if head.startswith(b"HEAD"):
                self.transport.write(self.small)
            elif head.startswith(b"GET /big"):
                self.transport.write(self.big)
            else:
                self.transport.write(self.small + self.body)


def origin(sock):
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def serve():
        server = await asyncio.get_running_loop().create_server(Answers, sock=sock)
        async with server:
            await server.serve_forever()
    asyncio.run(serve())


# --- the clients ----------------------------------------------------------------

class Client:
    """One process' share. Counts answers by status."""

    def __init__(self, seed, target, secure, flags):
        self.random = random.Random(seed)
        self.target, self.secure, self.flags = target, secure, flags
        self.counts = collections.Counter()
        self.kept = None
        self.kept_uses = 0
        self.context = tls_context()
        self.doing = None           # the bytes last sent, for a failure's message

    def connection(self):
        """The kept connection; a new one now and then, every fourth over TLS."""
        if self.kept is None or self.kept_uses <= 0:
            if self.kept is not None:
                self.kept.close()
            if self.random.random() < 0.25:
                self.kept = Connection(self.secure, tls=self.context, timeout=30)
            else:
                self.kept = Connection(self.target, timeout=30)
            self.kept_uses = self.random.randrange(1, 60)
        self.kept_uses -= 1
        return self.kept

    def answer(self, connection, status, to_head=False):
        got = connection.response(to_head)
        if got.status != status:
            raise AssertionError(f"{got.status} instead of {status}: {got}")
        self.counts[status] += 1
        return got

    def batch(self):
        """Clean requests and attacks pipelined over the kept connection."""
        items = []
        for _ in range(self.random.randrange(1, 12)):
            dice = self.random.random()
            if dice < 0.25:
                items.append((self.random.choice(ATTACKS), 403, False))
            elif dice < 0.3:
                items.append((HEADS[0], 200, True))
            else:
                items.append((self.random.choice(CLEAN), 200, False))
        connection = self.connection()
        self.doing = [data for data, _, _ in items]
        connection.send(b"".join(self.doing))
        for _, status, to_head in items:
            self.answer(connection, status, to_head)
        return len(items)

    def malformed(self):
        """On a connection of its own, behind a good request now and then."""
        data, status = self.random.choice(MALFORMED)
        with Connection(self.target, timeout=30) as connection:
            before = self.random.random() < 0.3
            self.doing = [CLEAN[0]] * before + [data]
            connection.send(b"".join(self.doing))
            if before:
                self.answer(connection, 200)
            last = self.answer(connection, status)
            if last.get("connection") == "close" and connection.rest():
                raise AssertionError(f"bytes behind the answer to {data[:60]}")
        return 1 + before

    def aborted(self):
        """Leaves in the middle: by reset, or by a plain close."""
        dice = self.random.random()
        if dice < 0.2:
            connection = Connection(self.target, timeout=30, rcvbuf=16384)
            connection.send(request("GET", "/big"))
            connection.exactly(1000)
        else:
            connection = Connection(self.target, timeout=30)
            connection.send(self.random.choice(ABORTED))
        if self.random.random() < 0.5:
            connection.reset()
        else:
            connection.close()
        self.counts["aborted"] += 1
        return 1

    def run(self, total, progress):
        done = 0
        while done < total and not self.flags["stop"].is_set():
            dice = self.random.random()
            if dice < 0.40:
                step = self.batch()
            elif dice < 0.72:
                step = self.malformed()
            else:
                step = self.aborted()
            done += step
            with progress.get_lock():
                progress.value += step


def client(seed, target, secure, total, progress, results, stop):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    one = Client(seed, target, secure, {"stop": stop})
    error = None
    try:
        one.run(total, progress)
    except (AssertionError, Closed, OSError, ValueError) as failure:
        sent = [data[:60] for data in one.doing]
        error = f"client {seed}: {type(failure).__name__}: {failure}; sent {sent}"
        stop.set()
    results.put((dict(one.counts), error))


# --- the run --------------------------------------------------------------------

class Records:
    """Counts audit records by status; takes full files away as a log rotation
    does, so that a long run needs no disk to speak of."""

    def __init__(self, gateway, limit=32 << 20):
        self.gateway, self.limit = gateway, limit
        self.counts = collections.Counter()
        self.reasons = collections.Counter()
        self.rotated = 0
        self.old = None

    def count(self, path):
        with open(path, "rb") as lines:
            for line in lines:
                record = json.loads(line)
                self.counts[record["status"]] += 1
                self.reasons[record["reason"]] += 1
        path.unlink()

    def rotate(self):
        path = self.gateway.audit_path
        if path.stat().st_size < self.limit:
            return
        if self.old:
            self.count(self.old)
        self.old = path.with_suffix(f".{self.rotated}")
        path.rename(self.old)
        self.gateway.deliver(signal.SIGUSR1)
        until(path.exists, what="the reopened audit log")
        self.rotated += 1

    def finish(self):
        if self.old:
            self.count(self.old)
        self.count(self.gateway.audit_path)


def start(folder, url):
    plain, secure = Port(), Port()
    pair = Authority(folder / "ca").issue("app.test")
    gateway = Gateway(folder, None, plain, listeners=[
        {"address": plain.address},
        {"address": secure.address, "tls": {"certificates": [pair.conf()]}}],
        pools={"app": {"servers": [{"url": url}]}},
        sites=[{"hosts": ["*"], "pool": "app", "policy": "default",
                "routes": [{"path": "/static/", "policy": "off"}]}],
        logs={"access": {"path": "off"}})
    return gateway, ("127.0.0.1", plain.number), ("127.0.0.1", secure.number)


def flat(samples, tolerance):
    """(ok, text): the last tenth of the samples against those after warm-up. In a
    sanitizer build freed memory stays in quarantine: it finds leaks itself."""
    if len(samples) < 20 or SLOW > 1:
        return True, "no verdict on memory: too short, or a sanitizer build"
    tenth = max(len(samples) // 10, 2)
    early = statistics.median(samples[2 * tenth:3 * tenth])
    late = statistics.median(samples[-tenth:])
    text = (f"memory: {early / 1048576:.1f} MiB after warm-up, "
            f"{late / 1048576:.1f} MiB at the end, {max(samples) / 1048576:.1f} MiB "
            f"at most")
    return late <= early * 1.05 + tolerance, text


def watch(gateway, records, progress, total, workers, samples):
    """Until the clients are done: samples memory, rotates, says how far it is."""
    begin = said = time.monotonic()
    last = 0
    while any(worker.is_alive() for worker in workers):
        time.sleep(0.2)
        if gateway.process.poll() is not None:
            raise SystemExit(f"the gateway ended:\n{gateway.stderr[-4000:]}")
        if progress.value - last >= total / 400:
            last = progress.value
            samples.append(gateway.rss())
        records.rotate()
        if time.monotonic() - said >= 10:
            said = time.monotonic()
            print(f"{progress.value:>9} of {total}, "
                  f"{progress.value / (said - begin):.0f}/s, "
                  f"{gateway.rss() / 1048576:.1f} MiB", flush=True)
    return time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(". Afterwards")[0])
    parser.add_argument("--requests", type=int,
                        default=int(os.environ.get("SOAK_REQUESTS", "1000000")))
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    backend = multiprocessing.Process(target=origin, args=(listener,), daemon=True)
    backend.start()
    progress = multiprocessing.Value("L", 0)
    results, stop = multiprocessing.Queue(), multiprocessing.Event()
    samples, counts, errors = [], collections.Counter(), []
    with tempfile.TemporaryDirectory(prefix="yett-soak-") as folder:
        gateway, target, secure = start(Path(folder), url)
        records = Records(gateway)
        workers = [multiprocessing.Process(
            target=client, daemon=True,
            args=(arguments.seed * 1000 + n, target, secure,
                  arguments.requests // arguments.clients, progress, results, stop))
            for n in range(arguments.clients)]
        try:
            for worker in workers:
                worker.start()
            took = watch(gateway, records, progress, arguments.requests, workers,
                         samples)
            for _ in workers:
                counted, error = results.get(timeout=10)
                counts.update(counted)
                errors += [error] if error else []
            try:
                gateway.stop()
            except AssertionError as failure:
                errors.append(str(failure))
            records.finish()
        finally:
            if not gateway.ended:
                gateway.kill()
            backend.terminate()
    refused = {s: n for s, n in counts.items() if isinstance(s, int) and s >= 400}
    print(f"{progress.value} requests in {took:.0f} s; answers "
          f"{dict(sorted(counts.items(), key=str))}")
    print(f"audit records {dict(sorted(records.counts.items()))}, "
          f"{dict(records.reasons)}, {records.rotated} rotations")
    if refused != dict(records.counts):
        errors.append(f"audit records {dict(records.counts)} are not the refusals "
                      f"{refused}")
    if any(500 <= s < 505 for s in refused if s != 501):
        errors.append("answers of 5xx")
    ok, text = flat(samples, 6 << 20)
    print(text)
    if not ok:
        errors.append("memory grows: " + ", ".join(
            f"{s / 1048576:.1f}" for s in samples[::max(1, len(samples) // 40)]))
    for error in errors:
        print(f"FAILED: {error}")
    print("soak: " + ("failed" if errors else "passed"))
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
