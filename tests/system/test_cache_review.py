# SPDX-License-Identifier: Apache-2.0
"""What clients try on the cache: answers that are stored for others, requests that end
in odd places."""
import json
import threading

import pytest

from test_cache import cached, command, hit
from yett_test.client import request
from yett_test.wait import seconds, until


def used(gw):
    return json.loads(command(gw, "stats", "--json")[1])["used"]


# --- what the origin saw is not what the key has -------------------------------

def by_field(name, vary=None):
    """An origin whose answer is the value of the field; CGI-like where it has "_"."""
    def script(exchange):
        value = exchange.request.get(name) or exchange.request.get(name.replace("-", "_"))
        fields = [("Cache-Control", "max-age=100")] + ([("Vary", vary)] if vary else [])
        exchange.answer((value or "none").encode(), fields=fields)
    return script


TRICKS = [([("Connection", "X-Lang"), ("X-Lang", "de")], "taken off"),
          ([("X_Lang", "de")], "spelled otherwise"),
          ([("X-Lang", "de"), ("X_Lang", "fr")], "one for each kind of origin")]


@pytest.mark.parametrize("fields", [t[0] for t in TRICKS], ids=[t[1] for t in TRICKS])
def test_a_variant_is_what_the_origin_saw(gateway, origin, fields):
    origin.on("/a", by_field("X-Lang", vary="X-Lang"))
    gw = gateway(**cached())
    for _ in range(2):      # not known to vary, known
        gw.get("/a", fields)
        assert gw.get("/a", [("X-Lang", "de")]).body == b"de"
        assert gw.get("/a").body == b"none"


@pytest.mark.parametrize("fields", [t[0] for t in TRICKS], ids=[t[1] for t in TRICKS])
def test_a_field_of_the_key_is_what_the_origin_saw(gateway, origin, fields):
    origin.on("/a", by_field("X-Lang"))
    gw = gateway(**cached(key=["header:X-Lang"]))
    assert "bypass" in gw.get("/a", fields).get("cache-status")
    assert gw.get("/a", [("X-Lang", "de")]).body == b"de"
    assert gw.get("/a").body == b"none"


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Request-Id"])
def test_what_is_told_of_the_client_is_not_for_others(gateway, origin, name):
    origin.on("/a", by_field(name, vary=name))
    gw = gateway(**cached(), identity={"trusted_proxies": ["127.0.0.0/8"]})
    answers = [gw.get("/a", [("X-Forwarded-For", f"192.0.2.{i}")]) for i in (1, 2)]
    assert answers[0].body != answers[1].body
    assert not any(hit(gw.get("/a")) for _ in range(2))


def test_what_the_operator_tells_of_the_client_is_not_for_others(gateway, origin):
    origin.on("/a", by_field("X-Client", vary="X-Client"))
    origin.on("/b", by_field("X-Site", vary="X-Site"))
    change = {"X-Client": "%{client}", "X-Site": "%{scheme}"}
    gw = gateway(identity={"trusted_proxies": ["127.0.0.0/8"]},
                 **cached({"headers": {"request": {"set": change}}}))
    for i in (1, 2):
        client = f"192.0.2.{i}"
        assert gw.get("/a", [("X-Forwarded-For", client)]).text == client
    assert not hit(gw.get("/b")) and hit(gw.get("/b"))


def test_a_coded_answer_is_for_those_who_read_it(gateway, origin):
    """Also where the origin forgets to say Vary."""
    def script(exchange):
        coded = "gzip" in (exchange.request.get("accept-encoding") or "")
        fields = [("Cache-Control", "max-age=100")]
        if coded:
            fields.append(("Content-Encoding", "gzip"))
        exchange.answer(b"coded" if coded else b"plain", fields=fields)
    origin.on("/a", script)
    gw = gateway(**cached())
    gw.get("/a", [("Accept-Encoding", "gzip")])
    plain = gw.get("/a")
    assert (plain.body, plain.get("content-encoding")) == (b"plain", None)


