# SPDX-License-Identifier: Apache-2.0
"""Who the client is: nobody is believed but trusted proxies, and those to the
letter; the chosen address is what records, origins and rules see."""
import shutil
import socket
import ssl
import struct
import subprocess
import time

import pytest

from yett_test.client import Closed, Connection, request, tls_context
from yett_test.gateway import plain_policy
from yett_test.wait import Port, ipv6_here, seconds, until

PROXY = "127.0.0.5"         # trusted, as all of 127.0.1.0/24
STRANGER = "127.0.0.9"      # is not
TRUSTED = [PROXY, "127.0.1.0/24", "10.1.0.0/16"]

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source="203.0.113.7", port=4711):
    kind = "TCP6" if ":" in source else "TCP4"
    to = "2001:db8::2" if ":" in source else "198.51.100.2"
    return f"PROXY {kind} {source} {to} {port} 443\r\n".encode()


def v2(source="203.0.113.7", port=4711, tlvs=b"", local=False):
    family, to, kind = socket.AF_INET, "198.51.100.2", 0x11
    if ":" in source:
        family, to, kind = socket.AF_INET6, "2001:db8::2", 0x21
    body = socket.inet_pton(family, source) + socket.inet_pton(family, to) + \
        struct.pack(">HH", port, 443) + tlvs
    return SIGNATURE + bytes([0x20 if local else 0x21, kind]) + \
        struct.pack(">H", len(body)) + body


def identity(header="X-Forwarded-For", **more):
    return {"identity": {"trusted_proxies": TRUSTED, "header": header, **more}}


def told(received):
    """The client that the origin was told, by each of the ways."""
    forwarded = received.get("forwarded").split(";")[0]
    return received.all("x-forwarded-for"), forwarded


def quoted(address):
    return f'for="[{address}]"' if ":" in address else f"for={address}"


def asked_from(gw, source, fields=(), before=b"", **options):
    with gw.connect(source=source, **options) as connection:
        return connection.send(before + request(fields=fields)).response()


def client_of_last(gw, origin, count):
    """Of the `count`th request: as the origin, and the access log, have it."""
    until(lambda: len(gw.accesses()) >= count, what="the access record")
    addresses, forwarded = told(origin.requests[-1])
    address = gw.accesses()[count - 1]["client"]
    assert addresses == [address] and forwarded == quoted(address)
    return address


# --- fields ----------------------------------------------------------------------

FORGED = [
    ("X-Forwarded-For", "203.0.113.7"), ("X_Forwarded_For", "203.0.113.7"),
    ("Forwarded", "for=203.0.113.7"), ("X-Real-IP", "203.0.113.7"),
    ("CF-Connecting-IP", "203.0.113.7"), ("True-Client-IP", "203.0.113.7"),
    ("X-Client-IP", "203.0.113.7"), ("X-Geo-Country", "XX"), ("X_Geo_Asn", "1"),
    ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.test"),
]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "CF-Connecting-IP"])
def test_nobody_is_believed_who_is_not_trusted(gateway, origin, header):
    gw = gateway(**plain_policy(), **identity(header))
    assert asked_from(gw, STRANGER, FORGED).status == 200
    assert client_of_last(gw, origin, 1) == STRANGER
    received = origin.requests[-1]
    for name, value in FORGED:
        assert value not in received.all(name), name
    assert "203.0.113.7" not in received.head.decode("latin-1")


