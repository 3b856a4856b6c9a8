# SPDX-License-Identifier: Apache-2.0
"""The request core at its seams: framing towards the origin, who waits for whom,
what a hostile peer may cost."""
import socket
import time

import pytest

from yett_test.client import Closed, chunks, request
from yett_test.gateway import plain_policy

TEXT = "text/plain"


def head_policy(inspect):
    return {"policies": {"default": {"mode": "detect", "request_body": {
        "inspect": inspect, "over_inspect": "head"}}}}


# --- framing towards the origin ---------------------------------------------------

@pytest.mark.parametrize("size", [999, 1000, 1001, 1500, 5000, 40000, 70000])
@pytest.mark.parametrize("way", ["length", "one chunk", "small chunks", "late end"])
def test_what_is_beyond_the_inspected_head_stays_in_the_body(gateway, origin, size, way):
    """A chunked body cut for inspection once got the length of its head alone: the
    rest was the origin's next request."""
    gw = gateway(threads=1, **head_policy(1000))
    body = bytes(range(32, 127)) * (size // 95 + 1)
    body = body[:size]
    fields = [("Content-Type", TEXT)]
    if way == "length":
        data, rest = request("POST", "/up", fields, body), b""
    else:
        step = size if way == "one chunk" else 700
        parts = [body[i:i + step] for i in range(0, size, step)]
        coded = chunks(*parts)
        fields.append(("Transfer-Encoding", "chunked"))
        cut = len(coded) - 3 if way == "late end" else len(coded)
        data, rest = request("POST", "/up", fields) + coded[:cut], coded[cut:]
    with gw.connect() as client:
        client.send(data)
        if rest:
            time.sleep(0.05)
            client.send(rest)
        assert client.response().status == 200
        client.send(request("GET", "/next"))
        assert client.response().status == 200
    assert [r.path for r in origin.requests] == ["/up", "/next"]
    assert origin.requests[0].body == body
    assert origin.errors == []
