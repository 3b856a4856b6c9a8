# SPDX-License-Identifier: Apache-2.0
"""Active checks: who is found to be down, by whom, and what becomes of requests."""
import collections
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from yett_test.dns import Dns
from yett_test.gateway import free_port, plain_policy, run
from yett_test.origin import Origin, dead_url, origins_of_one_port
from yett_test.wait import seconds, until

pytestmark = pytest.mark.timing

QUICK = {"path": "/healthz", "interval": "100ms", "timeout": "5s", "rise": 2, "fall": 3}


def checked(*urls, health=(), **more):
    """A pool app of these servers with quick checks."""
    return {"app": {"servers": [{"url": u} for u in urls],
                    "health": {**QUICK, **dict(health)}, **more}}


def asked(origin, path="/"):
    return sum(1 for r in list(origin.requests) if r.path == path)


def ill(origin, status="503 Busy"):
    origin.on("/healthz", lambda e: e.answer(status=status))


def well(origin):
    origin.on("/healthz", lambda e: e.answer())


def name(origin):
    return f"127.0.0.1:{origin.port}"


@pytest.fixture
def origins():
    """Makes origins, and stops them."""
    made = []

    def make(count, context=None):
        made.extend(Origin(context) for _ in range(count))
        return made[-count:]

    yield make
    for origin in made:
        origin.stop()


def test_one_of_three(gateway, origins):
    three = origins(3)
    gw = gateway(**plain_policy(), pools=checked(*[o.url for o in three]))
    three[1].wait(1)
    ill(three[1])
    line = gw.expect(f"{name(three[1])} is down")
    assert "pool app: " in line and "status 503 (3 in a row)" in line
    before = [asked(o) for o in three]
    assert [gw.get().status for _ in range(30)] == [200] * 30
    more = [asked(o) - n for o, n in zip(three, before)]
    assert more[1] == 0 and more[0] + more[2] == 30
    assert min(more[0], more[2]) >= 10
    well(three[1])
    assert "status 200 (2 in a row)" in gw.expect(f"{name(three[1])} is up")
    until(lambda: gw.get().status == 200 and asked(three[1]) > before[1],
          what="requests for the server that is back")
    assert not any(f"{name(o)} is" in gw.stderr for o in (three[0], three[2]))


def test_ill_from_the_start(gateway, origins):
    """The first check decides alone, and from then on no request goes there."""
    one, two = origins(2)
    one.on("/healthz", lambda exchange: exchange.reset())
    one.on("/", lambda exchange: exchange.reset())
    gw = gateway(**plain_policy(), pools=checked(one.url, two.url))
    assert "(1 in a row)" in gw.expect(f"{name(one)} is down")
    before = asked(one)
    assert [gw.get().status for _ in range(20)] == [200] * 20
    assert asked(one) == before


def test_nobody_listens(gateway, origin):
    url, held = dead_url()
    gw = gateway(**plain_policy(), pools=checked(url, origin.url))
    assert "connection refused" in gw.expect("is down")
    assert [gw.get().status for _ in range(10)] == [200] * 10
    held.close()


