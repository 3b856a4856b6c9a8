# SPDX-License-Identifier: Apache-2.0
"""`yett check`: precise errors, all in one go, and nothing silently ignored."""
import json
from pathlib import Path

import pytest
import yaml

from yett_test import mmdb
from yett_test.gateway import Process, merge, run
from yett_test.wait import Port

BASE = {
    "listeners": [{"address": "127.0.0.1:8080"}],
    "pools": {"app": {"servers": [{"url": "http://127.0.0.1:9"}]}},
    "policies": {"default": {}},
    "sites": [{"hosts": ["*"], "pool": "app", "policy": "default"}],
}

ERRORS = [
    # changes of the base, what the message must hold
    ({"timeoutz": {}}, ["timeoutz", "timeouts"]),
    ({"timeouts": {"haeder": "1s"}}, ["timeouts.haeder", "header"]),
    ({"timeouts": {"header": "ten"}}, ["timeouts.header", "ten"]),
    ({"timeouts": {"header": "-1s"}}, ["timeouts.header"]),
    ({"timeouts": {"header": 5}}, ["timeouts.header"]),
    ({"max": {"header_bytes": "32XB"}}, ["max.header_bytes", "32XB"]),
    ({"max": {"fields": 0}}, ["max.fields"]),
    ({"max": {"connections": "many"}}, ["max.connections", "many"]),
    ({"threads": 0}, ["threads"]),
    ({"threads": 100000}, ["threads"]),
    ({"listeners": []}, ["listeners"]),
    ({"listeners": [{"address": "127.0.0.1"}]}, ["address", "127.0.0.1"]),
    ({"listeners": [{"address": "127.0.0.1:99999"}]}, ["address", "99999"]),
    ({"listeners": [{"address": "example.test:80"}]}, ["address", "example.test"]),
    ({"listeners": [{}]}, ["address"]),
    ({"sites": [{"hosts": ["*"], "pool": "nope", "policy": "default"}]},
     ["pool", "nope", "app"]),
    ({"sites": [{"hosts": ["*"], "pool": "app", "policy": "nope"}]}, ["policy", "nope"]),
    ({"sites": [{"hosts": ["a.test"], "pool": "app"}, {"hosts": ["A.test"],
                                                       "pool": "app"}]}, ["a.test"]),
    ({"sites": [{"hosts": ["*"], "pool": "app", "routes": [{"path": "~ ("}]}]},
     ["path"]),
    ({"sites": [{"hosts": ["*"], "pool": "app", "routes": [{"path": "x"}]}]}, ["path"]),
    ({"policies": {"default": {"mode": "blok"}}}, ["mode", "blok", "block"]),
    ({"policies": {"default": {"crs": {"paranoia": 5}}}}, ["paranoia", "5"]),
    ({"policies": {"default": {"crs": {"path": "/nonexistent"}}}}, ["/nonexistent"]),
    ({"policies": {"default": {"rules": ["/nonexistent/a.conf"]}}},
     ["/nonexistent/a.conf"]),
    ({"policies": {"default": {"exclude": [{"target": "ARGS:q"}]}}}, ["exclude"]),
    ({"policies": {"default": {"exclude": [{"rule": 942100, "target": "ARGZ:q"}]}}},
     ["ARGZ"]),
    ({"policies": {"default": {"exclude": [{"rule": 949110}]}}}, ["949110"]),
    ({"policies": {"default": {"exclude": [{"rule": 942100, "target": "ARGS:/(/"}]}}},
     ["exclude"]),
    ({"pools": {"app": {"servers": [{"url": "ftp://127.0.0.1/"}]}}}, ["url", "ftp"]),
    ({"pools": {"app": {"servers": []}}}, ["servers"]),
    ({"pools": {"app": {"servers": [{"url": "https://127.0.0.1:9"}],
                        "tls": {"ca": "/nonexistent.pem"}}}}, ["/nonexistent.pem"]),
    ({"pools": {"app": {"retries": 1000}}}, ["retries"]),
    ({"logs": {"error": {"level": "loud"}}}, ["level", "loud"]),
    ({"logs": {"access": {"format": "xml"}}}, ["format", "xml"]),
    ({"identity": {"trusted_proxies": ["10.0.0.1/8"]}}, ["trusted_proxies", "10.0.0.1/8"]),
    ({"listeners": [{"address": "127.0.0.1:1", "proxy_protocol": "require"}]},
     ["proxy_protocol", "identity.trusted_proxies"]),
    ({"redis": {"url": "redis://u:geheim@127.0.0.1:6379/0"}}, ["url", "password_file"]),
    ({"redis": {"url": "http://127.0.0.1"}}, ["redis.url", "redis+sentinel"]),
    ({"limits": {"a": {"key": "client", "rate": "1/y", "burst": 1}}}, ["rate", "1/y"]),
    ({"limits": {"a": {"key": "country", "rate": "1/s"}}}, ["key", "geo.country"]),
    ({"limits": {"login": {"key": "client", "rate": "1/s"}},
      "sites": [{"hosts": ["*"], "pool": "app", "limits": ["logni"]}]},
     ["limits", "logni", "login"]),
    ({"bans": {"for": "2h", "max": "1h"}}, ["bans.for", "max"]),
    ({"bans": {"count": ["waff"]}}, ["bans.count", "waff", "waf"]),
    ({"sites": [{"hosts": ["*"], "pool": "app", "access": [{"allow": "all"}]}]},
     ["allow", "all", "any"]),
    ({"sites": [{"hosts": ["*"], "pool": "app", "access": [{"deny": {"asn": [1]}}]}]},
     ["asn", "geo.asn"]),
    ({"sites": [{"hosts": ["*"], "pool": "app", "client_certificate": "required"}]},
     ["client_certificate", "client_ca"]),
    ({"cache": {"memory": "16MiB", "max_object": "8MiB"}}, ["cache.max_object", "memory"]),
    ({"pools": {"app": {"balance": "consistent_hash"}}}, ["balance", "hash_on"]),
    ({"pools": {"app": {"balance": "least_conections"}}}, ["least_connections"]),
    ({"pools": {"app": {"servers": [{"url": "http://127.0.0.1:9", "backup": True}]}}},
     ["servers", "backups"]),
    ({"sites": [{"hosts": ["*"], "pool": "app", "cache": "onn"}]}, ["cache", "on"]),
    ({"sites": [{"hosts": ["*"], "pool": "app", "cache": {"key": "client"}}]},
     ["cache.key", "client", "header:NAME"]),
    ({"sites": [{"hosts": ["*"], "pool": "app", "compress": {"level": 10}}]},
     ["compress.level", "0 to 9"]),
    ({"sites": [{"hosts": ["*"], "pool": "app",
                 "headers": {"request": {"set": {"X-A": "a\r\nX-B: b"}}}}]},
     ["headers.request.set.X-A", "control"]),
]

