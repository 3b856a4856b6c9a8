# SPDX-License-Identifier: Apache-2.0
"""The control socket, the metrics and `yett status`."""
import json
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from yett_test.client import Connection, request
from yett_test.gateway import Process, binary, plain_policy, run
from yett_test.redis import Relay, Server, missing
from yett_test.wait import Port, seconds, until

needs_redis = pytest.mark.skipif(missing() is not None, reason=f"no {missing()}")

LIMITED = {
    **plain_policy(),
    "limits": {"one": {"key": "client", "rate": "1/h", "burst": 1},
               "watched": {"key": "site", "rate": "1/h", "burst": 1, "mode": "shadow"}},
    "sites": [{"hosts": ["*"], "pool": "app", "policy": "default",
               "limits": ["one", "watched"]}],
}


class Line:
    """A connection to a control socket."""

    def __init__(self, gw):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(seconds(10))
        self.sock.connect(gw.config["admin"]["socket"])
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())
        return self

    def answer(self):
        """The next answer; None when the gateway hung up."""
        try:
            line = self.file.readline()
        except ConnectionError:
            return None
        return json.loads(line) if line else None


# --- the control socket --------------------------------------------------------

def test_status_tells_how_the_gateway_is(gateway):
    gw = gateway(**LIMITED, bans={"after": 2, "count": ["limit"], "mode": "shadow"})
    assert [gw.get().status for _ in range(4)] == [200, 429, 429, 429]
    told = until(lambda: (lambda s: s if s["requests"]["answered"] == 4 else None)(gw.status()))
    assert told["ok"] is True
    assert told["version"] == run("version").stdout.split()[1]
    assert (told["node"], told["threads"]) == ("gw-test", 2)
    assert told["sharing"]["state"] == "local"
    assert (told["sharing"]["nodes"], told["redis"]) == (1, None)
    limits = {limit["name"]: limit for limit in told["limits"]}
    assert (limits["one"]["rate"], limits["one"]["burst"]) == ("1/h", 1)
    assert (limits["one"]["allowed"], limits["one"]["denied"]) == (1, 3)
    assert limits["watched"]["shadowed"] == 3
    assert told["bans"]["shadow"] == 1
    assert told["requests"]["blocked"]["limit"] == 3
    assert told["access_log"]["dropped"] == 0
    until(lambda: gw.status()["connections"] == 0)


