# SPDX-License-Identifier: Apache-2.0
"""The cache: what is served from it, what goes to the origin, and how often."""
import json
import re
import socket
import threading
import time
import urllib.request

import pytest

from yett_test import mmdb
from yett_test.client import Closed, chunks, request
from yett_test.gateway import free_port, merge, plain_policy, run
from yett_test.wait import seconds, until


def cached(over=None, **use):
    """A configuration whose site keeps answers."""
    config = plain_policy()
    config["sites"] = [merge({"hosts": ["*"], "pool": "app", "policy": "default",
                              "cache": use or "on"}, over or {})]
    config["cache"] = {"memory": "32MiB", "max_object": "4MiB"}
    return config


def fresh(body=b"kept\n", control="max-age=100", **more):
    fields = [("Cache-Control", control)] + [(n.replace("_", "-"), v)
                                             for n, v in more.items()]
    return lambda exchange: exchange.answer(body, fields=fields)


def hit(answer):
    return re.match(r"yett; hit", answer.get("cache-status") or "") is not None


def test_second_answer_is_a_hit(gateway, origin):
    origin.on("/a", fresh(ETag='"1"', Surrogate_Key="x y"))
    gw = gateway(**cached())
    first, second = gw.get("/a"), gw.get("/a")
    assert (first.status, first.body, hit(first)) == (200, b"kept\n", False)
    assert first.get("cache-status") == "yett; fwd=uri-miss; fwd-status=200; stored"
    assert (second.status, second.body, hit(second)) == (200, b"kept\n", True)
    assert second.get("age") == "0" and second.get("etag") == '"1"'
    assert second.get("content-length") == "5"
    assert second.get("surrogate-key") is None and first.get("surrogate-key") is None
    assert second.get("date")
    assert len(origin.requests) == 1


@pytest.mark.parametrize("control", ["no-store", "private", "max-age=0", None])
def test_what_may_not_be_kept_is_not(gateway, origin, control):
    fields = [("Cache-Control", control)] if control else []
    origin.on("/a", lambda exchange: exchange.answer(b"x", fields=fields))
    gw = gateway(**cached())
    assert not any(hit(gw.get("/a")) for _ in range(3))
    assert len(origin.requests) == 3


def test_a_slow_client_gets_what_was_stored_then(gateway, origin):
    """What it was sent without a copy is not overwritten by what takes its place."""
    mark = b"the first of them "
    origin.on("/a", fresh(mark * 170_000))
    gw = gateway(**cached())
    gw.get("/a")
    slow = [gw.connect(rcvbuf=16384) for _ in range(4)]
    for connection in slow:
        connection.send(request("GET", "/a"))
    until(lambda: all(c.sock.recv(1, socket.MSG_PEEK) for c in slow), what="answers")
    assert command(gw, "purge", "all")[0] == 0
    for i in range(40):
        origin.on(f"/other{i}", fresh(b"another one " * 80_000))
        gw.get(f"/other{i}")
    for connection in slow:
        with connection:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            answer = connection.response()
            assert hit(answer) and answer.body == mark * 170_000


def test_a_site_without_cache_keeps_nothing(gateway, origin):
    origin.on("/a", fresh())
    gw = gateway(**plain_policy())
    answers = [gw.get("/a") for _ in range(3)]
    assert len(origin.requests) == 3
    assert all(a.get("cache-status") is None for a in answers)


def test_a_route_decides_for_itself(gateway, origin):
    for path in ("/on/a", "/off/a"):
        origin.on(path, fresh())
    gw = gateway(**cached({"routes": [{"path": "/off/", "cache": "off"}]}))
    for path in ("/on/a", "/off/a") * 2:
        gw.get(path)
    assert [r.path for r in origin.requests].count("/on/a") == 1
    assert [r.path for r in origin.requests].count("/off/a") == 2


def test_ttl_is_for_answers_that_say_nothing(gateway, origin):
    gw = gateway(**cached(ttl="1m"))
    assert not hit(gw.get("/a")) and hit(gw.get("/a"))


def test_head_is_answered_from_get(gateway, origin):
    origin.on("/a", fresh())
    gw = gateway(**cached())
    gw.get("/a")
    head = gw.ask("HEAD", "/a")
    assert hit(head) and head.get("content-length") == "5"
    assert len(origin.requests) == 1