NOT_BUILT = [
    {"listeners": [{"address": "127.0.0.1:1", "protocols": ["h2", "http/1.1"]}]},
]


def check(tmp_path, config):
    path = tmp_path / "c.yaml"
    text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
    path.write_text(text)
    return path, run("check", "-c", path)


def changed(change):
    return merge(json.loads(json.dumps(BASE)), change)


def test_good(tmp_path):
    _, done = check(tmp_path, BASE)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("change,words", ERRORS, ids=[json.dumps(r[0])[:70]
                                                      for r in ERRORS])
def test_error(tmp_path, change, words):
    path, done = check(tmp_path, changed(change))
    assert done.returncode == 1, done.stderr
    text = done.stdout + done.stderr
    assert f"{path}:" in text
    for word in words:
        assert word in text, text


@pytest.mark.parametrize("change", NOT_BUILT, ids=[json.dumps(r)[:70]
                                                   for r in NOT_BUILT])
def test_not_built_yet(tmp_path, change):
    _, done = check(tmp_path, changed(change))
    assert done.returncode == 1
    assert "not built yet" in done.stdout + done.stderr


def test_place_and_all_errors_in_one_go(tmp_path):
    path, done = check(tmp_path, """\
listeners:
  - address: "127.0.0.1:8080"
timeouts: { header: soon }
max:
  fields: -3
pools:
  app:
    serverz: []
""")
    text = done.stdout + done.stderr
    assert done.returncode == 1
    assert f"{path}:3:21:" in text
    assert f"{path}:5:11:" in text
    assert f"{path}:8:" in text
    assert "servers" in text
    assert text.index(":3:") < text.index(":5:") < text.index(":8:")


