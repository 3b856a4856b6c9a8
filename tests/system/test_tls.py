# SPDX-License-Identifier: Apache-2.0
"""TLS to clients."""
import re
import socket
import ssl
import subprocess

import pytest

from yett_test.certs import openssl
from yett_test.client import Connection, request, tls_context
from yett_test.gateway import plain_policy
from yett_test.wait import Port, seconds, until


@pytest.fixture(scope="module")
def pairs(authority):
    return {
        "shop": authority.issue("shop.test"),
        "rsa": authority.issue("shop.test", kind="rsa"),
        "wild": authority.issue("*.shop.test"),
        "other": authority.issue("other.test"),
    }


def listeners(port, *pairs, **tls):
    return [{"address": port.address,
             "tls": {"certificates": [p if isinstance(p, dict) else p.conf()
                                      for p in pairs], **tls}}]


@pytest.fixture
def https(gateway):
    def start(*pairs, config=None, **tls):
        port = Port()
        return gateway(port=port, **plain_policy(),
                       listeners=listeners(port, *pairs, **tls), **(config or {}))
    return start


def names(gw, sni, **options):
    """The names in the certificate that this SNI is answered with."""
    with gw.connect(tls=tls_context(**options), sni=sni) as connection:
        der = connection.sock.getpeercert(binary_form=True)
        assert connection.send(request()).response().status == 200
    text = openssl("x509", "-inform", "DER", "-noout", "-ext", "subjectAltName",
                   input=der).stdout.decode()
    return re.findall(r"DNS:([^,\s]+)", text)