class Elsewhere:
    """An origin in a process of its own, which can be frozen."""

    def __init__(self, folder):
        (folder / "healthz").write_text("ok\n")
        (folder / "index.html").write_text("elsewhere\n")
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = int(re.search(r"port (\d+)", self.process.stdout.readline())[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def test_frozen_server_is_found_by_timeout(gateway, origin, tmp_path):
    """The kernel goes on taking connections for it."""
    folder = tmp_path / "pages"
    folder.mkdir()
    frozen = Elsewhere(folder)
    gw = gateway(**plain_policy(), pools=checked(
        frozen.url, origin.url, health={"timeout": "2s", "fall": 2}))
    until(lambda: b"elsewhere" in gw.get().body, what="both to be used")
    frozen.process.send_signal(signal.SIGSTOP)
    assert "no answer in time" in gw.expect(f":{frozen.port} is down", 30)
    begin = time.monotonic()
    assert [gw.get().body for _ in range(10)] == [b"ok\n"] * 10
    assert time.monotonic() - begin < seconds(5)
    frozen.process.send_signal(signal.SIGCONT)
    gw.expect(f":{frozen.port} is up", 30)
    frozen.stop()


def test_tls(gateway, tls_origin, authority):
    gw = gateway(**plain_policy(), pools=checked(tls_origin.url, tls={
        "ca": authority.file, "server_name": "origin.test"}))
    assert tls_origin.wait(2).path == "/healthz"
    assert set(tls_origin.names) == {"origin.test"}
    assert gw.get().status == 200
    assert "is down" not in gw.stderr


def test_tls_certificate_of_another(gateway, tls_origin, authority):
    gw = gateway(**plain_policy(), pools=checked(tls_origin.url, tls={
        "ca": authority.file, "server_name": "other.test"}))
    assert "TLS: hostname mismatch" in gw.expect("is down")
    assert tls_origin.requests == []


@pytest.mark.parametrize("status, answer, good", [
    ("200-399", "302 Found", True),
    ("200-299", "302 Found", False),
    ("404", "404 Not Found", True),
    ("404", "200 OK", False),
])
def test_status(gateway, origins, status, answer, good):
    one, two = origins(2)
    ill(one, answer)
    ill(two, status.split("-", maxsplit=1)[0] + " Good")
    gw = gateway(**plain_policy(),
                 pools=checked(one.url, two.url, health={"status": status, "fall": 1}))
    one.wait(3)
    two.wait(3)
    if not good:
        gw.expect(f"{name(one)} is down")
    assert (f"{name(one)} is down" in gw.stderr) == (not good)
    assert f"{name(two)} is down" not in gw.stderr


def test_last_server_standing(gateway, origins):
    """Checks that find everybody down are more likely wrong than right."""
    pair = origins(2)
    for origin in pair:
        ill(origin)
    gw = gateway(**plain_policy(), pools=checked(*[o.url for o in pair]))
    for origin in pair:
        gw.expect(f"{name(origin)} is down")
    assert [gw.get().status for _ in range(10)] == [200] * 10
    assert all(asked(o) > 0 for o in pair)


def test_backup_serves_while_all_others_are_down(gateway, origins):
    one, spare = origins(2)
    ill(one)
    gw = gateway(**plain_policy(), pools={"app": {
        "servers": [{"url": one.url}, {"url": spare.url, "backup": True}],
        "health": QUICK}})
    gw.expect(f"{name(one)} is down")
    before = asked(one)
    assert [gw.get().status for _ in range(10)] == [200] * 10
    assert (asked(one), asked(spare)) == (before, 10)
    well(one)
    gw.expect(f"{name(one)} is up")
    assert [gw.get().status for _ in range(10)] == [200] * 10
    assert (asked(one), asked(spare)) == (before + 10, 10)


def test_slow_start_of_who_is_back(gateway, origins):
    one, two = origins(2)
    ill(two)
    gw = gateway(**plain_policy(), pools=checked(one.url, two.url, slow_start="5m"))
    gw.expect(f"{name(two)} is down")
    well(two)
    gw.expect(f"{name(two)} is up")
    before = asked(two)
    assert [gw.get().status for _ in range(200)] == [200] * 200
    share = (asked(two) - before) / 200
    assert 0 < share < 0.3


def test_who_is_well_at_the_start_starts_at_once(gateway, origins):
    """The first check that is good changes nothing: no slow start."""
    pair = origins(2)
    gw = gateway(**plain_policy(),
                 pools=checked(*[o.url for o in pair], slow_start="5m"))
    for origin in pair:
        origin.wait(1)
    until(lambda: all(asked(o, "/healthz") > 1 for o in pair))
    for _ in range(40):
        assert gw.get().status == 200
    assert min(asked(o) for o in pair) >= 15
    assert " is up" not in gw.stderr


def test_one_checker_for_all_threads(gateway, origin):
    """Threads don't check for themselves; and intervals differ a little."""
    times = []

    def note(exchange):
        times.append(time.monotonic())
        exchange.answer()

    origin.on("/healthz", note)
    gw = gateway(**plain_policy(), threads=4, pools=checked(
        origin.url, health={"interval": "200ms"}))
    origin.wait(16, 20)
    assert len(times) <= (times[-1] - times[0]) / 0.18 + 3
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert max(gaps) - min(gaps) > 0.004
    gw.stop()
    # one for each check, closed after it; the last one may not have got to ask
    assert 0 <= origin.connections - len(origin.requests) <= 1


def test_what_a_check_asks(gateway, origins):
    one, two = origins(2)
    gw = gateway(**plain_policy(), pools={
        "app": {"servers": [{"url": one.url}], "health": {**QUICK, "path": "/up?a=b"}},
        "two": {"servers": [{"url": two.url}],
                "health": {**QUICK, "host": "shop.example.com"}}})
    first, second = one.wait(1), two.wait(1)
    assert first.line == "GET /up?a=b HTTP/1.1"
    assert first.get("host") == name(one)
    assert first.get("user-agent") == "yett-check"
    assert first.get("connection") == "close"
    assert second.get("host") == "shop.example.com"
    gw.stop()
    assert gw.accesses() == []      # checks are nobody's requests


def check_of(gateway, origin):
    return next(server["check"] for pool in gateway.status()["pools"]
                for server in pool["servers"] if server["address"] == name(origin))


def test_status_and_metrics(gateway, origins):
    one, two = origins(2)
    ill(two)
    metrics = free_port()
    gw = gateway(**plain_policy(), admin={"metrics": metrics.address},
                 pools=checked(one.url, two.url))
    gw.expect(f"{name(two)} is down")
    one.wait(1)
    until(lambda: check_of(gw, one)["state"] == "up")
    bad = check_of(gw, two)
    assert (bad["state"], bad["reason"]) == ("down", "status 503")
    assert bad["age_seconds"] >= 0 and 1 <= bad["failed"] <= bad["made"]
    told = run("status", "--socket", gw.config["admin"]["socket"]).stdout
    assert re.search(f"{name(two)} +down .*status 503, down for", told), told
    page = urllib.request.urlopen(f"http://{metrics.address}/metrics").read().decode()
    found = collections.Counter(
        line for line in page.splitlines() if line.startswith("yett_origin_check_up"))
    assert found == {
        f'yett_origin_check_up{{pool="app",server="{o}",host="{o}"}} {up}': 1
        for o, up in ((name(one), 1), (name(two), 0))}


def test_checks_follow_the_addresses_of_a_name(gateway):
    dns = Dns()
    kept, ill_one = servers = origins_of_one_port("127.0.0.1", "127.0.0.2")
    ill(ill_one)
    dns.set("app.test", "127.0.0.1", ttl=1)
    gw = gateway(**plain_policy(), resolver={"servers": [dns.address]},
                 pools=checked(f"http://app.test:{kept.port}"))
    kept.wait(1)
    dns.set("app.test", "127.0.0.1", "127.0.0.2", ttl=1)
    gw.expect(f"127.0.0.2:{kept.port} is down", 30)
    assert [gw.get().status for _ in range(10)] == [200] * 10
    assert asked(ill_one) == 0
    dns.set("app.test", "127.0.0.2", ttl=1)
    gw.expect("app.test is now 127.0.0.2", 30)
    before = len(kept.requests)
    ill_one.wait(len(ill_one.requests) + 5, 20)
    assert len(kept.requests) <= before + 1     # one may have been under way
    for server in servers:
        server.stop()
    dns.stop()


def test_ends_cleanly_in_the_middle_of_a_check(gateway, origins):
    slow, = origins(1)
    slow.on("/healthz", lambda exchange: time.sleep(seconds(2)))
    gw = gateway(**plain_policy(), pools=checked(slow.url))
    slow.wait(1)
    gw.stop()
