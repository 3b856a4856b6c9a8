#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`make cache-suite`: the public test suite of HTTP caches against Yett and against the
other proxies that are installed here; a table, and JSON with each test's result."""
import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from http_cache import peers, suite  # noqa: E402
from yett_test.gateway import Gateway, run as yett  # noqa: E402
from yett_test.wait import Port  # noqa: E402


class Yett:
    """The yett of the build tree."""
    name = "Yett"

    @staticmethod
    def here():
        return True

    @staticmethod
    def version():
        return yett("version").stdout.split()[1]

    def __init__(self, folder, origin, heuristic=False):
        self.gateway = Gateway(Path(folder), None, Port(),
                               **suite.configuration(origin, heuristic))
        self.url = self.gateway.url

    def stop(self):
        self.gateway.stop()


def measure(kind, folder, heuristic):
    origin = suite.Origin(folder)
    try:
        with tempfile.TemporaryDirectory(dir="/tmp", prefix="cache-suite-") as work:
            proxy = kind(work, origin.port, heuristic)
            try:
                return suite.run(folder, proxy.url)
            finally:
                proxy.stop()
    finally:
        origin.stop()


def row(name, version, figures=None):
    cells = [name, version]
    if figures is None:
        cells += ["required failed", "passed", "not tested", "optional passed", "failed",
                  "not tested", "checks: yes", "no", "not tested"]
    else:
        required, optional, checks = (
            figures[kind] for kind in ("required", "optimal", "check"))
        cells += [required["failed"], required["passed"], required["not tested"],
                  optional["passed"], optional["failed"], optional["not tested"],
                  checks["passed"], checks["failed"], checks["not tested"]]
    return "| " + " | ".join(map(str, cells)) + " |"


def main():
    kinds = {kind.__name__.lower(): kind for kind in (Yett, *peers.PEERS)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(kinds), metavar="NAME,NAME",
                        help=f"of {', '.join(kinds)} (default: all that are here)")
    parser.add_argument("--json", metavar="FILE", help="results of each test go there")
    parser.add_argument("--heuristics", action="store_true",
                        help="freshness is guessed from Last-Modified, by those who can")
    parser.add_argument("--failed", action="store_true",
                        help="list required and optional tests that were not passed")
    options = parser.parse_args()
    try:
        folder = suite.install()
    except suite.Unavailable as why:
        sys.exit(f"cache-suite: {why}")
    os.umask(0o022)
    everything = {}
    print(row("proxy", "version"))
    print("|" + "---|" * 11)
    for name in options.only.split(","):
        kind = kinds[name]
        if not kind.here():
            print(f"{kind.name} is left out: it is not installed", file=sys.stderr)
            continue
        results = measure(kind, folder, options.heuristics)
        print(row(kind.name, kind.version(), results.figures()), flush=True)
        everything[name] = results
    if options.failed:
        for name, results in everything.items():
            for kind in ("required", "optimal"):
                for test in results.of(kind):
                    if results.verdict(test) != suite.PASSED:
                        print(f"{name}: {kind} {results.verdict(test)}: {test}:"
                              f" {results.reason(test)}")
    if options.json:
        Path(options.json).write_text(json.dumps(
            {name: {test: {"kind": told["kind"], "verdict": results.verdict(test),
                           "reason": results.reason(test)}
                    for test, told in results.told.items()}
             for name, results in everything.items()}, indent=1))


if __name__ == "__main__":
    main()
