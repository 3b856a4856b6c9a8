# SPDX-License-Identifier: Apache-2.0
"""Rate limits: alone, and shared by gateways through real Redis."""
import os
import time
from pathlib import Path

import pytest

from yett_test.client import request
from yett_test.gateway import plain_policy, run
from yett_test.load import Load
from yett_test.redis import Cluster, Sentinel, Server, missing
from yett_test.wait import until

pytestmark = pytest.mark.timing

needs_redis = pytest.mark.skipif(missing() is not None, reason=f"no {missing()}")


def limited(limit, routes=(), redis=None, **more):
    """A configuration without WAF whose site has one limit."""
    config = {**plain_policy(),
              "limits": {"all": limit},
              "sites": [{"hosts": ["*"], "pool": "app", "policy": "default",
                         "limits": ["all"], "routes": list(routes)}]}
    if redis:
        config["redis"] = redis
    return {**config, **more}


@pytest.fixture
def redis(tmp_path):
    server = Server(tmp_path / "redis")
    yield server
    server.stop()


# --- alone -------------------------------------------------------------------

def test_second_login_within_a_minute_is_refused(gateway, origin):
    gw = gateway(**limited({"key": "client", "rate": "1/m", "burst": 1}))
    assert gw.get("/login").status == 200
    answer, record = gw.record_of(request(target="/login"))
    assert answer.status == 429
    assert 55 <= int(answer.get("retry-after")) <= 60
    assert answer.get("ratelimit-policy") == '"all";q=1;w=60'
    assert answer.get("ratelimit").startswith('"all";r=0;t=')
    assert (record["reason"], record["action"], record["status"]) == ("limit", "blocked", 429)
    assert record["limit"]["name"] == "all"
    assert record["limit"]["rate"] == "1/m"
    assert "127.0.0.1" in record["limit"]["key"]
    assert len(origin.requests) == 1


def test_clients_do_not_share_a_bucket(gateway):
    gw = gateway(**limited({"key": "client", "rate": "1/m", "burst": 1}))
    assert gw.get().status == 200
    assert gw.get().status == 429
    assert gw.raw(request(), source="127.0.0.2").status == 200


def test_allowed_answers_tell_of_the_limit_where_wanted(gateway):
    gw = gateway(**limited({"key": "client", "rate": "1/s", "burst": 5, "headers": True}))
    answer = gw.get()
    assert answer.status == 200
    assert answer.get("ratelimit-policy") == '"all";q=5;w=5'
    assert answer.get("ratelimit").startswith('"all";r=4;t=')


def test_allowed_answers_say_nothing_by_themselves(gateway):
    gw = gateway(**limited({"key": "client", "rate": "1/s", "burst": 5}))
    assert gw.get().get("ratelimit") is None


def test_shadow_only_tells(gateway, origin):
    gw = gateway(**limited({"key": "client", "rate": "1/m", "burst": 1, "mode": "shadow"}))
    assert [gw.get().status for _ in range(3)] == [200, 200, 200]
    record = gw.audit(2)[0]
    assert (record["reason"], record["action"], record["status"]) == ("limit", "detected", 200)
    assert len(origin.requests) == 3


def test_cost_0_does_not_count(gateway):
    gw = gateway(**limited({"key": "client", "rate": "1/m", "burst": 1, "cost": 0}))
    assert [gw.get().status for _ in range(4)] == [200] * 4


def test_a_route_has_its_own_limits(gateway):
    gw = gateway(**{**limited({"key": "client", "rate": "1/m", "burst": 1},
                              [{"path": "/free/", "limits": []},
                               {"path": "/api/", "limits": ["api"]}]),
                    "limits": {"all": {"key": "client", "rate": "1/m", "burst": 1},
                               "api": {"key": ["client", "header:X-Key"], "rate": "1/m",
                                       "burst": 2}}})
    assert [gw.get("/free/x").status for _ in range(3)] == [200] * 3
    assert [gw.get("/api/x", [("X-Key", "a")]).status for _ in range(3)] == [200, 200, 429]
    assert gw.get("/api/x", [("X-Key", "b")]).status == 200
    assert gw.get("/").status == 200
    assert gw.get("/").status == 429


