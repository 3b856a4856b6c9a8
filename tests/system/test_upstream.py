# SPDX-License-Identifier: Apache-2.0
"""Origins that are down, slow, old or several."""
import http.server
import os
import socket
import socketserver
import tempfile
import threading
import time

import pytest

from yett_test.client import request
from yett_test.gateway import plain_policy, run
from yett_test.origin import Origin, SilentPort, dead_url
from yett_test.wait import ipv6_here, seconds, until


def pool(*urls, **more):
    return {"app": {"servers": [{"url": u} for u in urls], **more}}


def test_origin_down(gateway):
    url, held = dead_url()
    gw = gateway(**plain_policy(), pools=pool(url))
    answer, record = gw.record_of(request())
    assert answer.status == 503
    assert (record["reason"], record["status"]) == ("upstream", 503)
    held.close()


def test_origin_comes_back(gateway, origin):
    url, held = dead_url()
    number = held.getsockname()[1]
    gw = gateway(**plain_policy(), pools=pool(url))
    assert gw.get().status == 503
    held.close()
    back = socket.socket()
    back.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    back.bind(("127.0.0.1", number))
    back.listen(5)
    server = Origin()
    server.listener, old = back, server.listener
    threading.Thread(target=server._accept, daemon=True).start()
    until(lambda: gw.get().status == 200, what="the origin to be used again")
    old.close()
    server.stop()


def test_first_byte_timeout_is_504(gateway):
    silent = SilentPort()
    gw = gateway(**plain_policy(), pools=pool(
        silent.url, timeouts={"first_byte": "500ms"}))
    begin = time.monotonic()
    answer, record = gw.record_of(request())
    assert 0.4 < time.monotonic() - begin < seconds(4)
    assert answer.status == 504
    assert (record["reason"], record["status"]) == ("upstream", 504)
    silent.stop()


