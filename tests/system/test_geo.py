# SPDX-License-Identifier: Apache-2.0
"""Where clients are: a real database of countries against mmdblookup, blocked
countries, databases that are replaced by good and bad ones under load, geo-update."""
import ipaddress
import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from yett_test import mmdb
from yett_test.gateway import binary, environment, plain_policy, run
from yett_test.load import Load
from yett_test.wait import seconds, until

SOURCE = Path(os.environ.get("top_srcdir", Path(__file__).parents[2]))
UPDATE = SOURCE / "packaging" / "geo-update"
TRUSTED = {"identity": {"trusted_proxies": ["127.0.0.0/8"]}}
# Where addresses are handed out, so that a random one is often known.
IPV6_BLOCKS = ["2001:200::/23", "2001:4200::/23", "2400::/12", "2600::/12", "2800::/12",
               "2a00::/12", "2c00::/12"]


def update(*arguments, **options):
    env = {**environment(), "YETT": binary(), **options.pop("env", {})}
    return subprocess.run([UPDATE, *map(str, arguments)], env=env, text=True,
                          capture_output=True, timeout=seconds(240), **options)


@pytest.fixture(scope="session")
def real_database():
    """The free database of countries, brought once and kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yett-tests"
    path = cache / "country.mmdb"
    if not path.exists():
        if not shutil.which("npm"):
            pytest.skip("no npm, which brings the database")
        cache.mkdir(parents=True, exist_ok=True)
        done = update("--to", path)
        if done.returncode == 4:
            pytest.skip("npm cannot bring the database: " + done.stderr.strip())
        assert done.returncode == 0, done.stderr
    return path


def public_addresses(count):
    """The same ones each time."""
    rng = random.Random(20261123)
    found = []
    while len(found) < count:
        if len(found) % 2 == 0:
            address = ipaddress.IPv4Address(rng.getrandbits(32))
        else:
            block = ipaddress.ip_network(rng.choice(IPV6_BLOCKS))
            address = block[rng.getrandbits(128 - block.prefixlen)]
        if address.is_global and not address.is_multicast:
            found.append(str(address))
    return found


def looked_up(database, address):
    """What mmdblookup says, in the words of yett."""
    done = subprocess.run(
        ["mmdblookup", "--file", database, "--ip", address, "country_code"],
        capture_output=True, text=True, timeout=seconds(10))
    if done.returncode == 0:
        return re.search(r'"(.*)" <utf8_string>', done.stdout).group(1)
    assert "Could not find an entry" in done.stderr, done.stderr
    return "unknown"


def geo(*arguments):
    done = run("geo", *arguments)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


def small(path, country="DE", continent="EU"):
    path.write_bytes(mmdb.build({"81.2.69.0/24": mmdb.country(country, continent)}))
    return path


def test_a_thousand_addresses_as_mmdblookup_says(real_database):
    if not shutil.which("mmdblookup"):
        pytest.skip("no mmdblookup")
    addresses = public_addresses(1000)
    done, places = geo("--country", real_database, *addresses)
    assert done.returncode == 0, done.stderr
    assert [p["address"] for p in places] == addresses
    known = 0
    for address, place in zip(addresses, places):
        assert place["country"] == looked_up(real_database, address), address
        known += place["country"] != "unknown"
        assert (place["continent"] == "unknown") == (place["country"] == "unknown")
    assert known > 500


def test_the_real_database_blocks_a_country(gateway, real_database):
    american, other = "8.8.8.8", "193.0.6.139"
    _, places = geo("--country", real_database, american, other)
    assert places[0]["country"] == "US" and places[1]["country"] != "US"
    gw = gateway(**plain_policy(), **TRUSTED, geo={"country": str(real_database)},
                 sites=[{"hosts": ["*"], "pool": "app", "policy": "default",
                         "access": [{"deny": {"country": ["US"]}}]}])
    assert gw.get("/", [("X-Forwarded-For", other)]).status == 200
    assert gw.get("/", [("X-Forwarded-For", "10.0.0.1")]).status == 200
    answer = gw.get("/", [("X-Forwarded-For", american)])
    assert answer.status == 403
    record = gw.audit(id=answer.id)
    assert record["reason"] == "geo"
    assert record["client"]["address"] == american
    assert record["client"]["country"] == "US"


def test_replaced_under_load(gateway, tmp_path):
    """Good, truncated and garbage files: no request fails, the old one stays, the
    good one is there within seconds."""
    database = small(tmp_path / "country.mmdb")
    good = mmdb.build({"81.2.69.0/24": mmdb.country("KP", "AS")})
    gw = gateway(**plain_policy(), **TRUSTED,
                 geo={"country": str(database), "headers": True},
                 sites=[{"hosts": ["*"], "pool": "app", "policy": "default",
                         "access": [{"deny": {"country": ["KP"]}}]}])
    fields = [("X-Forwarded-For", "81.2.69.9")]

    def put(data, in_place):
        if in_place:
            database.write_bytes(data)
            return
        beside = tmp_path / "beside"
        beside.write_bytes(data)
        os.replace(beside, database)

    with Load([gw], clients=4, fields=fields) as load:
        bad = [("not a MaxMind database", good[:len(good) // 2], False),
               ("not a MaxMind database", b"garbage" * 1000, True),
               ("not a MaxMind database", b"x", False),
               ("points outside of the data", good[:60] + b"\xff" * 60 + good[120:], True),
               ("is empty", b"", True)]
        for said, data, in_place in bad:
            put(data, in_place)
            line = gw.expect(said, 5)
            assert str(database) in line and "is kept" in line
        database.unlink()
        gw.expect("cannot open", 5)
        assert gw.get("/", fields).status == 200
        assert gw.origin.requests[-1].all("x-geo-country") == ["DE"]
    assert not load.broken
    assert set(load.statuses) == {200} and load.statuses[200] > 100
    with Load([gw], clients=4, fields=fields) as load:
        put(good, False)
        until(lambda: gw.get("/", fields).status == 403, 3, "the good database")
        assert "taken up anew: country at country.iso_code" in gw.expect("taken up", 1)
    assert not load.broken
    assert set(load.statuses) <= {200, 403}
    answer = gw.get("/", fields)
    assert gw.audit(id=answer.id)["client"]["country"] == "KP"


def test_bad_databases_are_refused_at_start(tmp_path):
    country = small(tmp_path / "country.mmdb")
    whole = country.read_bytes()
    networks = tmp_path / "asn.mmdb"
    networks.write_bytes(mmdb.build({"81.2.69.0/24": mmdb.network(64500, "X")}))
    torn = tmp_path / "torn.mmdb"
    torn.write_bytes(whole[:-50])
    for arguments, said in (
            (["--country", networks], "no record of it has a country"),
            (["--asn", country], "no record of it has an AS number"),
            (["--country", torn], "torn.mmdb: "),
            (["--country", tmp_path], "not a file")):
        done, places = geo(*arguments, "81.2.69.9")
        assert done.returncode == 1 and places == []
        assert said in done.stderr
    done, _ = geo("--country", tmp_path / "none.mmdb", "81.2.69.9")
    assert done.returncode == 3 and "none.mmdb" in done.stderr


def test_the_command(tmp_path):
    country = small(tmp_path / "country.mmdb")
    networks = tmp_path / "asn.mmdb"
    networks.write_bytes(mmdb.build({"81.2.69.0/25": mmdb.network(64500, "Ex\u00e4mple")}))
    config = tmp_path / "yett.yaml"
    config.write_text("listeners: [{address: '127.0.0.1:8080'}]\n"
                      "pools: {app: {servers: [{url: 'http://127.0.0.1:9'}]}}\n"
                      "policies: {default: {mode: off}}\n"
                      "sites: [{hosts: ['*'], pool: app, policy: default}]\n"
                      f"geo: {{country: {country}, asn: {networks}}}\n")
    ways = (["--country", country, "--asn", networks], ["-c", config])
    for way in ways:
        done, places = geo(*way, "81.2.69.9", "81.2.69.200", "::ffff:81.2.69.9",
                           "2002:5102:4509::1", "127.0.0.1", "9.9.9.9", "2a00::1")
        assert done.returncode == 0, done.stderr
        assert places[0] == {"address": "81.2.69.9", "country": "DE", "continent": "EU",
                             "asn": 64500, "organisation": "Ex\u00e4mple"}
        assert places[1]["asn"] is None and places[1]["organisation"] is None
        assert places[2] == places[3] == places[0]
        assert [p["country"] for p in places[4:]] == ["private", "unknown", "unknown"]
    done, places = geo("--country", country, "81.2.69.9", "nonsense", "81.2.69.300")
    assert done.returncode == 1 and len(places) == 1
    assert "nonsense: not an address" in done.stderr
    done, _ = geo("-v", "--country", country, "::1")
    assert "country at country.iso_code, continent at continent.code" in done.stderr
    for wrong in ([], ["-c", config], ["--nonsense", "::1"],
                  ["-c", config, "--asn", networks, "::1"]):
        done, _ = geo(*wrong)
        assert done.returncode == 2 and "yett geo --help" in done.stderr
    assert run("geo", "--help").returncode == 0


# --- geo-update ----------------------------------------------------------------

def test_update_from_a_file(tmp_path):
    new, old = small(tmp_path / "new.mmdb", "JP", "AS"), small(tmp_path / "old.mmdb")
    done = update("--from", new, "--to", old)
    assert done.returncode == 0, done.stderr
    assert "in place" in done.stdout and "country at country.iso_code" in done.stdout
    assert old.read_bytes() == new.read_bytes()
    assert "the same already" in update("--from", new, "--to", old).stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.mmdb", "old.mmdb"]


def test_a_failed_update_keeps_the_old_file(tmp_path):
    old = small(tmp_path / "old.mmdb")
    before = old.read_bytes()
    bad = tmp_path / "bad.mmdb"
    bad.write_bytes(before[:200])
    done = update("--from", bad, "--to", old)
    assert done.returncode == 1
    assert "is refused" in done.stderr and "stays as it was" in done.stderr
    assert update("--asn", "--from", old, "--to", old).returncode == 1
    assert update("--from", tmp_path / "none", "--to", old).returncode == 1
    assert update("--from", old, "--to", tmp_path / "none" / "x").returncode == 3
    for wrong in (["--asn"], ["--to"], ["nonsense"], ["--from", old, "--package", "x"]):
        assert update(*wrong).returncode == 2
    assert update("--help").returncode == 0
    # Nothing of npm's is reached.
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "mktemp", "rm", "cat"):
        (tools / tool).symlink_to(shutil.which(tool))
    done = update("--to", old, env={"PATH": str(tools)})
    assert done.returncode == 3 and "npm is not installed" in done.stderr
    (tools / "tar").symlink_to(shutil.which("tar"))
    (tools / "npm").write_text("#!/bin/sh\necho 'npm error network' >&2\nexit 1\n")
    (tools / "npm").chmod(0o755)
    for tool in ("grep", "head"):
        (tools / tool).symlink_to(shutil.which(tool))
    done = update("--to", old, env={"PATH": str(tools)})
    assert done.returncode == 4 and "npm error network" in done.stderr
    assert old.read_bytes() == before
