# SPDX-License-Identifier: Apache-2.0
"""Redis killed, frozen, slowed down and started again under load: nobody gets a
5xx, nobody waits, and sharing comes back by itself."""
import time

import pytest

from test_limits import limited, needs_redis, share
from yett_test.client import request
from yett_test.gateway import plain_policy
from yett_test.load import Load, percentile
from yett_test.redis import Relay, Server
from yett_test.wait import seconds, until

pytestmark = [needs_redis, pytest.mark.timing]
DEADLINE = 0.010


@pytest.fixture
def redis(tmp_path):
    server = Server(tmp_path / "redis")
    yield server
    server.stop()


def gateways_of(gateway, url, limit, count=2):
    return share(gateway, limit, {"url": url}, count)


def quick(load, beside, begin, end, calm):
    """p99 rose by less than the deadline: over what it was before, or over that of a
    gateway without limits in the same seconds, since a busy machine delays both."""
    worst = percentile(load.between(begin, end), 0.99)
    others = percentile(beside.between(begin, end), 0.99)
    assert worst < 1.5 * max(calm, others) + DEADLINE * seconds(1), (worst, others, calm)


FAILURES = {
    "killed": (lambda server, relay: server.kill(), lambda server, relay: server.start()),
    "frozen": (lambda server, relay: server.freeze(), lambda server, relay: server.thaw()),
    "slow": (lambda server, relay: setattr(relay, "delay", 0.2),
             lambda server, relay: setattr(relay, "delay", 0.0)),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_costs_nobody_a_request(gateway, redis, name):
    fail, mend = FAILURES[name]
    relay = Relay(redis.port)
    try:
        gateways = gateways_of(gateway, relay.url,
                               {"key": "site", "rate": "10000/s", "burst": 10000})
        plain = gateway(**plain_policy())
        with Load(gateways, clients=6, pause=0.01) as load, \
                Load([plain], clients=3, pause=0.01) as beside:
            time.sleep(2)
            failed = time.monotonic()
            fail(redis, relay)
            time.sleep(3)
            mended = time.monotonic()
            mend(redis, relay)
            before = redis.scripts()
            until(lambda: redis.scripts() > before + 10, 4, "sharing to come back")
            back = time.monotonic()
            time.sleep(1)
        assert not load.broken, load.broken
        assert set(load.statuses) == {200}, load.statuses
        assert back - mended < seconds(2)
        calm = percentile(load.between(load.began + 0.5, failed), 0.99)
        quick(load, beside, failed, mended, calm)
    finally:
        relay.stop()


@pytest.mark.parametrize("name", FAILURES)
def test_local_limits_hold_their_share(gateway, redis, name):
    fail, _ = FAILURES[name]
    relay = Relay(redis.port)
    try:
        gateways = gateways_of(gateway, relay.url,
                               {"key": "site", "rate": "100/s", "burst": 20})
        fail(redis, relay)
        time.sleep(seconds(1.5))        # the breakers open
        load = Load(gateways, clients=6, pause=0.005, duration=5)
        took = load.finish()
        assert not load.broken
        assert set(load.statuses) <= {200, 429}, load.statuses
        # two nodes, half of the limit each
        assert load.statuses[200] <= 20 + 100 * took * 1.02
        assert load.statuses[200] >= 0.9 * 100 * 5
    finally:
        relay.stop()


def test_closed_limits_deny_and_open_ones_let_pass(gateway, redis):
    (closed,) = gateways_of(gateway, redis.url, {
        "key": "client", "rate": "1000/s", "burst": 1000, "on_redis_failure": "closed"}, 1)
    opened = gateway(**limited({"key": "client", "rate": "1/m", "burst": 1,
                                "on_redis_failure": "open"}, redis={"url": redis.url}))
    assert closed.get().status == 200
    redis.kill()
    until(lambda: closed.get().status == 429, 3, "the closed limit to deny")
    answer = closed.get()
    assert answer.status == 429
    assert int(answer.get("retry-after")) >= 1
    assert closed.audit(id=answer.id)["reason"] == "limit"
    until(lambda: [opened.get().status for _ in range(4)] == [200] * 4, 3,
          "the open limit to let pass")
    redis.start()
    until(lambda: closed.get().status == 200, 3, "sharing to come back")


def test_started_without_redis(gateway, tmp_path, redis):
    """Redis is not there at the start, and comes."""
    redis.kill()
    gw = gateway(**limited({"key": "client", "rate": "1/m", "burst": 1},
                           redis={"url": redis.url}))
    assert gw.get().status == 200
    assert gw.get().status == 429       # this node's share: all of it
    redis.start()
    until(lambda: gw.status()["sharing"]["state"] == "shared", 5, "sharing to begin")
    assert gw.raw(request(), source="127.0.0.9").status == 200
    assert gw.raw(request(), source="127.0.0.9").status == 429
    assert redis.scripts() > 0