def test_idle_timeout_in_the_body(gateway, origin):
    gone = threading.Event()

    def stall(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        gone.wait(seconds(20))

    origin.on("/stall", stall)
    gw = gateway(**plain_policy(), pools=pool(origin.url, timeouts={"idle": "500ms"}))
    begin = time.monotonic()
    with gw.connect() as connection:
        connection.send(request("GET", "/stall"))
        rest = connection.rest()
    assert 0.4 < time.monotonic() - begin < seconds(5)
    assert not rest.endswith(b"\r\n0\r\n\r\n")
    gone.set()


def test_connect_timeout_is_504(gateway):
    """A full backlog: the connect hangs."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    fillers = []
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
        fillers.append(filler)
    gw = gateway(**plain_policy(), pools=pool(
        f"http://127.0.0.1:{full.getsockname()[1]}", timeouts={"connect": "500ms"}))
    assert gw.get().status in (503, 504)
    for sock in [full, *fillers]:
        sock.close()


def test_round_robin_and_weights(gateway):
    one, two = Origin(), Origin()
    gw = gateway(**plain_policy(), threads=1, pools={"app": {"servers": [
        {"url": one.url, "weight": 3}, {"url": two.url, "weight": 1}]}})
    with gw.connect() as connection:
        for _ in range(40):
            assert connection.send(request()).response().status == 200
    assert (len(one.requests), len(two.requests)) == (30, 10)
    one.stop()
    two.stop()


def test_dead_server_is_passed_over(gateway, origin):
    url, held = dead_url()
    gw = gateway(**plain_policy(), pools=pool(url, origin.url))
    for _ in range(10):
        assert gw.get().status == 200
    held.close()


def test_connections_to_the_origin_are_kept(gateway, origin):
    gw = gateway(**plain_policy(), threads=1)
    for _ in range(20):
        assert gw.get().status == 200
    assert origin.connections <= 2


def test_dead_kept_connection_is_retried(gateway, origin):
    """The origin closes idle connections; a GET must not see it."""
    gw = gateway(**plain_policy(), threads=1)
    for _ in range(5):
        assert gw.get().status == 200
        origin.drop()
        assert gw.get().status == 200


def test_closed_as_the_request_comes_is_retried_once(gateway, origin):
    state = {"rude": False}

    def maybe(exchange):
        if state["rude"] and exchange.request.connection in state["known"]:
            exchange.close()
        exchange.answer()

    origin.on("/x", maybe)
    gw = gateway(**plain_policy(), threads=1)
    assert gw.get("/x").status == 200
    state["known"] = {r.connection for r in origin.requests}
    state["rude"] = True
    assert gw.get("/x").status == 200       # kept one died, a fresh one served
    assert len(origin.requests) == 3


def test_post_is_not_sent_twice(gateway, origin):
    """Only what is safe to send twice is sent again."""
    known = set()

    def rude(exchange):
        if exchange.request.connection in known:
            exchange.close()
        known.add(exchange.request.connection)
        exchange.answer()

    origin.on("/buy", rude)
    gw = gateway(**plain_policy(), threads=1)
    assert gw.ask("POST", "/buy", [], b"1").status == 200
    answer = gw.ask("POST", "/buy", [], b"2")
    assert answer.status == 502
    assert [r.body for r in origin.requests] == [b"1", b"2"]


def test_fresh_connection_closed_without_answer_is_502(gateway, origin):
    origin.on("/rude", lambda exchange: exchange.close())
    gw = gateway(**plain_policy())
    answer, record = gw.record_of(request("GET", "/rude"))
    assert (answer.status, record["reason"]) == (502, "upstream")
    assert len(origin.requests) <= 2


def test_reset_by_the_origin_is_502(gateway, origin):
    origin.on("/reset", lambda exchange: exchange.reset())
    gw = gateway(**plain_policy())
    assert gw.get("/reset").status == 502


def test_origin_that_closes_each_time(gateway, origin):
    origin.on("/close", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n"
              b"\r\nok", close=True)
    gw = gateway(**plain_policy(), threads=1)
    with gw.connect() as connection:
        for _ in range(5):      # the client's connection is not the origin's
            answer = connection.send(request("GET", "/close")).response()
            assert (answer.status, answer.body) == (200, b"ok")
            assert (answer.get("connection") or "").lower() != "close"
    assert origin.connections == 5


@pytest.mark.skipif(not ipv6_here(), reason="no IPv6 loopback here")
def test_ipv6_origin(gateway):
    server = Origin(host="::1")
    gw = gateway(**plain_policy(), pools=pool(server.url))
    assert gw.get().status == 200
    server.stop()


def test_origin_by_name(gateway, origin):
    gw = gateway(**plain_policy(), pools=pool(f"http://localhost:{origin.port}"))
    assert gw.get().status == 200
    assert origin.last().get("host") == "app.test"


class OverUnix(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"local")

    def log_message(self, *_):
        """Of a client without an address there is nothing to tell."""


def test_origin_on_a_unix_socket(gateway):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/app.sock"
        with socketserver.ThreadingUnixStreamServer(path, OverUnix) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            gw = gateway(**plain_policy(), pools={"app": {
                "servers": [{"url": f"http://unix:{path}"}],
                "health": {"path": "/healthz", "interval": "1s"}}})
            assert [gw.get().body for _ in range(3)] == [b"local"] * 3
            until(lambda: [r["origin"] for r in gw.accesses()] == [f"unix:{path}"] * 3)
            until(lambda: gw.status()["pools"][0]["servers"][0]["check"]["made"] > 0)
            server.shutdown()
        os.unlink(path)
        until(lambda: gw.status()["pools"][0]["servers"][0]["state"] == "down", 10)
        assert run("drain", "app", f"unix:{path}", "-c", gw.file).returncode == 0


def test_pools_per_route(gateway, origin):
    api = Origin()
    gw = gateway(**plain_policy(), pools={"api": {"servers": [{"url": api.url}]}},
                 sites=[{"hosts": ["*"], "pool": "app", "policy": "default",
                         "routes": [{"path": "/api/", "pool": "api"}]}])
    assert gw.get("/api/x").status == 200
    assert gw.get("/apix").status == 200
    assert [r.path for r in api.requests] == ["/api/x"]
    assert [r.path for r in origin.requests] == ["/apix"]
    api.stop()


def test_verified_tls_origin(gateway, tls_origin, authority):
    gw = gateway(**plain_policy(), pools=pool(tls_origin.url, tls={
        "ca": authority.file, "server_name": "origin.test"}))
    assert gw.get().status == 200
    assert tls_origin.names == ["origin.test"]
    assert tls_origin.peers == [{}]


def test_tls_origin_of_an_unknown_authority_is_502(gateway, tls_origin):
    gw = gateway(**plain_policy(), pools=pool(tls_origin.url, tls={
        "server_name": "origin.test"}))
    answer, record = gw.record_of(request())
    assert (answer.status, record["reason"]) == (502, "upstream")
    assert "certificate" in str(record).lower() or "certificate" in gw.stderr.lower()
    assert tls_origin.requests == []


def test_tls_origin_of_another_name_is_502(gateway, tls_origin, authority):
    gw = gateway(**plain_policy(), pools=pool(tls_origin.url, tls={
        "ca": authority.file, "server_name": "other.test"}))
    assert gw.get().status == 502
    assert tls_origin.requests == []


def test_tls_origin_unverified_if_asked(gateway, tls_origin):
    gw = gateway(**plain_policy(), pools=pool(tls_origin.url, tls={"verify": "off"}))
    assert gw.get().status == 200


def test_client_certificate_to_the_origin(gateway, tls_origin, authority):
    pair = authority.issue("gw.test", client=True)
    gw = gateway(**plain_policy(), pools=pool(tls_origin.url, tls={
        "ca": authority.file, "server_name": "origin.test", **pair.conf()}))
    assert gw.get().status == 200
    assert "gw.test" in str(tls_origin.peers[0]) or "gw_test" in str(tls_origin.peers[0])


def test_plain_origin_where_tls_is_said(gateway):
    """It answers the hello with a page, as a plain port does."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        sock, _ = listener.accept()
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        sock.close()

    threading.Thread(target=answer, daemon=True).start()
    gw = gateway(**plain_policy(), pools=pool(
        f"https://127.0.0.1:{listener.getsockname()[1]}", tls={"verify": "off"}))
    assert gw.get().status == 502
    listener.close()

