# SPDX-License-Identifier: Apache-2.0
"""Timers and connection limits, with values short enough to wait for."""
import socket
import time

import pytest

from yett_test.client import Closed, request
from yett_test.gateway import plain_policy
from yett_test.wait import Port, ipv6_here, seconds, until


def timed(function):
    begin = time.monotonic()
    value = function()
    return value, time.monotonic() - begin


def closes_about(connection, least):
    """The connection is closed, not before `least` seconds; an answer 408 is fine."""
    rest, took = timed(connection.rest)
    assert rest == b"" or rest.startswith(b"HTTP/1.1 408"), rest
    assert least * 0.8 < took < least + seconds(3), took


def test_header_timer(gateway):
    gw = gateway(**plain_policy(), timeouts={"header": "500ms", "keepalive": "30s"})
    with gw.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: ")
        closes_about(connection, 0.5)
    with gw.connect() as connection:        # dripping does not help
        begin = time.monotonic()
        try:
            for byte in b"GET / HTTP/1.1\r\nHost: a" + b"a" * 200:
                connection.send(bytes([byte]))
                if connection.sock in __import__("select").select(
                        [connection.sock], [], [], 0.02)[0]:
                    break
        except OSError:
            pass
        assert time.monotonic() - begin < seconds(3)
    assert gw.get().status == 200


def test_keepalive_timer(gateway):
    gw = gateway(**plain_policy(), timeouts={"keepalive": "500ms"})
    with gw.connect() as connection:
        connection.send(request()).response()
        rest, took = timed(connection.rest)
        assert rest == b"" and 0.4 < took < seconds(4)


def test_body_timer(gateway, origin):
    gw = gateway(**plain_policy(), timeouts={"body_idle": "500ms"})
    with gw.connect() as connection:
        connection.send(request("POST", "/", [("Content-Length", "10")]) + b"abc")
        closes_about(connection, 0.5)
    with gw.connect() as connection:        # idle, not total, time counts
        connection.send(request("POST", "/", [("Content-Length", "5")]))
        for byte in b"abcde":
            time.sleep(0.2)
            connection.send(bytes([byte]))
        assert connection.response().status == 200


def test_send_timer(gateway, origin):
    def pour(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
        while True:
            exchange.send(b"x" * 65536)

    origin.on("/big", pour)
    gw = gateway(**plain_policy(), timeouts={"send_idle": "500ms"})
    with gw.connect(rcvbuf=8192) as connection:
        connection.send(request("GET", "/big"))
        origin.wait()
        # It stops reading; the gateway gives up and lets the origin go.
        until(lambda: not origin.open, 10, "the origin's connection to be closed")


def test_idle_connection_without_a_byte(gateway):
    gw = gateway(**plain_policy(), timeouts={"header": "500ms", "keepalive": "700ms"})
    with gw.connect() as connection:
        rest, took = timed(connection.rest)
        assert took < seconds(4)
        assert rest == b"" or rest.startswith(b"HTTP/1.1 408")


def refused(target):
    """Over a limit: the connection is closed or reset before any answer."""
    from yett_test.client import Connection
    try:
        with Connection(target) as connection:
            connection.send(request())
            connection.response()
            return False
    except (Closed, OSError):
        return True


def test_connection_limit_in_total(gateway):
    gw = gateway(**plain_policy(), max={"connections": 5})
    held = [gw.connect() for _ in range(5)]
    for connection in held:
        connection.send(request()).response()
    assert refused(gw.target)
    held[0].send(request()).response()      # those that are in go on
    held.pop().close()
    until(lambda: not refused(gw.target), what="a place to come free")
    for connection in held:
        connection.close()


def test_connection_limit_per_client(gateway):
    gw = gateway(**plain_policy(), max={"connections_per_client": 3})
    held = [gw.connect() for _ in range(3)]
    for connection in held:
        connection.send(request()).response()
    assert refused(gw.target)
    other = socket.socket()
    other.settimeout(seconds(5))
    other.bind(("127.0.0.2", 0))
    other.connect(gw.target)
    other.sendall(request())
    assert other.recv(100).startswith(b"HTTP/1.1 200")
    other.close()
    for connection in held:
        connection.close()
    until(lambda: not refused(gw.target), what="a place to come free")


def test_unix_listener(gateway, tmp_path, origin):
    path = str(tmp_path / "in.sock")
    gw = gateway(**plain_policy(), listeners=[{"address": f"unix:{path}"}])
    from yett_test.client import Connection
    with Connection(path) as connection:
        for _ in range(3):
            assert connection.send(request()).response().status == 200
    gw.stop()
    # A stale socket file is no obstacle.
    stale = socket.socket(socket.AF_UNIX)
    stale_path = str(tmp_path / "stale.sock")
    stale.bind(stale_path)
    stale.close()
    gateway(**plain_policy(), listeners=[{"address": f"unix:{stale_path}"}])
    with Connection(stale_path) as connection:
        assert connection.send(request()).response().status == 200


@pytest.mark.skipif(not ipv6_here(), reason="no IPv6 loopback here")
def test_ipv6_listener(gateway, origin):
    gw = gateway(port=Port("::1"), **plain_policy())
    assert gw.get().status == 200
    assert origin.last().get("x-forwarded-for") == "::1"
    assert '"[::1]' in origin.last().get("forwarded")


def test_two_listeners(gateway):
    second = Port()
    gw = gateway(**plain_policy())
    gw.stop()
    port = Port()
    both = gateway(**plain_policy(), port=port, listeners=[
        {"address": port.address}, {"address": second.address}])
    assert both.get().status == 200
    from yett_test.client import Connection
    with Connection(("127.0.0.1", second.number)) as connection:
        assert connection.send(request()).response().status == 200


def test_many_short_connections(gateway):
    gw = gateway(**plain_policy())
    for _ in range(300):
        assert gw.get().status == 200
    fds = f"/proc/{gw.pid}/fd"
    import os
    until(lambda: len(os.listdir(fds)) < 100, what="descriptors to be closed")
