# SPDX-License-Identifier: Apache-2.0
"""Bans: who keeps on being refused is shut out. Clients have addresses of 127/8."""
import datetime
import json
import time

import pytest

from yett_test.client import Closed, request
from yett_test.gateway import plain_policy, run
from yett_test.redis import Server, missing
from yett_test.wait import until

needs_redis = pytest.mark.skipif(missing() is not None, reason=f"no {missing()}")

ATTACKER, NEIGHBOUR = "127.0.0.66", "127.0.0.67"


def banning(redis=None, access=(), **bans):
    """A configuration without WAF where /bad is denied, which counts."""
    config = {**plain_policy(),
              "bans": {"after": 3, "within": "1m", "for": "10m", "count": ["acl"], **bans},
              "sites": [{"hosts": ["*"], "pool": "app", "policy": "default",
                         "access": [*access, {"deny": {"path": ["/bad"]}}, {"allow": "any"}]}]}
    if redis:
        config["redis"] = {"url": redis.url}
    return config


@pytest.fixture
def redis(tmp_path):
    server = Server(tmp_path / "redis")
    yield server
    server.stop()


def ban(gw, *arguments):
    """`yett ban`: exit status, output, errors."""
    ended = run("ban", *arguments, "--socket", gw.config["admin"]["socket"])
    return ended.returncode, ended.stdout, ended.stderr


def bans(gw):
    status, out, errors = ban(gw, "list", "--json")
    assert status == 0, errors
    return {b["client"]: b for b in json.loads(out)["bans"]}


def attack(gw, times=3, source=ATTACKER):
    """Ids of the refusals."""
    ids = []
    for _ in range(times):
        answer = gw.raw(request(target="/bad"), source=source)
        assert answer.status == 403
        ids.append(answer.id)
    return ids


def is_served(gw, source=ATTACKER, fields=()):
    """True, or the reason in the record of the refusal."""
    answer = gw.raw(request(fields=fields), source=source)
    return answer.status == 200 or gw.audit(id=answer.id)["reason"]


def is_shut_out(gw, source=ATTACKER, data=request()):
    try:
        with gw.connect(source=source) as connection:
            connection.send(data).response()
        return False
    except (Closed, ConnectionError):
        return True


def test_a_client_that_is_refused_too_often_is_banned(gateway, origin):
    gw = gateway(**banning())
    ids = attack(gw, 2)
    assert is_served(gw) is True
    ids += attack(gw, 1)
    until(lambda: bans(gw), what="a ban")
    it = bans(gw)[ATTACKER]
    # two threads may write down two requests in either order
    assert sorted(it["ids"]) == sorted(ids)
    assert it["reason"] == "3 refusals within 60 s: acl"
    assert (it["by"], it["mode"], it["level"], it["node"]) == \
        ("refusals", "enforce", 0, "gw-test")
    assert 590 <= it["seconds_left"] <= 600
    # the page, once, then the door
    before = len(origin.requests)
    answer, record = gw.record_of(request(), source=ATTACKER)
    assert (answer.status, record["reason"], record["action"]) == (403, "ban", "blocked")
    until(lambda: is_shut_out(gw), what="the closed door")
    assert is_shut_out(gw)
    assert len(origin.requests) == before
    assert is_served(gw, NEIGHBOUR) is True
    assert gw.status()["bans"]["bans"] == 1


def test_requests_on_a_connection_that_is_open_are_refused_too(gateway):
    gw = gateway(**banning())
    with gw.connect(source=ATTACKER) as connection:
        assert connection.send(request()).response().status == 200
        attack(gw)
        until(lambda: bans(gw), what="a ban")
        assert connection.send(request()).response().status == 403


def test_the_waf_s_refusals_count_by_default(gateway):
    gw = gateway(bans={"after": 2, "for": "10m"})
    for _ in range(2):
        answer = gw.raw(request(target="/?q=1'+union+select+password+from+users--"),
                        source=ATTACKER)
        assert answer.status == 403
    until(lambda: ATTACKER in bans(gw), what="a ban")
    assert bans(gw)[ATTACKER]["reason"] == "2 refusals within 60 s: waf"
    assert is_served(gw) == "ban"


def test_an_allow_rule_by_address_beats_a_ban(gateway):
    gw = gateway(**banning(access=[
        {"allow": {"address": [ATTACKER + "/32"], "path": ["/open"]}}]))
    attack(gw)
    until(lambda: bans(gw), what="a ban")
    assert is_served(gw) == "ban"
    # what it may do it may do, and so its connections are not closed
    for _ in range(3):
        assert gw.raw(request(target="/open"), source=ATTACKER).status == 200
        assert is_served(gw) == "ban"


