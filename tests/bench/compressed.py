# SPDX-License-Identifier: Apache-2.0
"""Compression of answers that are made anew for each request: JSON of 10 KB and 100 KB
as it is, then with each coding; nginx has gzip alone, at the same level. Yett also with
the answer in its cache, where it is compressed once.
"""
import json
import os
import random

LEVEL = 4               # of gzip, Yett's standard
NGINX = (f"gzip on; gzip_comp_level {LEVEL}; gzip_proxied any; gzip_min_length 1024; "
         "proxy_buffers 8 32k; proxy_buffer_size 16k; proxy_busy_buffers_size 64k; "
         "proxy_max_temp_file_size 0;")
COMPRESS = "    compress: { types: [text/*] }\n"
FRESH = 'add_header Cache-Control "max-age=3600";'


def listing(size):
    """A list as an API gives it."""
    numbers = random.Random(3)
    items = []
    while len(text := json.dumps({"items": items}, separators=(",", ":"))) < size:
        items.append({"id": numbers.randrange(10 ** 6), "name": f"tea pot {len(items)}",
                      "price": numbers.randrange(10 ** 4) / 100, "colour": "dark blue",
                      "stock": numbers.randrange(100), "added": "2025-11-03T10:20:30Z"})
    return text


def measure(bench, kind):
    folder = bench.files({})
    both = {"10k": 10 << 10, "100k": 100 << 10}
    for name, size in both.items():
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(listing(size))

    def kinds(*codings, more=""):
        asked = {f"{size}, {coding}{more}": kind(target=f"/files/{size}",
                                          fields={"Accept-Encoding": coding})
                 for size in both for coding in codings}
        bench.kinds.update(asked)
        return list(asked)

    origin = bench.origin(folder, FRESH)
    yett = bench.proxy_yett(origin, False, "yett", site=COMPRESS)
    nginx = bench.proxy_nginx(origin, False, NGINX)
    table = bench.compare([yett, nginx], kinds("identity", "gzip"))
    table.update(bench.compare([yett], kinds("br", "zstd")))
    bench.end([yett, nginx])
    yett = bench.proxy_yett(origin, False, "yett", site=COMPRESS + "    cache: on\n",
                            more="cache: { memory: 64MiB }\n")
    table.update(bench.compare([yett], kinds("gzip", more=", stored")))
    bench.stop()
    return table
