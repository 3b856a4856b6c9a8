# SPDX-License-Identifier: Apache-2.0
"""Which origin gets a request, and what becomes of it when origins fail."""
import re
import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from yett_test.client import request
from yett_test.farm import Member
from yett_test.gateway import plain_policy, run
from yett_test.load import Load
from yett_test.origin import Origin, dead_url
from yett_test.wait import Port, seconds, until

pytestmark = pytest.mark.timing

COOKIE = re.compile(r"srv=([0-9a-f]{32}); Path=/; HttpOnly; SameSite=Lax(; Secure)?$")


def pool(*servers, **more):
    """Servers as origins, or as mappings."""
    return {"app": {"servers": [s if isinstance(s, dict) else {"url": s.url}
                                for s in servers], **more}}


class Named(Origin):
    """An origin that tells in each answer who it is."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def _one(self, exchange):
        exchange.name = self.name
        plain, exchange.answer = exchange.answer, None

        def answer(body=b"ok\n", status="200 OK", fields=()):
            plain(body, status, [*fields, ("X-Origin", self.name)])
        exchange.answer = answer
        return super()._one(exchange)


@pytest.fixture
def origins():
    """Three of them: a, b, c."""
    servers = [Named(name) for name in "abc"]
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def farm():
    members = []

    def grow(count=3):
        members.extend(Member(name) for name in "abcdef"[:count])
        return members

    yield grow
    for member in members:
        member.close()


def who(gw, count, clients=4, target="/", fields=()):
    """How many answers came from whom; all of them are 200."""
    seen = Counter()

    def ask(number):
        mine = Counter()
        with gw.connect() as link:
            for i in range(number, count, clients):
                path = target(i) if callable(target) else target
                answer = link.send(request("GET", path, fields)).response()
                assert answer.status == 200
                mine[answer.get("X-Origin")] += 1
        return mine

    with ThreadPoolExecutor(clients) as many:
        for part in many.map(ask, range(clients)):
            seen += part
    return seen


def state(gw, server, name="app"):
    """What yett status tells of one origin."""
    servers = next(p for p in gw.status()["pools"] if p["name"] == name)["servers"]
    return next(s for s in servers if s["address"] == f"127.0.0.1:{server.port}")


class Held:
    """Requests that origins hold until they are let go."""

    def __init__(self, servers, path="/hold"):
        self.event = threading.Event()
        self.path = path
        self.seen = Counter()
        self.lock = threading.Lock()
        for server in servers:
            server.on(path, self._hold)

    def _hold(self, exchange):
        with self.lock:
            self.seen[exchange.name] += 1
        self.event.wait(seconds(30))
        exchange.answer()

    def send(self, gw, count, fields=()):
        """One after another, so that each is there before the next is asked for."""
        links = []
        for _ in range(count):
            before = sum(self.seen.values())
            links.append(gw.connect(timeout=30))
            links[-1].send(request("GET", self.path, fields))
            until(lambda: sum(self.seen.values()) > before, what="the request")
        return links

    def let_go(self, links):
        self.event.set()
        for link in links:
            assert link.response().status == 200
            link.close()


# --- who gets a request -----------------------------------------------------

def test_round_robin_is_even_by_weight(gateway, origins):
    a, b, c = origins
    gw = gateway(**plain_policy(), pools=pool(
        {"url": a.url, "weight": 3}, {"url": b.url, "weight": 2}, c))
    seen = who(gw, 600)
    for name, share in ("a", 300), ("b", 200), ("c", 100):
        assert abs(seen[name] - share) <= 600 * 0.02, seen


def test_every_balance_is_even_without_load(gateway, origins):
    for balance, slack in ("least_connections", 0.02), ("random_two", 0.10):
        gw = gateway(**plain_policy(), pools=pool(*origins, balance=balance))
        seen = who(gw, 900, clients=1)
        for name in "abc":
            assert abs(seen[name] - 300) <= 900 * slack, (balance, seen)


def test_least_connections_counts_what_is_open(gateway, origins):
    a, b, c = origins
    held = Held(origins)
    gw = gateway(**plain_policy(), pools=pool(
        {"url": a.url, "weight": 2}, b, c, balance="least_connections"))
    links = held.send(gw, 8)
    assert held.seen == {"a": 4, "b": 2, "c": 2}
    assert state(gw, a)["active"] == 4
    held.let_go(links)
    until(lambda: state(gw, a)["active"] == 0, what="nothing to be open")


def test_random_two_avoids_the_busy_one(gateway, origins):
    a, b, c = origins
    held = Held([a])
    gw = gateway(**plain_policy(), pools=pool(*origins, balance="random_two"))
    links = []
    while not held.seen["a"]:                  # the others answer at once
        links.append(gw.connect(timeout=30))
        links[-1].send(request("GET", "/hold"))
        time.sleep(0.02)
    seen = who(gw, 300, clients=1)
    assert seen["a"] == 0, seen                # the other of the two is better
    held.let_go(links)


def keys(gw, count, target="/key/{}"):
    """Who answers each key."""
    with gw.connect() as link:
        return [link.send(request("GET", target.format(i))).response().get("X-Origin")
                for i in range(count)]


def test_consistent_hash_moves_few_keys(gateway, origins):
    a, b, c = origins
    hashed = {"balance": "consistent_hash", "hash_on": "path"}
    gw = gateway(**plain_policy(), pools=pool(*origins, **hashed))
    before = keys(gw, 900)
    assert min(Counter(before).values()) > 180, Counter(before)
    assert keys(gw, 100) == before[:100]
    assert keys(gw, 100, "/key/{}?x=1") == before[:100]      # the path alone
    # another gateway, the servers in another order: the same
    other = gateway(**plain_policy(), pools=pool(c, a, b, **hashed))
    assert keys(other, 200) == before[:200]
    # one server less: its keys go, and at most 2 % of the others
    less = gateway(**plain_policy(), pools=pool(a, b, **hashed))
    after = keys(less, 900)
    moved = sum(x != y for x, y in zip(before, after))
    assert moved <= before.count("c") + 900 * 0.02
    # one that is drained: no other server's key moves
    assert run("drain", "app", f"127.0.0.1:{c.port}", "--socket",
               gw.config["admin"]["socket"]).returncode == 0
    away = keys(gw, 900)
    assert all(x == y for x, y in zip(before, away) if x != "c")
    assert "c" not in away


@pytest.mark.parametrize("hash_on, fields", [
    ("header:X-User", [("X-User", "{}")]),
    ("cookie:user", [("Cookie", "x=1; user={}")]),
])
def test_consistent_hash_of_a_field(gateway, origins, hash_on, fields):
    gw = gateway(**plain_policy(), pools=pool(
        *origins, balance="consistent_hash", hash_on=hash_on))
    places = set()
    for user in range(30):
        named_fields = [(n, v.format(user)) for n, v in fields]
        one = {gw.get(f"/{i}", named_fields).get("X-Origin") for i in range(3)}
        assert len(one) == 1
        places |= one
    assert len(places) == 3
    # who has none goes by his address
    assert len({gw.get(f"/{i}").get("X-Origin") for i in range(5)}) == 1


def test_consistent_hash_is_bounded(gateway, origins):
    held = Held(origins)
    gw = gateway(**plain_policy(), pools=pool(
        *origins, balance="consistent_hash", hash_on="path", bound=125))
    links = held.send(gw, 12)
    # one key, but nobody has above 125 % of his share: ceil(1.25 * 12 / 3)
    assert max(held.seen.values()) <= 5, held.seen
    held.let_go(links)


# --- sticky cookies -----------------------------------------------------------

def cookie(answer):
    """Value of the sticky cookie that is set; None."""
    found = [COOKIE.match(v) for v in answer.all("Set-Cookie")]
    assert len(found) <= 1 and None not in found, answer.fields
    return found[0].group(1) if found else None


def test_sticky_cookie(gateway, origins):
    gw = gateway(**plain_policy(), pools=pool(*origins, sticky={"cookie": "srv"}))
    first = gw.get()
    value, name = cookie(first), first.get("X-Origin")
    assert value
    server = next(o for o in origins if o.name == name)
    server.clear()
    for fields in ([("Cookie", f"srv={value}")],
                   [("Cookie", f"a=1; srv={value}; b=2")],
                   [("Cookie", f"srv={value}"), ("Cookie", "c=3")]):
        for _ in range(3):
            answer = gw.get("/", fields)
            assert (answer.get("X-Origin"), cookie(answer)) == (name, None)
    # the cookie is between us and the client
    assert [r.all("Cookie") for r in server.requests] == \
        3 * [[]] + 3 * [["a=1; b=2"]] + 3 * [["c=3"]]
    # what is no cookie of ours is none: another server may answer, with a new one
    for bad in ("", "x", "0" * 32, value[:-1], value + "0", value.upper() + ";srv=1"):
        answer = gw.get("/", [("Cookie", f"srv={bad}")])
        assert answer.status == 200 and cookie(answer)


def test_sticky_cookie_of_a_server_that_is_no_more(gateway, origins):
    gw = gateway(**plain_policy(), pools=pool(*origins, sticky={"cookie": "srv"}))
    first = gw.get()
    server = next(o for o in origins if o.name == first.get("X-Origin"))
    old = [("Cookie", f"srv={cookie(first)}")]
    # drained: its own clients stay, nobody else comes
    assert run("drain", "app", server.url[7:], "--socket",
               gw.config["admin"]["socket"]).returncode == 0
    assert gw.get("/", old).get("X-Origin") == server.name
    assert server.name not in who(gw, 30)
    # dead: another one takes over, and says so
    server.stop()
    answer = gw.get("/", old)
    assert answer.get("X-Origin") != server.name
    anew = cookie(answer)
    assert anew and gw.get("/", [("Cookie", f"srv={anew}")]).get("X-Origin") == \
        answer.get("X-Origin")


def test_sticky_cookie_is_known_to_other_gateways(gateway, origins, tmp_path):
    secret = tmp_path / "sticky.key"
    secret.write_text("correct horse battery staple\n")
    with_key = {"sticky": {"cookie": "srv", "key_file": str(secret)}}
    one = gateway(**plain_policy(), pools=pool(*origins, **with_key))
    two = gateway(**plain_policy(), pools=pool(*reversed(origins), **with_key))
    alone = gateway(**plain_policy(), pools=pool(*origins, sticky={"cookie": "srv"}))
    for _ in range(6):
        first = one.get()
        fields = [("Cookie", f"srv={cookie(first)}")]
        answer = two.get("/", fields)
        assert answer.get("X-Origin") == first.get("X-Origin")
        assert cookie(answer) is None
        assert cookie(alone.get("/", fields))


def test_sticky_cookie_over_https_is_secure(gateway, origins, authority):
    pair = authority.issue("shop.test")
    port = Port()
    gw = gateway(port=port, **plain_policy(), pools=pool(
        *origins, sticky={"cookie": "srv"}), listeners=[{
            "address": port.address, "tls": {"certificates": [{
                "certificate": str(pair.certificate), "key": str(pair.key)}]}}])
    trust = ssl.create_default_context(cafile=authority.file)
    with gw.connect(tls=trust, sni="shop.test") as link:
        answer = link.send(request()).response()
    assert cookie(answer) and answer.get("Set-Cookie").endswith("; Secure")


# --- backups, drains ----------------------------------------------------------

def test_backup_is_for_when_nobody_else_is_there(gateway, origins):
    a, b, _ = origins
    gw = gateway(**plain_policy(), pools=pool(a, {"url": b.url, "backup": True}))
    assert who(gw, 20) == {"a": 20}
    a.stop()
    assert who(gw, 20) == {"b": 20}
    assert (state(gw, a)["state"], state(gw, b)["backup"]) == ("refusing", True)


def test_drain_under_load_costs_nothing(gateway, origins):
    a, b, _ = origins
    gw = gateway(**plain_policy(), pools=pool(a, b))
    address = f"127.0.0.1:{a.port}"

    def drain(*more):
        done = run("drain", *more, "app", address, "--socket",
                   gw.config["admin"]["socket"])
        assert done.returncode == 0, done.stderr
        return done.stdout

    with Load([gw], clients=8, pause=0.005) as load:
        a.wait(20)
        assert "is drained" in drain()
        until(lambda: state(gw, a)["active"] == 0, what="the last requests")
        rest, done = len(a.requests), len(b.requests)
        b.wait(done + 100, timeout=20)
        assert (len(a.requests), state(gw, a)["state"]) == (rest, "drained")
        assert "is in service again" in drain("--undo")
        a.wait(rest + 20, timeout=20)
    assert set(load.statuses) == {200} and not load.broken
    for words in (["app", "127.0.0.1:1"], ["other", address]):
        done = run("drain", *words, "--socket", gw.config["admin"]["socket"])
        assert done.returncode == 1 and "no such" in done.stderr
    assert run("drain", "app").returncode == 2


def test_all_drained_is_503(gateway, origins):
    a = origins[0]
    gw = gateway(**plain_policy(), pools=pool(a))
    assert run("drain", "app", a.url[7:], "-c", gw.file).returncode == 0
    answer, record = gw.record_of(request())
    assert (answer.status, record["reason"]) == (503, "upstream")
    assert "drained" in str(record)


def test_slow_start(gateway, origins):
    a, b, _ = origins
    gw = gateway(**plain_policy(), pools=pool(a, b, slow_start="10m"))
    assert abs(who(gw, 200)["a"] - 100) <= 4      # there from the start
    for undo in ((), ("--undo",)):
        run("drain", *undo, "app", a.url[7:], "-c", gw.file)
    seen = who(gw, 400)
    assert 20 <= seen["a"] <= 100, seen           # a tenth of its weight, about 1 of 11


def test_figures_of_servers(gateway, origins):
    a, b, _ = origins
    port = Port()
    gw = gateway(**plain_policy(), pools=pool({"url": a.url, "weight": 3}, b),
                 admin={"metrics": port.address})
    who(gw, 40)
    from_a = state(gw, a)
    assert (from_a["requests"], from_a["failures"], from_a["state"],
            from_a["weight"]) == (30, 0, "up", 3)
    with gw.connect() as link:
        del link
    text = run("status", "-c", gw.file).stdout
    assert re.search(rf"^app +127.0.0.1:{a.port} +up +0 +30 +0$", text, re.M)
    import urllib.request
    page = urllib.request.urlopen(f"http://{port.address}/metrics",
                                  timeout=seconds(5)).read().decode()
    labels = f'{{pool="app",server="127.0.0.1:{a.port}",host="127.0.0.1:{a.port}"}}'
    for line in (f"yett_origin_up{labels} 1", f"yett_origin_requests_total{labels} 30",
                 f"yett_origin_failures_total{labels} 0", f"yett_origin_active{labels} 0",
                 f"yett_origin_ejected{labels} 0", f"yett_origin_drained{labels} 0"):
        assert line in page


# --- limits of connections ------------------------------------------------------

def test_queue_keeps_to_max_connections(gateway, farm):
    a, b = farm(2)
    a.set(delay=0.02)
    b.set(delay=0.02)
    gw = gateway(**plain_policy(), pools=pool(
        a, b, max_connections=3, queue={"wait": "30s"}))
    with Load([gw], clients=24, pause=0, duration=2) as load:
        pass
    assert set(load.statuses) == {200} and not load.broken
    for member in (a, b):
        assert member.stats()["most_connections"] <= 3 + 1     # ours, that asks
        assert member.stats()["most_busy"] <= 3
        assert member.stats()["requests"] > 20
    assert min(load.between(0, 1e12), key=lambda x: x[1])[1] >= 0.02


def test_one_connection_is_shared_by_all_workers(gateway, farm):
    a, = farm(1)
    a.set(delay=0.002)
    gw = gateway(**plain_policy(), threads=4, pools=pool(
        a, max_connections=1, queue={"wait": "20s"}))
    with Load([gw], clients=12, pause=0, duration=2) as load:
        pass
    assert set(load.statuses) == {200} and not load.broken
    assert a.stats()["most_busy"] == 1


def test_room_that_comes_while_it_is_looked_for(gateway, farm):
    """Another worker closes the one connection just when this one found no room: that
    is no server drained."""
    a, = farm(1)
    gw = gateway(**plain_policy(), threads=4, pools=pool(
        a, max_connections=1, keepalive={"connections": 0}, queue={"wait": "20s"}))
    with Load([gw], clients=12, pause=0, duration=3) as load:
        pass
    assert set(load.statuses) == {200} and not load.broken


def test_full_queue_and_too_long_a_wait(gateway, origins):
    a = origins[0]
    held = Held([a])
    gw = gateway(**plain_policy(), threads=1, pools=pool(
        a, max_connections=1, queue={"length": 1, "wait": "1s"}))
    links = held.send(gw, 1)
    began = time.monotonic()
    waits = gw.connect(timeout=20)
    waits.send(request("GET", "/waits"))

    def refused():
        answer = gw.get("/refused")
        return answer if answer.status == 503 else None

    # the queue has one place; both may be there before the other
    answer = until(refused, what="a full queue")
    assert "queue full" in str(gw.audit(id=answer.id))
    late = waits.response()
    assert late.status == 503 and time.monotonic() - began >= 0.9
    texts = [r["detail"] for r in gw.records()] if "detail" in gw.records()[0] else \
        [str(r) for r in gw.records()]
    assert any("waited too long" in t for t in texts) or \
        all("queue full" in t for t in texts)
    held.let_go(links)
    until(lambda: gw.get("/after").status == 200, what="room")
    assert not [r for r in a.requests if r.target in ("/refused", "/waits")]


def test_who_leaves_the_queue_is_forgotten(gateway, origins):
    a = origins[0]
    held = Held([a])
    gw = gateway(**plain_policy(), threads=1, pools=pool(
        a, max_connections=1, queue={"length": 100, "wait": "30s"}))
    links = held.send(gw, 1)
    for _ in range(5):
        gw.connect().send(request("GET", "/left")).close()
    stays = gw.connect(timeout=30)
    stays.send(request("GET", "/stays"))
    until(lambda: gw.status()["connections"] <= 2, what="those who left to be gone")
    held.let_go(links)
    assert stays.response().status == 200
    assert [r.target for r in a.requests] == ["/hold", "/stays"]


def test_full_servers_are_waited_for_before_a_backup_is_asked(gateway, origins):
    a, b, _ = origins
    held = Held([a])
    gw = gateway(**plain_policy(), threads=1, pools=pool(
        a, {"url": b.url, "backup": True}, max_connections=1, queue={"wait": "30s"}))
    links = held.send(gw, 1)
    waits = gw.connect(timeout=30)
    waits.send(request("GET", "/waits"))
    held.let_go(links)
    assert waits.response().get("X-Origin") == "a"
    assert not b.requests


# --- retries --------------------------------------------------------------------

def test_client_of_a_drained_server_does_not_wait_for_others(gateway, origins):
    """Whoever may have what the head of the queue may not."""
    a, b, _ = origins
    gw = gateway(**plain_policy(), threads=1, pools=pool(
        a, b, sticky={"cookie": "srv"}, max_connections=1,
        queue={"length": 100, "wait": "30s"}))
    mine = until(lambda: next((v for v in [gw.get()] if v.get("X-Origin") == "a"), None),
                 what="a cookie of a")
    fields = [("Cookie", f"srv={cookie(mine)}")]
    assert run("drain", "app", a.url[7:], "-c", gw.file).returncode == 0
    held = Held([a, b])
    links = held.send(gw, 1)
    assert held.seen == {"b": 1}
    waits = gw.connect(timeout=30)
    waits.send(request("GET", "/waits"))
    until(lambda: gw.status()["connections"] == 2, what="the one that waits")
    for _ in range(3):
        answer = gw.get("/", fields)
        assert (answer.status, answer.get("X-Origin")) == (200, "a")
    # where it has to wait, too, it goes on when its own server can
    links += held.send(gw, 1, fields)
    assert held.seen == {"a": 1, "b": 1}
    also = gw.connect(timeout=30)
    also.send(request("GET", "/also", fields))
    until(lambda: gw.status()["connections"] == 4, what="both that wait")
    links.pop().close()
    answer = also.response()
    assert (answer.status, answer.get("X-Origin")) == (200, "a")
    assert not [r for r in b.requests if r.target == "/waits"]
    held.let_go(links)
    assert waits.response().status == 200


def reset(exchange):
    exchange.reset()


@pytest.mark.parametrize("method, body, again", [
    ("GET", None, True), ("HEAD", None, True), ("OPTIONS", None, True),
    ("PUT", None, True), ("DELETE", None, True),
    ("POST", b"x=1", False), ("PATCH", b"x", False), ("POST", None, False),
], ids=lambda value: str(value)[:10])
def test_only_what_is_safe_is_sent_twice(gateway, origins, method, body, again):
    a, b, _ = origins
    a.on("/x", reset)
    b.on("/x", reset)
    gw = gateway(**plain_policy(), threads=1, pools=pool(a, b, retries=5))
    a.scripts.pop("/x")
    statuses = [gw.ask(method, "/x", body=body).status for _ in range(4)]
    sent = [len([r for r in o.requests if r.method == method]) for o in (a, b)]
    if again:
        assert (statuses, sent[0]) == ([200] * 4, 4) and sent[1] > 0
    else:
        assert sorted(statuses) == [200, 200, 502, 502] and sent == [2, 2]


def test_body_that_is_kept_is_sent_again(gateway, origins):
    """What the WAF keeps can be sent again, and what streams through can't."""
    a, b, _ = origins
    b.on("/x", reset)
    body = b"x" * 100000
    gw = gateway(threads=1, policies={"default": {
        "mode": "detect", "request_body": {"inspect": "1MiB"}}}, pools=pool(a, b))
    assert [gw.ask("PUT", "/x", body=body).status for _ in range(4)] == [200] * 4
    assert b.requests and all(r.body == body for r in a.requests + b.requests)
    streams = gateway(**plain_policy(), threads=1, pools=pool(a, b))
    assert sorted(streams.ask("PUT", "/x", body=body).status for _ in range(4)) == \
        [200, 200, 502, 502]