def length(it):
    """Seconds that a ban lasts."""
    since, until_ = (datetime.datetime.fromisoformat(it[k].rstrip("Z")) for k in
                     ("since", "until"))
    return (until_ - since).total_seconds()


def test_each_further_ban_lasts_twice_as_long(gateway):
    gw = gateway(**banning(**{"for": "1s", "max": "3s"}))
    for level, lasts in enumerate((1, 2, 3)):
        attack(gw)
        until(lambda: ATTACKER in bans(gw), what="a ban")
        it = bans(gw)[ATTACKER]
        assert (it["level"], length(it)) == (level, lasts)
        # by the list, which shows no page
        until(lambda: ATTACKER not in bans(gw), 10, "the end of the ban")
        assert is_served(gw) is True


def test_shadow_only_tells(gateway):
    gw = gateway(**banning(mode="shadow"))
    attack(gw)
    until(lambda: bans(gw), what="a ban")
    assert bans(gw)[ATTACKER]["mode"] == "shadow"
    for _ in range(5):
        assert is_served(gw) is True
    until(lambda: any(r["reason"] == "ban" and r["action"] == "detected"
                      for r in gw.records()), what="its record")
    attack(gw, 10)
    assert bans(gw)[ATTACKER]["level"] == 0
    _, out, _ = ban(gw, "list")
    assert "(shadow)" in out


def test_by_hand(gateway):
    gw = gateway(**plain_policy())
    status, out, _ = ban(gw, "list")
    assert (status, out) == (0, "nobody is banned\n")
    status, out, _ = ban(gw, "add", ATTACKER, "--for", "1h", "--reason", "scans \x1b[31m")
    assert status == 0 and out.startswith(f"{ATTACKER} is banned until 2")
    assert is_served(gw) == "ban"
    until(lambda: is_shut_out(gw), what="the closed door")
    status, out, _ = ban(gw, "list")
    assert status == 0 and ATTACKER in out and "scans" in out and "hand" in out
    assert "\x1b" not in out
    status, out, _ = ban(gw, "lift", ATTACKER)
    assert (status, out) == (0, f"{ATTACKER} is not banned any more\n")
    assert is_served(gw) is True
    # wider, and what is in it
    assert ban(gw, "add", "127.0.0.64/26")[0] == 0
    assert is_served(gw) == "ban" and is_served(gw, NEIGHBOUR) == "ban"
    assert is_served(gw, "127.0.0.1") is True
    status, _, errors = ban(gw, "lift", ATTACKER)
    assert status == 1 and "it is in 127.0.0.64/26, which is banned" in errors
    assert ban(gw, "add", "2001:db8::1")[1].startswith("2001:db8::/64 is banned")
    status, out, _ = ban(gw, "lift", "--all")
    assert (status, out) == (0, "2 bans lifted\n")
    assert is_served(gw) is True


@pytest.mark.parametrize("arguments, status, told", [
    (["add", "127.0.0.1/8"], 1, "meant: 127.0.0.0/8"),
    (["add", "somewhere"], 1, "not a prefix"),
    (["add", "0.0.0.0/0"], 1, "everybody"),
    (["add", "192.0.2.1", "--reason", "x" * 96], 1, "95 bytes"),
    (["add", "192.0.2.1", "--for", "366d"], 1, "365 days"),
    (["add", "192.0.2.1", "--for", "soon"], 2, "found: soon"),
    (["add"], 2, "missing"),
    (["lift", "192.0.2.1"], 1, "192.0.2.1 is not banned"),
    (["lift"], 2, "--all"),
    (["lift", "192.0.2.1", "--all"], 2, "--all"),
    (["list", "192.0.2.1"], 2, "--json only"),
    (["stop"], 2, "found: stop"),
    ([], 2, "missing"),
    (["add", "192.0.2.1", "192.0.2.2"], 2, "unexpected"),
])
def test_what_the_command_refuses(module_gateway, arguments, status, told):
    if not module_gateway.started:
        module_gateway(**plain_policy())
    gw = module_gateway.started[0]
    ended = ban(gw, *arguments)
    assert (ended[0], ended[1]) == (status, "")
    assert told in ended[2]


