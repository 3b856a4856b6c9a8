# SPDX-License-Identifier: Apache-2.0
"""The cache holds no more memory than it was given, whatever goes through it. The long
run is `make bench BENCH=memory`; this is the same with fewer objects."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from yett_test.gateway import binary, environment
from yett_test.wait import SLOW, seconds

pytestmark = pytest.mark.timing

BENCH = Path(__file__).resolve().parents[1] / "bench" / "bench.py"
MEMORY = 32                             # MiB
OBJECTS = 30_000 if SLOW == 1 else 10_000


@pytest.mark.skipif(not (shutil.which("wrk") and shutil.which("nginx")),
                    reason="wrk or nginx is not installed")
def test_many_objects_of_mixed_size(tmp_path):
    """Some 200 MB go through; afterwards RSS has grown by what the cache may hold and
    at most 15 % more, and by at least half of it: it was used."""
    result = tmp_path / "result.json"
    done = subprocess.run(
        [sys.executable, "-B", str(BENCH), "--yett", binary(), "--what", "memory", "--alone",
         "--objects", str(OBJECTS), "--memory", str(MEMORY), "--seconds", "1",
         "--json", str(result)], env=environment(), capture_output=True, text=True,
        timeout=seconds(300), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads(result.read_text(encoding="utf-8"))["memory"].values()
    row = row["yett"]
    print(row)
    if SLOW > 1:
        pytest.skip("a sanitizer keeps what was freed and shadows what is there: RSS "
                    "says nothing; all requests were answered")
    assert row["most_mib"] - row["before_mib"] <= MEMORY * 1.15
    assert row["most_mib"] - row["before_mib"] >= MEMORY * 0.5