def test_parts_of_what_is_stored(gateway, origin):
    origin.on("/a", fresh(b"0123456789", ETag='"1"'))
    gw = gateway(**cached())
    gw.get("/a")
    part = gw.get("/a", [("Range", "bytes=2-4")])
    assert (part.status, part.body) == (206, b"234")
    assert part.get("content-range") == "bytes 2-4/10"
    assert part.get("content-length") == "3"
    beyond = gw.get("/a", [("Range", "bytes=20-")])
    assert (beyond.status, beyond.get("content-range")) == (416, "bytes */10")
    other = gw.get("/a", [("Range", "bytes=2-4"), ("If-Range", '"2"')])
    assert (other.status, other.body) == (200, b"0123456789")
    assert len(origin.requests) == 1


def test_a_clients_own_conditions(gateway, origin):
    origin.on("/a", fresh(ETag='"1"', Last_Modified="Sun, 06 Nov 1994 08:49:37 GMT"))
    gw = gateway(**cached())
    gw.get("/a")
    same = gw.get("/a", [("If-None-Match", 'W/"1"')])
    assert (same.status, same.body) == (304, b"") and same.get("etag") == '"1"'
    since = gw.get("/a", [("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")])
    assert since.status == 304
    assert gw.get("/a", [("If-None-Match", '"2"')]).status == 200
    assert len(origin.requests) == 1
    gw.get("/a", [("If-Match", '"1"')])
    assert len(origin.requests) == 2
    assert origin.requests[-1].get("if-match") == '"1"'


def test_stale_answers_are_validated(gateway, origin):
    def script(exchange):
        if exchange.request.get("if-none-match") == '"1"':
            exchange.send(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n'
                          b"Cache-Control: max-age=100\r\nX-Round: 2\r\n\r\n")
        else:
            exchange.answer(b"body", fields=[("ETag", '"1"'), ("X-Round", "1"),
                                             ("Cache-Control", "max-age=0")])
    origin.on("/a", script)
    gw = gateway(**cached())
    first, second, third = gw.get("/a"), gw.get("/a"), gw.get("/a")
    assert first.get("x-round") == "1"
    assert (second.status, second.body, second.get("x-round")) == (200, b"body", "2")
    assert not hit(second) and "fwd=stale" in second.get("cache-status")
    assert hit(third) and third.get("x-round") == "2"
    assert len(origin.requests) == 2


def test_the_clients_conditions_do_not_reach_the_origin_of_a_miss(gateway, origin):
    origin.on("/a", fresh(b"0123456789", ETag='"1"'))
    gw = gateway(**cached())
    assert gw.get("/a", [("If-None-Match", '"1"')]).status == 304
    assert origin.requests[0].get("if-none-match") is None
    until(lambda: hit(gw.get("/a")), what="the whole answer in the cache")
    assert len(origin.requests) == 1


def test_vary_keeps_variants_apart(gateway, origin):
    def script(exchange):
        exchange.answer((exchange.request.get("x-lang") or "none").encode(),
                        fields=[("Cache-Control", "max-age=100"), ("Vary", "X-Lang")])
    origin.on("/a", script)
    gw = gateway(**cached())
    for _ in range(2):
        for lang in ("de", "fr"):
            assert gw.get("/a", [("X-Lang", lang)]).body == lang.encode()
        assert gw.get("/a").body == b"none"
    assert len(origin.requests) == 3


def test_codings_of_the_key_are_those_that_the_origin_sees(gateway, origin):
    origin.on("/a", fresh(Vary="Accept-Encoding"))
    gw = gateway(**cached())
    seen = ["br, x-evil, GZIP;q=0.5", "gzip, br", "x-evil", None]
    for value in seen:
        gw.get("/a", [("Accept-Encoding", value)] if value else [])
    assert [r.all("accept-encoding") for r in origin.requests] == [["br, gzip"], []]


def test_surrogate_control_is_ours(gateway, origin):
    origin.on("/a", fresh(control="no-store", Surrogate_Control="max-age=60;yett"))
    origin.on("/b", fresh(Surrogate_Control="no-store"))
    gw = gateway(**cached())
    answers = [gw.get(path) for path in ("/a", "/a", "/b", "/b")]
    assert [hit(a) for a in answers] == [False, True, False, False]
    assert all(a.get("surrogate-control") is None for a in answers)
    assert origin.requests[0].all("surrogate-capability") == ['yett="Surrogate/1.0"']


