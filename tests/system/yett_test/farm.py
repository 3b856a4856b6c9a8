# SPDX-License-Identifier: Apache-2.0
"""Origins that are processes of their own, quick enough for load, and that can be
killed, stopped, slowed down and restarted on the port that they have."""
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.parse
from pathlib import Path

from .client import Connection, request
from .wait import seconds


class Member:
    """The parent's side. The port is held for as long as the member is, listening or
    not: a connect is refused while the process is down, and nobody else gets it."""

    def __init__(self, name="a"):
        self.name = name
        self.held = socket.socket()
        self.held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.held.bind(("127.0.0.1", 0))
        self.port = self.held.getsockname()[1]
        self.process = None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-B", "-m", "yett_test.farm", str(self.port), self.name],
            stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent)
        assert self.process.stdout.readline() == b"ready\n"

    def _ask(self, target):
        with Connection(("127.0.0.1", self.port)) as link:
            return json.loads(link.send(request("GET", target)).response().body)

    def stats(self):
        """requests, failed, and the most connections and requests at once."""
        return self._ask("/_stats")

    def set(self, **options):
        """delay: seconds before each answer; status; reset: 1 answers by a reset."""
        self._ask("/_set?" + urllib.parse.urlencode(options))

    def kill(self):
        """No goodbye."""
        self.process.kill()
        self.process.wait(seconds(10))

    def end(self):
        """As a well-behaved server ends: what it has it answers, then it closes."""
        self.process.terminate()
        self.process.wait(seconds(20))

    def restart(self):
        self.end()
        self.start()

    def freeze(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def close(self):
        if self.process.poll() is None:
            self.kill()
        self.process.stdout.close()
        self.held.close()


class Server:
    """The child's side."""

    def __init__(self, name):
        self.name = name.encode()
        self.delay, self.status, self.reset = 0.0, 200, 0
        self.links = set()
        self.requests = self.busy = 0
        self.most_connections = self.most_busy = 0
        self.ending = False

    def stats(self):
        return json.dumps({
            "requests": self.requests, "busy": self.busy,
            "most_busy": self.most_busy, "connections": len(self.links),
            "most_connections": self.most_connections}).encode()

    def change(self, query):
        options = dict(urllib.parse.parse_qsl(query))
        self.delay = float(options.get("delay", 0))
        self.status = int(options.get("status", 200))
        self.reset = int(options.get("reset", 0))

    def end(self):
        self.ending = True
        for link in list(self.links):
            if not link.busy:
                link.transport.close()


class Link(asyncio.Protocol):
    """One connection: requests without a body, one after another."""

    def __init__(self, server):
        self.server, self.buffer, self.busy = server, b"", False
        self.transport, self.counted = None, False

    def connection_made(self, transport):
        self.transport = transport
        self.server.links.add(self)

    def connection_lost(self, _):
        self.server.links.discard(self)
        if self.busy and self.counted:
            self.server.busy -= 1
        self.busy = False

    def data_received(self, data):
        self.buffer += data
        if self.busy or b"\r\n\r\n" not in self.buffer:
            return
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        self.take(head)

    def take(self, head):
        server = self.server
        target = head.split(b" ", 2)[1].decode()
        if target == "/_stats":
            return self.answer(server.stats(), 200)
        if target.startswith("/_set?"):
            server.change(target.split("?", 1)[1])
            return self.answer(b"{}", 200)
        server.requests += 1
        server.busy += 1
        self.busy = self.counted = True
        # the test's own questions are no connections of the gateway
        server.most_connections = max(server.most_connections, len(server.links))
        server.most_busy = max(server.most_busy, server.busy)
        if server.reset:
            self.transport.abort()
        elif server.delay:
            asyncio.get_running_loop().call_later(server.delay, self.finish)
        else:
            self.finish()
        return None

    def finish(self):
        if not self.busy:
            return                      # the gateway left
        self.busy = self.counted = False
        self.server.busy -= 1
        self.answer(self.server.name, self.server.status)

    def answer(self, body, status):
        last = b"Connection: close\r\n" if self.server.ending else b""
        self.transport.write(
            b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nX-Origin: %s\r\n%s\r\n%s" % (
                status, len(body), self.server.name, last, body))
        if last:
            self.transport.close()


async def serve(port, name):
    server = Server(name)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Link(server), sock=sock, backlog=512)
    over = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, over.set_result, None)
    print("ready", flush=True)
    await over
    listener.close()
    # what arrived before the end was said has connections of its own, whose first
    # round is yet to come
    await asyncio.sleep(0.05)
    server.end()
    while server.links:
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
