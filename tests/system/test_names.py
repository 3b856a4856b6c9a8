# SPDX-License-Identifier: Apache-2.0
"""Names of origins, asked for at a real DNS server that changes its mind."""
import re
import time
import urllib.request

import pytest
import yaml

from yett_test.dns import Dns
from yett_test.gateway import Gateway, plain_policy, run
from yett_test.load import Load
from yett_test.origin import origins_of_one_port
from yett_test.wait import Port, ipv6_here, until

pytestmark = pytest.mark.timing

LONG = 3600
NAME = "app.test"


@pytest.fixture
def dns():
    server = Dns()
    yield server
    server.stop()


@pytest.fixture
def origins():
    """The same port on 127.0.0.1, .2 and .3."""
    servers = origins_of_one_port("127.0.0.1", "127.0.0.2", "127.0.0.3")
    yield servers
    for server in servers:
        server.stop()


def named(dns, port, name=NAME, **pool):
    return {**plain_policy(), "resolver": {"servers": [dns.address]},
            "pools": {"app": {"servers": [{"url": f"http://{name}:{port}"}], **pool}}}


def told(gw, name=NAME):
    """What the status says of the name."""
    return next(n for n in gw.status()["names"] if n["name"] == name)


def counts(origins):
    return [len(o.requests) for o in origins]


def test_every_address_is_a_server(gateway, dns, origins):
    dns.set(NAME, "127.0.0.2", "127.0.0.1", ttl=LONG)
    gw = gateway(**named(dns, origins[0].port))
    for _ in range(20):
        assert gw.get().status == 200
    assert counts(origins) == [10, 10, 0]
    until(lambda: told(gw)["addresses"] == ["127.0.0.1", "127.0.0.2"], what="the answer")
    assert told(gw)["problem"] is None
    human = run("status", "--socket", gw.config["admin"]["socket"]).stdout
    assert f"{NAME} 127.0.0.1, 127.0.0.2" in human


@pytest.mark.skipif(not ipv6_here(), reason="no IPv6 here")
def test_both_families(gateway, dns):
    servers = origins_of_one_port("127.0.0.1", "::1")
    dns.set(NAME, "::1", "127.0.0.1", ttl=LONG)
    gw = gateway(**named(dns, servers[0].port))
    for _ in range(20):
        assert gw.get().status == 200
    assert counts(servers) == [10, 10]
    until(lambda: told(gw)["addresses"] == ["127.0.0.1", "::1"], what="the answer")
    for server in servers:
        server.stop()


def test_addresses_that_change_under_load(gateway, dns, origins):
    """No request is lost, the new address gets its share soon after the time to
    live is over, and the old one nothing any more."""
    old, kept, new = origins
    dns.set(NAME, "127.0.0.1", "127.0.0.2", ttl=1)
    gw = gateway(**named(dns, old.port))
    with Load([gw], clients=6, pause=0.002) as load:
        until(lambda: min(counts([old, kept])) > 20, what="load on both")
        dns.set(NAME, "127.0.0.2", "127.0.0.3", ttl=1)
        until(lambda: new.requests, what="traffic to the new address")
        assert "127.0.0.2, 127.0.0.3" in gw.expect(f"{NAME} is now")
        # What was under way when the set changed ends; idle connections are closed.
        until(lambda: not old.open, 15, "connections to the old address to end")
        last = len(old.requests)
        mark = len(new.requests)
        until(lambda: len(new.requests) > mark + 100, what="more traffic")
        assert len(old.requests) == last
        # There and back, and then the others go away.
        for address in ("127.0.0.1", "127.0.0.3", "127.0.0.2"):
            dns.set(NAME, address, ttl=1)
            until(lambda: told(gw)["addresses"] == [address], 10, f"{address} alone")
        until(lambda: not old.open and not new.open, 15, "their connections to end")
        old.stop()
        new.stop()
        mark = len(kept.requests)
        until(lambda: len(kept.requests) > mark + 100, what="more traffic")
    assert not load.broken
    assert set(load.statuses) == {200}