def test_unsafe_methods_invalidate(gateway, origin):
    origin.on("/a", fresh(b"first"))
    origin.on("/b", lambda exchange: exchange.answer(
        b"", fields=[("Location", "/a?x=1"), ("Content-Location", "/a")]))
    gw = gateway(**cached())
    for how in ("/a", "/b"):
        gw.get("/a")
        assert hit(gw.get("/a"))
        gw.form(b"x=1", how)
        assert not hit(gw.get("/a"))


def test_an_error_is_answered_with_what_is_stale(gateway, origin):
    answers = [fresh(b"old", "max-age=0, stale-if-error=100", ETag='"1"'),
               lambda exchange: exchange.answer(b"broken", "503 Service Unavailable"),
               lambda exchange: exchange.close()]
    origin.on("/a", lambda exchange: answers.pop(0)(exchange) if len(answers) > 1
              else answers[0](exchange))     # which may be tried again
    gw = gateway(**cached())
    assert gw.get("/a").body == b"old"
    for _ in range(2):
        stale = gw.get("/a")
        assert (stale.status, stale.body, hit(stale)) == (200, b"old", True)
        assert "ttl=" in stale.get("cache-status")


def test_stale_while_revalidate_asks_behind_the_client(gateway, origin):
    go_on = threading.Event()
    count = []

    def script(exchange):
        count.append(1)
        if len(count) > 1:
            go_on.wait(seconds(10))
        exchange.answer(b"round %d" % len(count), fields=[
            ("Cache-Control", "max-age=%d, stale-while-revalidate=100" %
             (0 if len(count) == 1 else 100))])
    origin.on("/a", script)
    gw = gateway(**cached())
    gw.get("/a")
    stale = [gw.get("/a") for _ in range(3)]
    assert [a.body for a in stale] == [b"round 1"] * 3 and all(hit(a) for a in stale)
    until(lambda: len(count) == 2, what="the request behind")
    go_on.set()
    until(lambda: gw.get("/a").body == b"round 2", what="the new answer")
    assert len(count) == 2
    assert len(gw.accesses()) <= 20    # what nobody asked for is no access


def test_64_at_once_are_one_request(gateway, origin):
    go_on = threading.Event()

    def script(exchange):
        go_on.wait(seconds(10))
        exchange.answer(b"x" * 100000, fields=[("Cache-Control", "max-age=100")])
    origin.on("/a", script)
    gw = gateway(**cached(wait="30s"))
    connections = [gw.connect() for _ in range(64)]
    for connection in connections:
        connection.send(request("GET", "/a"))
    until(lambda: len(origin.requests) == 1, what="a request")
    time.sleep(0.3)
    go_on.set()
    answers = [connection.response() for connection in connections]
    assert {(a.status, len(a.body)) for a in answers} == {(200, 100000)}
    assert len(origin.requests) == 1
    assert sum("collapsed" in a.get("cache-status") for a in answers) == 63


def test_one_slow_answer_does_not_queue_the_world(gateway, origin):
    go_on = threading.Event()

    def script(exchange):
        go_on.wait(seconds(10))
        exchange.answer(b"x", fields=[("Cache-Control", "max-age=100")])
    origin.on("/a", script)
    gw = gateway(**cached(wait="100ms"))
    connections = [gw.connect().send(request("GET", "/a")) for _ in range(4)]
    until(lambda: len(origin.requests) == 4, what="all asking for themselves")
    go_on.set()
    assert {c.response().status for c in connections} == {200}


def test_what_is_not_kept_does_not_serialise(gateway, origin):
    together = threading.Barrier(4)

    def script(exchange):
        if exchange.request.get("x-together"):
            together.wait(seconds(10))
        exchange.answer(b"x", fields=[("Cache-Control", "no-store")])
    origin.on("/a", script)
    gw = gateway(**cached(wait="30s"))
    gw.get("/a")
    ask = request("GET", "/a", [("X-Together", "1")])
    connections = [gw.connect().send(ask) for _ in range(4)]
    assert {c.response().status for c in connections} == {200}


def test_an_answer_under_way_is_given_to_others(gateway, origin):
    rest = threading.Event()

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=100\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n" + b"5\r\nfirst\r\n")
        rest.wait(seconds(10))
        exchange.send(b"6\r\nsecond\r\n0\r\n\r\n")
    origin.on("/a", script)
    gw = gateway(**cached(wait="30s"))
    leader = gw.connect().send(request("GET", "/a"))
    leader.until(b"first\r\n")
    follower = gw.connect().send(request("GET", "/a"))
    follower.until(b"first\r\n")
    rest.set()
    follower.until(b"second\r\n0\r\n\r\n")
    leader.until(b"second\r\n0\r\n\r\n")
    assert len(origin.requests) == 1
    third = gw.get("/a")
    assert (hit(third), third.body) == (True, b"firstsecond")
    assert third.get("content-length") == "11"


