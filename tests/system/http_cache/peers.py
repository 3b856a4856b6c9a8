# SPDX-License-Identifier: Apache-2.0
"""Other caching proxies in front of an origin, as somebody would set them up who wants
a cache by RFC 9111: memory or a folder of its own, and no guess for how long an answer
is fresh that does not say so, unless that is wished for."""
import os
import pwd
import re
import shutil
import socket
import subprocess
from pathlib import Path

from yett_test.wait import Port, until

NGINX = """
daemon off; worker_processes 2; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=cache:8m max_size=64m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{origin};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache cache;
            proxy_cache_revalidate on;
            proxy_cache_background_update on;
            proxy_cache_lock on;
        }}
    }}
}}
"""

VARNISH = """
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{origin}"; }}
"""

SQUID = """
http_port 127.0.0.1:{port} accel defaultsite=127.0.0.1 no-vhost
cache_peer 127.0.0.1 parent {origin} 0 no-query no-digest originserver name=origin
cache_peer_access origin allow all
http_access allow all
cache_mem 64 MB
refresh_pattern . {heuristic}
negative_ttl 0
pid_filename {folder}/pid
cache_log {folder}/cache.log
access_log none
cache_store_log none
coredump_dir {folder}
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname squid
"""

# ignore_client_cc_max_age 0: what a client asks for counts, as the RFC has it.
TRAFFIC_SERVER = """
CONFIG proxy.config.http.server_ports STRING {port}:ip-in=127.0.0.1
CONFIG proxy.config.http.cache.http INT 1
CONFIG proxy.config.http.cache.required_headers INT {heuristic}
CONFIG proxy.config.http.cache.ignore_client_cc_max_age INT 0
CONFIG proxy.config.http.insert_age_in_response INT 1
CONFIG proxy.config.http.push_method_enabled INT 0
CONFIG proxy.config.url_remap.pristine_host_hdr INT 1
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.reverse_proxy.enabled INT 1
CONFIG proxy.config.cache.ram_cache.size INT 67108864
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 2
CONFIG proxy.config.admin.user_id STRING {user}
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.bin_path STRING /usr/bin
"""

APACHE = """
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
LoadModule cache_module {modules}/mod_cache.so
LoadModule cache_disk_module {modules}/mod_cache_disk.so
User www-data
Group www-data
ThreadsPerChild 128
MaxRequestWorkers 256
ProxyPass / http://127.0.0.1:{origin}/
CacheEnable disk /
CacheRoot {folder}/cache
CacheDirLevels 2
CacheDirLength 1
CacheDefaultExpire 0
CacheLastModifiedFactor {heuristic}
CacheIgnoreNoLastMod On
CacheStoreExpired On
"""


def first_version(command):
    """The first number with dots of what a command prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    found = re.search(r"\d+\.\d+(\.\d+)*", done.stdout)
    return found.group(0) if found else "?"


def find(program):
    """Debian keeps daemons where a user's PATH does not look."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Peer:
    """One proxy on a free port. Its files lie in a folder that any user can reach,
    since most of these give up root."""
    name = program = ""
    version_flag = "-v"
    # Freshness guessed from Last-Modified: not, and by its makers' standard.
    heuristics = ("", "")

    @classmethod
    def here(cls):
        return find(cls.program) is not None

    @classmethod
    def version(cls):
        return first_version([find(cls.program), cls.version_flag])

    def __init__(self, folder, origin, heuristic=False):
        self.folder = Path(folder)
        self.folder.chmod(0o777)
        self.port = Port()
        self.values = {"folder": folder, "port": self.port.number, "origin": origin,
                       "heuristic": self.heuristics[heuristic]}
        log = open(self.folder / "output.log", "wb")
        try:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=folder,
                                            env={**os.environ, **self.environment()})
        finally:
            log.close()
        try:
            until(self.answers, 30, f"{self.name} to listen")
        except TimeoutError as error:
            self.stop()
            said = (self.folder / "output.log").read_text(errors="replace")
            raise RuntimeError(f"{error}: {said.strip()}") from None

    def answers(self):
        if self.process.poll() is not None:
            raise TimeoutError(f"{self.name} ended")
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port.number)) == 0

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**self.values))
        return path

    def make(self, name, user=None):
        path = self.folder / name
        path.mkdir(parents=True)
        if user and os.geteuid() == 0:
            shutil.chown(path, user)
        return path

    def environment(self):
        return {}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port.number}"

    def stop(self):
        """These all end on SIGTERM, and take their children with them."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Nginx(Peer):
    name, program = "nginx", "nginx"

    def command(self):
        return [find("nginx"), "-c", self.write("nginx.conf", NGINX)]


class Varnish(Peer):
    """The built-in VCL. Its default_ttl is a guess, too; grace is what other proxies
    serve stale only when told to."""
    name, program, version_flag = "Varnish", "varnishd", "-V"

    def command(self):
        return [find("varnishd"), "-F", "-n", self.make("work"), "-f",
                self.write("default.vcl", VARNISH), "-a", f"127.0.0.1:{self.port.number}",
                "-s", "malloc,64M", "-p", "default_ttl=0", "-p", "default_grace=0",
                "-p", "default_keep=3600"]


class Squid(Peer):
    name, program = "Squid", "squid"
    heuristics = ("0 0% 0", "0 20% 4320")

    def command(self):
        return [find("squid"), "-N", "-f", self.write("squid.conf", SQUID)]


class TrafficServer(Peer):
    name, program, version_flag = "Apache Traffic Server", "traffic_server", "-V"
    heuristics = ("2", "1")     # what must be there: freshness, or Last-Modified

    def command(self):
        own = pwd.getpwuid(os.geteuid()).pw_name
        user = "trafficserver" if os.geteuid() == 0 else own
        self.values["user"] = user
        for name in ("log", "run", "cache"):
            self.make(name, user)
        self.write("etc/records.config", TRAFFIC_SERVER)
        self.write("etc/remap.config", "map / http://127.0.0.1:{origin}/\n")
        self.write("etc/storage.config", "{folder}/cache 64M\n")
        self.write("etc/ip_allow.yaml",
                   "ip_allow: [{{apply: in, ip_addrs: 127.0.0.1, action: allow,"
                   " methods: ALL}}]\n")
        self.write("runroot.yaml", "prefix: {folder}\nsysconfdir: {folder}/etc\n"
                   "localstatedir: {folder}\nruntimedir: {folder}/run\n"
                   "logdir: {folder}/log\ncachedir: {folder}/cache\n"
                   "bindir: /usr/bin\nsbindir: /usr/bin\n")
        return [find("traffic_server"), f"--run-root={self.folder}/runroot.yaml"]


class Apache(Peer):
    name, program = "Apache httpd", "apache2"
    heuristics = ("0", "0.1")

    def command(self):
        self.values["modules"] = "/usr/lib/apache2/modules"
        self.make("cache", "www-data")
        return [find("apache2"), "-DFOREGROUND", "-f",
                self.write("apache.conf", APACHE)]


PEERS = (Nginx, Varnish, Squid, TrafficServer, Apache)