@pytest.mark.parametrize("key, first, other", [
    ("path", {"target": "/a"}, {"target": "/b"}),
    ("cookie:sid", {"fields": [("Cookie", "x=1; sid=one")]},
     {"fields": [("Cookie", "sid=two; x=1")]}),
    ("header:X-Api-Key", {"fields": [("X-Api-Key", "one")]}, {"fields": [("X-Api-Key", "two")]}),
])
def test_keys(gateway, key, first, other):
    gw = gateway(**limited({"key": key, "rate": "1/m", "burst": 1}))
    assert gw.ask(**first).status == 200
    assert gw.ask(**first).status == 429
    assert gw.ask(**other).status == 200


def test_secrets_of_a_key_are_hashed(gateway):
    gw = gateway(**limited({"key": "header:X-Api-Key", "rate": "1/m", "burst": 1}))
    fields = [("X-Api-Key", "very-secret-key-4711")]
    gw.get(fields=fields)
    answer = gw.get(fields=fields)
    assert "very-secret" not in str(gw.audit(id=answer.id)["limit"])


@pytest.mark.parametrize("key, fields", [
    ("header:X-Key", lambda i: [("X-Key", f"other{i}"), ("X-Key", "mine")]),
    ("header:X-Key", lambda i: [("X-Key", "mine"), ("X-Key", f"other{i}")]),
    ("header:X-Key", lambda i: [("X-Key", f"other{i}"), ("X_Key", "mine")]),
    ("cookie:sid", lambda i: [("Cookie", f"sid=other{i}; sid=mine")]),
    ("cookie:sid", lambda i: [("Cookie", f"sid=other{i}; a=b; sid =mine")]),
    ("cookie:sid", lambda i: [("Cookie", f"sid=other{i}"), ("Cookie", "sid=mine")]),
])
def test_two_values_are_not_two_buckets(gateway, key, fields):
    """Which of the two the origin takes is not known here."""
    gw = gateway(**limited({"key": key, "rate": "1/m", "burst": 2}))
    assert [gw.get("/", fields(i)).status for i in range(4)] == [200, 200, 429, 429]
    # another client has another bucket, and so has who says the same thing twice
    assert gw.raw(request(fields=fields(0)), source="127.0.0.2").status == 200
    same = [("X-Key", "mine")] * 2 + [("Cookie", "sid=mine; sid=mine")]
    assert [gw.get("/", same).status for _ in range(3)] == [200, 200, 429]


def test_a_path_cannot_be_written_in_many_ways(gateway):
    gw = gateway(**limited({"key": "path", "rate": "1/m", "burst": 1}))
    assert gw.get("/a/b").status == 200
    for other in ("/a/%62", "/a/./b", "/a/c/../b", "/%61/b?x=1"):
        assert gw.get(other).status == 429, other


def test_local_limit_holds_under_load(gateway):
    gw = gateway(**limited({"key": "site", "rate": "50/s", "burst": 20}))
    load = Load([gw], clients=6, pause=0.005, duration=4)
    took = load.finish()
    assert not load.broken
    admitted = load.statuses[200]
    assert admitted <= 20 + 50 * took
    assert admitted >= 0.97 * (20 + 50 * 4)


# --- shared ------------------------------------------------------------------

def share(gateway, limit, redis, count=2, **more):
    """Gateways that share the limit, once they know of each other."""
    gateways = [gateway(**limited(limit, redis=redis, node=f"gw{n}", **more))
                for n in range(count)]
    for gw in gateways:
        until(lambda: is_sharing(gw.status()["sharing"], count), 10, "sharing to begin")
    return gateways


def is_sharing(told, count):
    return told["state"] == "shared" and told["nodes"] == count


def holds(gateways, rate, burst, duration, clients=8):
    """Loads them; nothing over the limit was admitted, and hardly less than it. A
    decision that a busy machine delays past its deadline would be this node's own:
    the gateways are given a long one, and none may be."""
    degraded = sum(gw.status()["limits"][0]["degraded"] for gw in gateways)
    time.sleep(0.3)                     # what was on lease before has expired
    load = Load(gateways, clients=clients, pause=0.004, duration=duration)
    took = load.finish()
    assert not load.broken, load.broken
    assert set(load.statuses) <= {200, 429}, load.statuses
    admitted = load.statuses[200]
    assert sum(gw.status()["limits"][0]["degraded"] for gw in gateways) == degraded
    assert admitted <= burst + rate * took, (admitted, took)
    assert admitted >= 0.97 * (burst + rate * duration), (admitted, took, load.statuses)


@needs_redis
def test_two_gateways_one_limit(gateway, redis):
    gateways = share(gateway, {"key": "site", "rate": "100/s", "burst": 100},
                     {"url": redis.url, "deadline": "1s"})
    holds(gateways, 100, 100, 30)


