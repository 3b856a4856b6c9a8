# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1 client on raw sockets: sends exactly the bytes it is given."""
import re
import socket
import ssl

from .wait import seconds

ID = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b")


class Closed(Exception):
    """The peer closed before a whole answer was there."""


class Response:
    def __init__(self, head, body, informational):
        self.head = head
        self.body = body
        self.informational = informational
        line, *fields = head.decode("latin-1").split("\r\n")
        parts = line.split(" ", 2)
        self.version, self.status = parts[0], int(parts[1])
        self.reason = parts[2] if len(parts) > 2 else ""
        self.fields = [tuple(p.strip() for p in f.split(":", 1)) for f in fields if f]

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name, default=None):
        return (self.all(name) or [default])[0]

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def id(self):
        """The request id that a refusal shows its client."""
        found = ID.search(self.text)
        return found.group(0) if found else None

    def __repr__(self):
        return f"<{self.status} {self.reason!r} {self.fields} {self.body[:200]!r}>"


class Connection:
    """One connection. `target` is (host, port) or the path of a unix socket."""

    def __init__(self, target, tls=None, sni=None, timeout=10.0, rcvbuf=0, source=None):
        if isinstance(target, str):
            self.sock = socket.socket(socket.AF_UNIX)
        else:
            family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
            self.sock = socket.socket(family)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(seconds(timeout))
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(target)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=sni)
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Leaves with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)
        return self

    def shut(self):
        self.sock.shutdown(socket.SHUT_WR)

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        if not data:
            raise Closed(bytes(self.buffer[:200]))
        self.buffer += data

    def until(self, mark):
        at = 0
        while (found := self.buffer.find(mark, at)) < 0:
            at = max(0, len(self.buffer) - len(mark))
            self._more()
        return self._take(found + len(mark))[:found]

    def _take(self, count):
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def exactly(self, count):
        while len(self.buffer) < count:
            self._more()
        return self._take(count)

    def head(self):
        """The next head, informational or not, as raw bytes."""
        return self.until(b"\r\n\r\n")

    def response(self, to_head=False):
        """The next whole answer; informational ones are kept beside it."""
        informational = []
        while True:
            head = self.head()
            answer = Response(head, b"", informational)
            if not 100 <= answer.status < 200 or answer.status == 101:
                break
            informational.append(answer)
        answer.body = b"" if to_head else self._body(answer)
        return answer

    def _body(self, answer):
        if answer.status in (204, 304):
            return b""
        if answer.get("transfer-encoding"):
            assert answer.get("transfer-encoding").lower() == "chunked"
            assert answer.get("content-length") is None
            return self.chunked()
        if answer.get("content-length") is not None:
            assert len(set(answer.all("content-length"))) == 1
            return self.exactly(int(answer.get("content-length")))
        return self.rest()

    def chunked(self):
        body = b""
        self.trailers = []
        while True:
            size = int(self.until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            body += self.exactly(size)
            assert self.exactly(2) == b"\r\n"
        while True:
            line = self.until(b"\r\n")
            if not line:
                return body
            self.trailers.append(line)

    def rest(self):
        """Everything up to the peer's close."""
        while True:
            try:
                self._more()
            except Closed:
                return self._take(len(self.buffer))

    def closed(self):
        """True when the peer closes without another byte."""
        return self.rest() == b""


def request(method="GET", target="/", fields=(), body=None, host="app.test",
            version="HTTP/1.1"):
    """Bytes of a request. `fields`: pairs or a mapping; a body gets its length
    unless a Transfer-Encoding or Content-Length is among the fields."""
    pairs = list(fields.items() if isinstance(fields, dict) else fields)
    names = {n.lower() for n, _ in pairs}
    if host is not None and "host" not in names:
        pairs.insert(0, ("Host", host))
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        pairs.append(("Content-Length", str(len(body))))
    lines = [f"{method} {target} {version}"] + [f"{n}: {v}" for n, v in pairs]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def chunks(*parts, trailers=b""):
    """A chunked body of these parts."""
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + \
        b"0\r\n" + trailers + b"\r\n"


def tls_context(ca=None, alpn=("http/1.1",), version=None):
    """A client's context; without a CA it takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(ca)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if version:
        context.minimum_version = context.maximum_version = version
    return context