# --- validation ---------------------------------------------------------------

def validating(control="max-age=0", **on_304):
    def script(exchange):
        if exchange.request.get("if-none-match"):
            exchange.answer(b"", "304 Not Modified", fields=[("ETag", '"1"')] + [
                (n.replace("_", "-"), v) for n, v in on_304.items()])
        else:
            exchange.answer(b"body" * 1000, fields=[("ETag", '"1"'),
                                                    ("Cache-Control", control)])
    return script


@pytest.mark.parametrize("name, value", [
    ("If-Match", '"1"'), ("If-Unmodified-Since", "Sun, 06 Nov 2044 08:49:37 GMT")])
def test_preconditions_of_what_is_refreshed_behind(gateway, origin, name, value):
    origin.on("/a", validating("max-age=0, stale-while-revalidate=100"))
    gw = gateway(**cached())
    gw.get("/a")
    for _ in range(3):
        assert gw.get("/a", [(name, value)]).status == 200
    assert hit(gw.get("/a"))


@pytest.mark.parametrize("asked", [[], [("Cache-Control", "no-store")],
                                   [("Authorization", "Basic YTpi")]],
                         ids=["no-store", "asked for no-store", "authorized"])
def test_what_a_304_ends_is_given_back(gateway, origin, asked):
    ends = {} if asked else {"Cache_Control": "no-store"}
    origin.on("/a", validating(**ends))
    gw = gateway(**cached())
    command(gw, "purge", "all")
    before = used(gw)
    for _ in range(10):
        assert gw.get("/a").status == 200
        assert gw.get("/a", asked).body == b"body" * 1000
    command(gw, "purge", "all")
    until(lambda: used(gw) == before, what="the memory as it was")


def test_who_may_not_store_takes_nothing_out(gateway, origin):
    origin.on("/a", validating("max-age=100", Cache_Control="max-age=100"))
    gw = gateway(**cached())
    gw.get("/a")
    for fields in ([("Cache-Control", "no-cache, no-store")],
                   [("Cache-Control", "no-cache"), ("Authorization", "Basic YTpi")]):
        assert gw.get("/a", fields).body == b"body" * 1000
        assert hit(gw.get("/a"))


def test_variants_with_one_etag_stay_apart(gateway, origin):
    """An origin that names two codings of a page alike."""
    def script(exchange):
        coded = "gzip" in (exchange.request.get("accept-encoding") or "")
        head = [("ETag", '"1"'), ("Vary", "Accept-Encoding"),
                ("Cache-Control", "max-age=100")]
        if exchange.request.get("if-none-match"):
            exchange.answer(b"", "304 Not Modified", fields=head)
        else:
            exchange.answer(b"coded" if coded else b"plain", fields=head + (
                [("Content-Encoding", "gzip")] if coded else []))
    origin.on("/a", script)
    gw = gateway(**cached())
    for _ in range(2):
        for fields, body in (([("Accept-Encoding", "gzip")], b"coded"), ([], b"plain")):
            again = fields + [("Cache-Control", "no-cache")]
            assert [gw.get("/a", f).body for f in (fields, again, fields)] == [body] * 3


# --- clients that leave ---------------------------------------------------------

def test_who_wanted_a_byte_and_leaves_is_not_worth_the_whole(gateway, origin):
    more, over = threading.Event(), threading.Event()

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=100\r\n"
                      b"Content-Length: 1000000\r\n\r\nfirst")
        more.wait(seconds(10))
        try:
            while exchange.sock.recv(100):
                pass
        except OSError:
            pass
        over.set()
    origin.on("/a", script)
    gw = gateway(**cached())
    leader = gw.connect().send(request("GET", "/a", [("If-None-Match", '"0"'),
                                                     ("Range", "bytes=0-0")]))
    leader.until(b"\r\n\r\n")
    leader.reset()
    more.set()
    assert over.wait(seconds(5)), "the origin is asked on for nobody"