def test_replacing_an_old_connection_is_no_retry(gateway, origins):
    """A server that dies breaks the kept connection and then a new one."""
    gw = gateway(**plain_policy(), threads=1, pools=pool(
        *origins, retries=1, balance="consistent_hash", hash_on="client"))
    name = gw.get("/").get("X-Origin")
    server = next(o for o in origins if o.name == name)
    server.on("/x", reset)
    answer = gw.get("/x")
    assert (answer.status, answer.get("X-Origin") == name) == (200, False)
    assert len([r for r in server.requests if r.target == "/x"]) == 2


def test_retries_are_bounded(gateway, origins):
    for server in origins:
        server.on("/x", reset)
    gw = gateway(**plain_policy(), threads=1, pools=pool(*origins, retries=1))
    answer, record = gw.record_of(request("GET", "/x"))
    assert (answer.status, record["reason"]) == (502, "upstream")
    assert sum(len(o.requests) for o in origins) == 2       # to two servers
    assert max(len(o.requests) for o in origins) == 1
    off = gateway(**plain_policy(), threads=1, pools=pool(*origins, retries=0))
    assert off.get("/x").status == 502
    assert sum(len(o.requests) for o in origins) == 3


def test_retry_budget(gateway, origins):
    """Origins that fail get a part more of requests, not a multiple."""
    for server in origins:
        server.on("/x", reset)
    gw = gateway(**plain_policy(), pools=pool(*origins, retries=5))
    began = time.monotonic()
    for _ in range(250):
        assert gw.get("/x").status in (502, 503)
    took = time.monotonic() - began
    sent = sum(len(o.requests) for o in origins)
    # a fifth of the requests, and ten a second of the last ten and of those since
    assert 250 <= sent <= 250 * 1.2 + 10 * (10 + took) + 10, sent