FOLLOWED = [
    ("X-Forwarded-For", ["203.0.113.7"], "203.0.113.7"),
    ("X-Forwarded-For", ["1.1.1.1, 203.0.113.7"], "203.0.113.7"),
    ("X-Forwarded-For", ["1.1.1.1", "203.0.113.7, 10.1.2.3", "127.0.1.8"], "203.0.113.7"),
    ("X-Forwarded-For", ["203.0.113.7:567"], "203.0.113.7"),
    ("X-Forwarded-For", ["[2001:db8::1]:567"], "2001:db8::1"),
    ("X-Forwarded-For", ["64:ff9b::203.0.113.7"], "203.0.113.7"),
    ("X-Forwarded-For", ["203.0.113.7, 2002:7f00:1::1"], "2002:7f00:1::1"),
    ("X-Forwarded-For", ["10.1.2.3, 127.0.1.8"], "10.1.2.3"),
    ("X-Forwarded-For", ["203.0.113.7, unknown, 10.1.2.3"], "10.1.2.3"),
    ("X-Forwarded-For", ["unknown"], PROXY),
    ("X-Forwarded-For", [], PROXY),
    ("Forwarded", ["for=203.0.113.7;proto=http"], "203.0.113.7"),
    ("Forwarded", ['for=1.1.1.1, for="[2001:db8::1]:5";host="a, b"', "for=10.1.2.3"],
     "2001:db8::1"),
    ("Forwarded", ['for="evil, for=203.0.113.7'], "203.0.113.7"),
    ("Forwarded", ["for=_hidden"], PROXY),
    ("CF-Connecting-IP", ["203.0.113.7"], "203.0.113.7"),
    ("CF-Connecting-IP", ["203.0.113.7", "203.0.113.8"], PROXY),
    ("CF-Connecting-IP", ["203.0.113.7, 203.0.113.8"], PROXY),
]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "CF-Connecting-IP"])
def test_a_trusted_proxy_is_followed(gateway, origin, header):
    gw = gateway(**plain_policy(), **identity(header))
    others = [(n, v) for n, v in FORGED if n != header]
    count = 0
    for name, values, client in FOLLOWED:
        if name != header:
            continue
        count += 1
        answer = asked_from(gw, PROXY, [(name, v) for v in values] + others)
        assert answer.status == 200
        assert client_of_last(gw, origin, count) == client, values
        if name not in ("X-Forwarded-For", "Forwarded"):
            assert origin.requests[-1].all(name) == []


def test_records_and_rules_see_the_client(gateway, tmp_path):
    rules = tmp_path / "own.conf"
    rules.write_text('SecRule REMOTE_ADDR "@ipMatch 203.0.113.7" '
                     '"id:10001,phase:1,deny,status:403,log,msg:\'Address\'"\n')
    gw = gateway(policies={"default": {"rules": [str(rules)]}}, **identity())
    field = [("X-Forwarded-For", "203.0.113.7:567")]
    assert asked_from(gw, STRANGER, field).status == 200
    assert asked_from(gw, PROXY, [("X-Forwarded-For", "203.0.113.8")]).status == 200
    answer = asked_from(gw, PROXY, field)
    assert answer.status == 403
    record = gw.audit(id=answer.id)
    assert record["client"]["address"] == "203.0.113.7"
    assert [r["id"] for r in record["waf"]["rules"]] == [10001]


def test_over_a_unix_socket(gateway, origin, tmp_path):
    path = tmp_path / "in.sock"
    gateway(**plain_policy(), listeners=[{"address": f"unix:{path}"}],
            identity={"trusted_proxies": ["127.0.0.1"]})
    with Connection(str(path)) as connection:
        connection.send(request(fields=[("X-Forwarded-For", "203.0.113.7")]))
        assert connection.response().status == 200
        assert told(origin.requests[-1]) == (["203.0.113.7"], "for=203.0.113.7")
        assert connection.send(request()).response().status == 200
        assert told(origin.requests[-1]) == ([], "for=unknown")


def test_ipv6_peers(gateway, origin):
    if not ipv6_here():
        pytest.skip("no IPv6 here")
    port = Port("::1")
    gw = gateway(port=port, **plain_policy(), listeners=[{"address": port.address}],
                 identity={"trusted_proxies": ["::1"]})
    assert gw.get(fields=[("X-Forwarded-For", "2001:db8::7")]).status == 200
    assert told(origin.requests[-1]) == (["2001:db8::7"], 'for="[2001:db8::7]"')


