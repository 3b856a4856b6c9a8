# SPDX-License-Identifier: Apache-2.0
"""A real DNS server (RFC 1035, UDP) on a port of 127.0.0.1 that knows what a test
tells it, and misbehaves when told to."""
import ipaddress
import os
import socket
import struct
import threading
from collections import Counter

A, AAAA = 1, 28


class Dns:
    """Other names than those `set` are NXDOMAIN."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.sock.getsockname()[1]}"
        self.lock = threading.Lock()
        self.names = {}         # name: (addresses, ttl)
        self.ways = {}          # name: nxdomain, servfail, silent, garbage
        self.asked = Counter()  # by name, questions of both types
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def set(self, name, *addresses, ttl=1):
        with self.lock:
            self.names[name] = ([ipaddress.ip_address(a) for a in addresses], ttl)
            self.ways.pop(name, None)

    def way(self, name, way):
        with self.lock:
            self.ways[name] = way

    def stop(self):
        # Closing alone does not wake who waits in recvfrom.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.sock.getsockname())
        self.thread.join()
        self.sock.close()

    def _serve(self):
        while True:
            question, client = self.sock.recvfrom(2048)
            if not question:
                return
            with self.lock:
                answer = self._answer(question)
            if answer is not None:
                self.sock.sendto(answer, client)

    @staticmethod
    def _name(question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("ascii"))
            at += 1 + question[at]
        kind, = struct.unpack(">H", question[at + 1:at + 3])
        return ".".join(labels).lower(), kind, question[12:at + 5]

    def _answer(self, question):
        name, kind, asked = self._name(question)
        self.asked[name] += 1
        way = self.ways.get(name, "good" if name in self.names else "nxdomain")
        if way == "silent":
            return None
        if way == "garbage":
            return question[:2] + b"\x81\x80" + os.urandom(100)
        records, code = [], {"nxdomain": 3, "servfail": 2}.get(way, 0)
        if way == "good":
            addresses, ttl = self.names[name]
            records = [b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, ttl, len(a.packed)) +
                       a.packed for a in addresses
                       if kind == (A if a.version == 4 else AAAA)]
        return (question[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0) +
                asked + b"".join(records))