def test_an_answer_of_500_is_no_reason_to_ask_again(gateway, origins):
    a, b, _ = origins
    for server in (a, b):
        server.on("/x", lambda e: e.answer(status="500 Broken"))
    gw = gateway(**plain_policy(), pools=pool(a, b, retries=5))
    assert gw.get("/x").status == 500
    assert len(a.requests) + len(b.requests) == 1


def test_timeout_goes_to_another_server(gateway, origins):
    a, b, _ = origins
    held = Held([a], "/x")
    gw = gateway(**plain_policy(), threads=1, pools=pool(
        a, b, timeouts={"first_byte": "300ms"}))
    assert [gw.get("/x").get("X-Origin") for _ in range(4)] == ["b"] * 4
    assert state(gw, a)["failures"] == held.seen["a"] > 0
    held.event.set()


def test_client_that_leaves_is_no_failure_and_no_retry(gateway, origins):
    a, b, _ = origins
    held = Held([a, b])
    gw = gateway(**plain_policy(), pools=pool(a, b))
    for link in held.send(gw, 4):
        link.close()
    for server in (a, b):
        until(lambda s=server: state(gw, s)["active"] == 0, what="the end of requests")
        assert state(gw, server)["failures"] == 0
    assert sum(held.seen.values()) == 4
    held.event.set()


