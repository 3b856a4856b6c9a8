# SPDX-License-Identifier: Apache-2.0
"""`headers`: what origins and clients get is what the operator says, whatever clients
and origins do about it."""
import json

import pytest
import yaml

from yett_test.certs import Authority
from yett_test.client import tls_context
from yett_test.gateway import plain_policy, run
from yett_test.wait import Port

REQUEST = {
    "set": {"X-Forwarded-Proto": "%{scheme}", "X-Key": "s3cret", "X-Empty": "%{country}x",
            "X-None": "%{tls_version}",
            "X-All": "%{method} %{host} %{path} %{query} %{client} %{site} %{route} %{node}",
            "X-Percent": "100%% %%{id}"},
    "add": {"X-Tag": "gateway"},
    "remove": ["X-Debug", "Forwarded", "User-Agent"],
}
RESPONSE = {
    "set": {"Strict-Transport-Security": "max-age=1", "X-Id": "%{id}", "Date": ""},
    "add": {"Set-Cookie": "gw=1; Path=%{path}"},
    "remove": ["Server", "X-Powered-By"],
}


@pytest.fixture(scope="module")
def gw(module_gateway):
    return module_gateway(**plain_policy(), sites=[{
        "hosts": ["app.test"], "pool": "app",
        "headers": {"request": REQUEST, "response": RESPONSE},
        "routes": [
            {"path": "/own/", "headers": {"request": {"set": {"X-Own": "%{route}"}},
                                          "security": True}},
            {"path": "/none/", "headers": {}},
            {"path": "/same/"},
            {"path": "/long/", "headers": {
                "request": {"set": {"X-Long": "%{path}" * 60}}}},
            {"path": "/wide/", "headers": {
                "response": {"set": {"X-Wide": "%{path}" * 60}}}},
        ]}])


@pytest.fixture
def org(module_origin):
    module_origin.clear()
    return module_origin


def test_of_requests(gw, org):
    gw.ask("GET", "/a%20b?c=d", [("X-Debug", "1"), ("User-Agent", "me"), ("X-Tag", "mine"),
                                 ("X-Forwarded-Proto", "https")])
    got = org.last()
    assert got.all("x-forwarded-proto") == ["http"]
    assert got.all("x-all") == ["GET app.test /a%20b c=d 127.0.0.1 app.test  gw-test"]
    assert got.all("x-percent") == ["100%% %{id}"]
    assert got.all("x-empty") == ["privatex"]
    assert got.all("x-tag") == ["mine", "gateway"]
    for name in ("x-debug", "forwarded", "user-agent", "x-none"):
        assert got.all(name) == [], name
    assert got.all("x-forwarded-for") == ["127.0.0.1"]      # the rest is as ever


