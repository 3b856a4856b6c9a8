# SPDX-License-Identifier: Apache-2.0
"""Plain proxies: bodies of 1 KB, 100 KB and 10 MB, over kept connections and with a
new one for each request; 1 KB over HTTPS too, where new means a full handshake.

nginx has buffers of 32 KiB and no temporary files, which is what serves it best here;
haproxy is as it comes.
"""

SIZES = {"1k": 1024, "100k": 100 * 1024, "10m": 10 * 1024 * 1024}
NGINX = ("proxy_buffers 8 32k; proxy_buffer_size 16k; proxy_busy_buffers_size 64k; "
         "proxy_max_temp_file_size 0;")
CLOSE = {"Connection": "close"}


def kinds(kind):
    """name -> kind; `kind` makes one."""
    asked = {}
    for title, name, connections in (("1 KB", "1k", 16), ("100 KB", "100k", 16),
                                     ("10 MB", "10m", 4)):
        target = f"/files/{name}"
        asked[title] = kind(target=target, connections=connections)
        asked[f"{title}, new"] = kind(target=target, fields=CLOSE, connections=connections)
    asked["1 KB, HTTPS"] = kind(target="/files/1k", tls=True)
    asked["1 KB, HTTPS, new"] = kind(target="/files/1k", fields=CLOSE, tls=True)
    return asked


def measure(bench, kind):
    asked = kinds(kind)
    bench.kinds.update(asked)
    origin = bench.origin(bench.files(SIZES))
    table = bench.compare([bench.proxy_yett(origin, False, "yett", tls=True),
                           bench.proxy_nginx(origin, False, NGINX, tls=True),
                           bench.proxy_haproxy(origin, tls=True)], list(asked))
    bench.stop()
    return table