# --- servers that fail ------------------------------------------------------------

@pytest.mark.parametrize("how", ["500", "reset", "garbage"])
def test_server_that_fails_is_left_out_and_comes_back(gateway, origins, how):
    a, b, _ = origins
    state_of = {"bad": True}

    def answer(exchange):
        if not state_of["bad"]:
            return exchange.answer()
        if how == "500":
            return exchange.answer(status="503 Busy")
        if how == "garbage":
            return exchange.send(b"SSH-2.0-OpenSSH\r\n\r\n")
        return exchange.reset()

    a.on("/x", answer)
    gw = gateway(**plain_policy(), threads=1, pools=pool(
        a, b, retries=0, outlier={"failures": 5, "within": "1m", "eject": "2s"}))
    statuses = [gw.get("/x").status for _ in range(30)]
    assert statuses.count(200) == 25, statuses
    assert len([r for r in a.requests if r.target == "/x"]) == 5
    assert state(gw, a)["state"] == "ejected"
    gw.expect(f"pool app: 127.0.0.1:{a.port} is left out")
    state_of["bad"] = False
    until(lambda: gw.get("/x").get("X-Origin") == "a", timeout=20, what="its return")
    assert state(gw, a)["state"] == "up"
    assert {gw.get("/x").status for _ in range(10)} == {200}


