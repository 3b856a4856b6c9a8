# SPDX-License-Identifier: Apache-2.0
"""Bounded waiting: every wait of the tests ends, and slow builds get more time."""
import os
import socket
import time

SLOW = float(os.environ.get("YETT_TEST_SLOW", "1"))


def seconds(value):
    """A deadline of the tests, stretched for sanitizer builds."""
    return value * SLOW


def until(condition, timeout=5.0, what="condition"):
    """Polls for what gives no event (files, /proc); returns what it returned."""
    end = time.monotonic() + seconds(timeout)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds(timeout):.0f} s for {what}")
        time.sleep(0.005)


class Port:
    """A port that bind(0) gave. The gateway insists on an address that nobody
    else holds, so it is let go again at once."""

    def __init__(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host = host
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((host, 0))
            self.number = sock.getsockname()[1]

    @property
    def address(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.number}"


def ipv6_here():
    try:
        Port("::1")
        return True
    except OSError:
        return False
