# SPDX-License-Identifier: Apache-2.0
"""Real Redis: single servers, Sentinel, a cluster, and a relay that delays."""
import contextlib
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

from .wait import Port, seconds, until


def bus_port():
    """A port whose bus, 10000 above, is a port too."""
    return next(n for n in iter(lambda: Port().number, 0) if n < 55000)


class Server:
    """One redis-server of its own folder; stopped, frozen and started again at
    will, always on the same port."""

    def __init__(self, folder, *options, tls=None, password=None, cluster=False):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = bus_port() if cluster else Port().number
        self.tls, self.password = tls, password
        self.command = ["redis-server", "--bind", "127.0.0.1", "--dir", str(folder),
                        "--save", "", "--appendonly", "yes", "--appendfsync", "always",
                        "--daemonize", "no", "--logfile", str(folder / "log")]
        if tls:
            authority, pair = tls
            self.command += ["--port", "0", "--tls-port", str(self.port),
                             "--tls-cert-file", str(pair.certificate),
                             "--tls-key-file", str(pair.key),
                             "--tls-ca-cert-file", authority.file,
                             "--tls-auth-clients", "no"]
        else:
            self.command += ["--port", str(self.port)]
        if cluster:
            self.command += ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
                             "--cluster-config-file", str(folder / "nodes.conf")]
        if password:
            self.command += ["--requirepass", password]
        self.command += [str(o) for o in options]
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: self.cli("ping") == "PONG", 20, "redis-server to answer")

    @property
    def url(self):
        return f"{'rediss' if self.tls else 'redis'}://127.0.0.1:{self.port}"

    def cli(self, *arguments):
        """What redis-cli prints; "" where it fails."""
        command = ["redis-cli", "-p", str(self.port), "--no-auth-warning"]
        if self.tls:
            command += ["--tls", "--cacert", self.tls[0].file]
        if self.password:
            command += ["-a", self.password]
        with contextlib.suppress(subprocess.TimeoutExpired):
            return subprocess.run([*command, *map(str, arguments)], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  timeout=5, check=False).stdout.strip()
        return ""

    def scripts(self):
        """EVALSHA and EVAL calls so far."""
        return sum(int(line.split("calls=")[1].split(",")[0])
                   for line in self.cli("info", "commandstats").split("\n")
                   if line.startswith(("cmdstat_evalsha:", "cmdstat_eval:")))

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(seconds(10))

    stop = kill


class Sentinel:
    """A master, a replica and one sentinel that watches them."""

    NAME = "limits"

    def __init__(self, folder):
        self.master = Server(folder / "master")
        self.replica = Server(folder / "replica", "--replicaof", "127.0.0.1",
                              self.master.port)
        until(lambda: "master_link_status:up" in self.replica.cli("info", "replication"),
              20, "the replica to follow")
        self.port = Port().number
        conf = folder / "sentinel.conf"
        conf.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\n"
            f"logfile {folder}/sentinel.log\n"
            f"sentinel monitor {self.NAME} 127.0.0.1 {self.master.port} 1\n"
            f"sentinel down-after-milliseconds {self.NAME} 1000\n"
            f"sentinel failover-timeout {self.NAME} 5000\n")
        self.process = subprocess.Popen(["redis-sentinel", str(conf)],
                                        stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        until(lambda: "slaves=1" in self.cli("info", "sentinel"), 30,
              "the sentinel to know both")

    @property
    def url(self):
        return f"redis+sentinel://127.0.0.1:{self.port}/{self.NAME}"

    def cli(self, *arguments):
        return subprocess.run(["redis-cli", "-p", str(self.port), *arguments], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=5, check=False).stdout.strip()

    def master_port(self):
        lines = self.cli("sentinel", "get-master-addr-by-name", self.NAME).split("\n")
        return int(lines[1]) if len(lines) == 2 else 0

    def stop(self):
        self.process.kill()
        self.process.wait(10)
        self.master.kill()
        self.replica.kill()


class Cluster:
    """Three masters."""

    def __init__(self, folder):
        self.servers = [Server(folder / f"node{i}", cluster=True) for i in range(3)]
        nodes = [f"127.0.0.1:{s.port}" for s in self.servers]
        until(lambda: subprocess.run(
            ["redis-cli", "--cluster", "create", *nodes, "--cluster-yes"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
            check=False).returncode == 0, 60, "the cluster to be made")
        until(lambda: all("cluster_state:ok" in s.cli("cluster", "info")
                          for s in self.servers), 30, "the cluster to be well")

    @property
    def url(self):
        return "redis+cluster://" + ",".join(f"127.0.0.1:{s.port}" for s in self.servers)

    def stop(self):
        for server in self.servers:
            server.kill()


class Relay:
    """A TCP relay that holds back for `delay` seconds every byte, or what has
    `only` in it and comes after that."""

    def __init__(self, port):
        self.target, self.delay, self.only = port, 0.0, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def _accept(self):
        self.listener.settimeout(0.2)
        while not self.ending.is_set():
            with contextlib.suppress(OSError):
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target), 5)
                thread = threading.Thread(target=self._carry, args=(near, far), daemon=True)
                thread.start()
                self.threads.append(thread)

    def _carry(self, near, far):
        """Both ways; what came waits in a queue until its time has come."""
        queue = []
        peer = {near: far, far: near}
        try:
            while not self.ending.is_set():
                wait = max(0, queue[0][0] - time.monotonic()) if queue else 0.1
                for sock in select.select([near, far], [], [], min(wait, 0.1))[0]:
                    data = sock.recv(65536)
                    if not data:
                        return
                    delay = self.delay if self.only in data else 0
                    queue.append((time.monotonic() + delay, peer[sock], data))
                while queue and queue[0][0] <= time.monotonic():
                    _, sock, data = queue.pop(0)
                    sock.sendall(data)
        except OSError:
            pass
        finally:
            near.close()
            far.close()

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(5)
        self.listener.close()


def missing():
    """Which of Redis' programs is not here, or None."""
    return next((p for p in ("redis-server", "redis-sentinel", "redis-cli")
                 if not shutil.which(p)), None)