def test_501_and_404_are_no_failures(gateway, origins):
    a, b, _ = origins
    a.on("/x", lambda e: e.answer(status="501 Not Implemented"))
    b.on("/x", lambda e: e.answer(status="404 Not Found"))
    gw = gateway(**plain_policy(), pools=pool(a, b, outlier={"failures": 1}))
    assert {gw.get("/x").status for _ in range(20)} == {501, 404}
    assert [state(gw, s)["failures"] for s in (a, b)] == [0, 0]


def test_last_server_standing(gateway, origins):
    """Who is the last one is asked, whatever is thought of it."""
    a, b, _ = origins
    for server in (a, b):
        server.on("/x", lambda e: e.answer(status="500 Broken"))
    gw = gateway(**plain_policy(), pools=pool(
        a, b, outlier={"failures": 1, "max_percent": 100}))
    assert {gw.get("/x").status for _ in range(20)} == {500}   # its own words
    assert sorted(state(gw, s)["state"] for s in (a, b)) == ["ejected", "up"]
    url, held = dead_url()
    alone = gateway(**plain_policy(), pools=pool({"url": url}, outlier={"failures": 1}))
    assert [alone.get().status for _ in range(5)] == [503] * 5
    held.close()


# --- origins that die, stop, slow down and start again, under load -------------------