@pytest.mark.parametrize("text", [
    "", "- a\n- b\n", "a: [\n", "a: b: c\n", "listeners: {\n", "\t- x\n", "%TAG !\n",
    "a: &x [*x]\n", "a: !!python/object:os.system x\n", "\0", "\xff",
    "listeners: 1\nlisteners: 2\n"])
def test_broken_yaml(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_bytes(text.encode("latin-1"))
    done = run("check", "-c", path)
    assert done.returncode == 1
    assert str(path) in done.stdout + done.stderr


def test_yaml_bombs(tmp_path):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh",
                                                                   "bcdefghi"))
    for text in (bomb, "a: " + "[" * 100000, "x" * 5000000):
        _, done = check(tmp_path, text)
        assert done.returncode == 1


def test_missing_file(tmp_path):
    done = run("check", "-c", tmp_path / "none.yaml")
    assert done.returncode in (1, 3)
    assert "none.yaml" in done.stderr


@pytest.mark.parametrize("off", ["off", "false", "no", "OFF"])
def test_off_is_no_file_however_it_is_written(tmp_path, off):
    """Programs that write YAML 1.1 make false of off."""
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump({**BASE, "listeners": [{"address": Port().address}]}) +
                    f"logs: {{ access: {{ path: {off} }}, audit: {{ path: {off} }} }}\n"
                    f"admin: {{ socket: {off} }}\n")
    Process(["run", "-c", file], tmp_path).stop()
    assert {p.name for p in tmp_path.iterdir()} == {"c.yaml", "stderr.log"}


def test_include(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.yaml").write_text(yaml.safe_dump(
        {"pools": {"two": {"servers": [{"url": "http://127.0.0.1:10"}]}},
         "sites": [{"hosts": ["two.test"], "pool": "two", "policy": "default"}]}))
    _, done = check(tmp_path, {**BASE, "include": "conf.d/*.yaml"})
    assert done.returncode == 0, done.stderr
    (tmp_path / "conf.d" / "b.yaml").write_text("sites:\n  - hosts: [x.test]\n"
                                                "    pool: nope\n")
    _, done = check(tmp_path, {**BASE, "include": "conf.d/*.yaml"})
    assert done.returncode == 1
    assert "b.yaml:3:" in done.stdout + done.stderr


def with_pair(certificate, key):
    return changed({"listeners": [{"address": "127.0.0.1:8443", "tls": {
        "certificates": [{"certificate": str(certificate), "key": str(key)}]}}]})


def test_certificates(tmp_path, authority):
    good, other = authority.issue("a.test"), authority.issue("b.test")
    expired = authority.expired("old.test")
    assert check(tmp_path, with_pair(good.certificate, good.key))[1].returncode == 0
    _, done = check(tmp_path, with_pair(good.certificate, other.key))
    assert done.returncode == 1
    assert str(other.key) in done.stderr + done.stdout
    _, done = check(tmp_path, with_pair(expired.certificate, expired.key))
    assert "expired" in done.stderr + done.stdout
    for pair in ((tmp_path / "none.crt", good.key), (good.certificate, "/none.key"),
                 (good.key, good.key), (good.certificate, good.certificate)):
        _, done = check(tmp_path, with_pair(*pair))
        assert done.returncode == 1, pair


