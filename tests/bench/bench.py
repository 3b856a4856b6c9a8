#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`make bench`: Yett beside what one would run instead, in one go.

    --what waf         Yett and nginx + libnginx-mod-http-modsecurity, same CRS rules
    --what proxy       Yett without the WAF, nginx and haproxy as plain proxies; see bodies.py
    --what cache       hits in Yett, nginx's proxy_cache and Varnish; see cached.py
    --what compress    answers compressed by Yett and by nginx; see compressed.py
    --what memory      what the cache takes up after many distinct objects; see memory.py
    --what allocator   Yett built with each allocator (--binary NAME=PATH for each)
    --what isolation   small GETs alone, then beside JSON bodies that are long to inspect
    --what limits      a rate limit shared through Redis against none; see limits.py

Everyone has one worker on one core, in front of the same origin; wrk and the
origin have the other cores. The contenders take turns in short rounds, the
table shows medians. CPU is what the kernel counted for a contender's processes
over a round, divided by the requests answered. Everything listens on loopback
ports that the kernel gave out and lives in a temporary folder.
"""
import argparse
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from typing import NamedTuple
from urllib.parse import urlencode

import bodies
import cached
import compressed
import limits
import memory

CRS_SETUP = "/etc/modsecurity/crs/crs-setup.conf"
CRS_RULES = "/usr/share/modsecurity-crs/rules"
MODSECURITY_CONF = "/etc/nginx/modsecurity.conf"
MODSECURITY = "libnginx-mod-http-modsecurity"
MODSECURITY_MODULE = "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so"
CIPHERS = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
NEEDS = {                       # packages; programs have their names, or theirs and a d
    "waf": ("nginx", "wrk", MODSECURITY),
    "proxy": ("nginx", "wrk", "haproxy"),
    "cache": ("nginx", "wrk", "varnish", "hitch"),
    "compress": ("nginx", "wrk"),
    "memory": ("nginx", "wrk"),
    "allocator": ("nginx", "wrk"),
    "isolation": ("nginx", "wrk", MODSECURITY),
    "limits": ("nginx", "wrk", "haproxy", "redis-server"),
}
LONGEST = 20            # seconds that a round may take until something is answered
TICKS = os.sysconf("SC_CLK_TCK")

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.5",
    "Referer": "http://shop.example.com/",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
}


class Kind(NamedTuple):
    """One kind of request."""
    method: str = "GET"
    target: str = "/"
    fields: dict = {}
    body: str = ""
    status: int = 200
    connections: int = 16
    tls: bool = False
    longer: int = 1         # so many rounds' time: where few are answered


def kinds():
    """What the WAF is asked: name -> kind."""
    query = urlencode({"q": "blue tea pot", "page": "2", "sort": "price", "category": "kitchen",
                       "colour": "dark blue", "max": "45.50"})
    form = urlencode({f"field{i}": ("A few plain words about the order number %d, " % i) * 2 +
                      "thank you and kind regards from me" + "," * i for i in range(12)})
    items = [{"id": i, "name": f"tea pot number {i}", "price": 12.5 + i, "stock": i * 3,
              "colour": "dark blue", "note": "one of the nice ones"} for i in range(60)]
    return {
        "get": Kind(target="/index.html"),
        "query": Kind(target="/search?" + query),
        "form": Kind("POST", "/order", {"Content-Type": "application/x-www-form-urlencoded"},
                     form),
        "json": Kind("POST", "/api/items", {"Content-Type": "application/json"},
                     json.dumps({"items": items}, separators=(",", ":")), connections=4,
                     longer=2),
        "attack": Kind(target="/items?id=1%27%20OR%201%3D1--", status=403),
    }


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process, log):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    with open(log, encoding="utf-8", errors="replace") as f:
        sys.exit(f"bench: {process.args[0]} does not listen:\n{f.read()[-2000:]}")


def descendants(pid):
    """A process and all below it, as /proc has them now."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8") as f:
                parent = int(f.read().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


class Server:
    """A started program that listens on `port`."""

    def __init__(self, name, command, port, folder, cpus):
        self.name, self.port = name, port
        self.tls_port = None
        self.beside = []        # servers that work for this one: they count with it
        self.log = os.path.join(folder, "output")
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out,
                                            preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        wait_port(port, self.process, self.log)

    def pids(self):
        return [pid for server in (self, *self.beside)
                for pid in descendants(server.process.pid)]

    def cpu(self):
        """Seconds of CPU so far, children included."""
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                part = f.read().rsplit(")", 1)[1].split()
                ticks += int(part[11]) + int(part[12])
        return ticks / TICKS

    def rss(self):
        """MiB of memory, children included."""
        kib = 0
        for pid in self.pids():
            with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="utf-8") as f:
                kib += sum(int(s.split()[1]) for s in f if s.startswith(("RssAnon:", "RssShmem:")))
        return kib / 1024

    def stop(self):
        """Ends it; returns what it said where it did not end well."""
        self.process.terminate()
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = None
        if code in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
            return None
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f"bench: {self.name} ended with {code}:\n{f.read()[-4000:]}"