class Wrk:
    """Load without a pause, all of GETs, until it is told to end; what did not end in
    2xx is counted."""

    def __init__(self, gw, clients=24):
        self.process = subprocess.Popen(
            ["wrk", "-t1", f"-c{clients}", "-d300s", "--timeout", "60s", gw.url + "/"],
            stdout=subprocess.PIPE, text=True)

    def finish(self):
        """(requests, failures, what it said)"""
        self.process.send_signal(signal.SIGINT)
        text = self.process.communicate(timeout=seconds(120))[0]
        requests = int(re.search(r"(\d+) requests in", text).group(1))
        failed = sum(int(n) for n in re.findall(
            r"Non-2xx or 3xx responses: (\d+)", text))
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), "
                           r"timeout (\d+)", text)
        failed += sum(int(n) for n in errors.groups()) if errors else 0
        return requests, failed, text


needs_wrk = pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")


def served(gw, member, count, timeout=20):
    """Waits until the member has answered that many more."""
    begin = state(gw, member)["requests"]
    until(lambda: state(gw, member)["requests"] >= begin + count, timeout=timeout,
          what=f"{count} requests of {member.name}")


def assert_few_failed(load, gw, share=0.0001):
    """Once there are enough requests for the share to mean something, or it has taken
    long enough."""
    end = time.monotonic() + seconds(6)
    while time.monotonic() < end and gw.status()["requests"]["answered"] < 20000:
        time.sleep(0.1)
    requests, failed, text = load.finish()
    assert requests > 500, text
    assert failed <= requests * share, f"{text}\n{gw.stderr}"