def test_a_leader_that_leaves_leaves_the_others_served(gateway, origin):
    rest = threading.Event()

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=100\r\n"
                      b"Content-Length: 10\r\n\r\nfirst")
        rest.wait(seconds(10))
        exchange.send(b"later")
    origin.on("/a", script)
    gw = gateway(**cached(wait="30s"))
    leader = gw.connect().send(request("GET", "/a"))
    leader.until(b"first")
    follower = gw.connect().send(request("GET", "/a"))
    follower.until(b"first")
    leader.reset()
    time.sleep(0.2)
    rest.set()
    follower.until(b"later")
    until(lambda: hit(gw.get("/a")), what="it to be kept")
    assert len(origin.requests) == 1


def test_a_slow_client_does_not_slow_others(gateway, origin):
    body = b"z" * 3000000
    origin.on("/a", fresh(body))
    gw = gateway(**cached(wait="30s"))
    slow = gw.connect(rcvbuf=4096).send(request("GET", "/a"))
    slow.until(b"\r\n\r\n")
    until(lambda: hit(gw.get("/a")), what="the whole answer in the cache")
    assert len(origin.requests) == 1
    slow.close()


def test_what_breaks_off_is_not_kept(gateway, origin):
    def broken(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=100\r\n"
                      b"Content-Length: 10\r\n\r\nfirst")
        exchange.reset()
    origin.on("/a", broken)
    gw = gateway(**cached())
    with pytest.raises(Exception):
        gw.get("/a")
    origin.on("/a", fresh(b"whole"))
    again = gw.get("/a")
    assert (again.body, hit(again)) == (b"whole", False)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_what_is_too_large_is_passed_on(gateway, origin, framing):
    body = bytes(range(256)) * 40 * 1024          # 10 MiB

    def script(exchange):
        if framing == "length":
            exchange.answer(body, fields=[("Cache-Control", "max-age=100")])
        else:
            exchange.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=100\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), 65536):
                exchange.send(chunks(body[at:at + 65536])[:-5])
            exchange.send(b"0\r\n\r\n")
    origin.on("/a", script)
    gw = gateway(**cached())
    for _ in range(2):
        answer = gw.get("/a")
        assert (answer.body == body, hit(answer)) == (True, False)
    assert len(origin.requests) == 2


def test_what_outgrows_the_cache_is_followed_once(gateway, origin):
    """Nobody knew how long it would be: who followed is cut off, and nobody follows again."""
    piece, rest = b"x" * 65536, threading.Event()

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=100\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n" + b"5\r\nfirst\r\n")
        rest.wait(seconds(10))
        for _ in range(160):
            exchange.send(chunks(piece)[:-5])
        exchange.send(b"0\r\n\r\n")
    origin.on("/a", script)
    gw = gateway(**cached(wait="30s"))
    leader = gw.connect().send(request("GET", "/a"))
    leader.until(b"first\r\n")
    follower = gw.connect().send(request("GET", "/a"))
    follower.until(b"first\r\n")
    rest.set()
    leader.until(b"\r\n0\r\n\r\n")
    with pytest.raises(Closed):
        follower.until(b"\r\n0\r\n\r\n")
    assert len(origin.requests) == 1
    rest.clear()
    both = [gw.connect().send(request("GET", "/a")) for _ in range(2)]
    for connection in both:
        connection.until(b"first\r\n")
    rest.set()
    for connection in both:
        connection.until(b"\r\n0\r\n\r\n")
    assert len(origin.requests) == 3


def test_only_if_cached(gateway, origin):
    origin.on("/a", fresh())
    gw = gateway(**cached())
    only = [("Cache-Control", "only-if-cached")]
    assert gw.get("/a", only).status == 504
    assert len(origin.requests) == 0
    gw.get("/a")
    assert hit(gw.get("/a", only))


# --- poisoning ---------------------------------------------------------------