def s_client(gw, *arguments, data=b""):
    """What `openssl s_client` says."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", gw.port.address, "-servername", "shop.test",
         *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=seconds(20))
    return done.stdout.decode("utf-8", "replace")


def test_sni_exact_wildcard_default(https, pairs):
    gw = https(pairs["other"], pairs["wild"], pairs["shop"])
    assert names(gw, "shop.test") == ["shop.test"]
    assert names(gw, "SHOP.test") == ["shop.test"]
    assert names(gw, "www.shop.test") == ["*.shop.test"]
    assert names(gw, "a.b.shop.test") == ["other.test"]     # one label only
    assert names(gw, "unknown.test") == ["other.test"]
    assert names(gw, None) == ["other.test"]


def test_chain_verifies(https, pairs, authority):
    gw = https(pairs["shop"])
    with gw.connect(tls=tls_context(ca=authority.file), sni="shop.test") as connection:
        assert connection.send(request()).response().status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(https, pairs, version, origin):
    gw = https(pairs["shop"])
    with gw.connect(tls=tls_context(version=version), sni="shop.test") as connection:
        assert connection.sock.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2",
                                             ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
        assert connection.send(request()).response().status == 200
    assert origin.last().get("x-forwarded-proto") == "https"
    assert "proto=https" in origin.last().get("forwarded")


def test_min_version_1_3(https, pairs):
    gw = https(pairs["shop"], min_version="1.3")
    with pytest.raises((ssl.SSLError, OSError)):
        names(gw, "shop.test", version=ssl.TLSVersion.TLSv1_2)
    assert names(gw, "shop.test") == ["shop.test"]


def test_old_versions_are_refused(https, pairs):
    gw = https(pairs["shop"])
    for flag in ("-tls1", "-tls1_1"):
        text = s_client(gw, flag, "-cipher", "ALL:@SECLEVEL=0")
        assert "Cipher is (NONE)" in text or "Cipher    : 0000" in text


def test_rsa_and_ecdsa_side_by_side(https, pairs):
    gw = https(pairs["shop"], pairs["rsa"])
    ecdsa = s_client(gw, "-tls1_2", "-sigalgs", "ECDSA+SHA256")
    rsa = s_client(gw, "-tls1_2", "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256")
    assert "Peer signature type: ECDSA" in ecdsa
    assert "Peer signature type: RSA" in rsa
    assert "Peer signature type: RSA-PSS" in s_client(
        gw, "-tls1_3", "-sigalgs", "RSA-PSS+SHA256")


def test_weak_ciphers_are_refused(https, pairs):
    gw = https(pairs["rsa"])
    for cipher in ("AES128-SHA", "DES-CBC3-SHA", "AES128-GCM-SHA256", "NULL", "aNULL"):
        text = s_client(gw, "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0")
        assert "Cipher is (NONE)" in text or "no cipher" in text or \
            "Error with command" in text, cipher


def test_no_renegotiation_no_compression(https, pairs):
    gw = https(pairs["shop"])
    text = s_client(gw, "-tls1_2", data=b"R\n")
    assert "Compression: NONE" in text
    assert "no renegotiation" in text.lower() or "error" in text.lower() or \
        "RENEGOTIATING" in text and "Verify return code" not in \
        text.split("RENEGOTIATING")[1]


def test_alpn(https, pairs):
    gw = https(pairs["shop"])
    for offered, chosen in ((["http/1.1"], "http/1.1"),
                            (["h2", "http/1.1"], "http/1.1"), (None, None)):
        with gw.connect(tls=tls_context(alpn=offered), sni="shop.test") as connection:
            assert connection.sock.selected_alpn_protocol() == chosen
            assert connection.send(request()).response().status == 200


def test_alpn_without_a_common_protocol(https, pairs):
    gw = https(pairs["shop"])
    with pytest.raises((ssl.SSLError, OSError)):
        gw.connect(tls=tls_context(alpn=["imap"]), sni="shop.test")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_resumption_across_threads(https, pairs, tmp_path, version):
    """Each new connection lands on any thread; all must know the ticket."""
    gw = https(pairs["shop"], config={"threads": 4})
    session = tmp_path / "session"
    get = b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
    first = s_client(gw, version, "-sess_out", str(session), "-ign_eof", data=get)
    assert "New, TLSv1" in first
    reused = 0
    for _ in range(12):
        text = s_client(gw, version, "-sess_in", str(session), "-ign_eof", data=get)
        reused += "Reused, TLSv1" in text
    assert reused == 12


def test_session_cache_without_tickets(https, pairs, tmp_path):
    gw = https(pairs["shop"], config={"threads": 4})
    session = tmp_path / "session"
    get = b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
    s_client(gw, "-tls1_2", "-no_ticket", "-sess_out", str(session), "-ign_eof",
             data=get)
    reused = sum("Reused, TLSv1" in s_client(
        gw, "-tls1_2", "-no_ticket", "-sess_in", str(session), "-ign_eof", data=get)
        for _ in range(8))
    assert reused == 8


def test_ocsp_stapling(https, pairs, authority):
    answer = authority.ocsp(pairs["shop"])
    gw = https({**pairs["shop"].conf(), "ocsp": str(answer)})
    text = s_client(gw, "-status")
    assert "OCSP Response Status: successful" in text
    assert "Cert Status: good" in text
    assert "OCSP response: no response sent" in s_client(https(pairs["shop"]), "-status")


def test_plain_http_on_the_https_port(https, pairs):
    gw = https(pairs["shop"])
    with gw.connect() as connection:
        answer = connection.send(request("GET", "/x?y", host="shop.test")).response()
        assert answer.status in (301, 308, 400)
        assert b"https://" in answer.body or \
            (answer.get("location") or "").startswith("https://")
        assert connection.closed()
    assert names(gw, "shop.test") == ["shop.test"]


def test_garbage_on_the_https_port(https, pairs):
    gw = https(pairs["shop"])
    for data in (b"\x16\x03\x01\xff\xff" + b"A" * 300, b"\x80\x2e\x01\x03\x01", b"\0",
                 b"\x16", b"SSH-2.0-x\r\n"):
        with gw.connect() as connection:
            try:
                connection.send(data)
                connection.shut()
                connection.rest()
            except OSError:
                pass
    assert names(gw, "shop.test") == ["shop.test"]


def test_redirect_listener(gateway, pairs):
    plain, secure = Port(), Port()
    gw = gateway(port=secure, **plain_policy(), listeners=[
        *listeners(secure, pairs["shop"]),
        {"address": plain.address, "redirect_to": "https"}])
    with Connection(("127.0.0.1", plain.number)) as connection:
        for method in ("GET", "POST"):
            data = request(method, "/a/%2e%2e/b?c=d%20e", host="shop.test",
                           body=b"x" if method == "POST" else None)
            answer = connection.send(data).response()
            assert answer.status == 308
            location = answer.get("location")
            assert location.startswith("https://shop.test")
            assert location.endswith("/b?c=d%20e")
    with Connection(("127.0.0.1", plain.number)) as connection:
        answer = connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n").response()
        assert answer.status == 400
    assert names(gw, "shop.test") == ["shop.test"]


def test_handshake_timer(gateway, pairs):
    port = Port()
    gw = gateway(port=port, **plain_policy(), listeners=listeners(port, pairs["shop"]),
                 timeouts={"handshake": "500ms"})
    with gw.connect() as connection:
        assert connection.rest() == b""
    with gw.connect() as connection:
        connection.send(b"\x16\x03\x01\x00\xc8\x01\x00")
        assert connection.rest() == b""
    assert names(gw, "shop.test") == ["shop.test"]


def test_tls_in_the_record(https, pairs):
    gw = https(pairs["shop"])
    with gw.connect(tls=tls_context(version=ssl.TLSVersion.TLSv1_3),
                    sni="shop.test") as connection:
        answer = connection.send(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n").response()
    tls = gw.audit(id=answer.id)["tls"]
    assert tls["version"] == "TLSv1.3"
    assert tls["cipher"].startswith("TLS_")
    assert tls["sni"] == "shop.test"


def test_big_bodies_over_tls(https, pairs, origin):
    body = bytes(range(256)) * 4096 * 8
    origin.on("/echo", lambda exchange: exchange.answer(exchange.request.body))
    gw = https(pairs["shop"])
    with gw.connect(tls=tls_context(), sni="shop.test", timeout=30) as connection:
        connection.sock.settimeout(seconds(30))
        import threading
        sender = threading.Thread(
            target=connection.send, args=(request("POST", "/echo", [], body),))
        sender.start()
        assert connection.response().body == body
        sender.join()


def test_clients_that_leave_during_the_handshake(https, pairs):
    gw = https(pairs["shop"])
    hello = ssl.MemoryBIO()
    engine = tls_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="shop.test")
    with pytest.raises(ssl.SSLWantReadError):
        engine.do_handshake()
    data = hello.read()
    for cut in (1, 5, 50, len(data)):
        for _ in range(10):
            connection = gw.connect()
            connection.send(data[:cut])
            connection.reset()
    assert names(gw, "shop.test") == ["shop.test"]


def test_unclean_close_by_the_client(https, pairs):
    gw = https(pairs["shop"])
    connection = gw.connect(tls=tls_context(), sni="shop.test")
    connection.send(request()).response()
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    until(lambda: names(gw, "shop.test") == ["shop.test"])