@needs_wrk
def test_origins_that_are_killed(gateway, farm):
    a, b, c = farm(3)
    gw = gateway(**plain_policy(), pools=pool(a, b, c))
    load = Wrk(gw)
    for victim in (a, b, c):
        served(gw, victim, 300)
        victim.kill()
        for other in {a, b, c} - {victim}:
            served(gw, other, 300)
        victim.start()
        served(gw, victim, 100)
    assert_few_failed(load, gw)


@needs_wrk
def test_each_origin_restarted_in_turn_costs_no_request(gateway, farm):
    members = farm(3)
    gw = gateway(**plain_policy(), pools=pool(*members))
    load = Wrk(gw)
    for member in members:
        served(gw, member, 300)
        member.restart()
        served(gw, member, 100)
    assert_few_failed(load, gw, share=0)


@needs_wrk
def test_origin_that_stops_and_goes_on(gateway, farm):
    """Its connections open and nothing comes: a timeout, then another server."""
    a, b, c = farm(3)
    gw = gateway(**plain_policy(), pools=pool(
        a, b, c, timeouts={"first_byte": f"{int(seconds(1000))}ms"},
        outlier={"failures": 3, "within": "1m", "eject": "2s"}))
    load = Wrk(gw)
    served(gw, a, 300)
    a.freeze()
    gw.expect("is left out", timeout=20)
    served(gw, b, 300)
    a.thaw()
    served(gw, a, 100)
    assert_few_failed(load, gw)


@needs_wrk
def test_slow_origin_gets_less(gateway, farm):
    a, b, c = farm(3)
    gw = gateway(**plain_policy(), pools=pool(a, b, c, balance="least_connections"))
    a.set(delay=0.2)
    load = Wrk(gw, clients=12)
    served(gw, b, 2000, timeout=60)
    assert_few_failed(load, gw, share=0)
    counts = [state(gw, m)["requests"] for m in (a, b, c)]
    assert counts[0] * 5 < min(counts[1:]), counts
