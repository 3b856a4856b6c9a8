# SPDX-License-Identifier: Apache-2.0
"""Long inspections run beside the loops: small requests don't wait for them."""
import json
import threading
import time

import pytest

from yett_test.client import request
from yett_test.wait import seconds

pytestmark = pytest.mark.timing

COUNT = 400
HEAVY = json.dumps([{"name": f"item {n}", "note": f"some words {n}", "size": str(n),
                     "kind": "abc", "tags": f"a{n}"} for n in range(45)]).encode()


def quantiles(gw, count=COUNT):
    """Latencies of small GETs, one after the other at a gentle pace, in ms."""
    times = []
    with gw.connect() as connection:
        data = request("GET", "/small")
        for _ in range(count):
            begin = time.monotonic()
            assert connection.send(data).response().status == 200
            times.append((time.monotonic() - begin) * 1000)
            time.sleep(0.002)
    times.sort()
    return {"p50": times[count // 2], "p99": times[count * 99 // 100],
            "max": times[-1]}


def test_small_requests_do_not_wait_for_long_inspections(gateway, origin):
    gw = gateway(threads=1, policies={"default": {"request_body": {"arguments": 1000}}})
    alone = quantiles(gw)
    stop = threading.Event()
    heavy = []

    def post():
        with gw.connect() as connection:
            data = request("POST", "/", [("Content-Type", "application/json")], HEAVY)
            while not stop.is_set():
                begin = time.monotonic()
                assert connection.send(data).response().status == 200
                heavy.append((time.monotonic() - begin) * 1000)

    poster = threading.Thread(target=post, daemon=True)
    poster.start()
    while not heavy:
        time.sleep(0.01)
    beside = quantiles(gw)
    stop.set()
    poster.join(seconds(10))
    heavy.sort()
    for name, row in (("alone", alone), ("beside", beside)):
        print(f"small GETs {name}: " + ", ".join(f"{k} {v:.2f} ms"
                                                 for k, v in row.items()))
    print(f"JSON of {len(HEAVY)} bytes: p50 {heavy[len(heavy) // 2]:.1f} ms, "
          f"{len(heavy)} posts")
    # One loop thread: were the post inspected there, p99 would be its time.
    assert beside["p50"] < heavy[len(heavy) // 2] / 2
    assert beside["p99"] < max(heavy[len(heavy) // 2], seconds(25), 2 * alone["p99"])