class Bench:
    """Folders, processors and the servers that were started."""

    def __init__(self, args, folder, memory_folder):
        self.args, self.folder, self.memory_folder = args, folder, memory_folder
        self.ciphers = CIPHERS
        cpus = sorted(os.sched_getaffinity(0))
        self.cpus_server = set(cpus[:1])
        self.cpus_load = set(cpus[1:] or cpus)
        self.servers = []
        self.kinds = kinds()
        self.seconds = args.seconds or (2 if args.quick else 5)
        self.rounds = args.rounds or (2 if args.quick else 4)

    def subfolder(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        return path

    def start(self, name, command, port, folder, cpus=None):
        server = Server(name, command, port, folder, cpus or self.cpus_server)
        self.servers.append(server)
        return server

    def end(self, servers):
        troubles = []
        for server in servers:
            troubles.append(server.stop())
            self.servers.remove(server)
        if any(troubles):
            sys.exit("\n".join(filter(None, troubles)))

    def stop(self):
        self.end(list(self.servers))

    # --- servers ------------------------------------------------------------

    def certificate(self):
        """One for everybody: key and certificate, and a file that has both."""
        folder = self.subfolder("tls")
        key, cert, both = (os.path.join(folder, n) for n in ("key", "cert", "both.pem"))
        if not os.path.exists(both):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                            "/CN=127.0.0.1", "-keyout", key, "-out", cert],
                           check=True, capture_output=True)
            text = ""
            for path in (cert, key):
                with open(path, encoding="ascii") as f:
                    text += f.read()
            write(folder, "both.pem", text)
        return key, cert, both

    def nginx_tls(self, port):
        """Lines of a server; the same ciphers for all, those that Yett prefers."""
        key, cert, _ = self.certificate()
        return (f"listen 127.0.0.1:{port} ssl reuseport; ssl_certificate {cert}; "
                f"ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3; "
                f"ssl_conf_command Ciphersuites {CIPHERS}; ssl_prefer_server_ciphers on;")

    def nginx(self, name, http, port, cpus=None, modules=""):
        folder = self.subfolder(name)
        temp = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                       ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        write(folder, "nginx.conf", f"""{modules}
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error crit;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000; tcp_nodelay on; {temp}
{http} }}
""")
        return self.start(name, ["nginx", "-p", folder, "-e", f"{folder}/error",
                                 "-c", f"{folder}/nginx.conf"], port, folder, cpus)

    def origin(self, files="", server=""):
        """Answers everything with 1 KB; below /files/ with what is in a folder."""
        port = free_port()
        body = "x" * 1023 + "\\n"
        if files:
            server += (f"location /files/ {{ alias {files}/; sendfile on; "
                       "open_file_cache max=1000; }")
        return self.nginx("origin", f"server {{ listen 127.0.0.1:{port}; "
                          f"default_type text/html; {server} "
                          f"location / {{ return 200 '{body}'; }} }}", port, self.cpus_load)

    def files(self, sizes):
        """A folder with files of such sizes, name -> bytes, in memory where possible."""
        folder = os.path.join(self.memory_folder, "files")
        os.makedirs(folder, exist_ok=True)
        for name, size in sizes.items():
            write(folder, name, "0123456789abcde\n" * (size // 16))
        return folder

    def proxy_nginx(self, origin, waf, more="", tls=False):
        port, tls_port = free_port(), free_port() if tls else None
        name = "nginx-modsecurity" if waf else "nginx"
        rules = modules = ""
        if waf:
            modules = f"load_module {MODSECURITY_MODULE};"
            path = write(self.subfolder(name), "modsecurity.conf", self.modsecurity_conf())
            rules = f"modsecurity on; modsecurity_rules_file {path};"
        if tls:
            rules += self.nginx_tls(tls_port)
        server = self.nginx(name, f"""{more}
upstream origin {{ server 127.0.0.1:{origin.port}; keepalive 64; keepalive_requests 100000000; }}
server {{ listen 127.0.0.1:{port} reuseport; {rules}
location / {{ proxy_pass http://origin; proxy_http_version 1.1;
proxy_set_header Connection ""; proxy_set_header Host $host;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }} }}""", port, modules=modules)
        server.tls_port = tls_port
        return server

    @staticmethod
    def modsecurity_conf():
        """The package's recommended file; blocking, no logs, answers not inspected."""
        ours = {"SecRuleEngine": "On", "SecAuditEngine": "Off", "SecResponseBodyAccess": "Off",
                "SecUnicodeMapFile": "/etc/nginx/unicode.mapping 20127"}
        with open(MODSECURITY_CONF, encoding="utf-8") as f:
            lines = [s for s in f.read().split("\n")
                     if not s.strip().startswith(tuple(ours) + ("SecAuditLog", "SecDebugLog"))]
        lines += [f"{k} {v}" for k, v in ours.items()]
        lines += [f"Include {CRS_SETUP}", f"Include {CRS_RULES}/*.conf"]
        return "\n".join(lines) + "\n"

    def proxy_haproxy(self, origin, name="haproxy", frontend="", tls=False):
        port, tls_port = free_port(), free_port() if tls else None
        if tls:
            frontend += (f"  bind 127.0.0.1:{tls_port} ssl crt {self.certificate()[2]} "
                         f"ciphersuites {CIPHERS}\n")
        folder = self.subfolder(name)
        path = write(folder, "haproxy.cfg", f"""
global
  nbthread 1
  maxconn 2000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
  option forwardfor
  http-reuse always
frontend in
  bind 127.0.0.1:{port}
{frontend}  default_backend out
backend out
  server origin 127.0.0.1:{origin.port}
""")
        server = self.start(name, ["haproxy", "-db", "-f", path], port, folder)
        server.tls_port = tls_port
        return server

    def proxy_yett(self, origin, waf, name=None, binary=None, cpus=None, more="", site="",
                   socket="off", tls=False):
        port, tls_port, listener = free_port(), None, ""
        if tls:
            tls_port = free_port()
            key, cert, _ = self.certificate()
            listener = (f'  - address: "127.0.0.1:{tls_port}"\n    protocols: [http/1.1]\n'
                        f"    tls: {{ certificates: [ {{ certificate: {cert}, key: {key} }} ] }}")
        name = name or ("yett" if waf else "yett-plain")
        folder = self.subfolder(name)
        path = write(folder, "yett.yaml", f"""
threads: 1
listeners:
  - address: "127.0.0.1:{port}"
{listener}
pools:
  origin:
    servers: [ {{ url: "http://127.0.0.1:{origin.port}" }} ]
    keepalive: {{ connections: 64, idle: 60s }}
policies:
  bench:
    mode: {'block' if waf else 'off'}
    request_body: {{ arguments: 1000 }}
sites:
  - hosts: ["*"]
    pool: origin
    policy: bench
{site}{more}admin: {{ socket: {socket} }}
logs:
  access: {{ path: off }}
  audit: {{ path: off }}
  error: {{ path: stderr, level: warn }}
""")
        server = self.start(name, [binary or self.args.yett, "run", "-c", path], port, folder,
                            cpus)
        server.tls_port = tls_port
        return server

    # --- one round ----------------------------------------------------------

    def wrk(self, server, kind, seconds, more=None):
        """One run of wrk: what it counted, and the server's CPU over it. `more` is
        Lua that replaces what makes the requests."""
        asked = self.kinds[kind]
        seconds *= asked.longer
        # wrk counts errors by itself; told to look at an answer it gathers the body
        check = "" if asked.status == 200 else f"""
function response(status) if status ~= {asked.status} then odd = odd + 1 end end"""
        script = write(self.folder, "wrk.lua", "wrk.method = %s\nwrk.body = %s\n%s" % (
            lua(asked.method), lua(asked.body) if asked.body else "nil",
            "".join(f"wrk.headers[{lua(k)}] = {lua(v)}\n"
                    for k, v in dict(BROWSER, **asked.fields).items())) + f"""
local threads = {{}}
function setup(thread) table.insert(threads, thread) end
{more or "function init(args) odd = 0 end"}{check}
function done(summary, latency, requests)
   local all = 0
   for _, thread in ipairs(threads) do all = all + thread:get("odd") end
   local e = summary.errors
   if not response then all = e.status end
   print(string.format('RESULT {{"requests":%d,"us":%d,"p50":%f,"p99":%f,"odd":%d,"broken":%d}}',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), all,
      e.connect + e.read + e.write + e.timeout))
end
""")
        where = f"https://127.0.0.1:{server.tls_port}" if asked.tls else \
            f"http://127.0.0.1:{server.port}"
        result = {"requests": 0}
        # a machine that is busy with other things may have had no time for a single one
        while not result["requests"]:
            before = server.cpu()
            out = subprocess.run(["wrk", "-t1", f"-c{asked.connections}", f"-d{seconds}s",
                                  "--timeout", "30s", "-s", script, where + asked.target],
                                 capture_output=True, text=True, check=False,
                                 preexec_fn=lambda: os.sched_setaffinity(0, self.cpus_load))
            used = server.cpu() - before
            line = next((s for s in out.stdout.split("\n") if s.startswith("RESULT ")), None)
            if line is None:
                sys.exit(f"bench: wrk failed on {server.name}, {kind}:\n"
                         f"{out.stdout}{out.stderr}")
            result = json.loads(line[7:])
            if result["odd"] or result["broken"] or \
                    not result["requests"] and seconds > LONGEST:
                sys.exit(f"bench: {server.name}, {kind}: {result['odd']} answers were not "
                         f"{asked.status}, {result['broken']} connections broke, "
                         f"{result['requests']} answered")
            seconds *= 3
        return {"requests": result["requests"],
                "rps": result["requests"] / result["us"] * 1e6,
                "cpu_us": used / result["requests"] * 1e6,
                "p50_ms": result["p50"] / 1000, "p99_ms": result["p99"] / 1000}

    def compare(self, servers, names, more=None):
        """kind -> server -> medians over the rounds, the servers taking turns."""
        table = {}
        for kind in names:
            rounds = {s.name: [] for s in servers}
            for server in servers:
                self.wrk(server, kind, 1, more)
            for turn in range(self.rounds):
                for i in range(len(servers)):
                    server = servers[(i + turn) % len(servers)]
                    rounds[server.name].append(
                        self.wrk(server, kind, self.seconds, more))
            table[kind] = {name: {key: statistics.median(r[key] for r in runs) for key in runs[0]
                                  if key != "requests"}
                           for name, runs in rounds.items()}
            print(f"bench: {kind} done", file=sys.stderr, flush=True)
        for server in servers:
            table.setdefault("rss_mib", {})[server.name] = round(server.rss(), 1)
        return table

    def paced(self, server, kind, per_second, seconds, connections):
        """Latencies in ms of requests sent by the clock, counted from when each was due."""
        asked = self.kinds[kind]
        fields = dict(BROWSER, **asked.fields)
        latencies, wrong = [], []
        begin = time.monotonic() + 0.2

        def client(n):
            link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            due = begin + n / per_second
            while due < begin + seconds:
                time.sleep(max(0, due - time.monotonic()))
                link.request(asked.method, asked.target, asked.body or None, fields)
                answer = link.getresponse()
                answer.read()
                if answer.status != asked.status:
                    wrong.append(answer.status)
                latencies.append((time.monotonic() - due) * 1000)
                due += connections / per_second
            link.close()
        threads = [threading.Thread(target=client, args=(n,)) for n in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if wrong:
            sys.exit(f"bench: {server.name}, {kind}: {len(wrong)} answers like {wrong[0]}")
        return sorted(latencies)

    # --- what can be asked for ---------------------------------------------

    def waf(self):
        origin = self.origin()
        table = self.compare([self.proxy_yett(origin, True), self.proxy_nginx(origin, True)],
                             list(kinds()))
        self.stop()
        return table

    def proxy(self):
        return bodies.measure(self, Kind)

    def cache(self):
        return cached.measure(self, free_port, Kind)

    def compress(self):
        return compressed.measure(self, Kind)

    def memory(self):
        return memory.measure(self, free_port, Kind)

    def allocator(self):
        origin = self.origin()
        servers = [self.proxy_yett(origin, True, name, path)
                   for name, path in (b.split("=", 1) for b in self.args.binary)]
        if not servers:
            sys.exit("bench: --what allocator needs --binary NAME=PATH")
        table = self.compare(servers, ["get", "query", "form", "json"])
        self.stop()
        return table

    def limits(self):
        return limits.measure(self, free_port)

    def isolation(self):
        """Every processor for everyone: the question is who waits for whom."""
        everywhere = self.cpus_server | self.cpus_load
        origin = self.origin()
        table = {}
        for server in (self.proxy_yett(origin, True, cpus=everywhere),
                       self.proxy_nginx(origin, True)):
            for pid in descendants(server.process.pid):
                for task in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setaffinity(int(task), everywhere)
            self.paced(server, "get", 50, 1, 5)
            alone = self.paced(server, "get", 100, self.seconds * 2, 10)
            long_ones = threading.Thread(target=self.paced,
                                         args=(server, "json", 6, self.seconds * 2, 3))
            long_ones.start()
            beside = self.paced(server, "get", 100, self.seconds * 2, 10)
            long_ones.join()
            for label, ms in (("alone", alone), ("beside JSON", beside)):
                table.setdefault(label, {})[server.name] = {
                    "p50_ms": ms[len(ms) // 2], "p99_ms": ms[len(ms) * 99 // 100],
                    "max_ms": ms[-1]}
        self.stop()
        return table


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def lua(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def markdown(what, table):
    """The table for people; every other contender is compared with the first."""
    rss, trips = table.pop("rss_mib", {}), table.pop("trips", {})
    misses = table.pop("misses", {})
    names = list(next(iter(table.values())))
    columns = list(next(iter(next(iter(table.values())).values())))
    titles = {"rps": "requests/s", "cpu_us": "CPU µs/request", "p50_ms": "p50 ms",
              "p99_ms": "p99 ms", "max_ms": "max ms", "before_mib": "MiB before",
              "most_mib": "at most", "after_mib": "after", "share": "÷ cache memory"}
    head = ["kind", "server"] + [titles[c] for c in columns]
    ratio = "cpu_us" in columns
    if ratio:
        head += [f"{names[0]} ÷ this: requests/s", "CPU"]
    lines = [f"## {what}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for kind, row in table.items():
        for name in [n for n in names if n in row]:
            cells = [kind, name] + [number(row[name][c]) for c in columns]
            if ratio:
                cells += [f"{row[names[0]][c] / row[name][c]:.2f}" if row[name][c] else "-"
                          for c in ("rps", "cpu_us")]
            lines.append("| " + " | ".join(cells) + " |")
    if rss:
        lines += ["", "Memory after it: " + ", ".join(f"{n} {m} MiB" for n, m in rss.items())]
        table["rss_mib"] = rss
    if trips:
        lines += ["", "Trips to Redis per request: " +
                  ", ".join(f"{kind} {made:.4f} (Redis ran {ran:.4f} scripts, heartbeats too)"
                            for kind, (made, ran) in trips.items())]
        table["trips"] = trips
    if misses:
        lines += ["", "Requests to the origin for 64 misses of one key at once: " +
                  ", ".join(f"{n} {asked} (all answered in {number(ms)} ms)"
                            for n, (asked, ms) in misses.items())]
        table["misses"] = misses
    return "\n".join(lines) + "\n"


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def main():
    parser = argparse.ArgumentParser(description="measures Yett beside its peers")
    parser.add_argument("--yett", default="./yett", help="the binary")
    parser.add_argument("--what", default="waf,proxy,cache")
    parser.add_argument("--binary", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--quick", action="store_true", help="about a minute instead of six")
    parser.add_argument("--seconds", type=int, help="of one round")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--objects", type=int, default=2_000_000, help="of --what memory")
    parser.add_argument("--memory", type=int, default=256, help="MiB, of --what memory")
    parser.add_argument("--alone", action="store_true", help="Yett only, of --what memory")
    parser.add_argument("--json", help="also write the figures there")
    args = parser.parse_args()
    args.yett = os.path.abspath(args.yett)
    for what in args.what.split(","):
        if what not in NEEDS:
            sys.exit(f"bench: --what: found {what}; allowed: {', '.join(NEEDS)}")
        for package in NEEDS[what]:
            if not (shutil.which(package) or shutil.which(package + "d") or
                    (package == MODSECURITY and os.path.exists(MODSECURITY_MODULE))):
                sys.exit(f"bench: apt-get install {' '.join(NEEDS[what])}")
    results = {}
    memory_fs = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="yett-bench.") as folder, \
            tempfile.TemporaryDirectory(prefix="yett-bench.", dir=memory_fs) as memory_folder:
        os.chmod(folder, 0o755)
        os.chmod(memory_folder, 0o755)
        bench = Bench(args, folder, memory_folder)
        try:
            for what in args.what.split(","):
                results[what] = getattr(bench, what)()
                print(markdown(what, results[what]), flush=True)
        finally:
            bench.stop()
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
            f.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