@needs_redis
def test_a_bucket_emptied_here_is_empty_there(gateway, redis):
    one, two = share(gateway, {"key": "client", "rate": "1/m", "burst": 3},
                     {"url": redis.url})
    assert [g.get().status for g in (one, two, one, two, one)] == [200, 200, 200, 429, 429]


@needs_redis
def test_a_bucket_survives_a_restart_of_the_gateway(gateway, redis):
    limit = {"key": "client", "rate": "1/m", "burst": 1}
    (first,) = share(gateway, limit, {"url": redis.url}, 1)
    assert first.get().status == 200
    first.stop()
    (second,) = share(gateway, limit, {"url": redis.url}, 1)
    assert second.get().status == 429


@needs_redis
def test_every_key_has_a_time_to_live(gateway, redis):
    (gw,) = share(gateway, {"key": "client", "rate": "1/s", "burst": 3}, {"url": redis.url}, 1)
    gw.get()
    keys = [k for k in redis.cli("keys", "*").split("\n") if "limit" in k]
    assert len(keys) == 1
    assert 0 < int(redis.cli("pttl", keys[0])) <= 1000


@needs_redis
def test_hot_key_makes_few_trips(gateway, redis):
    (gw,) = share(gateway, {"key": "site", "rate": "100000/s", "burst": 100000},
                  {"url": redis.url}, 1)
    Load([gw], clients=8, pause=0, duration=1).finish()
    before = redis.scripts()
    load = Load([gw], clients=8, pause=0, duration=4)
    took = load.finish()
    trips = redis.scripts() - before
    assert load.statuses[200] > 500
    assert trips <= 60 * took, (trips, load.statuses)


@needs_redis
def test_a_denied_key_makes_few_trips(gateway, redis):
    (gw,) = share(gateway, {"key": "client", "rate": "1/m", "burst": 1}, {"url": redis.url}, 1)
    gw.get()
    before = redis.scripts()
    load = Load([gw], clients=4, pause=0, duration=2)
    load.finish()
    assert load.statuses[200] == 0
    assert load.statuses[429] > 100
    assert redis.scripts() - before <= 20


@needs_redis
def test_scripts_that_were_flushed_come_back(gateway, redis):
    (gw,) = share(gateway, {"key": "client", "rate": "1/m", "burst": 3}, {"url": redis.url}, 1)
    assert gw.get().status == 200
    assert redis.cli("script", "flush") == "OK"
    assert [gw.get().status for _ in range(3)] == [200, 200, 429]


@needs_redis
def test_password(gateway, tmp_path):
    server = Server(tmp_path / "redis", password="a-secret-word")
    try:
        secret = tmp_path / "password"
        secret.write_text("a-secret-word\n")
        one, two = share(gateway, {"key": "client", "rate": "1/m", "burst": 1},
                         {"url": server.url, "password_file": str(secret)})
        assert [one.get().status, two.get().status] == [200, 429]
        assert "a-secret-word" not in one.stderr + two.stderr
    finally:
        server.stop()


@needs_redis
def test_wrong_password_is_told_and_costs_nobody_a_request(gateway, tmp_path):
    server = Server(tmp_path / "redis", password="a-secret-word")
    try:
        secret = tmp_path / "password"
        secret.write_text("another-word\n")
        gw = gateway(**limited({"key": "client", "rate": "100/s", "burst": 10},
                               redis={"url": server.url, "password_file": str(secret)}))
        gw.expect("refuses the password")
        assert gw.get().status == 200
        assert "another-word" not in gw.stderr
    finally:
        server.stop()


def told_to_operators():
    """The rights of Redis' user that docs/guide/limits.md names."""
    source = Path(os.environ.get("top_srcdir", Path(__file__).parents[2]))
    told = (source / "docs/guide/limits.md").read_text().split("ACL SETUSER ")[1]
    return told.split("\n\n")[0].replace(">PASSWORD", ">word").split()