def test_place_is_ours_to_tell(gateway, origin):
    """Without a database an address of the internet is unknown, others are private."""
    gw = gateway(**plain_policy(), **identity(), geo={"headers": True})
    for client, country in (("8.8.8.8", "unknown"), ("10.9.9.9", "private")):
        fields = FORGED[1:] + [("X-Forwarded-For", client)]
        assert asked_from(gw, PROXY, fields).status == 200
        assert origin.requests[-1].all("x-geo-country") == [country]
        assert origin.requests[-1].all("x-geo-asn") == []
        assert origin.requests[-1].all("x_geo_asn") == []


# --- PROXY protocol --------------------------------------------------------------

def speaking(gateway, mode, certificate=None, **config):
    port = Port()
    listener = {"address": port.address, "proxy_protocol": mode}
    if certificate:
        listener["tls"] = {"certificates": [certificate.conf()]}
    return gateway(port=port, listeners=[listener], **plain_policy(),
                   **{**identity(), **config})


def dropped(gw, source, data):
    """The connection is closed without an answer."""
    try:
        with gw.connect(source=source) as connection:
            connection.send(data)
            return connection.rest() == b""
    except (ConnectionError, Closed):
        return True


HEADERS = [
    (v1(), "203.0.113.7"),
    (v1("2001:db8::7"), "2001:db8::7"),
    (v1("::ffff:203.0.113.7"), "203.0.113.7"),
    (v1("2002:cb00:7107::1"), "203.0.113.7"),
    (b"PROXY UNKNOWN\r\n", PROXY),
    (v2(), "203.0.113.7"),
    (v2("2001:db8::7"), "2001:db8::7"),
    (v2("64:ff9b::203.0.113.7"), "203.0.113.7"),
    (v2(tlvs=b"\x04\0\x10" + b"n" * 16), "203.0.113.7"),
    (v2(local=True), PROXY),
]


@pytest.mark.parametrize("mode", ["accept", "require"])
def test_headers_of_a_trusted_proxy(gateway, origin, mode):
    gw = speaking(gateway, mode)
    for count, (header, client) in enumerate(HEADERS, 1):
        assert asked_from(gw, PROXY, FORGED, before=header).status == 200
        if client == PROXY:     # speaks for itself, and so for others in its fields
            client = "203.0.113.7"
        assert client_of_last(gw, origin, count) == client, header


def test_accept_needs_no_header(gateway, origin):
    gw = speaking(gateway, "accept")
    assert asked_from(gw, PROXY).status == 200
    assert client_of_last(gw, origin, 1) == PROXY
    for first in (b"P", b"PROP", b"\r\n\r", SIGNATURE[:4]):
        with gw.connect(source=PROXY) as connection:
            connection.send(first)
            time.sleep(0.05)    # it is seen alone, and kept
            rest = (b"PROPFIND" if first[:1] == b"P" else b"\r\n\r\nOPTIONS") + \
                b" / HTTP/1.1\r\nHost: app.test\r\n\r\n"
            connection.send(rest[len(first):])
            assert connection.response().status in (200, 405), first


def test_headers_of_strangers(gateway, origin):
    """`accept`: they are the first bytes of a malformed request. `require`: there is
    no talking."""
    gw = speaking(gateway, "accept")
    for header in (v1(), v2(), b"PROXY UNKNOWN\r\n"):
        assert asked_from(gw, STRANGER, before=header).status == 400
    assert asked_from(gw, STRANGER, FORGED).status == 200
    assert client_of_last(gw, origin, 4) == STRANGER
    assert {r["client"]["address"] for r in gw.audit(3)} == {STRANGER}
    gw = speaking(gateway, "require")
    for header in (v1(), v2(), b""):
        assert dropped(gw, STRANGER, header + request())
    gw.expect("not one of identity.trusted_proxies")
    assert len(origin.requests) == 1


