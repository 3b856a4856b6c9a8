# SPDX-License-Identifier: Apache-2.0
"""One canonical path: what the origin gets for what the client sent."""
import pytest

from yett_test.client import request
from yett_test.gateway import plain_policy

ROWS = [
    # sent, what the origin gets (None: refused with 400)
    ("/", "/"),
    ("/a/b", "/a/b"),
    ("/a/", "/a/"),
    ("/%61%62", "/ab"),
    ("/%7euser", "/~user"),
    ("/a%20b", "/a%20b"),
    ("/a%3fb", "/a%3Fb"),
    ("/a%23b", "/a%23b"),
    ("/a%25b", "/a%25b"),
    ("/a%2fb", "/a%2Fb"),
    ("/a%5cb", "/a%5Cb"),
    ("/%c3%a9", "/%C3%A9"),
    ("/a/./b", "/a/b"),
    ("/a/../b", "/b"),
    ("/a/%2e%2e/b", "/b"),
    ("/a/%2e/b", "/a/b"),
    ("/a/b/..", "/a/"),
    ("//a//b", "/a/b"),
    ("/a;x=1/b", "/a;x=1/b"),
    ("/a?b=c", "/a?b=c"),
    ("/a?", "/a?"),
    ("/a?x=%2e%2e/%3f&y=/../", "/a?x=%2e%2e/%3f&y=/../"),
    ("/a?b?c", "/a?b?c"),
    ("/..", None),
    ("/../etc/passwd", None),
    ("/a/../../b", None),
    ("/%2e%2e/%2e%2e/", None),
    ("/a%00b", None),
    ("/a%", None),
    ("/a%4", None),
    ("/a%zz", None),
    ("/a%u0041", None),
    ("/%c0%ae%c0%ae/", None),
    ("/%e0%80%af", None),
    ("/%c0%af", None),
    ("/..%2f..%2fetc/passwd", None),
    ("/..%5c..%5cboot.ini", None),
    ("/a#b", None),
    ("\\a", None),
]


@pytest.fixture(scope="module")
def gw(module_gateway):
    return module_gateway(**plain_policy())


@pytest.mark.parametrize("sent,got", ROWS, ids=[r[0] for r in ROWS])
def test_path(gw, module_origin, sent, got):
    module_origin.clear()
    answer = gw.raw(request("GET", sent))
    if got is None:
        assert answer.status == 400
        assert gw.audit(id=answer.id)["reason"] == "protocol"
        assert module_origin.requests == []
    else:
        assert answer.status == 200
        assert module_origin.last().target == got


@pytest.mark.parametrize("path,route", [
    ("/admin/x", "admin"), ("/%61dmin/x", "admin"), ("/x/../admin/x", "admin"),
    ("//admin/x", "admin"), ("/x/%2e%2e/admin/x", "admin"), ("/adminx", "site"),
    ("/login", "login"), ("/login/", "site"), ("/old/42", "regex"),
    ("/admin%3fx", "site"),
])
def test_every_spelling_takes_the_same_route(gateway, origin, path, route):
    from yett_test.origin import Origin
    others = {name: Origin() for name in ("admin", "login", "regex")}
    gw = gateway(**plain_policy(),
                 pools={n: {"servers": [{"url": o.url}]} for n, o in others.items()},
                 sites=[{"hosts": ["*"], "pool": "app", "policy": "default", "routes": [
                     {"path": "/admin/", "pool": "admin"},
                     {"path": "=/login", "pool": "login"},
                     {"path": "~ ^/old/[0-9]+$", "pool": "regex"}]}])
    assert gw.get(path).status == 200
    counts = {n: len(o.requests) for n, o in {**others, "site": origin}.items()}
    assert counts == {n: int(n == route) for n in counts}
    for other in others.values():
        other.stop()


def test_encoded_slash_that_changes_the_route_is_refused(gateway, origin):
    gw = gateway(**plain_policy(), sites=[
        {"hosts": ["*"], "pool": "app", "policy": "default",
         "routes": [{"path": "/admin/", "methods": ["POST"]}]}])
    assert gw.get("/admin%2fusers").status == 400
    assert gw.get("/files%2fa").status == 200
    assert len(origin.requests) == 1
