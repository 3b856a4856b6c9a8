# SPDX-License-Identifier: Apache-2.0
"""Signals, logs and the end of the process."""
import signal
import threading
import time

from yett_test.client import Closed, request
from yett_test.gateway import plain_policy, run
from yett_test.wait import seconds, until


def gate(origin, path="/wait"):
    """A request that the origin holds until `go` is set."""
    go = threading.Event()

    def held(exchange):
        go.wait(seconds(20))
        exchange.answer(b"done")

    origin.on(path, held)
    return go


def test_sigterm_drains(gateway, origin):
    go = gate(origin)
    gw = gateway(**plain_policy())
    idle = gw.connect()
    idle.send(request()).response()
    with gw.connect() as connection:
        connection.send(request("GET", "/wait"))
        origin.wait(2)
        gw.deliver(signal.SIGTERM)
        assert idle.closed()                # idle ones go at once
        go.set()
        answer = connection.response()      # one in flight ends well
        assert (answer.status, answer.body) == (200, b"done")
        assert connection.closed()
    assert gw.wait() == 0
    idle.close()


def test_sigterm_stops_accepting(gateway, origin):
    go = gate(origin)
    gw = gateway(**plain_policy())
    with gw.connect() as connection:
        connection.send(request("GET", "/wait"))
        origin.wait()
        gw.deliver(signal.SIGTERM)

        def closed():
            try:
                gw.connect(timeout=1).close()
                return False
            except OSError:
                return True
        until(closed, what="the listener to close")
        go.set()
        assert connection.response().status == 200
    assert gw.wait() == 0


def test_sigint_stops_at_once(gateway, origin):
    go = gate(origin)
    gw = gateway(**plain_policy())
    with gw.connect() as connection:
        connection.send(request("GET", "/wait"))
        origin.wait()
        begin = time.monotonic()
        gw.deliver(signal.SIGINT)
        status = gw.wait()
        assert time.monotonic() - begin < seconds(3)
        assert status == 0
        try:
            connection.response()
            raise AssertionError("answered")
        except (Closed, OSError):
            pass
    go.set()


def test_sigusr1_reopens_logs(gateway):
    gw = gateway(**plain_policy())
    gw.get("/before")
    gw.raw(b"GET / HTTP/1.1\r\n\r\n")
    until(lambda: gw.accesses() and gw.records(), what="lines")
    access, audit = (p.with_suffix(".1") for p in (gw.access_path, gw.audit_path))
    gw.access_path.rename(access)
    gw.audit_path.rename(audit)
    gw.deliver(signal.SIGUSR1)
    until(lambda: gw.access_path.exists() and gw.audit_path.exists(), what="new files")
    gw.get("/after")
    gw.raw(b"GET / HTTP/1.1\r\n\r\n")
    until(lambda: "/after" in gw.access_path.read_text(), what="the new line")
    gw.audit(1)
    assert "/after" not in access.read_text()
    assert "/before" in access.read_text()


def test_logs_are_whole_after_the_end(gateway):
    gw = gateway(**plain_policy())
    for number in range(200):
        gw.get(f"/{number}")
    gw.stop()
    assert len(gw.accesses()) == 200


def test_log_files_are_not_for_everybody(gateway):
    gw = gateway(**plain_policy())
    gw.raw(b"GET / HTTP/1.1\r\n\r\n")
    gw.audit(1)
    assert gw.audit_path.stat().st_mode & 0o007 == 0


def test_busy_port_is_an_error(gateway, tmp_path):
    import socket
    gw = gateway(**plain_policy())
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen(1)
    other = tmp_path / "other.yaml"
    other.write_text(gw.file.read_text().replace(
        str(gw.port.number), str(taken.getsockname()[1])))
    ended = run("run", "-c", other)
    assert ended.returncode == 3
    assert str(taken.getsockname()[1]) in ended.stderr
    taken.close()


def test_combined_access_log(gateway):
    gw = gateway(**plain_policy(), logs={"access": {"format": "combined"}})
    gw.ask(target="/x?y=1", fields=[("User-Agent", 'odd "agent"\\'),
                                    ("Referer", "http://r.test/")])
    line = until(lambda: gw.access_path.read_text(), what="a line").strip()
    assert line.startswith("127.0.0.1 - - [")
    assert '"GET /x?y=1 HTTP/1.1" 200 3 "http://r.test/"' in line


def test_access_log_off_and_stdout(gateway):
    gw = gateway(**plain_policy(), logs={"access": {"path": "stdout"}})
    gw.get("/to-stdout")
    until(lambda: b"/to-stdout" in gw.stdout, what="the line")
    silent = gateway(**plain_policy(), logs={"access": {"path": "off"},
                                             "audit": {"path": "off"}})
    assert silent.get().status == 200
    silent.stop()
    assert not silent.access_path.exists()


def test_full_disk_is_counted_not_fatal(gateway):
    gw = gateway(**plain_policy(), logs={"audit": {"path": "/dev/full"}})
    for _ in range(20):
        assert gw.raw(b"GET / HTTP/1.1\r\n\r\n").status == 400
    assert gw.get().status == 200
    gw.stop()
    assert "/dev/full" in gw.stderr


def test_crs_is_loaded_once_for_many_policies(gateway):
    """Overlays on one base: 200 routes with a policy each stay small."""
    names = [f"p{n}" for n in range(200)]
    small = gateway()
    base = small.rss()
    gw = gateway(policies={n: {"crs": {"paranoia": 1 + i % 4}} for i, n in
                           enumerate(names)},
                 sites=[{"hosts": ["*"], "pool": "app", "policy": "default", "routes": [
                     {"path": f"/{n}/", "policy": n} for n in names]}])
    grown = gw.rss() - base
    print(f"200 policies: {grown / 200 / 1024:.0f} KiB each")
    assert grown < 200 * 200 * 1024
    assert gw.get("/p7/?id=1'%20OR%201=1--").status == 403