UNKEYED = [("X-Forwarded-Host", "evil.test"), ("X-Forwarded-Scheme", "nothttps"),
           ("X-Original-URL", "/evil"), ("X-Rewrite-URL", "/evil"),
           ("Forwarded", "host=evil.test"), ("X-Forwarded-Prefix", "/evil"),
           ("X_Forwarded_Host", "evil.test"), ("X_Original_URL", "/evil"),
           ("Surrogate-Capability", 'evil="ESI/1.0"'),
           ("Surrogate_Capability", 'evil="ESI/1.0"')]


@pytest.mark.parametrize("field", UNKEYED, ids=lambda f: f[0])
def test_fields_outside_the_key_do_not_reach_the_origin(gateway, origin, field):
    origin.on("/a", fresh())
    gw = gateway(**cached())
    gw.get("/a", [field])
    assert b"evil" not in origin.requests[0].head


@pytest.mark.parametrize("field", [("X-HTTP-Method-Override", "POST"),
                                   ("X_HTTP_Method_Override", "POST"),
                                   ("X-HTTP-Method", "DELETE"),
                                   ("X-Method-Override", "PUT")], ids=lambda f: f[0])
def test_a_method_override_goes_past_the_cache(gateway, origin, field):
    origin.on("/a", fresh(b"poison"))
    gw = gateway(**cached())
    gw.get("/a", [field])
    origin.on("/a", fresh(b"good"))
    assert gw.get("/a").body == b"good"


def test_a_get_with_content_goes_past_the_cache(gateway, origin):
    origin.on("/a", fresh(b"poison"))
    gw = gateway(**cached())
    gw.ask("GET", "/a", body=b"x=1")
    origin.on("/a", fresh(b"good"))
    assert gw.get("/a").body == b"good"


@pytest.mark.parametrize("path", ["/a/../a", "/%61", "/./a", "//a"])
def test_spellings_of_a_path_are_one_key(gateway, origin, path):
    origin.on("/a", fresh())
    gw = gateway(**cached())
    gw.get("/a")
    answer = gw.get(path)
    assert answer.status in (200, 400) and (answer.status == 400 or hit(answer))


def test_hosts_are_apart(gateway, origin):
    def script(exchange):
        exchange.answer(exchange.request.get("host").encode(),
                        fields=[("Cache-Control", "max-age=100")])
    origin.on("/a", script)
    gw = gateway(**cached())
    for host in ("one.test", "two.test", "ONE.test", "one.test:8080"):
        answer = gw.raw(request("GET", "/a", host=host))
        assert answer.body.decode() == host.lower()
    assert len(origin.requests) == 3


def test_ignored_parameters_reach_nobody(gateway, origin):
    origin.on("/a", fresh())
    gw = gateway(**cached(ignore_query=["utm_*", "fbclid"]))
    gw.get("/a?x=1&utm_source=evil&fbclid=2")
    assert hit(gw.get("/a?x=1&utm_campaign=other"))
    assert [r.target for r in origin.requests] == ["/a?x=1"]
    assert not hit(gw.get("/a?x=2"))


def test_cookies_are_not_given_to_others(gateway, origin):
    origin.on("/a", fresh(Set_Cookie="session=1"))
    gw = gateway(**cached())
    gw.get("/a")
    assert not hit(gw.get("/a"))
    assert len(origin.requests) == 2


def test_authorization_is_not_shared(gateway, origin):
    origin.on("/a", fresh(b"secret"))
    gw = gateway(**cached())
    gw.get("/a", [("Authorization", "Basic YTpi")])
    assert not hit(gw.get("/a"))


def test_a_key_of_the_routes_own(gateway, origin):
    def script(exchange):
        exchange.answer((exchange.request.get("x-tenant") or "none").encode(),
                        fields=[("Cache-Control", "max-age=100")])
    origin.on("/a", script)
    gw = gateway(**cached(key=["header:X-Tenant", "cookie:plan"]))
    for tenant in ("a", "b", "a", "b"):
        assert gw.get("/a", [("X-Tenant", tenant)]).body == tenant.encode()
    assert len(origin.requests) == 2
    twice = gw.get("/a", [("X-Tenant", "a"), ("X-Tenant", "b")])
    assert "bypass" in twice.get("cache-status")
    gw.form(b"x=1", "/a")          # all forms of it
    for tenant in ("a", "b"):
        assert not hit(gw.get("/a", [("X-Tenant", tenant)]))


def test_access_and_waf_come_before_the_cache(gateway, origin):
    origin.on("/a", fresh())
    config = cached({"access": [{"deny": {"path": ["/a"], "method": ["HEAD"]}},
                                {"allow": "any"}]})
    config["policies"] = {"default": {"mode": "block"}}
    gw = gateway(**config)
    gw.get("/a")
    assert gw.ask("HEAD", "/a").status == 403
    assert gw.get("/a?id=1%27%20OR%20%271%27=%271").status == 403
    assert hit(gw.get("/a"))


