# SPDX-License-Identifier: Apache-2.0
"""Who may come in: access lists, address files, countries, passwords, client
certificates. Clients have any address: the test is a trusted proxy."""
import base64
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import pytest
import yaml

from yett_test import mmdb
from yett_test.client import Closed, Connection, request, tls_context
from yett_test.gateway import plain_policy, run
from yett_test.wait import Port, seconds, until

OFFICE, ELSEWHERE = "198.18.0.7", "198.18.99.7"
IDENTITY = {"identity": {"trusted_proxies": ["127.0.0.0/8"]}}


def site(host, access, routes=(), **more):
    built = {"hosts": [host], "pool": "app", "policy": "default", "access": access}
    if routes:
        built["routes"] = list(routes)
    return {**built, **more}


def config(*sites, **more):
    return {**plain_policy(), **IDENTITY, "sites": list(sites), **more}


def ask(gw, host, client, target="/", method="GET", fields=()):
    fields = [("X-Forwarded-For", client), *fields]
    return gw.ask(method, target, fields, host=host)


def rename_over(path, text):
    """As docs/guide/access.md tells people to do it."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    os.replace(new, path)


# --- rules ---------------------------------------------------------------------

COUNTRIES = {
    "198.18.0.0/24": mmdb.country("DE", "EU"),
    "198.18.1.0/24": mmdb.country("KP", "AS"),
    "198.18.2.0/24": mmdb.country("JP", "AS"),
    "2a00::/16": mmdb.country("DE", "EU"),
    "81.2.69.0/24": mmdb.country("DE", "EU"),
    "175.45.176.0/24": mmdb.country("KP", "AS"),
    "133.0.0.0/24": mmdb.country("JP", "AS"),
}
NETWORKS = {"81.2.69.0/24": mmdb.network(64500, "Bad Hosting")}
GERMAN, KOREAN, JAPANESE, NOWHERE = "81.2.69.9", "175.45.176.9", "133.0.0.9", "9.9.9.9"

SITES = [
    site("office.test", [{"allow": {"address": ["198.18.0.0/24", "2001:db8:5::/48"]}},
                         {"deny": "any"}]),
    site("open.test", [{"deny": {"address": ["198.18.0.7"]}}]),
    site("land.test", [{"allow": {"country": ["DE", "private"]}}, {"deny": "any"}]),
    site("noland.test", [{"deny": {"country": ["KP", "unknown"]}}]),
    site("asia.test", [{"deny": {"continent": ["AS"]}}]),
    site("net.test", [{"deny": {"asn": [64500]}}]),
    site("method.test", [{"allow": {"address": [OFFICE]}},
                         {"deny": {"method": ["PUT", "DELETE"]}}]),
    site("path.test", [{"deny": {"path": ["/secret/", "=/secret", "/admin"]}}]),
    site("fewpaths.test", [{"allow": {"path": ["/public/"]}}, {"deny": "any"}]),
    site("route.test", [{"deny": "any"}],
         [{"path": "/open/", "access": [{"allow": "any"}]},
          {"path": "=/office", "access": [{"allow": {"address": [OFFICE]}},
                                          {"deny": "any"}]},
          {"path": "/same/"}]),
    site("watch.test", [{"log": {"path": ["/watched"]}}, {"log": "any"},
                        {"deny": {"address": ["198.18.0.8"]}}]),
]

ROWS = [
    # why, host, client, method, target, reason of the refusal or None
    ("the office", "office.test", OFFICE, "GET", "/", None),
    ("the office, IPv6", "office.test", "2001:db8:5::1", "GET", "/", None),
    ("the office, mapped", "office.test", "::ffff:198.18.0.7", "GET", "/", None),
    ("the world", "office.test", ELSEWHERE, "GET", "/", "acl"),
    ("the world, IPv6", "office.test", "2001:db8:6::1", "GET", "/", "acl"),
    ("the peer itself", "office.test", "127.0.0.1", "GET", "/", "acl"),
    ("one address out", "open.test", OFFICE, "GET", "/", "acl"),
    ("nothing matches", "open.test", ELSEWHERE, "GET", "/", None),
    ("allowed country", "land.test", GERMAN, "GET", "/", None),
    ("allowed country, IPv6", "land.test", "2a00::9", "GET", "/", None),
    ("private is named", "land.test", "10.0.0.1", "GET", "/", None),
    ("not an allowed country", "land.test", KOREAN, "GET", "/", "acl"),
    ("unknown is not allowed", "land.test", NOWHERE, "GET", "/", "acl"),
    ("denied country", "noland.test", KOREAN, "GET", "/", "geo"),
    ("unknown is denied", "noland.test", NOWHERE, "GET", "/", "geo"),
    ("private is not unknown", "noland.test", "10.0.0.1", "GET", "/", None),
    ("another country", "noland.test", GERMAN, "GET", "/", None),
    ("denied continent", "asia.test", JAPANESE, "GET", "/", "geo"),
    ("another continent", "asia.test", GERMAN, "GET", "/", None),
    ("denied network", "net.test", GERMAN, "GET", "/", "geo"),
    ("no network", "net.test", JAPANESE, "GET", "/", None),
    ("method", "method.test", ELSEWHERE, "DELETE", "/", "acl"),
    ("another method", "method.test", ELSEWHERE, "POST", "/", None),
    ("method from the office", "method.test", OFFICE, "DELETE", "/", None),
    ("path: exact", "path.test", OFFICE, "GET", "/secret", "acl"),
    ("path: below", "path.test", OFFICE, "GET", "/secret/x", "acl"),
    ("path: query", "path.test", OFFICE, "GET", "/secret?x", "acl"),
    ("path: escaped", "path.test", OFFICE, "GET", "/s%65cret/x", "acl"),
    ("path: dots", "path.test", OFFICE, "GET", "/a/../secret/x", "acl"),
    ("path: slashes", "path.test", OFFICE, "GET", "//secret//x", "acl"),
    ("path: encoded slash", "path.test", OFFICE, "GET", "/secret%2Fx", "acl"),
    ("path: another", "path.test", OFFICE, "GET", "/secrets", None),
    ("path: prefix of bytes", "path.test", OFFICE, "GET", "/administrator", "acl"),
    ("allowed path", "fewpaths.test", OFFICE, "GET", "/public/x", None),
    ("other path", "fewpaths.test", OFFICE, "GET", "/x", "acl"),
    ("allowed in one reading only", "fewpaths.test", OFFICE, "GET", "/public%2Fx", "acl"),
    ("allowed in both", "fewpaths.test", OFFICE, "GET", "/public/a%2Fx", None),
    ("the site's list", "route.test", OFFICE, "GET", "/", "acl"),
    ("a route without a list", "route.test", OFFICE, "GET", "/same/", "acl"),
    ("a route's own list", "route.test", ELSEWHERE, "GET", "/open/", None),
    ("another route's: in", "route.test", OFFICE, "GET", "/office", None),
    ("another route's: out", "route.test", ELSEWHERE, "GET", "/office", "acl"),
]


@pytest.fixture(scope="module")
def gw(module_gateway, tmp_path_factory):
    folder = tmp_path_factory.mktemp("geo")
    (folder / "country.mmdb").write_bytes(mmdb.build(COUNTRIES))
    (folder / "asn.mmdb").write_bytes(mmdb.build(NETWORKS, "GeoLite2-ASN"))
    return module_gateway(**config(*SITES, geo={
        "country": str(folder / "country.mmdb"), "asn": str(folder / "asn.mmdb")}))


@pytest.mark.parametrize("why,host,client,method,target,reason", ROWS,
                         ids=[r[0] for r in ROWS])
def test_rules(gw, why, host, client, method, target, reason):
    answer = ask(gw, host, client, target, method)
    assert answer.status == (403 if reason else 200), why
    if reason:
        record = gw.audit(id=answer.id)
        assert (record["reason"], record["action"]) == (reason, "blocked")
        assert record["status"] == 403 and record["site"] == host
        assert "access list" in record["detail"] and "line" in record["detail"]


def test_country_is_in_the_record(gw):
    record = gw.audit(id=ask(gw, "noland.test", KOREAN).id)
    assert record["client"]["address"] == KOREAN
    assert record["client"]["country"] == "KP"
    record = gw.audit(id=ask(gw, "net.test", GERMAN).id)
    assert record["client"]["asn"] == 64500


def test_log_records_and_goes_on(gw):
    def recorded(path):
        return until(lambda: [r for r in gw.records() if r["site"] == "watch.test"
                              and r["request"]["path"] == path])

    assert ask(gw, "watch.test", OFFICE, "/watched/1").status == 200
    [record] = recorded("/watched/1")
    assert (record["reason"], record["action"], record["status"]) == \
        ("acl", "detected", 200)
    # the first that matched, not `log: any` below it
    assert ask(gw, "watch.test", OFFICE, "/").status == 200
    [other] = recorded("/")
    assert other["action"] == "detected"
    assert "line" in record["detail"] and record["detail"] != other["detail"]
    denied = ask(gw, "watch.test", "198.18.0.8", "/watched/2")
    assert denied.status == 403
    assert gw.audit(id=denied.id)["action"] == "blocked"


# --- address files -------------------------------------------------------------

def big_list(count, seed):
    numbers = random.Random(seed)
    lines = [f"{numbers.randrange(1, 100)}.{numbers.randrange(256)}."
             f"{numbers.randrange(256)}.0/24" for _ in range(count // 2)]
    lines += [f"2a{numbers.randrange(256):02x}:{numbers.randrange(65536):x}:"
              f"{numbers.randrange(65536):x}::/48" for _ in range(count // 2)]
    return "\n".join(lines) + "\n"


def test_address_file_is_taken_up_and_a_bad_one_is_not(gateway, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_text("\ufeff# nobody\r\n198.18.5.0/24 ; a hoster\r\n")
    gw = gateway(**config(site("*", [{"deny": {"address_file": str(path)}}])))
    gw.expect("addresses and prefixes")
    assert ask(gw, "a.test", "198.18.5.1").status == 403
    assert ask(gw, "a.test", "198.18.6.1").status == 200
    rename_over(path, "198.18.6.0/24\n2001:db8::/32\n")
    until(lambda: ask(gw, "a.test", "198.18.6.1").status == 403, 15)
    assert ask(gw, "a.test", "198.18.5.1").status == 200
    assert ask(gw, "a.test", "2001:db8::1").status == 403
    # a bad line: named, and the list before it stays
    rename_over(path, "198.18.7.0/24\n\n198.18.8.1/24\n")
    line = gw.expect("bad.txt:3:", 15)
    assert " error " in line and "198.18.8.1/24" in line and "198.18.8.0/24" in line
    assert ask(gw, "a.test", "198.18.6.1").status == 403
    assert ask(gw, "a.test", "198.18.7.1").status == 200
    # said once, however often it looks
    time.sleep(3)
    assert gw.stderr.count("bad.txt:3:") == 1
    # a file that is gone changes nothing either
    path.unlink()
    gw.expect("bad.txt: cannot open", 15)
    assert ask(gw, "a.test", "198.18.6.1").status == 403
    rename_over(path, "198.18.7.0/24\n")
    until(lambda: ask(gw, "a.test", "198.18.7.1").status == 403, 15)
    assert ask(gw, "a.test", "198.18.6.1").status == 200


def test_a_file_of_100_000_is_replaced_under_load(gateway, tmp_path):
    path = tmp_path / "big.txt"
    lists = [big_list(100_000, seed) + f"198.18.{seed}.0/24\n" for seed in (1, 2)]
    path.write_text(lists[0])
    gw = gateway(**config(site("*", [{"deny": {"address_file": str(path)}}])))
    stop, times, failures = threading.Event(), [], []

    def load():
        data = request("GET", "/", [("X-Forwarded-For", "198.18.77.7")])
        with gw.connect() as connection:
            while not stop.is_set():
                begin = time.monotonic()
                if connection.send(data).response().status != 200:
                    failures.append(begin)
                times.append(time.monotonic() - begin)
                time.sleep(0.001)

    threads = [threading.Thread(target=load, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        calm = sorted(times)
        del times[:]
        for turn in (1, 0, 1):
            rename_over(path, lists[turn])
            client = f"198.18.{turn + 1}.1"
            until(lambda: ask(gw, "a.test", client).status == 403, 15)
    finally:
        stop.set()
        for thread in threads:
            thread.join(seconds(10))
    times.sort()
    print(f"{len(times)} requests during three reloads: "
          f"p50 {times[len(times) // 2] * 1000:.2f} ms, "
          f"p99 {times[len(times) * 99 // 100] * 1000:.2f} ms, "
          f"max {times[-1] * 1000:.2f} ms; before: "
          f"p50 {calm[len(calm) // 2] * 1000:.2f} ms, max {calm[-1] * 1000:.2f} ms")
    assert not failures
    # reading it on a loop would take 50 ms and more, each time, on each loop
    assert times[len(times) * 99 // 100] < seconds(0.03)


BAD_FILES = [
    ("missing", None, "list.txt: cannot open"),
    ("bad line", "192.0.2.1\nexample.org\n", "list.txt:2: example.org: not a prefix"),
    ("host bits", "192.0.2.1/24\n", "meant: 192.0.2.0/24"),
]


@pytest.mark.parametrize("why,text,said", BAD_FILES, ids=[r[0] for r in BAD_FILES])
def test_check_names_what_is_wrong_in_a_file(tmp_path, why, text, said):
    path = tmp_path / "list.txt"
    if text is not None:
        path.write_text(text)
    done = check(tmp_path, site("*", [{"deny": {"address_file": "list.txt"}}]))
    assert done.returncode != 0 and said in done.stdout + done.stderr


EMPTY = [{"address": []}, {"country": []}, {"address_file": ""},
         {"address": [], "path": ["/x"]}, {"asn": []}]


@pytest.mark.parametrize("match", EMPTY, ids=str)
def test_an_empty_list_does_not_mean_everyone(tmp_path, match):
    done = check(tmp_path, site("*", [{"allow": match}, {"deny": "any"}]))
    assert done.returncode != 0
    assert "is empty" in done.stdout + done.stderr


def check(folder, *sites):
    file = folder / "yett.yaml"
    file.write_text(yaml.safe_dump({
        "listeners": [{"address": "127.0.0.1:0"}], "policies": {"default": {}},
        "pools": {"app": {"servers": [{"url": "http://127.0.0.1:9"}]}},
        "sites": list(sites)}))
    return run("check", "-c", file)


# --- passwords -----------------------------------------------------------------

def hashed(user, password, *how):
    return subprocess.run(["htpasswd", "-nb", *(how or ["-B", "-C", "5"]), user,
                           password], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip() + "\n"


needs_htpasswd = pytest.mark.skipif(not shutil.which("htpasswd"),
                                    reason="htpasswd is not installed")
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


def curl(*arguments):
    """Status and head of an answer."""
    done = subprocess.run(["curl", "-sS", "-D", "-", "-o", "/dev/null", "--max-time",
                           str(int(seconds(20))), *map(str, arguments)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    head = done.stdout.replace("\r", "").strip().split("\n")
    status = int(head[0].split()[1]) if head[0] else None
    return status, "\n".join(head), done


@pytest.fixture
def locked(gateway, tmp_path):
    """/admin wants a password; the rest does not."""
    path = tmp_path / "users.htpasswd"
    path.write_text("# who may\n" + hashed("anne", "p:\u00e4ss wort") +
                    hashed("joe", "sesame", "-5"))
    gw = gateway(**config(site("*", [{"allow": "any"}], [
        {"path": "/admin", "auth": {"htpasswd": str(path), "realm": "The gate"}}])))
    gw.htpasswd = path
    return gw


@needs_htpasswd
@needs_curl
def test_password_with_curl(locked, origin):
    url = locked.url + "/admin"
    status, head, _ = curl(url)
    assert status == 401
    assert 'WWW-Authenticate: Basic realm="The gate"' in head
    assert origin.requests == []
    for user, wanted in [("anne:p:\u00e4ss wort", 200), ("joe:sesame", 200),
                         ("anne:wrong", 401), ("joe:p:\u00e4ss wort", 401),
                         ("nobody:sesame", 401), ("anne:", 401), ("Joe:sesame", 401)]:
        assert curl("-u", user, url)[0] == wanted, user
        assert curl("-u", user, url)[0] == wanted, f"{user}, a second time"
    assert curl(locked.url + "/")[0] == 200


@needs_htpasswd
def test_what_is_recorded_of_a_wrong_password(locked):
    fields = [("Authorization", "Basic am9lOmh1bnRlcjJ4")]      # joe:hunter2x
    answer = ask(locked, "a.test", OFFICE, "/admin", fields=fields)
    assert answer.status == 401
    record = locked.audit(id=answer.id)
    assert (record["reason"], record["status"]) == ("auth", 401)
    text = locked.audit_path.read_text() + locked.access_path.read_text() + locked.stderr
    assert "hunter2x" not in text and "am9lOmh1bnRlcjJ4" not in text


@needs_htpasswd
@pytest.mark.parametrize("value", ["Basic", "Basic !!!!", "Bearer am9lOnNlc2FtZQ==",
                                   "Basic am9lOnNlc2FtZQ", "Basic " + "QUFB" * 500])
def test_a_malformed_field_is_a_wrong_one(locked, value):
    fields = [("Authorization", value)]
    assert ask(locked, "a.test", OFFICE, "/admin", fields=fields).status == 401


@needs_htpasswd
def test_two_fields_are_refused(locked):
    fields = [("Authorization", "Basic am9lOnNlc2FtZQ=="),       # joe:sesame
              ("Authorization", "Basic am9lOng=")]
    assert ask(locked, "a.test", OFFICE, "/admin", fields=fields).status in (400, 401)
    assert ask(locked, "a.test", OFFICE, "/admin", fields=fields[:1]).status == 200


@needs_htpasswd
def test_a_removed_user_is_out(locked):
    joe = [("Authorization", "Basic am9lOnNlc2FtZQ==")]
    assert ask(locked, "a.test", OFFICE, "/admin", fields=joe).status == 200
    rename_over(locked.htpasswd, hashed("anne", "x"))
    until(lambda: ask(locked, "a.test", OFFICE, "/admin", fields=joe).status == 401, 15)
    # a file with a weak hash changes nothing, and is named
    rename_over(locked.htpasswd, hashed("joe", "sesame", "-m"))
    line = locked.expect("users.htpasswd:1:", 15)
    assert "MD5" in line and "htpasswd -B" in line and '"joe"' in line
    assert ask(locked, "a.test", OFFICE, "/admin", fields=joe).status == 401
    rename_over(locked.htpasswd, hashed("joe", "sesame"))
    until(lambda: ask(locked, "a.test", OFFICE, "/admin", fields=joe).status == 200, 15)


@needs_htpasswd
@pytest.mark.parametrize("how,said", [("-m", "MD5"), ("-s", "SHA-1"), ("-d", "DES"),
                                      ("-p", "the password itself")])
def test_check_refuses_weak_hashes(tmp_path, how, said):
    (tmp_path / "u").write_text(hashed("anne", "x") + hashed("joe", "sesame", how))
    done = check(tmp_path, site("*", [{"allow": "any"}], auth={"htpasswd": "u"}))
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "u:2:" in text and said in text and "htpasswd -B" in text
    assert "sesame" not in text


@needs_htpasswd
def test_one_client_guessing_keeps_no_other_from_signing_in(gateway, tmp_path):
    """More guesses at a time than one client has places with the hashers."""
    path = tmp_path / "users.htpasswd"
    path.write_text(hashed("joe", "sesame", "-B", "-C", "10"))
    gw = gateway(threads=1, **config(site("*", [{"allow": "any"}],
                                          auth={"htpasswd": str(path)})))
    stop, statuses = threading.Event(), set()

    def sign_in(password, source):
        field = "Basic " + base64.b64encode(f"joe:{password}".encode()).decode()
        return gw.raw(request("GET", "/", [("Authorization", field)]), source=source).status

    def guess(number):
        count = 0
        while not stop.is_set():
            statuses.add(sign_in(f"{number}-{count}", "127.0.0.2"))
            count += 1

    threads = [threading.Thread(target=guess, args=(n,), daemon=True) for n in range(40)]
    for thread in threads:
        thread.start()
    until(lambda: 503 in statuses, 10, "a guess that finds no place")
    assert sign_in("sesame", "127.0.0.3") == 200
    stop.set()
    for thread in threads:
        thread.join(seconds(20))
    assert statuses <= {401, 503}


@needs_htpasswd
def test_hashing_holds_nobody_up(gateway, tmp_path):
    """Wrong passwords one after the other, on a gateway with one loop, at a cost of
    about 100 ms each: other requests don't wait for them."""
    path = tmp_path / "users.htpasswd"
    path.write_text(hashed("joe", "sesame", "-B", "-C", "10"))
    gw = gateway(threads=1, **config(site("*", [{"allow": "any"}], [
        {"path": "/admin", "auth": {"htpasswd": str(path), "realm": "x"}}])))
    stop, guesses = threading.Event(), []

    def guess(number):
        with gw.connect() as connection:
            while not stop.is_set():
                guess_of = f"joe:{number}-{len(guesses)}".encode()
                field = "Basic " + base64.b64encode(guess_of).decode()
                begin = time.monotonic()
                status = connection.send(request("GET", "/admin", [
                    ("Authorization", field)])).response().status
                guesses.append((time.monotonic() - begin, status))

    def others(count):
        times = []
        with gw.connect() as connection:
            for _ in range(count):
                begin = time.monotonic()
                assert connection.send(request("GET", "/")).response().status == 200
                times.append(time.monotonic() - begin)
                time.sleep(0.002)
        return sorted(times)

    alone = others(200)
    threads = [threading.Thread(target=guess, args=(n,), daemon=True) for n in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(guesses) > 4)
    beside = others(300)
    stop.set()
    for thread in threads:
        thread.join(seconds(20))
    assert {status for _, status in guesses} == {401}
    took = sorted(t for t, _ in guesses)
    middle = took[len(took) // 2]
    print(f"others alone p50 {alone[100] * 1000:.2f} ms, p99 {alone[198] * 1000:.2f} ms; "
          f"beside {len(guesses)} guesses of {middle * 1000:.0f} ms: "
          f"p50 {beside[150] * 1000:.2f} ms, p99 {beside[297] * 1000:.2f} ms")
    assert beside[150] < middle / 4
    assert beside[297] < max(middle / 2, seconds(0.05))


@needs_htpasswd
@pytest.mark.timing
def test_an_end_at_once_does_not_wait_for_passwords(gateway, tmp_path):
    path = tmp_path / "users.htpasswd"
    path.write_text(hashed("joe", "sesame", "-B", "-C", "13"))
    gw = gateway(**config(site("*", [{"allow": "any"}], [], auth={"htpasswd": str(path)})))
    guesses = []
    for number in range(32):
        field = "Basic " + base64.b64encode(f"joe:{number}".encode()).decode()
        guesses.append(gw.connect().send(request(fields=[("Authorization", field)])))
    guesses[0].response()   # the queue is being worked on
    begin = time.monotonic()
    gw.stop(signal.SIGINT)
    assert time.monotonic() - begin < seconds(3)
    for connection in guesses:
        connection.close()


# --- bans ----------------------------------------------------------------------

def test_an_address_that_is_allowed_is_not_banned(gateway):
    rules = [{"allow": {"address": ["198.18.0.0/24"]}}, {"allow": "any"}]
    bans = {"after": 3, "within": "1m", "for": "1m", "count": ["waf"]}
    gw = gateway(**IDENTITY, bans=bans, sites=[site("*", rules)])
    attack = "/?id=1'%20OR%201=1--"
    for client in (OFFICE, ELSEWHERE):
        for _ in range(4):
            ask(gw, "a.test", client, attack)
    assert ask(gw, "a.test", OFFICE).status == 200
    assert ask(gw, "a.test", ELSEWHERE).status == 403


# --- client certificates -------------------------------------------------------

@pytest.fixture
def sealed(gateway, authority, tmp_path):
    """Two sites behind one listener; one insists on a certificate."""
    secure = Port()
    pair = authority.issue("open.test", "sealed.test")
    gw = gateway(port=secure, **config(
        site("open.test", [{"allow": "any"}]),
        site("sealed.test", [{"allow": "any"}], client_certificate="required"),
        listeners=[{"address": secure.address, "tls": {
            "certificates": [pair.conf()], "client_ca": authority.file}}]))
    gw.options = ["--cacert", authority.file]
    for name in ("open.test", "sealed.test"):
        gw.options += ["--resolve", f"{name}:{secure.number}:127.0.0.1"]
    return gw


@needs_curl
def test_client_certificates_with_curl(sealed, authority, tmp_path):
    from yett_test.certs import Authority
    mine = authority.issue("client.test", client=True)
    stranger = Authority(tmp_path / "other", "Other CA").issue("client.test", client=True)
    expired = authority.expired("late.test")

    def get(name, pair=None):
        options = ["--cert", pair.certificate, "--key", pair.key] if pair else []
        return curl(*sealed.options, *options,
                    f"https://{name}:{sealed.port.number}/")

    assert get("open.test")[0] == 200
    assert get("open.test", mine)[0] == 200
    assert get("sealed.test", mine)[0] == 200
    status, head, _ = get("sealed.test")
    assert status == 403
    record = sealed.audit(1)[0]
    assert record["reason"] == "acl" and "certificate" in record["detail"]
    for pair in (stranger, expired):
        for name in ("open.test", "sealed.test"):
            status, _, done = get(name, pair)
            assert status is None and done.returncode != 0, (name, pair.certificate)


def test_another_host_on_the_same_connection_needs_it_too(sealed):
    """What counts is the site that is asked for, not the name of the handshake."""
    with Connection(sealed.target, tls=tls_context(), sni="open.test") as connection:
        assert connection.send(request(host="open.test")).response().status == 200
        assert connection.send(request(host="sealed.test")).response().status in (403, 421)
        try:
            answer = connection.send(request(host="open.test")).response()
            assert answer.status == 200
        except Closed:
            pass
