# SPDX-License-Identifier: Apache-2.0
"""Other people's clients: curl, wrk and h2load work through it without an error."""
import re
import shutil
import subprocess

import pytest

from yett_test.wait import Port, seconds


def tool(name):
    return pytest.mark.skipif(not shutil.which(name), reason=f"{name} is not installed")


def output(*command, timeout=60):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=seconds(timeout))
    return done.returncode, done.stdout.decode("utf-8", "replace")


@pytest.fixture
def both(gateway, authority):
    """One plain and one TLS listener under the WAF."""
    secure, plain = Port(), Port()
    pair = authority.issue("app.test")
    gw = gateway(port=plain, listeners=[
        {"address": plain.address},
        {"address": secure.address, "tls": {"certificates": [pair.conf()]}}])
    gw.secure = f"https://app.test:{secure.number}"
    gw.curl = ["curl", "-sS", "--max-time", str(int(seconds(20))), "--cacert",
               authority.file, "--resolve", f"app.test:{secure.number}:127.0.0.1"]
    yield gw


@tool("curl")
def test_curl(both, tmp_path, origin):
    upload = tmp_path / "photo.jpg"
    upload.write_bytes(bytes(range(256)) * 200)
    origin.on("/echo", lambda e: e.answer(e.request.body))
    for more, body in (
            (["/"], "ok\n"),
            (["--tlsv1.2", "--tls-max", "1.2", "/"], "ok\n"),
            (["--http1.0", "/"], "ok\n"),
            (["--compressed", "/"], "ok\n"),
            (["-d", "a=1&b=2", "/echo"], "a=1&b=2"),
            (["-H", "Transfer-Encoding: chunked", "-d", "a=1", "/echo"], "a=1"),
            (["-H", "Expect: 100-continue", "-d", "a=1", "/echo"], "a=1"),
            (["-X", "PUT", "-H", "Content-Type: application/json", "-d", '{"a": 1}',
              "/echo"], '{"a": 1}'),
            (["-o", "/dev/null", "-w", "%{http_code}", "-I", "/"], "200"),
            (["-o", "/dev/null", "-w", "%{http_code}", "/?id=1'%20OR%201=1--"], "403"),
            (["-o", "/dev/null", "-w", "%{http_code}", "-F", f"file=@{upload}",
              "-F", "note=hello", "/echo"], "200")):
        *options, path = more
        code, text = output(*both.curl, *options, both.secure + path)
        assert (code, text) == (0, body), more
    assert b"photo.jpg" in origin.last().body
    code, text = output(*both.curl, *[both.secure + "/"] * 20)
    assert (code, text) == (0, "ok\n" * 20)
    assert len(origin.requests) >= 28


@tool("wrk")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_wrk(both, origin, scheme):
    url = both.url if scheme == "http" else both.secure.replace("app.test", "127.0.0.1")
    code, text = output("wrk", "-t1", "-c16", "-d3s", "--latency", url + "/")
    print(text)
    assert code == 0
    assert "Socket errors" not in text and "Non-2xx" not in text, text
    assert int(re.search(r"(\d+) requests in", text).group(1)) > 100


@tool("h2load")
def test_h2load(both):
    for url in (both.url, both.secure.replace("app.test", "127.0.0.1")):
        code, text = output("h2load", "--h1", "-t1", "-c8", "-n1000", url + "/")
        print(text)
        assert code == 0
        assert "1000 succeeded, 0 failed, 0 errored, 0 timeout" in text
        assert "status codes: 1000 2xx" in text
