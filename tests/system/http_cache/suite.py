# SPDX-License-Identifier: Apache-2.0
"""The public test suite of HTTP caches: brings it, runs it against a proxy, and says
what became of each test, by the suite's own rules."""
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from yett_test.wait import seconds

HERE = Path(__file__).parent
PACKAGE = json.loads((HERE / "package.json").read_text())
VERSION = PACKAGE["dependencies"]["http-cache-tests"]
# What can become of a test. NOT_TESTED: what it needs as a preparation, or another
# test that it builds on, did not come about, so that it says nothing.
PASSED, FAILED, NOT_TESTED = "passed", "failed", "not tested"


class Unavailable(Exception):
    """The suite can't be had here, and why."""


def install():
    """The folder with the suite: brought once by npm, and kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = cache / "yett-tests"
    folder = cache / f"http-cache-tests-{VERSION}"
    for tool in ("node",) if folder.exists() else ("node", "npm"):
        if not shutil.which(tool):
            raise Unavailable(f"no {tool}, which the suite of HTTP caches needs")
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    # Whole or not at all, and others may be at it at the same time.
    with tempfile.TemporaryDirectory(dir=cache) as work:
        fresh = Path(work) / "suite"
        fresh.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, fresh / name)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
                               "--loglevel=error"], cwd=fresh, text=True,
                              capture_output=True, timeout=seconds(240))
        if done.returncode != 0:
            said = " ".join(done.stderr.split("\n")[:3])
            raise Unavailable(f"npm cannot bring http-cache-tests: {said}")
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    return folder


class Origin:
    """The suite's own origin server."""

    def __init__(self, folder):
        self.process = subprocess.Popen(["node", HERE / "origin.mjs", folder],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.strip().isdigit():
            self.stop()
            raise RuntimeError("the suite's origin does not start")
        self.port = int(line)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def ask(folder, base, at_once, ids=()):
    """One run of the client; `ids` or, without any, all tests."""
    done = subprocess.run(["node", "--no-warnings", HERE / "client.mjs", folder, base,
                           str(at_once), *ids], text=True, capture_output=True,
                          timeout=seconds(300))
    if done.returncode != 0 or not done.stdout:
        raise RuntimeError(f"the suite's client failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


class Results:
    """Of one proxy: the suite's rules on what a result means."""

    def __init__(self, told):
        self.told = told

    def verdict(self, test):
        told = self.told[test]
        if any(self.verdict(needed) != PASSED for needed in told["depends_on"]):
            return NOT_TESTED
        if told["result"] is True:
            return PASSED
        return NOT_TESTED if told["result"][0] == "Setup" else FAILED

    def reason(self, test):
        told = self.told[test]
        for needed in told["depends_on"]:
            if self.verdict(needed) != PASSED:
                return f"depends on {needed}: {self.reason(needed)}"
        return "" if told["result"] is True else ": ".join(map(str, told["result"]))

    def of(self, kind, verdict=None):
        """Ids of required, optimal or check tests, with that verdict."""
        return [test for test, told in self.told.items() if told["kind"] == kind and
                verdict in (None, self.verdict(test))]

    def figures(self):
        return {kind: {verdict: len(self.of(kind, verdict))
                       for verdict in (PASSED, FAILED, NOT_TESTED)}
                for kind in ("required", "optimal", "check")}


def run(folder, base, is_known=lambda test, kind: False):
    """All tests of the suite against the proxy at `base`. Many run at once and some
    stand on seconds, so what did not pass is asked twice more, fewer at a time: on a
    busy machine it may have been too late. What `is_known` not to pass is not."""
    told = ask(folder, base, 100)
    for _ in range(2):
        doubtful = [test for test, what in told.items() if what["result"] is not True
                    and not is_known(test, what["kind"])]
        if not doubtful:
            break
        for test, what in ask(folder, base, 40, doubtful).items():
            if what["result"] is True:
                told[test] = what
    return Results(told)


def configuration(origin, heuristic=False):
    """Yett's, as somebody would write it who wants a cache; the rest is that of the
    system tests. No policy and one more method: the suite is odd on purpose."""
    return {"policies": {"default": {"mode": "off"}},
            "cache": {"memory": "64MiB"},
            "pools": {"app": {"servers": [{"url": f"http://127.0.0.1:{origin}"}]}},
            "sites": [{"hosts": ["*"], "pool": "app", "policy": "default",
                       "methods": ["GET", "HEAD", "POST", "PUT", "DELETE", "M-SEARCH"],
                       "cache": {"heuristic": 10} if heuristic else "on"}]}