def test_off_knows_no_header(gateway, origin):
    gw = gateway(**plain_policy(), **identity())
    for header in (v1(), v2()):
        assert asked_from(gw, PROXY, before=header).status == 400
    assert origin.requests == []


GARBAGE = [
    b"PROXY TCP4 203.0.113.7 198.51.100.2 04711 443\r\n",
    b"PROXY TCP4 fe80::1%eth0 198.51.100.2 4711 443\r\n",
    b"PROXY TCP4 203.0.113.7 198.51.100.2 4711 443\n",
    b"PROXY " + b"x" * 200 + b"\r\n",
    SIGNATURE + b"\x31\x11\0\x0c" + bytes(12),
    SIGNATURE + b"\x21\x11\0\x04" + bytes(4),
    SIGNATURE + b"\x21\x11\xff\xff" + bytes(100),
    v2(tlvs=b"\x03\0\x04\0\0\0\0"),
    v2(tlvs=b"\x04\xff\xff"),
]


@pytest.mark.parametrize("mode", ["accept", "require"])
def test_garbage_from_a_trusted_proxy(gateway, origin, mode):
    gw = speaking(gateway, mode)
    for header in GARBAGE:
        assert dropped(gw, PROXY, header + request()), header
    gw.expect("warn proxy: connection from 127.0.0.5:")
    if mode == "require":
        assert dropped(gw, PROXY, request())
    assert origin.requests == []
    assert asked_from(gw, PROXY, before=v1()).status == 200
    assert gw.stderr.count("warn proxy:") <= gw.config["threads"]     # once a minute


def test_header_in_pieces(gateway, origin):
    gw = speaking(gateway, "require")
    for header in (v1(), v2(tlvs=b"\x04\0\x02zz")):
        with gw.connect(source=PROXY) as connection:
            for byte in header + request():
                connection.send(bytes([byte]))
            assert connection.response().status == 200
        assert told(origin.requests[-1])[0] == ["203.0.113.7"]


def test_header_that_does_not_come(gateway):
    gw = speaking(gateway, "require", timeouts={"header": "500ms"})
    for first in (b"", b"PROXY TCP4 203.0.113.7 ", SIGNATURE, v2()[:-1]):
        with gw.connect(source=PROXY) as connection:
            begin = time.monotonic()
            connection.send(first)
            assert connection.rest() == b""
            assert 0.4 < time.monotonic() - begin < seconds(3)
    with gw.connect(source=PROXY) as connection:     # dripping does not help
        begin = time.monotonic()
        try:
            for byte in b"PROXY UNKNOWN " + b"x" * 80:
                connection.send(bytes([byte]))
                time.sleep(0.02)
        except OSError:
            pass
        assert time.monotonic() - begin < seconds(1.5)


def test_one_header_for_all_requests_of_a_connection(gateway, origin):
    gw = speaking(gateway, "require")
    with gw.connect(source=PROXY) as connection:
        connection.send(v1() + request(target="/1") + request(target="/2"))
        assert [connection.response().status for _ in range(2)] == [200, 200]
        assert connection.send(request(target="/3")).response().status == 200
        # a further one is the beginning of a request, and not a good one
        assert connection.send(v1("203.0.113.8") + request()).response().status == 400
    assert [told(r)[0] for r in origin.requests] == [["203.0.113.7"]] * 3


def test_fields_behind_a_header(gateway, origin):
    """They are believed from its source, not from the proxy that wrote it."""
    gw = speaking(gateway, "require")
    field = [("X-Forwarded-For", "198.51.100.9")]
    assert asked_from(gw, PROXY, field, before=v1("203.0.113.7")).status == 200
    assert client_of_last(gw, origin, 1) == "203.0.113.7"
    assert asked_from(gw, PROXY, field, before=v1("10.1.2.3")).status == 200
    assert client_of_last(gw, origin, 2) == "198.51.100.9"


