# SPDX-License-Identifier: Apache-2.0
"""A real HTTP/1.1 origin: records what it receives byte for byte, and answers
what a test tells it to, well formed or not."""
import socket
import ssl
import threading
import time

from .wait import seconds


class Received:
    """A request as it came over the wire."""

    def __init__(self, head, connection):
        self.head = head
        self.connection = connection
        self.body = b""
        self.trailers = b""
        line, *fields = head.decode("latin-1").split("\r\n")
        self.line = line
        self.method, self.target, self.version = line.split(" ", 2)
        self.fields = [tuple(p.strip() for p in f.split(":", 1)) for f in fields]
        self.path = self.target.split("?", 1)[0]

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name):
        return (self.all(name) or [None])[0]

    def __repr__(self):
        return f"<{self.head!r} {self.body[:100]!r}>"


class Exchange:
    """One request and the answer to it, in the hands of a test's function."""

    def __init__(self, server, sock, number, buffer):
        self.server, self.sock, self.number, self.buffer = server, sock, number, buffer
        self.request = None
        self.body_read = False

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("closed by the gateway")
        self.buffer += data

    def _until(self, mark):
        while mark not in self.buffer:
            self._more()
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def _exactly(self, count):
        while len(self.buffer) < count:
            self._more()
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def read_head(self):
        self.request = Received(self._until(b"\r\n\r\n"), self.number)
        return self.request

    def pieces(self):
        """The body as it comes, decoded."""
        self.body_read = True
        if self.request.get("transfer-encoding"):
            while True:
                size = int(self._until(b"\r\n").split(b";")[0], 16)
                if size == 0:
                    break
                yield self._exactly(size)
                self._exactly(2)
            while True:
                line = self._until(b"\r\n")
                if not line:
                    return
                self.request.trailers += line + b"\r\n"
        left = int(self.request.get("content-length") or 0)
        while left:
            if not self.buffer:
                self._more()
            piece, self.buffer = self.buffer[:left], self.buffer[left:]
            left -= len(piece)
            yield piece

    def read_body(self):
        if not self.body_read:
            self.request.body = b"".join(self.pieces())
        return self.request.body

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, body=b"ok\n", status="200 OK", fields=()):
        head = [f"HTTP/1.1 {status}", "Content-Type: text/plain",
                f"Content-Length: {len(body)}"] + [f"{n}: {v}" for n, v in fields]
        self.send("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" +
                  (b"" if self.request.method == "HEAD" else body))

    def close(self):
        self.sock.close()
        raise ConnectionError("closed by the script")

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.close()


class Origin:
    """Answers 200 to everything unless `on` says otherwise for a path."""

    def __init__(self, context=None, host="127.0.0.1", port=0):
        self.context = context
        self.changed = threading.Condition()
        self.requests = []
        self.connections = 0
        self.names = []          # SNI of each TLS client
        self.peers = []          # client certificate of each, {} for none
        self.errors = []
        self.scripts = {}
        self.open = set()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(256)
        self.host = host
        self.port = self.listener.getsockname()[1]
        if context is not None:
            context.sni_callback = lambda s, name, c: self.names.append(name)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.context else 'http'}://{host}:{self.port}"

    def on(self, path, answer, close=False, lazy=False):
        """What to answer on this path: raw bytes, or a function of an Exchange.
        `close`: close after it; `lazy`: the function reads the body itself."""
        self.scripts[path] = (answer, close, lazy)

    def clear(self):
        with self.changed:
            self.requests = []
            self.scripts = {}
            self.errors = []

    def wait(self, count=1, timeout=5.0):
        """Waits until that many requests are here in all; returns the last."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.requests) >= count,
                                         seconds(timeout)):
                raise TimeoutError(f"{len(self.requests)} of {count} requests came")
            return self.requests[count - 1]

    def last(self):
        return self.requests[-1]

    def stop(self):
        """No more connections: connects are refused from now on."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.drop()

    def drop(self):
        """Closes all connections, idle ones too."""
        for sock in list(self.open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock, self.connections),
                             daemon=True).start()

    def _serve(self, sock, number):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(seconds(60))
            if self.context is not None:
                sock = self.context.wrap_socket(sock, server_side=True)
                self.peers.append(sock.getpeercert() or {})
            self.open.add(sock)
            buffer = b""
            while True:
                exchange = Exchange(self, sock, number, buffer)
                if not self._one(exchange):
                    break
                buffer = exchange.buffer
        except (OSError, ConnectionError, ssl.SSLError, ValueError) as error:
            self.errors.append(repr(error))
        finally:
            self.open.discard(sock)
            sock.close()

    def _one(self, exchange):
        request = exchange.read_head()
        answer, close, lazy = self.scripts.get(request.path, (None, False, False))
        if not lazy:
            if (request.get("expect") or "").lower() == "100-continue":
                exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            exchange.read_body()
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        if answer is None:
            exchange.answer()
        elif isinstance(answer, bytes):
            exchange.send(answer)
        else:
            answer(exchange)
        return not close


def origins_of_one_port(*hosts):
    """Origins on several addresses with the same port, as a name has them."""
    for _ in range(100):
        servers = [Origin(host=hosts[0])]
        try:
            for host in hosts[1:]:
                servers.append(Origin(host=host, port=servers[0].port))
            return servers
        except OSError:     # somebody has it there
            for server in servers:
                server.stop()
    raise RuntimeError(f"no port is free on all of {hosts}")


class SilentPort:
    """A port that takes connections and never says a word."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.listener.close()


def dead_url():
    """A URL where nobody listens: bound, so that nobody else takes it."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return f"http://127.0.0.1:{sock.getsockname()[1]}", sock


def patiently(condition, timeout=5.0):
    """True as soon as the condition holds, false when time is up."""
    end = time.monotonic() + seconds(timeout)
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return False