def with_user(redis, servers, folder, gateway):
    """Two gateways that have no other rights share a limit and bans, and ask for
    nothing that they may not."""
    for server in servers:
        assert server.cli("acl", "setuser", *told_to_operators()) == "OK"
    secret = folder / "password"
    secret.write_text("word")
    one, two = share(gateway, {"key": "path", "rate": "1/m", "burst": 2},
                     {"url": redis.url, "username": "yett", "password_file": str(secret)},
                     bans={"after": 2, "within": "1m", "for": "1m", "count": ["limit"]})
    for path in ("/a", "/b", "/c", "/d"):
        assert [gw.get(path).status for gw in (one, two)] == [200, 200]
    until(lambda: all(gw.status()["redis"]["link"] == "up" for gw in (one, two)), 10)
    for words in (["show"], ["reset"]):
        done = run("limit", *words, "all", "/a", "-c", one.file)
        assert done.returncode == 0, done.stderr
    assert one.get("/b").status == 429 and two.get("/c").status == 429
    until(lambda: all(gw.status()["bans"]["bans"] == 1 for gw in (one, two)), 10)
    assert run("ban", "add", "192.0.2.1", "-c", two.file).returncode == 0
    until(lambda: one.status()["bans"]["bans"] == 2, 10)
    assert run("ban", "lift", "--all", "-c", one.file).returncode == 0
    until(lambda: two.status()["bans"]["bans"] == 0, 10)
    assert [server.cli("acl", "log") for server in servers] == [""] * len(servers)


@needs_redis
def test_user_of_an_acl(gateway, tmp_path, redis):
    with_user(redis, [redis], tmp_path, gateway)


@needs_redis
def test_user_of_a_cluster_s_acl(gateway, tmp_path):
    cluster = Cluster(tmp_path / "cluster")
    try:
        with_user(cluster, cluster.servers, tmp_path, gateway)
    finally:
        cluster.stop()


@needs_redis
def test_tls(gateway, tmp_path, authority):
    server = Server(tmp_path / "redis", tls=(authority, authority.issue("127.0.0.1")))
    try:
        gateways = share(gateway, {"key": "site", "rate": "100/s", "burst": 50},
                         {"url": server.url, "ca": authority.file, "deadline": "1s"})
        holds(gateways, 100, 50, 4)
    finally:
        server.stop()


@needs_redis
def test_tls_of_a_stranger_is_refused(gateway, tmp_path, authority):
    server = Server(tmp_path / "redis", tls=(authority, authority.issue("other.test")))
    try:
        gw = gateway(**limited({"key": "client", "rate": "1/m", "burst": 5},
                               redis={"url": server.url, "ca": authority.file}))
        gw.expect("warn redis:")
        assert gw.get().status == 200
        assert server.scripts() == 0
    finally:
        server.stop()


@needs_redis
def test_unix_socket(gateway, tmp_path):
    path = tmp_path / "r.sock"
    server = Server(tmp_path / "redis", "--unixsocket", path)
    try:
        one, two = share(gateway, {"key": "client", "rate": "1/m", "burst": 1},
                         {"url": f"unix:{path}"})
        assert [one.get().status, two.get().status] == [200, 429]
    finally:
        server.stop()


@needs_redis
def test_local_clock(gateway, redis):
    one, two = share(gateway, {"key": "client", "rate": "1/m", "burst": 1},
                     {"url": redis.url, "clock": "local"})
    assert [one.get().status, two.get().status] == [200, 429]


@needs_redis
def test_cluster(gateway, tmp_path):
    cluster = Cluster(tmp_path / "cluster")
    try:
        gateways = share(gateway, {"key": "path", "rate": "100/s", "burst": 50},
                         {"url": cluster.url, "deadline": "1s"})
        holds(gateways, 100, 50, 4)
        # buckets of many paths lie on all three
        one, two = gateways
        for n in range(60):
            assert (one if n % 2 else two).get(f"/p{n}").status == 200
        assert all(s.scripts() > 0 for s in cluster.servers)
    finally:
        cluster.stop()


@needs_redis
def test_sentinel_and_a_fail_over(gateway, tmp_path):
    sentinel = Sentinel(tmp_path / "sentinel")
    try:
        gateways = share(gateway, {"key": "site", "rate": "50/s", "burst": 20},
                         {"url": sentinel.url, "deadline": "1s"})
        holds(gateways, 50, 20, 3)
        with Load(gateways, clients=4, pause=0.02) as load:
            sentinel.master.kill()
            until(lambda: sentinel.master_port() == sentinel.replica.port, 20,
                  "the fail-over")
            before = sentinel.replica.scripts()
            until(lambda: sentinel.replica.scripts() > before + 5, 5,
                  "the gateways to use the new master")
        assert not load.broken
        assert set(load.statuses) <= {200, 429}, load.statuses
        until(lambda: all(is_sharing(g.status()["sharing"], 2) for g in gateways), 10,
              "sharing to go on")
        holds(gateways, 50, 20, 3)
    finally:
        sentinel.stop()