def test_tls_behind_a_header(gateway, origin, authority):
    gw = speaking(gateway, "accept", authority.issue("app.test"))
    context = tls_context(authority.file)
    for count, header in enumerate((v1(), v2(), b""), 1):
        sock = socket.socket()
        sock.settimeout(seconds(5))
        sock.bind((PROXY, 0))
        sock.connect(gw.target)
        if header:
            sock.sendall(header)
        with context.wrap_socket(sock, server_hostname="app.test") as tls:
            tls.sendall(request(fields=[("Connection", "close")]))
            assert tls.recv(100).startswith(b"HTTP/1.1 200")
        assert client_of_last(gw, origin, count) == ("203.0.113.7" if header else PROXY)
    # plain bytes between header and handshake, or instead of both
    assert dropped(gw, PROXY, b"PROXX" + request()) is False
    with gw.connect(source=PROXY) as connection:
        connection.send(b"PRO")
        time.sleep(0.05)
        connection.send(b"\x16\x03\x01")
        assert connection.closed()


    # strangers: what they send is a request, a plain one
    for header in (v1(), v2()):
        assert asked_from(gw, STRANGER, before=header).status == 400


def test_header_over_a_unix_socket(gateway, origin, tmp_path):
    path = tmp_path / "in.sock"
    gateway(**plain_policy(), identity={"trusted_proxies": ["127.0.0.1"]},
            listeners=[{"address": f"unix:{path}", "proxy_protocol": "require"}])
    for header in (v1(), v2()):
        with Connection(str(path)) as connection:
            for _ in range(2):
                connection.send(header + request())
                header = b""
                assert connection.response().status == 200
                assert told(origin.requests[-1])[0] == ["203.0.113.7"]
    unnamed = SIGNATURE + b"\x21\x31\0\xd8" + bytes(216)
    with Connection(str(path)) as connection:
        assert connection.send(unnamed + request()).response().status == 200
    assert told(origin.requests[-1]) == ([], "for=unknown")


def test_connections_count_for_the_client(gateway):
    gw = speaking(gateway, "require", max={"connections_per_client": 2})
    held = [gw.connect(source=PROXY) for _ in range(6)]
    for number, connection in enumerate(held):
        connection.send(v1(f"203.0.113.{number // 2}") + request())
        assert connection.response().status == 200
    assert dropped(gw, PROXY, v1("203.0.113.0") + request())
    held.pop(0).close()
    until(lambda: not dropped(gw, PROXY, v1("203.0.113.0") + request(
        fields=[("Connection", "close")])), what="a place to come free")
    for connection in held:
        connection.close()


# --- real proxies ----------------------------------------------------------------

@pytest.fixture
def start(tmp_path):
    """Starts another program and waits for its port."""
    started = []

    def run(arguments, port):
        if not shutil.which(arguments[0]):
            pytest.skip(f"{arguments[0]} is not installed")
        log = open(tmp_path / f"{arguments[0]}.log", "wb")
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, cwd=tmp_path)
        started.append((process, log))

        def there():
            assert process.poll() is None, (tmp_path / f"{arguments[0]}.log").read_text()
            try:
                socket.create_connection((port.host, port.number), 1).close()
                return True
            except OSError:
                return False
        until(there, timeout=10, what=arguments[0])

    yield run
    for process, log in started:
        process.terminate()
        process.wait(seconds(10))
        log.close()


def haproxy(start, folder, gw, port, options, mode="tcp"):
    path = folder / "haproxy.cfg"
    path.write_text(f"""
global
  nbthread 1
defaults
  mode {mode}
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  timeout check 2s
frontend in
  bind {port.address}
  default_backend out
backend out
  server gateway {gw.port.address} source {PROXY} {options}
""")
    start(["haproxy", "-db", "-f", str(path)], port)


