# SPDX-License-Identifier: Apache-2.0
"""The gateway under test: the real binary with a configuration of its own."""
import copy
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import yaml

from .client import Connection, request
from .wait import Port, seconds, until

SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|"
                       r"runtime error:|UndefinedBehaviorSanitizer)")


def binary():
    """The yett of the build tree, or the one that YETT names."""
    if os.environ.get("YETT"):
        return os.environ["YETT"]
    build = os.environ.get("top_builddir")
    if build and (Path(build) / "yett").exists():
        return str(Path(build) / "yett")
    found = shutil.which("yett")
    if not found:
        raise RuntimeError("no yett: set top_builddir or YETT")
    return found


def environment():
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99:"
                   "quarantine_size_mb=32:malloc_context_size=8")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    return env


def run(*arguments, timeout=30, **options):
    """One run of the command to its end: returncode, stdout, stderr as text."""
    return subprocess.run([binary(), *map(str, arguments)], env=environment(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", timeout=seconds(timeout), **options)


def merge(base, over):
    """`over` on `base`: mappings are merged, all else is replaced."""
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = value
    return base


class Process:
    """A running yett whose standard error is read as it comes."""

    def __init__(self, arguments, folder, ready="ready", **options):
        self.folder = folder
        self.stderr_path = folder / "stderr.log"
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [binary(), *map(str, arguments)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
            env=environment(), **options)
        self.stdout = b""
        self.readers = [threading.Thread(target=self._errors, daemon=True),
                        threading.Thread(target=self._output, daemon=True)]
        for reader in self.readers:
            reader.start()
        self.ended = False
        try:
            self.expect(ready, 20)
        except BaseException:
            self.kill()
            raise

    def _output(self):
        for piece in iter(lambda: self.process.stdout.read1(65536), b""):
            self.stdout += piece

    def _errors(self):
        with open(self.stderr_path, "ab") as copy_of:
            for line in self.process.stderr:
                copy_of.write(line)
                copy_of.flush()
                with self.changed:
                    self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                    self.changed.notify_all()
        with self.changed:
            self.lines.append(None)     # the end
            self.changed.notify_all()

    @property
    def stderr(self):
        return "\n".join(l for l in self.lines if l is not None)

    def expect(self, text, timeout=5):
        """Waits for a line of the error log that holds `text`; returns it."""
        seen = []

        def there():
            while len(seen) < len(self.lines):
                seen.append(self.lines[len(seen)])
                if seen[-1] is None or text in seen[-1]:
                    return True
            return False

        with self.changed:
            if not self.changed.wait_for(there, seconds(timeout)):
                raise TimeoutError(f"no line with {text!r} in:\n{self.stderr}")
        if seen[-1] is None:
            raise RuntimeError(f"ended before {text!r}:\n{self.stderr}")
        return seen[-1]

    @property
    def pid(self):
        return self.process.pid

    def deliver(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=20):
        """The exit status, once it has ended."""
        status = self.process.wait(seconds(timeout))
        for reader in self.readers:
            reader.join(seconds(5))
        self.ended = True
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def stop(self, number=signal.SIGTERM):
        """Ends it and asserts a clean end."""
        if self.ended:
            return
        if self.process.poll() is None:
            self.deliver(number)
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within its deadline:\n{self.stderr}")
        assert not SANITIZER.search(self.stderr), self.stderr
        assert status == 0, f"exit status {status}:\n{self.stderr}"

    def rss(self):
        """Resident bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0


class Gateway(Process):
    """`yett run -c FILE` with logs in its folder. Keyword arguments are merged
    over a configuration with one plain listener, one pool and one site."""

    def __init__(self, folder, origin, port, **config):
        self.port = port
        self.origin = origin
        self.audit_path = folder / "audit.log"
        self.access_path = folder / "access.log"
        self.config = self.complete(config, folder, origin, port)
        self.file = folder / "yett.yaml"
        self.write()
        super().__init__(["run", "-c", self.file], folder)

    @staticmethod
    def complete(config, folder, origin, port):
        base = {
            "node": "gw-test",
            "threads": 2,
            "listeners": [{"address": port.address}],
            "pools": {"app": {"servers": [{"url": origin.url if origin
                                           else "http://127.0.0.1:9"}]}},
            "policies": {"default": {}},
            "sites": [{"hosts": ["*"], "pool": "app", "policy": "default"}],
            "logs": {"access": {"path": str(folder / "access.log")},
                     "audit": {"path": str(folder / "audit.log")},
                     "error": {"path": "stderr", "level": "info"}},
            "admin": {"socket": str(folder / "control.sock")},
        }
        return merge(base, copy.deepcopy(config))

    def write(self):
        self.file.write_text(yaml.safe_dump(self.config, sort_keys=False))

    @property
    def target(self):
        return (self.port.host, self.port.number)

    @property
    def url(self):
        return f"http://{self.port.address}"

    def connect(self, **options):
        return Connection(self.target, **options)

    def raw(self, data, to_head=False, **options):
        """Sends bytes on a new connection; returns the answer."""
        with self.connect(**options) as connection:
            return connection.send(data).response(to_head)

    def ask(self, method="GET", target="/", fields=(), body=None, **options):
        data = request(method, target, fields, body, **options)
        return self.raw(data, to_head=method == "HEAD")

    def get(self, target="/", fields=()):
        return self.ask("GET", target, fields)

    def form(self, body, target="/"):
        kind = [("Content-Type", "application/x-www-form-urlencoded")]
        return self.ask("POST", target, kind, body)

    def json(self, body, target="/", kind="application/json"):
        return self.ask("POST", target, [("Content-Type", kind)], body)

    def _records(self, path):
        if not path.exists():
            return []
        whole = path.read_bytes()
        assert whole == b"" or whole.decode("utf-8")
        return [json.loads(line) for line in whole.split(b"\n")[:-1]]

    def records(self):
        """The audit records there are now."""
        return self._records(self.audit_path)

    def audit(self, count=None, id=None):
        """Waits for audit records: `count` in all, or the one of that id."""
        if id is not None:
            return until(lambda: next((r for r in self.records() if r["id"] == id),
                                      None), what=f"the record of {id}")
        until(lambda: len(self.records()) >= count, what=f"{count} audit records")
        assert len(self.records()) == count
        return self.records()

    def record_of(self, data, **options):
        """Sends a request that is refused; returns answer and record."""
        answer = self.raw(data, **options)
        assert answer.id, answer
        return answer, self.audit(id=answer.id)

    def status(self):
        """What `yett status` tells."""
        told = run("status", "--json", "--socket", self.config["admin"]["socket"])
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)

    def accesses(self):
        return self._records(self.access_path)


def plain_policy():
    """No WAF: for tests of what lies before and behind it."""
    return {"policies": {"default": {"mode": "off"}}}


def free_port(host="127.0.0.1"):
    return Port(host)


def rules(record):
    """Ids of the rules in an audit record."""
    return {r["id"] for r in record["waf"]["rules"]}


def now():
    return time.monotonic()