RULES = [
    # SecLang, what the message must hold
    ('SecRule ARGS "@rx (" "id:10001,phase:2,deny"', "missing closing parenthesis"),
    ('SecRule ARGS "!(" "id:10001,phase:2,deny"', "line 2"),
    ('SecRulez ARGS "x" "id:10001"', "SecRulez"),
    ('SecRule ARGS "@rx a" "phase:2,deny"', "own.conf"),
    ('SecRemoteRules key https://rules.test/', "SecRemoteRules"),
    ('SecRule ARGS "@rx a" "id:10001,phase:2,exec:/bin/sh"', "exec"),
    ('SecRule FILES_TMPNAMES "@inspectFile /bin/x" "id:10001,phase:2,deny"',
     "inspectFile"),
    ('SecRule REMOTE_ADDR "@rbl rbl.test" "id:10001,phase:1,deny"', "rbl"),
    ('SecRuleScript "x.lua" "id:10001,phase:2,deny"', "SecRuleScript"),
    ("SecRuleEngine Off", "SecRuleEngine"),
    ("SecRequestBodyAccess Off", "SecRequestBodyAccess"),
    ("SecAuditEngine On", "SecAuditEngine"),
    ("SecAuditLog /tmp/x", "SecAuditLog"),
    ("SecDebugLog /tmp/x", "SecDebugLog"),
    ('SecRule ARGS "@rx a" "id:942100,phase:1,deny"', "942100"),
]


@pytest.mark.parametrize("text,word", RULES, ids=[r[1] + str(i)
                                                  for i, r in enumerate(RULES)])
def test_rules(tmp_path, text, word):
    own = tmp_path / "own.conf"
    own.write_text("# a comment\n" + text + "\n")
    _, done = check(tmp_path, changed({"policies": {"default": {"rules": [str(own)]}}}))
    assert done.returncode == 1
    assert word in done.stderr + done.stdout
    assert "own.conf" in done.stderr + done.stdout


def test_what_is_refused_may_be_allowed(tmp_path):
    own = tmp_path / "own.conf"
    own.write_text('SecRule REMOTE_ADDR "@rbl rbl.test" "id:10001,phase:1,deny"\n')
    _, done = check(tmp_path, changed({"policies": {"default": {
        "rules": [str(own)], "allow": ["rbl"]}}}))
    assert done.returncode == 0, done.stderr


def test_run_refuses_what_check_refuses(tmp_path):
    path, _ = check(tmp_path, changed({"timeouts": {"header": "soon"}}))
    done = run("run", "-c", path)
    assert done.returncode == 1
    assert f"{path}:" in done.stderr


def test_check_is_quick(tmp_path):
    import time
    begin = time.monotonic()
    check(tmp_path, BASE)
    from yett_test.wait import seconds
    assert time.monotonic() - begin < seconds(3)


CONTROLS = """\
listeners:
  - address: "127.0.0.1:8443"
    tls:
      certificates: [ { certificate: site.pem, key: site.key } ]
      client_ca: clients.pem
redis:
  url: "rediss://127.0.0.1:1"
  password_file: password
  ca: ca.pem
  key_file: keys
geo:
  country: country.mmdb
  asn: asn.mmdb
pools: { app: { servers: [ { url: "http://127.0.0.1:9" } ] } }
limits: { a: { key: "header:X-Key", rate: 1/s } }
sites:
  - hosts: ["*"]
    pool: app
    policy: off
    limits: [a]
    access: [ { deny: { address_file: bad.txt } }, { allow: any } ]
    client_certificate: required
    routes:
      - path: /admin
        auth: { htpasswd: users }
        access: [ { allow: { address_file: good.txt } }, { deny: any } ]
"""