@pytest.mark.parametrize("options", [
    "send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id",
    "send-proxy-v2 check inter 50ms", "send-proxy check inter 50ms"])
@pytest.mark.parametrize("tls", [False, True])
def test_behind_haproxy(gateway, origin, authority, start, tmp_path, options, tls):
    gw = speaking(gateway, "require", authority.issue("app.test") if tls else None)
    port = Port()
    haproxy(start, tmp_path, gw, port, options)
    seen = []
    for source in ("127.0.0.11", "127.0.0.12"):
        options = {"tls": tls_context(authority.file), "sni": "app.test"} if tls else {}
        with Connection((port.host, port.number), source=source, **options) as connection:
            for _ in range(2):
                connection.send(request(fields=[("X-Forwarded-For", "1.1.1.1")]))
                assert connection.response().status == 200
                seen.append(told(origin.requests[-1])[0])
    assert seen == [["127.0.0.11"]] * 2 + [["127.0.0.12"]] * 2


@pytest.mark.parametrize("options,header", [
    ("option forwardfor", "X-Forwarded-For"),
    ("http-request set-header Forwarded for=%[src]", "Forwarded"),
    ("http-request set-header X-Edge-Client %[src]", "X-Edge-Client")])
def test_behind_haproxy_that_speaks_http(gateway, origin, start, tmp_path, options, header):
    gw = gateway(**plain_policy(), **identity(header))
    port = Port()
    haproxy(start, tmp_path, gw, port, f"\n  {options}", mode="http")
    for source in ("127.0.0.11", "127.0.0.12"):
        with Connection((port.host, port.number), source=source) as connection:
            connection.send(request(fields=[("X-Forwarded-For", "1.1.1.1")]))
            assert connection.response().status == 200
        assert told(origin.requests[-1])[0] == [source]


def test_behind_nginx(gateway, origin, start, tmp_path):
    gw = gateway(**plain_policy(), **identity())
    port = Port()
    path = tmp_path / "nginx.conf"
    path.write_text(f"""
daemon off; master_process off; pid {tmp_path}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {tmp_path}/body; proxy_temp_path {tmp_path}/proxy;
  fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
  server {{
    listen {port.address};
    location / {{
      proxy_pass http://{gw.port.address};
      proxy_bind {PROXY};
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
""")
    start(["nginx", "-c", str(path), "-p", str(tmp_path)], port)
    for source in ("127.0.0.11", "127.0.0.12"):
        with Connection((port.host, port.number), source=source) as connection:
            connection.send(request(fields=[("X-Forwarded-For", "1.1.1.1")]))
            assert connection.response().status == 200
        assert told(origin.requests[-1])[0] == [source]


# --- certificates of clients -----------------------------------------------------

def test_certificates_of_clients(gateway, origin, authority):
    """Asked for, and verified when sent; a site may require one."""
    port = Port()
    gw = gateway(port=port, **plain_policy(), listeners=[{
        "address": port.address,
        "tls": {"certificates": [authority.issue("app.test").conf()],
                "client_ca": authority.file}}],
        sites=[{"hosts": ["inner.test"], "pool": "app", "policy": "default",
                "client_certificate": "required"},
               {"hosts": ["*"], "pool": "app", "policy": "default"}])
    client = authority.issue("anna.test", client=True)
    foreign = type(authority)(authority.folder / "foreign", "Foreign CA")
    alien = foreign.issue("eve.test", client=True)
    for pair, version in [(p, v) for p in (None, client, alien)
                          for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]:
        context = tls_context(authority.file, version=version)
        context.check_hostname = False
        if pair:
            context.load_cert_chain(pair.certificate, pair.key)
        if pair is alien:
            with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
                gw.raw(request(), tls=context, sni="app.test")
            continue
        assert gw.raw(request(), tls=context, sni="app.test").status == 200
        answer = gw.raw(request(host="inner.test"), tls=context, sni="app.test")
        assert answer.status == (200 if pair else 403)
