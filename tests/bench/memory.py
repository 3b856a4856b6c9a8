# SPDX-License-Identifier: Apache-2.0
"""What the cache takes up: resident memory before, at its most and after a run of
distinct objects of mixed size, most of them small, many times what fits in.

The path of a request names the size and the object; the origin answers with a file of
that size. 16 connections ask as fast as they can, each object once.
"""
import contextlib
import math
import sys
import threading

import cached

SMALLEST, LARGEST, STEPS = 200, 65536, 64
ORIGIN = """location ~ ^/(plain|object)/(?<size>[0-9]+)/ { root %s; try_files /$size =500;
open_file_cache max=1000; add_header Cache-Control "max-age=86400"; }"""
SCRIPT = """
local at = %d
function init(args) odd = 0 end
function request()
   at = at + 1
   return wrk.format("GET", string.format("/%s/%%d/%%d", at * 7919 %% %d, at))
end
"""


def sizes():
    """The exponent grows by the square of the step: a third are below 400 bytes, half
    below a KiB, the mean is 7 KB."""
    return {str(i): int(SMALLEST * math.exp(
        math.log(LARGEST / SMALLEST) * (i / (STEPS - 1)) ** 2)) for i in range(STEPS)}


def resident(server):
    """MiB that a server's processes have in memory, files they map too."""
    kib = 0
    for pid in server.pids():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="ascii") as f:
            kib += sum(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
    return kib / 1024


class Watch(threading.Thread):
    """The most memory that a server was seen to hold."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.most, self.ending = server, 0, threading.Event()
        self.start()

    def run(self):
        while not self.ending.wait(0.2):
            self.most = max(self.most, resident(self.server))

    def end(self):
        self.ending.set()
        self.join()
        return max(self.most, resident(self.server))


def ask(bench, server, where, objects, seconds):
    """Asks for so many distinct objects, or some more; returns how many were answered
    and the seconds that took."""
    done, at, took = 0, 0, 0
    while done < objects:
        row = bench.wrk(server, "object", seconds, SCRIPT % (at, where, STEPS))
        done += row["requests"]
        took += row["requests"] / row["rps"]
        # what was asked for and not answered at the end of a run is not asked again
        at += row["requests"] + 1000
    return done, took


def run(bench, server):
    """One server's row."""
    objects, memory = bench.args.objects, bench.args.memory
    ask(bench, server, "plain", 1, 1)
    before = resident(server)
    watch = Watch(server)
    done, took = ask(bench, server, "object", objects, 1 if objects < 500_000 else 5)
    most = watch.end()
    print(f"bench: {server.name}: {done} objects", file=sys.stderr, flush=True)
    return {"before_mib": before, "most_mib": most, "after_mib": resident(server),
            "share": (most - before) / memory, "rps": done / took}


def measure(bench, free_port, kind):
    memory = bench.args.memory
    bench.kinds["object"] = kind()
    origin = bench.origin(server=ORIGIN % bench.files(sizes()))
    servers = [bench.proxy_yett(
        origin, False, "yett", more=f"cache: {{ memory: {memory}MiB }}\n",
        site="    cache: on\n    routes: [ { path: /plain/, cache: off } ]\n")]
    if not bench.args.alone:
        servers.append(cached.varnish(bench, origin, free_port, memory=f"{memory}m", vcl="""
sub vcl_recv { if (req.url ~ "^/plain/") { return (pass); } }"""))
    table = {f"{bench.args.objects} objects, {memory} MiB":
             {server.name: run(bench, server) for server in servers}}
    bench.stop()
    return table