# --- the command -------------------------------------------------------------

def command(gw, *words):
    told = run("cache", *words, "--socket", gw.config["admin"]["socket"])
    return told.returncode, told.stdout, told.stderr


def test_purging(gateway, origin):
    for path, tags in (("/a", "red blue"), ("/b", "blue"), ("/c", "")):
        origin.on(path, fresh(Surrogate_Key=tags))
    gw = gateway(**cached(ignore_query=["utm_*"]))

    def fill():
        for path in ("/a", "/b", "/c"):
            gw.get(path)
            assert hit(gw.get(path))

    def kept():
        return [path for path in ("/a", "/b", "/c") if hit(gw.get(path))]

    fill()
    assert command(gw, "purge", "http://app.test/a?utm_source=x") == (0, "1 purged\n", "")
    assert kept() == ["/b", "/c"]
    fill()
    assert command(gw, "purge", "tag", "blue", "nobody")[1] == "2 purged\n"
    assert kept() == ["/c"]
    fill()
    assert command(gw, "purge", "all")[1] == "3 purged\n"
    assert kept() == []


def test_what_can_not_be_purged(gateway, origin):
    gw = gateway(**cached())
    for words, status, text in (
            (("purge",), 2, "what: a URL"), (("purge", "/a"), 2, "nor a URL: /a"),
            (("purge", "tag"), 2, "which tag"), (("empty",), 2, "neither stats nor purge"),
            (("purge", "ftp://app.test/"), 1, "not an absolute http or https URL")):
        code, out, err = command(gw, *words)
        assert (code, out) == (status, "") and text in err, (words, err)
    assert command(gateway(**plain_policy()), "purge", "all")[0] == 1


def test_what_was_asked_for_before_a_purge_is_not_kept(gateway, origin):
    go_on = threading.Event()

    def script(exchange):
        go_on.wait(seconds(10))
        exchange.answer(b"old", fields=[("Cache-Control", "max-age=100")])
    origin.on("/a", script)
    gw = gateway(**cached())
    under_way = gw.connect().send(request("GET", "/a"))
    until(lambda: len(origin.requests) == 1, what="the request")
    command(gw, "purge", "http://app.test/a")
    origin.on("/a", fresh(b"new"))
    go_on.set()
    assert under_way.response().body == b"old"
    assert gw.get("/a").body == b"new"


def test_figures(gateway, origin):
    origin.on("/a", fresh())
    port = free_port()
    gw = gateway(admin={"metrics": port.address}, **cached())
    for _ in range(3):
        gw.get("/a")
    gw.form(b"x=1", "/a")
    until(lambda: len(gw.accesses()) == 4, what="access lines")
    assert sorted(a["cache"] for a in gw.accesses()) == ["bypass", "hit", "hit", "miss"]
    told = json.loads(command(gw, "stats", "--json")[1])
    assert (told["hit"], told["miss"], told["bypass"]) == (2, 1, 1)
    assert told["objects"] == 0 and told["purged"] == 1
    assert 0 <= told["used"] <= told["memory"] == 32 << 20
    assert "hits" in command(gw, "stats")[1]
    page = urllib.request.urlopen(f"http://{port.address}/metrics").read().decode()
    assert 'yett_cache_requests_total{result="hit"} 2' in page


@pytest.mark.parametrize("key, told", [([], None), (["country"], "unknown")])
def test_an_origin_learns_of_a_place_only_what_the_key_has(gateway, origin, tmp_path,
                                                           key, told):
    database = tmp_path / "country.mmdb"
    database.write_bytes(mmdb.build({"81.2.69.0/24": mmdb.country("GB", "EU")}))
    origin.on("/a", fresh())
    gw = gateway(geo={"country": str(database), "headers": True},
                 identity={"trusted_proxies": ["127.0.0.0/8"]}, **cached(key=key))
    gw.get("/a", [("X-Forwarded-For", "192.88.99.1")])
    assert origin.requests[0].get("x-geo-country") == told
    gw.get("/a", [("X-Forwarded-For", "81.2.69.1")])
    assert len(origin.requests) == (2 if key else 1)
    assert origin.requests[-1].get("x-geo-country") == ("GB" if key else None)