def test_status_for_people(gateway, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("192.0.2.0/24\n")
    config = {**LIMITED, "limits": {"one": LIMITED["limits"]["one"]}}
    config["sites"] = [{**LIMITED["sites"][0], "limits": ["one"], "access": [
        {"deny": {"address_file": str(listed)}}, {"allow": "any"}]}]
    gw = gateway(**config)
    gw.get()
    told = run("status", "-c", gw.file)
    assert told.returncode == 0, told.stderr
    for word in ["gw-test", "2 worker threads", "local", "one", "1/h", str(listed)]:
        assert word in told.stdout, told.stdout
    assert told.stderr == ""


def test_status_with_a_file_that_turned_bad(gateway, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("192.0.2.0/24\n")
    gw = gateway(**plain_policy(), sites=[{
        "hosts": ["*"], "pool": "app", "policy": "default",
        "access": [{"deny": {"address_file": str(listed)}}, {"allow": "any"}]}])
    listed.write_text("192.0.2.0/24\nnonsense\n")
    files = until(lambda: [f for f in gw.status()["files"] if f["stale"]], 15)
    assert files[0]["path"] == str(listed)
    assert f"{listed}:2" in files[0]["problem"]
    told = run("status", "-c", gw.file).stdout
    assert "refused" in told and f"{listed}:2" in told
    listed.write_text("198.51.100.0/24\n")
    until(lambda: not any(f["stale"] for f in gw.status()["files"]), 15)


@needs_redis
def test_status_follows_redis(gateway, tmp_path):
    server = Server(tmp_path / "redis")
    port = Port()
    try:
        gw = gateway(**LIMITED, redis={"url": server.url}, bans={},
                     admin={"metrics": port.address})
        until(lambda: gw.status()["redis"]["link"] == "up", 10)
        gw.get()
        until(lambda: gw.status()["sharing"]["state"] == "shared", 10)
        figures = parse(scrape_at(port).text)
        assert (figures["yett_redis_up", None], figures["yett_limits_shared", None]) == (1, 1)
        assert ("yett_bans_told_total", None) in figures
    finally:
        server.stop()
    gw.get()
    until(lambda: parse(scrape_at(port).text)["yett_redis_up", None] == 0, 10)
    until(lambda: gw.status()["redis"]["link"] != "up", 10)
    told = until(lambda: (lambda s: s if s["sharing"]["state"] == "degraded" else None)(
        gw.status()), 10)
    assert told["sharing"]["reason"]
    assert "degraded" in run("status", "-c", gw.file).stdout
    (why,) = [labels for name, labels in parse(scrape_at(port).text)
              if name == "yett_limits_state_seconds"]
    assert re.fullmatch(r'\{state="degraded",reason="[^"]+"\}', why)


def test_the_socket_is_its_owners_alone(gateway):
    gw = gateway()
    path = gw.config["admin"]["socket"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    gw.stop()
    assert not os.path.exists(path)


def test_a_stale_socket_is_replaced(gateway):
    gw = gateway()
    gw.kill()
    assert os.path.exists(gw.config["admin"]["socket"])
    again = gateway(admin={"socket": gw.config["admin"]["socket"]})
    assert again.status()["ok"]


def test_a_socket_that_cannot_be_made_ends_the_start(tmp_path):
    path = tmp_path / "yett.yaml"
    path.write_text(json.dumps({
        "listeners": [{"address": Port().address}],
        "pools": {"app": {"servers": [{"url": "http://127.0.0.1:9"}]}},
        "sites": [{"hosts": ["*"], "pool": "app", "policy": "off"}],
        "logs": {"access": {"path": "off"}, "audit": {"path": "off"}},
        "admin": {"socket": str(tmp_path / "no" / "such" / "control.sock")}}))
    done = run("run", "-c", path)
    assert done.returncode == 3
    assert "admin.socket" in done.stderr and "control.sock" in done.stderr


def test_without_a_place_for_the_usual_socket(origin):
    """Nobody asked for it, so the gateway warns and runs."""
    who = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    if not who and os.access("/run/yett", os.W_OK):
        pytest.skip("the usual socket can be made here")
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), Port()
        folder.chmod(0o755)
        path = folder / "yett.yaml"
        path.write_text(json.dumps({
            "listeners": [{"address": port.address}],
            "pools": {"app": {"servers": [{"url": origin.url}]}},
            "sites": [{"hosts": ["*"], "pool": "app", "policy": "off"}],
            "logs": {"access": {"path": "off"}, "audit": {"path": "off"}}}))
        try:
            process = Process(["run", "-c", path], folder, **who)
        except PermissionError:
            pytest.skip("the build tree is not for everybody")
        try:
            warning = process.expect("no control socket")
            assert "warn" in warning and "admin.socket" in warning
            with Connection((port.host, port.number)) as connection:
                assert connection.send(request()).response().status == 200
        finally:
            process.stop()


def test_no_socket_where_it_is_off(gateway):
    gw = gateway(admin={"socket": "off"})
    assert gw.get().status == 200
    told = run("status", "-c", gw.file)
    assert told.returncode == 3
    assert "off" in told.stderr


BAD_LINES = [
    (b"\n", "not a JSON object"),
    (b"status\n", "not a JSON object"),
    (b"[]\n", "not a JSON object"),
    (b'{"command":"status","command":"status"}\n', "not a JSON object"),
    (b'{"command":"\xff"}\n', "not a JSON object"),
    (b"[" * 60000 + b"\n", "not a JSON object"),
    (b"{}\n", "unknown command"),
    (b'{"command":"stat"}\n', "unknown command"),
    (b'{"command":null}\n', "unknown command"),
    (b'{"command":["status"]}\n', "unknown command"),
    (b'{"command":"status\\u0000x"}\n', None),
]


def test_bad_questions_are_answered_and_the_line_goes_on(gateway):
    gw = gateway(**plain_policy())
    with Line(gw) as line:
        for data, error in BAD_LINES:
            told = line.send(data).answer()
            assert told["ok"] is False and told["error"], data
            assert error is None or told["error"] == error
        assert line.send('{"command":"status","more":[1]}\n').answer()["ok"] is True


def test_several_questions_in_one_piece_and_one_in_many(gateway):
    gw = gateway(**plain_policy())
    with Line(gw) as line:
        line.send('{"command":"status"}\n{"command":"x"}\n{"command":"status"}\n')
        assert [line.answer()["ok"] for _ in range(3)] == [True, False, True]
        for byte in b'{"command":"status"}\n':
            line.send(bytes([byte]))
        assert line.answer()["ok"] is True


def test_a_question_without_end_is_cut(gateway):
    gw = gateway(**plain_policy())
    with Line(gw) as line:
        try:
            line.send(b'{"command":"' + b"x" * (1 << 20))
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert line.answer() is None
    assert gw.status()["ok"]


def test_lines_are_bounded(gateway):
    """The 17th is closed at once; a free place is taken again."""
    gw = gateway(**plain_policy())
    lines = [Line(gw) for _ in range(16)]
    for line in lines:
        assert line.send('{"command":"status"}\n').answer()["ok"]
    with Line(gw) as more:
        try:
            more.send('{"command":"status"}\n')
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert more.answer() is None
    for line in lines:
        line.__exit__()
    until(lambda: run("status", "-c", gw.file).returncode == 0)
    assert gw.get().status == 200


def test_who_hangs_up_in_the_middle_harms_nobody(gateway):
    gw = gateway(**plain_policy())
    for _ in range(30):
        with Line(gw) as line:
            try:
                line.send('{"command":"status"}\n{"command":"sta')
            except (BrokenPipeError, ConnectionResetError):
                pass    # the gateway has not seen yet that the 16 before it left
    until(lambda: run("status", "-c", gw.file).returncode == 0)


# --- yett status without a gateway that answers --------------------------------

def test_status_exit_codes(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("nonsense: 1\n")
    for arguments, code, word in [
            (["--socket", tmp_path / "none.sock"], 3, "none.sock"),
            (["--socket", "x" * 200], 1, "too long"),
            (["-c", bad], 1, "yett check"),
            (["-c", tmp_path / "none.yaml"], 1, "none.yaml"),
            (["--socket", "a", "-c", "b"], 2, "exclude"),
            (["--jsno"], 2, "--jsno"),
            (["x"], 2, "x")]:
        done = run("status", *arguments)
        assert done.returncode == code, (arguments, done.stderr)
        assert word in done.stderr, (arguments, done.stderr)
    assert run("status", "--help").returncode == 0


@pytest.mark.parametrize("answer,code", [
    (b"nonsense\n", 1), (b"[]\n", 1), (b"{}\n", 1), (b'{"ok":false,"error":"no"}\n', 1),
    (b'{"ok":true', 3), (b"", 3),
    (b'{"ok":true,"limits":7,"bans":[],"files":{},"redis":"x"}\n', 0)])
def test_an_odd_answer_is_told(tmp_path, answer, code):
    path = str(tmp_path / "control.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def serve():
            peer, _ = listening.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        done = run("status", "--socket", path)
        thread.join()
    assert done.returncode == code, done.stderr
    assert (done.stderr == "") == (code == 0)


# --- yett limit ----------------------------------------------------------------

LOGINS = {
    **plain_policy(),
    "limits": {"login": {"key": ["client", "path"], "rate": "2/h", "burst": 2},
               "token": {"key": "header:X-Token", "rate": "1/h", "burst": 1}},
    "sites": [{"hosts": ["*"], "pool": "app", "policy": "default", "routes": [
        {"path": "/login", "limits": ["login"]}, {"path": "/api", "limits": ["token"]}]}],
}


def limit(gw, *words):
    return run("limit", *words, "-c", gw.file)


def logins(gw, n):
    return [gw.get("/login").status for _ in range(n)]


def test_limit_show_and_reset(gateway):
    gw = gateway(**LOGINS)
    assert "2 of 2 left" in limit(gw, "show", "login", "127.0.0.1", "/login").stdout
    assert logins(gw, 3) == [200, 200, 429]
    key = gw.audit(1)[0]["limit"]["key"]
    shown = limit(gw, "show", key)
    assert shown.returncode == 0, shown.stderr
    for word in ["login, 2/h, burst 2", key, "0 of 2 left", "full in", "denied for"]:
        assert word in shown.stdout, shown.stdout
    told = json.loads(limit(gw, "show", "--json", key).stdout)
    assert (told["limit"], told["key"], told["redis"]) == ("login", key, None)
    assert told["here"]["remaining"] == 0
    assert 1700 < told["here"]["denied_for_seconds"] <= 1800
    done = limit(gw, "reset", key)
    assert (done.returncode, done.stdout) == (0, f"{key} starts over\n")
    gw.expect("reset of the limit's key")
    assert logins(gw, 3) == [200, 200, 429]


def test_limit_by_a_value_that_is_hashed(gateway):
    gw = gateway(**LOGINS)
    assert [gw.get("/api", [("X-Token", "s3cret")]).status for _ in range(2)] == [200, 429]
    shown = limit(gw, "show", "token", "s3cret").stdout
    assert "0 of 1 left" in shown and "s3cret" not in shown
    assert "1 of 1 left" in limit(gw, "show", "token", "another").stdout
    assert "1 of 1 left" in limit(gw, "show", "token", "-").stdout
    limit(gw, "reset", "token", "s3cret")
    assert gw.get("/api", [("X-Token", "s3cret")]).status == 200


def test_limit_refusals(gateway):
    gw = gateway(**LOGINS)
    for words, code, told in [
            (["show", "logn", "a", "b"], 1, "no limit is called"),
            (["show", "login|a"], 1, "2 parts"),
            (["show", "login"], 1, "2 parts"),
            (["show", "login", "nowhere", "/"], 1, "no client"),
            (["show", "login|a b|c"], 1, "not a key"),
            (["show", "login", *"123456789"], 1, "2 parts"),
            (["show"], 2, "which key"), ([], 2, "show or reset"),
            (["drop", "x"], 2, "neither"), (["show", "x", "--now"], 2, "--now")]:
        done = limit(gw, *words)
        assert (done.returncode, done.stdout) == (code, ""), words
        assert told in done.stderr, (words, done.stderr)
    with Line(gw) as line:
        for question in ['{"command":"limit.show"}', '{"command":"limit.show","key":5}',
                         '{"command":"limit.show","limit":"login","values":[1,2]}',
                         '{"command":"limit.reset","limit":"login","values":{}}']:
            assert line.send(question + "\n").answer()["ok"] is False


@needs_redis
def test_limit_in_redis(gateway, tmp_path):
    """Two gateways look at one bucket. What one of them knows of it for itself, that
    it is empty, only a reset there ends."""
    server = Server(tmp_path / "redis")
    try:
        gws = [gateway(**LOGINS, redis={"url": server.url}) for _ in range(2)]
        for gw in gws:
            until(lambda: gw.status()["sharing"]["state"] == "shared", 10)
            until(lambda: gw.status()["redis"]["link"] == "up", 10)
        assert logins(gws[0], 2) == [200, 200]
        for gw in gws:
            shown = limit(gw, "show", "login", "127.0.0.1", "/login")
            assert shown.returncode == 0, shown.stderr
            assert "redis    0 of 2 left, full in" in shown.stdout
        assert limit(gws[1], "reset", "login", "127.0.0.1", "/login").returncode == 0
        assert server.cli("keys", "yett:limit:*") == ""
        assert "redis    2 of 2 left" in limit(gws[0], "show", "login|127.0.0.1|/login").stdout
        assert logins(gws[0], 1) == [429]
        assert limit(gws[0], "reset", "login|127.0.0.1|/login").returncode == 0
        assert logins(gws[0], 3) == [200, 200, 429]
        server.freeze()
        done = limit(gws[0], "show", "login|127.0.0.1|/login")
        assert done.returncode == 1
        assert "Redis" in done.stderr and "login, 2/h" in done.stdout
        with Line(gws[0]) as line:      # who does not wait for the answer harms nobody
            line.send('{"command":"limit.show","key":"login|127.0.0.1|/login"}\n')
        server.thaw()
        until(lambda: limit(gws[0], "show", "login|127.0.0.1|/login").returncode == 0, 10)
    finally:
        server.thaw()
        server.stop()
    done = until(lambda: (lambda d: d if d.returncode else None)(
        limit(gws[0], "reset", "login|127.0.0.1|/login")), 10)
    assert "Redis" in done.stderr
    assert done.stdout.endswith("starts over here, perhaps not in Redis\n")


@needs_redis
def test_who_asks_during_a_limit_reset_is_not_denied_after_it(gateway, tmp_path):
    server = Server(tmp_path / "redis")
    relay = Relay(server.port)
    try:
        gw = gateway(**LOGINS, redis={"url": relay.url, "deadline": "1s"})
        until(lambda: gw.status()["sharing"]["state"] == "shared", 10)
        until(lambda: gw.status()["redis"]["link"] == "up", 10)
        assert logins(gw, 3) == [200, 200, 429]
        relay.only, relay.delay = b"$3\r\nDEL\r\n", 0.7
        statuses = []
        with subprocess.Popen([binary(), "limit", "reset", "login", "127.0.0.1", "/login",
                               "-c", gw.file]) as reset:
            while reset.poll() is None:     # Redis has not heard of it yet, and denies
                statuses += logins(gw, 1)
        assert reset.returncode == 0
        assert (statuses + logins(gw, 3)).count(200) == 2
    finally:
        relay.stop()
        server.stop()


# --- metrics -------------------------------------------------------------------

SAMPLE = re.compile(r'([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\d+)')


def parse(text):
    """Samples by name and labels; asserts the form of the text (format 0.0.4)."""
    samples, typed, helped, last = {}, {}, set(), None
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in helped
            helped.add(name)
            last = name
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == last and kind in ("counter", "gauge")
            assert (kind == "counter") == name.endswith("_total")
            typed[name] = kind
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            assert found[1] == last and found[1] in typed
            assert (found[1], found[2]) not in samples
            samples[found[1], found[2]] = int(found[3])
    return samples


@pytest.fixture
def measured(gateway, tmp_path):
    port = Port()
    odd = tmp_path / 'li"st\\x.txt'
    odd.write_text("192.0.2.0/24\n")
    config = {**LIMITED, "sites": [{**LIMITED["sites"][0], "access": [
        {"deny": {"address_file": str(odd)}}, {"allow": "any"}]}]}
    gw = gateway(**config, bans={}, admin={"metrics": port.address})
    gw.metrics = port
    gw.odd = odd
    return gw


def scrape(gw, data=None, to_head=False):
    return scrape_at(gw.metrics, data, to_head)


def scrape_at(port, data=None, to_head=False):
    with Connection((port.host, port.number)) as connection:
        return connection.send(data or request(target="/metrics")).response(to_head)


def test_metrics_count_what_happened(measured):
    before = parse(scrape(measured).text)
    assert [measured.get().status for _ in range(3)] == [200, 429, 429]
    # a request is counted when it is logged, which is after its answer
    until(lambda: parse(scrape(measured).text)['yett_requests_total', '{status="4xx"}'] == 2)
    answer = scrape(measured)
    assert answer.status == 200
    assert answer.get("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    told = parse(answer.text)
    assert set(before) == set(told)
    decision = 'yett_limit_decisions_total'
    assert told[decision, '{limit="one",result="allowed"}'] == 1
    assert told[decision, '{limit="one",result="denied"}'] == 2
    assert told[decision, '{limit="watched",result="allowed"}'] == 1
    assert told[decision, '{limit="watched",result="denied"}'] == 0
    assert told[decision, '{limit="watched",result="shadowed"}'] == 2
    assert told['yett_requests_total', '{status="4xx"}'] == 2
    assert told['yett_refusals_total', '{reason="limit",action="blocked"}'] == 2
    assert told['yett_limits_shared', None] == 0
    assert told['yett_limit_keys', None] == 2
    assert told['yett_limit_keys_room', None] == 131072
    assert told['yett_bans', None] == 0
    path = str(measured.odd).replace("\\", "\\\\").replace('"', '\\"')
    assert told['yett_file_refused', f'{{path="{path}"}}'] == 0
    assert told['yett_file_loaded_timestamp_seconds', f'{{path="{path}"}}'] > 1700000000


def test_metrics_answer_little_else(measured):
    for data, status, word in [
            (request("HEAD", "/metrics"), 200, ""),
            (request("GET", "/metrics?x=1"), 200, "yett_info"),
            (request("GET", "/"), 404, "/metrics"),
            (request("GET", "/metricss"), 404, "/metrics"),
            (request("POST", "/metrics", body=b"x"), 405, "GET"),
            (request("DELETE", "/metrics"), 405, "GET"),
            (b"GET /metrics HTTP/1.0\r\n\r\n", 200, "yett_info"),
            (b"GET /metrics HTTP/1.1\r\n\r\n", 400, "not a request"),
            (b"\x16\x03\x01\x00\x05hello\r\n\r\n", 400, "not a request"),
            (b"GET  /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 400, "not a request")]:
        answer = scrape(measured, data, to_head=data.startswith(b"HEAD"))
        assert answer.status == status, data
        assert word in answer.text, data
        assert answer.get("connection") == "close"
        assert answer.get("allow") == "GET, HEAD"


def test_metrics_do_not_hang_on_those_who_do(measured):
    """Halves of requests and heads without end take places, not the service."""
    half = [socket.create_connection((measured.metrics.host, measured.metrics.number))
            for _ in range(12)]
    for sock in half:
        sock.sendall(b"GET /metrics HTTP/1.1\r\n")
    endless = socket.create_connection((measured.metrics.host, measured.metrics.number))
    endless.settimeout(seconds(10))
    try:
        endless.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20000)
        assert not endless.recv(1 << 16).startswith(b"HTTP/1.1 2")
    except ConnectionError:
        pass
    assert scrape(measured).status == 200
    assert measured.get().status == 200
    for sock in half + [endless]:
        sock.close()


def test_an_address_for_metrics_that_is_taken_ends_the_start(measured, tmp_path):
    config = json.loads(json.dumps(measured.config))
    config["listeners"] = [{"address": Port().address}]
    config["admin"]["socket"] = "off"
    path = tmp_path / "second.yaml"
    path.write_text(json.dumps(config))
    done = run("run", "-c", path)
    assert done.returncode == 3
    assert "admin.metrics" in done.stderr and measured.metrics.address in done.stderr


def test_both_end_with_the_gateway(measured):
    with Line(measured) as line:
        line.send('{"command":"status"}\n')
        assert line.answer()["ok"]
        measured.deliver(signal.SIGINT)
        assert line.answer() is None
    assert measured.wait() == 0