@pytest.mark.parametrize("way", ["nxdomain", "servfail", "silent", "garbage"])
def test_what_was_known_stays(gateway, dns, origins, way):
    dns.set(NAME, "127.0.0.1", ttl=1)
    config = named(dns, origins[0].port)
    config["resolver"]["timeout"] = "1s"
    metrics = Port().address
    gw = gateway(**config, admin={"metrics": metrics})
    until(lambda: told(gw)["addresses"], what="the first answer")
    dns.way(NAME, way)
    assert "its addresses stay" in gw.expect(f"warn names: {NAME}: ", 20)
    state = told(gw)
    assert state["addresses"] == ["127.0.0.1"] and state["problem"]
    human = run("status", "--socket", gw.config["admin"]["socket"]).stdout
    assert "can't be looked up" in human
    with urllib.request.urlopen(f"http://{metrics}/metrics") as page:
        figures = page.read().decode()
    assert f'yett_name_addresses{{name="{NAME}"}} 1\n' in figures
    assert f'yett_name_failed{{name="{NAME}"}} 1\n' in figures
    for _ in range(5):
        assert gw.get().status == 200
    dns.set(NAME, "127.0.0.2", ttl=1)
    gw.expect(f"{NAME} can be looked up again", 20)
    gw.expect(f"{NAME} is now 127.0.0.2", 20)
    assert gw.get().status == 200
    assert counts(origins) == [5, 1, 0]
    assert told(gw)["problem"] is None


def test_all_addresses_refuse(gateway, dns, origins):
    """DNS is asked again long before the time to live is over."""
    origins[1].stop()
    dns.set(NAME, "127.0.0.2", ttl=LONG)
    gw = gateway(**named(dns, origins[0].port))
    assert gw.get().status == 503
    dns.set(NAME, "127.0.0.1", ttl=LONG)
    until(lambda: gw.get().status == 200, 15, "the other address")
    asked = dns.asked[NAME]
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert gw.get().status == 200
    assert dns.asked[NAME] == asked


def test_one_name_in_several_pools_is_one_name(gateway, dns, origins):
    other = origins_of_one_port("127.0.0.1", "127.0.0.2")
    dns.set(NAME, "127.0.0.1", ttl=1)
    config = named(dns, origins[0].port)
    config["pools"]["two"] = {"servers": [{"url": f"http://{NAME}:{other[0].port}"}]}
    config["sites"] = [{"hosts": ["*"], "pool": "app", "policy": "default",
                        "routes": [{"path": "/two/", "pool": "two"}]}]
    gw = gateway(**config)
    dns.set(NAME, "127.0.0.2", ttl=LONG)
    gw.expect(f"{NAME} is now 127.0.0.2")
    assert len(gw.status()["names"]) == 1
    assert (gw.get().status, gw.get("/two/").status) == (200, 200)
    assert (counts(origins), counts(other)) == ([0, 1, 0], [0, 1])
    for server in other:
        server.stop()


def test_hosts_come_first(gateway, dns, origins):
    dns.set("localhost", "127.0.0.2", ttl=1)
    gw = gateway(**named(dns, origins[0].port, "localhost"))
    assert gw.get().status == 200
    assert "127.0.0.1" in told(gw, "localhost")["addresses"]
    assert counts(origins) == [1, 0, 0]
    assert not dns.asked


def test_addresses_are_no_names(gateway, dns, origins):
    gw = gateway(**{**plain_policy(), "resolver": {"servers": [dns.address]}},
                 origin=origins[1])
    assert gw.get().status == 200
    assert gw.status()["names"] == []
    assert not dns.asked


@pytest.mark.parametrize("way", ["nxdomain", "silent"])
def test_a_name_that_does_not_resolve_is_refused_at_start(tmp_path, dns, way):
    dns.way("missing.test", way)
    config = named(dns, 80, "missing.test")
    config["resolver"]["timeout"] = "100ms"
    whole = Gateway.complete(config, tmp_path, None, Port())
    file = tmp_path / "yett.yaml"
    file.write_text(yaml.safe_dump(whole, sort_keys=False))
    for command in ("check", "run"):
        failed = run(command, "-c", file)
        assert failed.returncode == 1
        assert re.search(rf"^(yett: )?{re.escape(str(file))}:\d+:\d+: pools?\.app: .*"
                         'cannot resolve "missing.test"', failed.stderr, re.M)