def test_of_answers(gw, org):
    org.on("/x", lambda e: e.answer(fields=[
        ("Server", "origin/1.0"), ("x-powered-by", "PHP"), ("Set-Cookie", "a=1"),
        ("strict-transport-security", "max-age=5"), ("X-ID", "its"), ("X-Mine", "1"),
        ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")]))
    answer = gw.get("/x")
    assert answer.status == 200 and answer.body == b"ok\n"
    assert answer.all("server") == answer.all("x-powered-by") == answer.all("date") == []
    assert answer.all("set-cookie") == ["a=1", "gw=1; Path=/x"]
    assert answer.all("strict-transport-security") == ["max-age=1"]
    assert len(answer.all("x-id")) == 1 and len(answer.get("x-id")) == 26
    assert answer.get("x-id") == org.last().get("x-request-id")
    assert answer.get("x-mine") == "1"


def test_of_interim_answers_and_head(gw, org):
    org.on("/x", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nServer: x\r\n\r\n"
           b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 3\r\n\r\n")
    answer = gw.ask("HEAD", "/x")
    assert answer.informational[0].fields == [("Link", "</a>")]
    assert answer.all("server") == [] and answer.get("content-length") == "3"
    assert len(answer.get("x-id")) == 26


def test_clients_cannot_take_back_or_imitate_what_is_set(gw, org):
    gw.ask(fields=[("Connection", "X-Key, X-Forwarded-Proto, keep-alive"), ("X-Key", "a"),
                   ("x-key", "b"), ("X_Key", "c"), ("X_KEY", "d")])
    got = org.last()
    assert got.all("x-key") == ["s3cret"]
    assert got.all("x-forwarded-proto") == ["http"]
    assert not any(n.lower() == "x_key" for n, _ in got.fields)


@pytest.mark.parametrize("target", [
    "/%0d%0aX-Evil:%201", "/a%0aX-Evil:1", "/a%00b", "/a?q=%0d%0aX-Evil:%201",
    "/a?q=\x80\xff", "/%E2%80%A8", "/a?%23=%7f"])
def test_values_cannot_end_their_line(gw, org, target):
    answer = gw.ask("GET", target)
    assert answer.all("x-evil") == []
    if answer.status != 200:            # refused as it is anywhere
        assert answer.status == 400 and not org.requests
        return
    got = org.last()
    assert got.all("x-evil") == []
    assert len(got.all("x-all")) == 1
    assert all(" " <= c <= "~" for c in got.get("x-all"))
    assert all(" " <= c <= "~" for c in answer.all("set-cookie")[0])


@pytest.mark.parametrize("host", ["app.test\r\nX-Evil: 1", "app.test\nX-Evil: 1",
                                  "app.test%0d%0aX-Evil:1", "app.test\tX-Evil"])
def test_hosts_cannot_end_their_line(gw, org, host):
    answer = gw.ask(host=host)
    assert answer.all("x-evil") == []
    assert answer.status == 200 if "\r\n" in host else answer.status in (400, 421), answer
    if org.requests:                    # it was a field of the client's, and no more
        assert org.last().get("x-all").split(" ")[1] == "app.test"


def test_a_route_has_its_own_instead(gw, org):
    answer = gw.get("/own/x")
    got = org.last()
    assert got.get("x-own") == "/own/"
    assert got.get("x-key") is None and got.get("forwarded")
    assert answer.get("x-id") is None and answer.get("date")
    gw.get("/none/")
    assert org.last().get("x-key") is None and org.last().get("x-own") is None
    gw.get("/same/")
    assert org.last().get("x-key") == "s3cret"
    assert org.last().get("x-all").split(" ")[6] == "/same/"


def test_the_security_fields(gw, org):
    org.on("/own/its", lambda e: e.answer(fields=[("x-frame-options", "DENY")]))
    answer = gw.get("/own/x")
    assert answer.all("x-content-type-options") == ["nosniff"]
    assert answer.all("x-frame-options") == ["SAMEORIGIN"]
    assert answer.get("referrer-policy") and answer.get("permissions-policy")
    assert answer.get("strict-transport-security") is None      # came by plain HTTP
    assert gw.get("/own/its").all("x-frame-options") == ["DENY"]
    assert gw.get("/none/").get("x-content-type-options") is None


def test_the_security_fields_over_https(gateway, tmp_path):
    port = Port()
    pair = Authority(tmp_path / "ca").issue("app.test")
    gw = gateway(port=port, **plain_policy(), listeners=[
        {"address": port.address, "tls": {"certificates": [pair.conf()]}}],
        sites=[{"hosts": ["*"], "pool": "app",
                "headers": {"security": True, "request": {"set": {
                    "X-Tls": "%{scheme} %{tls_version} %{tls_cipher}"}}}}])
    answer = gw.raw(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n", tls=tls_context(),
                    sni="app.test")
    assert answer.get("strict-transport-security") == "max-age=31536000"
    scheme, version, cipher = gw.origin.last().get("x-tls").split(" ")
    assert (scheme, version) == ("https", "TLSv1.3") and cipher.startswith("TLS_")


def test_what_does_not_fit_is_refused_and_never_cut(gw, org):
    long = "x" * 8000
    answer = gw.get("/long/" + long)
    assert answer.status == 502 and not org.requests
    assert gw.audit(id=answer.id)["reason"] == "upstream"
    answer = gw.get("/wide/" + long)
    assert answer.status == 502 and len(org.requests) == 1
    assert gw.audit(id=answer.id)["reason"] == "upstream"
    assert gw.get("/long/x").status == gw.get("/wide/x").status == 200
    assert org.last().line == "GET /wide/x HTTP/1.1"


def test_own_pages_are_as_ever(gw, org):
    answer = gw.ask("PROPFIND")
    assert answer.status == 405
    assert answer.all("set-cookie") == answer.all("x-id") == []
    assert answer.get("x-content-type-options") == "nosniff" and answer.get("date")
    assert not org.requests


CHECKS = [
    # headers, the path of the field, the place behind "headers: ", what is said of it
    ({"request": {"set": {"X-A": "%{schema}"}}}, "request.set.X-A", "%{scheme}"),
    ({"request": {"add": {"X-A": "%{id"}}}, "request.add.X-A", "%{"),
    ({"request": {"set": {"Host": "x"}}}, "request.set.Host", "Host"),
    ({"request": {"set": {"X-A": "1", "x-a": "2"}}}, "request.set.x-a", "already"),
    ({"request": {"set": {"X-A": "1"}, "remove": ["x-a"]}}, "request.set.X-A", "removed"),
    ({"request": {"remove": ["Expect"]}}, "request.remove", "Expect"),
    ({"request": {"set": {"accept-encoding": "gzip"}}}, "request.set.accept-encoding",
     "allowed: remove"),
    ({"request": {"add": {"Range": "bytes=0-"}}}, "request.add.Range", "allowed: remove"),
    ({"request": {"set": {"If-None-Match": ""}}}, "request.set.If-None-Match",
     "allowed: remove"),
    ({"response": {"set": {"Content-Length": "5"}}}, "response.set.Content-Length",
     "frames"),
    ({"response": {"add": {"transfer-encoding": "x"}}}, "response.add.transfer-encoding",
     "frames"),
    ({"response": {"set": {"Keep-Alive": "x"}}}, "response.set.Keep-Alive", "connection"),
    ({"response": {"remove": ["Content-Encoding"]}}, "response.remove", "body"),
    ({"response": {"set": {"X A": "1"}}}, "response.set.X A", "name"),
    ({"response": {"set": {"X-A": "a\nb"}}}, "response.set.X-A", "control"),
    ({"response": {"set": {"X-A": "%{a}" * 70}}}, "response.set.X-A", ""),
]


def check(folder, site):
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump({
        "listeners": [{"address": "127.0.0.1:8080"}],
        "pools": {"app": {"servers": [{"url": "http://127.0.0.1:9"}]}},
        "policies": {"default": {"mode": "off"}},
        "sites": [{"hosts": ["*"], "pool": "app", **site}]}, sort_keys=False))
    return path, run("check", "-c", path)


@pytest.mark.parametrize("headers,field,says", CHECKS,
                         ids=[json.dumps(r[0])[:60] for r in CHECKS])
@pytest.mark.parametrize("of_route", [False, True])
def test_faults_are_told_where_they_stand(tmp_path, headers, field, says, of_route):
    site = {"headers": headers}
    path, done = check(tmp_path, {"routes": [{"path": "/a", **site}]} if of_route else site)
    assert done.returncode == 1, done.stdout
    line = done.stderr.splitlines()[0]
    assert line.startswith(f"{path}:") and done.stderr.endswith("1 problem\n"), done.stderr
    number, column = line[len(str(path)) + 1:].split(":")[:2]
    lines = path.read_text().splitlines()
    last = field.rsplit(".", 1)[1]
    assert last in lines[int(number) - 1] or last == "remove"
    assert int(column) > 1
    where = "sites[0].routes[0].headers." if of_route else "sites[0].headers."
    assert where + field in line and says in line


def test_stored_answers_are_changed_for_each_client(gateway, origin):
    origin.on("/a", lambda e: e.answer(fields=[
        ("Cache-Control", "max-age=100"), ("Server", "x"), ("ETag", '"1"')]))
    gw = gateway(**plain_policy(), sites=[{
        "hosts": ["*"], "pool": "app", "cache": "on", "headers": {
            "request": {"remove": ["Accept-Encoding"], "set": {"X-All": "%{path}"}},
            "response": {"set": {"X-Id": "%{id}", "X-Method": "%{method}"},
                         "remove": ["server", "Cache-Status", "Age"]},
            "security": True}}])
    answers = [gw.ask(method, "/a", [("Accept-Encoding", "gzip, br")])
               for method in ("GET", "GET", "HEAD")]
    answers.append(gw.get("/a", [("If-None-Match", '"1"')]))
    assert [a.status for a in answers] == [200, 200, 200, 304]
    assert len(origin.requests) == 1
    assert len({a.get("x-id") for a in answers}) == 4
    assert [a.get("x-method") for a in answers] == ["GET", "GET", "HEAD", "GET"]
    for answer in answers:
        for name in ("server", "cache-status", "age"):
            assert answer.get(name) is None, name
        assert answer.all("x-content-type-options") == ["nosniff"]
    assert origin.last().get("accept-encoding") is None
    assert origin.last().get("x-all") == "/a"


def test_the_cache_asks_for_codings_once(gateway, origin):
    gw = gateway(**plain_policy(), sites=[{"hosts": ["*"], "pool": "app", "cache": "on"}])
    gw.get("/a", [("Accept-Encoding", "deflate, gzip;q=0.5, br, x")])
    got = origin.last().all("accept-encoding")
    assert len(got) == 1 and "deflate" not in got[0] and "br" in got[0]


def test_run_refuses_what_check_refuses(tmp_path):
    path, _ = check(tmp_path, {"headers": {"request": {"set": {"X-A": "%{schema}"}}}})
    done = run("run", "-c", path)
    assert done.returncode != 0
    assert "sites[0].headers.request.set.X-A" in done.stderr
