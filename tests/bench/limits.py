# SPDX-License-Identifier: Apache-2.0
"""What a limit costs that all gateways share through Redis.

Kinds: `hot`, all requests of one client; `keys`, 100,000 different values of a
header field. Contenders: Yett without a limit, with a local one and with a shared
one; nginx's limit_req and haproxy's stick-table, which share nothing. The limits
are never reached. Redis runs beside the load, not beside the server.
"""
import json
import os
import shutil
import socket
import subprocess
import sys

KEYS = 100_000
KEYED = f"""
local requests, at = {{}}, 0
function init(args)
   odd = 0
   for i = 1, {KEYS} do
      wrk.headers["X-Key"] = string.format("key-%d", i)
      requests[i] = wrk.format()
   end
end
function request()
   at = at % {KEYS} + 1
   return requests[at]
end
"""
LIMIT = "{ key: %s, rate: 1000000/s, burst: 1000000 }"


class Redis:
    """A redis-server, and how many scripts it ran."""

    def __init__(self, bench, free_port):
        if not shutil.which("redis-server"):
            sys.exit("bench: apt-get install redis-server")
        port = free_port()
        folder = bench.subfolder("redis")
        self.server = bench.start("redis", [
            "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", folder], port, folder, bench.cpus_load)
        self.url = f"redis://127.0.0.1:{port}/0"

    def ask(self, command):
        """A command's answer, where that is a status or one text."""
        with socket.create_connection(("127.0.0.1", self.server.port), 5) as link:
            link.sendall(command + b"\r\n")
            answer = link.recv(65536)
            size = int(answer[1:answer.index(b"\r")]) if answer[:1] == b"$" else 0
            while len(answer) < size:
                answer += link.recv(65536)
        return answer.decode()

    def forget(self):
        self.ask(b"CONFIG RESETSTAT")

    def scripts(self):
        """EVALSHA and EVAL so far: one for each trip, whatever the script does, and
        the heartbeats of the gateway."""
        lines = self.ask(b"INFO commandstats").split("\r\n")
        return sum(int(s.split("calls=")[1].split(",")[0]) for s in lines
                   if s.startswith(("cmdstat_evalsha:", "cmdstat_eval:")))


def yett(bench, origin, name, key, redis=None, waf=False):
    """Yett as in the plain comparison or in that of the WAF, with one limit."""
    more = f"limits:\n  all: {LIMIT % key}\n"
    if redis:
        more += f'redis: {{ url: "{redis.url}" }}\n'
    return bench.proxy_yett(origin, waf, name, more=more, site="    limits: [all]\n",
                            socket="control.sock")


def per_request(bench, server, redis):
    """Trips that a gateway made for its decisions, and scripts that Redis ran, the
    heartbeats with them: by the gateway's own count of requests, since wrk does not
    count the last ones of a round."""
    told = json.loads(subprocess.run(
        [bench.args.yett, "status", "--json", "--socket",
         os.path.join(bench.subfolder(server.name), "control.sock")],
        capture_output=True, check=True).stdout)
    answered = told["requests"]["answered"]
    return (told["sharing"]["redis_trips"] / answered, redis.scripts() / answered)


def nginx(bench, origin, name, key, free_port):
    port = free_port()
    return bench.nginx(name, f"""
upstream origin {{ server 127.0.0.1:{origin.port}; keepalive 64; keepalive_requests 100000000; }}
limit_req_zone {key} zone=all:64m rate=100000r/s;
server {{ listen 127.0.0.1:{port} reuseport; limit_req zone=all burst=100000 nodelay;
location / {{ proxy_pass http://origin; proxy_http_version 1.1;
proxy_set_header Connection ""; proxy_set_header Host $host;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }} }}""", port)


def haproxy(bench, origin, name, kind, sample):
    lines = (f"  stick-table type {kind} size 200k expire 60s store http_req_rate(10s)\n"
             f"  http-request track-sc0 {sample}\n"
             "  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 4000000000 }\n")
    return bench.proxy_haproxy(origin, name, lines)


def measure(bench, free_port):
    """kind -> server -> medians; and the trips to Redis per request."""
    origin = bench.origin()
    redis = Redis(bench, free_port)
    table, trips = {}, {}
    for kind, key, script, of_nginx, of_haproxy in (
            ("hot", "client", None, "$binary_remote_addr", ("ip", "src")),
            ("keys", '"header:X-Key"', KEYED, "$http_x_key",
             ("string len 32", "req.hdr(X-Key)"))):
        shared = yett(bench, origin, f"shared-{kind}", key, redis)
        servers = [bench.proxy_yett(origin, False, f"no-limit-{kind}"),
                   yett(bench, origin, f"local-{kind}", key), shared,
                   nginx(bench, origin, f"nginx-{kind}", of_nginx, free_port),
                   haproxy(bench, origin, f"haproxy-{kind}", *of_haproxy)]
        rows = bench.compare(servers, ["get"], script)
        trips[kind] = per_request(bench, shared, redis)
        redis.forget()
        table[kind] = {name.removesuffix(f"-{kind}"): row for name, row in rows["get"].items()}
        bench.end(servers)
        servers = [bench.proxy_yett(origin, True, f"no-limit-{kind}-waf"),
                   yett(bench, origin, f"shared-{kind}-waf", key, redis, waf=True)]
        rows = bench.compare(servers, ["get"], script)
        table[f"{kind}, with the WAF"] = {
            name.split(f"-{kind}")[0]: row for name, row in rows["get"].items()}
        bench.end(servers)
    bench.stop()
    table["trips"] = trips
    return table
