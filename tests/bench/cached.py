# SPDX-License-Identifier: Apache-2.0
"""Caches: hits of 1 KB and 100 KB over HTTP and HTTPS, and how many requests the
origin sees when 64 clients miss the same key at once.

Yett has `cache: on`; nginx proxy_cache on a file system in memory, sendfile and
open_file_cache; Varnish memory, and for HTTPS, which it does not speak, hitch in
front, whose CPU counts. Of the misses nginx has a row without and one with
proxy_cache_lock.
"""
import contextlib
import http.client
import http.server
import os
import socket
import ssl
import sys
import threading
import time

SIZES = {"1k": 1024, "100k": 100 * 1024}
MISSES = 64
SLOW_SECONDS = 0.3
FRESH = 'add_header Cache-Control "max-age=3600";'


def yett(bench, origin, name="yett"):
    return bench.proxy_yett(origin, False, name, tls=True, site="    cache: on\n",
                            more="cache: { memory: 256MiB }\n")


def nginx(bench, origin, free_port, name="nginx", lock="off"):
    port, tls_port = free_port(), free_port()
    folder = os.path.join(bench.memory_folder, name)
    server = bench.nginx(name, f"""
sendfile on; open_file_cache max=10000 inactive=1h; open_file_cache_valid 1h;
proxy_cache_path {folder} keys_zone=all:32m max_size=256m inactive=1h levels=1:2 use_temp_path=off;
upstream origin {{ server 127.0.0.1:{origin.port}; keepalive 64; keepalive_requests 100000000; }}
server {{ listen 127.0.0.1:{port} reuseport; {bench.nginx_tls(tls_port)}
location / {{ proxy_pass http://origin; proxy_http_version 1.1;
proxy_cache all; proxy_cache_lock {lock}; add_header X-Cache $upstream_cache_status;
proxy_set_header Connection ""; proxy_set_header Host $host;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }} }}""", port)
    server.tls_port = tls_port
    return server


def varnish(bench, origin, free_port, name="varnish", memory="256m", vcl=""):
    port, inner, tls_port = free_port(), free_port(), free_port()
    folder = bench.subfolder(name)
    shared = os.path.join(bench.memory_folder, name)        # its log is mapped memory
    path = os.path.join(folder, "default.vcl")
    with open(path, "w", encoding="utf-8") as f:
        f.write('vcl 4.1;\nbackend default { .host = "127.0.0.1"; '
                f'.port = "{origin.port}"; }}\n{vcl}\n')
    server = bench.start(name, [
        "varnishd", "-F", "-j", "none", "-n", shared, "-f", path, "-T", "none",
        "-a", f"127.0.0.1:{port}", "-a", f"127.0.0.1:{inner},PROXY",
        "-s", f"malloc,{memory}", "-p", "thread_pools=1", "-p", "thread_pool_min=100"],
        port, folder)
    folder = bench.subfolder(name + "-hitch")
    path = os.path.join(folder, "hitch.conf")
    user = "" if os.geteuid() else "nobody"     # it does not run as root
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'frontend = "[127.0.0.1]:{tls_port}"\nbackend = "[127.0.0.1]:{inner}"\n'
                f'pem-file = "{bench.certificate()[2]}"\nworkers = 1\nwrite-proxy-v2 = on\n'
                f'daemon = off\nuser = "{user}"\nprefer-server-ciphers = on\n'
                f'ciphersuites = "{bench.ciphers}"\nquiet = on\n')
    hitch = bench.start(name + "-hitch", ["hitch", "--config", path], tls_port, folder)
    server.tls_port = tls_port
    server.beside.append(hitch)
    return server


class SlowOrigin:
    """Counts requests and takes its time to answer them."""

    def __init__(self):
        origin = self
        self.lock, self.requests = threading.Lock(), 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with origin.lock:
                    origin.requests += 1
                time.sleep(SLOW_SECONDS)
                body = b"x" * 1024
                self.send_response(200)
                self.send_header("Cache-Control", "max-age=3600")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def misses(server, origin):
    """How many requests for one key reach the origin, and when the last client had its
    answer, in ms."""
    before = origin.requests
    links = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(MISSES)]
    began = time.monotonic()
    for link in links:
        link.sendall(b"GET /missed HTTP/1.1\r\nHost: shop.example.com\r\n"
                     b"Connection: close\r\n\r\n")
    for link in links:
        answer = b""
        while piece := link.recv(65536):
            answer += piece
        if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(b"x" * 1024):
            sys.exit(f"bench: {server.name}, misses: {answer[:200]}")
        link.close()
    return origin.requests - before, (time.monotonic() - began) * 1000


def prime(server, kinds):
    """Asks for each once, as wrk will."""
    context = ssl._create_unverified_context()
    for kind in kinds:
        link = http.client.HTTPSConnection("127.0.0.1", server.tls_port, context=context) \
            if kind.tls else http.client.HTTPConnection("127.0.0.1", server.port)
        with contextlib.closing(link):
            link.request("GET", kind.target)
            link.getresponse().read()


def measure(bench, free_port, kind):
    asked = {}
    for title, name in (("1 KB", "1k"), ("100 KB", "100k")):
        for scheme in ("HTTP", "HTTPS"):
            asked[f"{title}, {scheme}"] = kind(target=f"/files/{name}", tls=scheme == "HTTPS")
    bench.kinds.update(asked)
    origin = bench.origin(bench.files(SIZES), FRESH)
    servers = [yett(bench, origin), nginx(bench, origin, free_port),
               varnish(bench, origin, free_port)]
    for server in servers:
        prime(server, asked.values())
    bench.end([origin])         # from now on there are only hits, or errors
    table = bench.compare(servers, list(asked))
    bench.stop()
    slow = SlowOrigin()
    table["misses"] = {server.name.removesuffix("-misses"): misses(server, slow) for server in (
        yett(bench, slow, "yett-misses"), nginx(bench, slow, free_port, "nginx-misses"),
        nginx(bench, slow, free_port, "nginx-lock-misses", "on"),
        varnish(bench, slow, free_port, "varnish-misses"))}
    bench.stop()
    slow.stop()
    return table
