# SPDX-License-Identifier: Apache-2.0
"""The command itself: help, usage, versions, schema, and the run without a file."""
import json
import re
import stat

import pytest

from yett_test.client import Connection, request, tls_context
from yett_test.gateway import Process, run
from yett_test.wait import Port


def test_help():
    done = run("--help")
    assert done.returncode == 0
    for word in ("run", "check", "schema", "version", "explain", "status", "ban", "geo"):
        assert word in done.stdout
    for command in ("run", "check", "schema", "version", "explain", "status", "ban", "geo"):
        done = run(command, "--help")
        assert done.returncode == 0, command
        assert "yett " + command in done.stdout


def test_usage():
    assert run().returncode == 2
    for arguments in (["nonsense"], ["run", "--nonsense"], ["check", "-c"],
                      ["version", "x"], ["run", "-c", "a", "-c"],
                      ["run", "-c", "a", "--protect", "http://127.0.0.1:1"]):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert done.stdout == "" and done.stderr
    assert run("run", "--protect", "not a url").returncode == 1


def test_version():
    done = run("version")
    assert done.returncode == 0
    for word in ("yett", "OpenSSL", "libev", "CRS", "3.0."):
        assert word.lower() in done.stdout.lower(), word
    assert re.search(r"[mM]od[sS]ecurity[^\n]*3\.\d", done.stdout)
    assert "CVE-" in done.stdout
    assert run("--version").returncode == 0


def test_schema():
    done = run("schema")
    assert done.returncode == 0
    schema = json.loads(done.stdout)
    assert "listeners" in schema["properties"]
    assert "timeouts" in schema["properties"]


class Protect(Process):
    def __init__(self, folder, origin, port, *more):
        state = folder / "state"
        super().__init__(["run", "--protect", origin.url, "--listen", port.address,
                          "--state", state, *more], folder)
        self.target = (port.host, port.number)
        self.state = state

    def connect(self):
        return Connection(self.target, tls=tls_context(), sni="localhost")


@pytest.fixture
def protect(tmp_path, origin):
    port = Port()
    running = []

    def start(*more):
        running.append(Protect(tmp_path, origin, port, *more))
        return running[-1]
    yield start
    for one in running:
        one.stop()


def test_protect(protect, origin):
    gw = protect()
    assert "self-signed" in gw.stderr
    with gw.connect() as connection:
        first = connection.sock.getpeercert(binary_form=True)
        assert connection.send(request(host="localhost")).response().status == 200
        answer = connection.send(request("GET", "/?id=1'%20OR%201=1--",
                                         host="localhost")).response()
        assert answer.status == 403 and answer.id
    assert len(origin.requests) == 1
    keys = list(gw.state.rglob("*.key"))
    assert keys and all(stat.S_IMODE(k.stat().st_mode) == 0o600 for k in keys)
    gw.stop()
    again = protect()
    with again.connect() as connection:         # the same certificate
        assert connection.sock.getpeercert(binary_form=True) == first
        assert connection.send(request(host="127.0.0.1")).response().status == 200


def test_protect_certificate_names_localhost(protect):
    gw = protect()
    context = tls_context(ca=str(next(gw.state.rglob("*.crt"))))
    with Connection(gw.target, tls=context, sni="localhost") as connection:
        assert connection.send(request(host="localhost")).response().status == 200
        assert connection.sock.version() == "TLSv1.3"


def test_protect_keeps_an_audit_log_that_explain_finds(protect):
    gw = protect()
    with gw.connect() as connection:
        answer = connection.send(request("GET", "/?id=1'%20OR%201=1--",
                                         host="localhost")).response()
    gw.stop()
    logs = [p for p in gw.state.rglob("*") if p.is_file() and "audit" in p.name]
    assert logs, list(gw.state.rglob("*"))
    told = run("explain", answer.id, "--audit", logs[0])
    assert told.returncode == 0
    assert "942100" in told.stdout


def test_protect_limits_each_client_and_tells_of_it(protect):
    gw = protect()
    with gw.connect() as connection:
        for _ in range(20):
            assert connection.send(request(host="localhost")).response().status == 200
    told = run("status", "--json", "--socket", gw.state / "control.sock")
    assert told.returncode == 0, told.stderr
    limit, = json.loads(told.stdout)["limits"]
    assert (limit["name"], limit["rate"], limit["burst"]) == ("per-client", "100/s", 200)
    assert (limit["allowed"], limit["denied"]) == (20, 0)


def test_protect_in_a_folder_too_deep_for_a_socket(protect, tmp_path):
    gw = protect("--state", tmp_path / ("deep" * 40))
    assert "no control socket" in gw.stderr
    with gw.connect() as connection:
        assert connection.send(request(host="localhost")).response().status == 200


def test_protect_says_where_it_listens(protect):
    gw = protect()
    assert str(gw.target[1]) in gw.stderr