# what each file holds when it is sound, something wrong, and where that is told
CONTROL_FILES = [
    ("clients.pem", None, "no certificate\n", "5:18", "listeners[0].tls.client_ca"),
    ("password", "secret\n", "", "8:18", "redis.password_file"),
    ("ca.pem", None, "no certificate\n", "9:7", "redis.ca"),
    ("keys", "0123456789abcdef\n", "short\n", "10:13", "redis.key_file"),
    ("country.mmdb", None, "no database\n", "12:12", "geo.country"),
    ("asn.mmdb", None, "", "13:8", "geo.asn"),
    ("bad.txt", "192.0.2.0/24\n", "192.0.2.0/24\nx\n", "21:39",
     "sites[0].access[0].deny.address_file"),
    ("users", "joe:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n",
     "joe:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", "25:27", "sites[0].routes[0].auth.htpasswd"),
    ("good.txt", "10.0.0.0/8\n", "10.0.0.1/8\n", "26:44",
     "sites[0].routes[0].access[0].allow.address_file"),
]


@pytest.fixture
def controls(tmp_path, authority):
    pair = authority.issue("a.test")
    for name, text, *_ in CONTROL_FILES:
        if text is not None:
            (tmp_path / name).write_text(text)
    (tmp_path / "site.pem").write_bytes(Path(pair.certificate).read_bytes())
    (tmp_path / "site.key").write_bytes(Path(pair.key).read_bytes())
    for name in ("clients.pem", "ca.pem"):
        (tmp_path / name).write_bytes(Path(authority.file).read_bytes())
    (tmp_path / "country.mmdb").write_bytes(
        mmdb.build({"8.8.8.0/24": mmdb.country("US", "NA")}))
    (tmp_path / "asn.mmdb").write_bytes(
        mmdb.build({"8.8.8.0/24": mmdb.network(15169, "GOOGLE")}, "GeoLite2-ASN"))
    for file in tmp_path.iterdir():
        file.chmod(0o600)
    return tmp_path


def test_files_of_the_controls(controls):
    _, done = check(controls, CONTROLS)
    assert done.returncode == 0, done.stderr
    for word in ["redis rediss://127.0.0.1:1", "country at country.iso_code",
                 "AS number at autonomous_system_number",
                 f"address file {controls}/bad.txt", f"address file {controls}/good.txt"]:
        assert word in done.stdout, done.stdout


@pytest.mark.parametrize("name,sound,wrong,place,field", CONTROL_FILES,
                         ids=[row[0] for row in CONTROL_FILES])
@pytest.mark.parametrize("missing", [False, True])
def test_a_file_of_the_controls_that_is_not_sound(controls, name, sound, wrong, place,
                                                  field, missing):
    del sound
    (controls / name).unlink()
    if not missing:
        (controls / name).write_text(wrong)
        (controls / name).chmod(0o600)
    path, done = check(controls, CONTROLS)
    assert done.returncode == 1
    problems = done.stderr.splitlines()
    assert problems[0].startswith(f"{path}:{place}: {field}: "), problems
    assert str(controls / name) in problems[0]
    assert problems[1:] == ["1 problem"]


def test_all_files_of_the_controls_at_once(controls):
    for name, *_ in CONTROL_FILES:
        (controls / name).unlink()
    path, done = check(controls, CONTROLS)
    told = [line.split(": ")[:2] for line in done.stderr.splitlines()[:-1]]
    assert told == [[f"{path}:{place}", field] for *_, place, field in CONTROL_FILES]


@pytest.mark.parametrize("name", ["keys", "country.mmdb", "asn.mmdb"])
def test_run_tells_where_a_file_is_named_too(controls, name):
    (controls / name).unlink()
    path, _ = check(controls, CONTROLS)
    done = run("run", "-c", path)
    assert done.returncode == 1
    place, field = next(row[3:] for row in CONTROL_FILES if row[0] == name)
    assert f"yett: {path}:{place}: {field}: " in done.stderr
    assert str(controls / name) in done.stderr