def test_a_proxy_is_not_banned_for_its_clients(gateway):
    gw = gateway(**banning(), identity={"trusted_proxies": ["127.0.0.1/32"]})
    for _ in range(3):
        assert gw.get("/bad", [("X-Forwarded-For", "192.0.2.66")]).status == 403
    until(lambda: "192.0.2.66" in bans(gw), what="a ban")
    for _ in range(3):
        assert is_served(gw, "127.0.0.1", [("X-Forwarded-For", "192.0.2.66")]) == "ban"
        assert is_served(gw, "127.0.0.1", [("X-Forwarded-For", "192.0.2.67")]) is True
    # nor for what it asks itself
    for _ in range(5):
        assert gw.get("/bad").status == 403
    assert list(bans(gw)) == ["192.0.2.66"]


@needs_redis
def test_two_gateways_share_bans(gateway, redis):
    one = gateway(**banning(redis), node="gw1")
    two = gateway(**banning(redis), node="gw2")
    for gw in (one, two):
        until(lambda g=gw: g.status()["redis"]["link"] == "up", what="Redis")
    # refusals add up
    ids = attack(one, 1) + attack(two, 2)
    began = time.monotonic()
    until(lambda: ATTACKER in bans(one) and ATTACKER in bans(two), what="the ban")
    assert time.monotonic() - began < 2
    assert sorted(bans(one)[ATTACKER]["ids"]) == sorted(ids)
    assert is_served(one) == "ban" and is_served(two) == "ban"
    # by hand, and back
    ban(two, "add", NEIGHBOUR)
    until(lambda: NEIGHBOUR in bans(one), what="the ban by hand")
    assert bans(one)[NEIGHBOUR]["node"] == "gw2"
    ban(one, "lift", "--all")
    until(lambda: not bans(two), what="the end of both")
    assert is_served(two) is True


@needs_redis
def test_bans_survive_restarts(gateway, redis):
    gw = gateway(**banning(redis))
    attack(gw)
    until(lambda: ATTACKER in bans(gw), what="the ban")
    until(lambda: "127.0.0.66/32" in redis.cli("zrange", "yett:bans", 0, -1),
          what="the ban in Redis")
    gw.stop()
    again = gateway(**banning(redis))
    until(lambda: ATTACKER in bans(again), what="the ban")
    assert is_served(again) == "ban"
    # and those of Redis
    redis.kill()
    redis.start()
    third = gateway(**banning(redis))
    until(lambda: ATTACKER in bans(third), what="the ban")


@needs_redis
def test_without_redis_each_goes_on_alone(gateway, redis):
    one = gateway(**banning(redis), node="gw1")
    two = gateway(**banning(redis), node="gw2")
    until(lambda: two.status()["redis"]["link"] == "up", what="Redis")
    redis.kill()
    until(lambda: two.status()["redis"]["link"] != "up", what="its end")
    attack(one)
    until(lambda: ATTACKER in bans(one), what="the ban")
    assert not bans(two)
    redis.start()
    until(lambda: ATTACKER in bans(two), 15, "the ban to be told")


def test_a_banned_client_s_connection_is_closed_behind_the_page(gateway):
    gw = gateway(**banning())
    with gw.connect(source=ATTACKER) as connection:
        for _ in range(3):
            assert connection.send(request(target="/bad")).response().status == 403
        until(lambda: bans(gw), what="a ban")
        answer = connection.send(request() * 3).response()
        assert (answer.status, answer.get("connection")) == (403, "close")
        with pytest.raises(Closed):
            connection.response()
    assert is_shut_out(gw)


def test_a_proxy_s_connection_is_not_closed_for_one_of_its_clients(gateway):
    gw = gateway(identity={"trusted_proxies": ["127.0.0.1/32"]}, **banning())
    assert ban(gw, "add", ATTACKER)[0] == 0
    with gw.connect() as connection:
        for client, status in ((ATTACKER, 403), (NEIGHBOUR, 200), (ATTACKER, 403)):
            connection.send(request(fields=[("X-Forwarded-For", client)]))
            assert connection.response().status == status


def test_who_is_banned_and_sends_garbage_is_shut_out_too(gateway):
    gw = gateway(**banning())
    assert ban(gw, "add", ATTACKER)[0] == 0
    garbage = b"GET / HTTP/1.1\r\nno field\r\n\r\n"
    assert gw.raw(garbage, source=ATTACKER).status == 400
    # the page counts as shown when the request is written down, after its answer
    until(lambda: is_shut_out(gw, data=garbage), what="the closed door")
    assert is_shut_out(gw)
