# SPDX-License-Identifier: Apache-2.0
"""packaging/tally.py counts what cmocka, pytest and automake say."""
import os
import subprocess
import sys

import pytest

TALLY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../packaging/tally.py")
CMOCKA_GOOD = "[==========] Running 2 test(s).\n[  PASSED  ] 2 test(s).\n"
CMOCKA_BAD = ("[  PASSED  ] 1 test(s).\n[  FAILED  ] 2 test(s), listed below:\n[  FAILED  ] b\n"
              "[  FAILED  ] c\n\n 2 FAILED TEST(S)\n")

ROWS = [
    # why, log, what automake says, passed, failed
    ("cmocka", CMOCKA_GOOD, "PASS", 2, 0),
    ("cmocka with failures", CMOCKA_BAD, "FAIL", 1, 2),
    ("two groups", CMOCKA_GOOD * 2, "PASS", 4, 0),
    ("died after its cases", CMOCKA_GOOD, "FAIL", 2, 1),
    ("pytest", "..s\n2 passed, 1 skipped in 1.20s\n", "PASS", 2, 0),
    ("pytest over a minute", "5 passed in 61.20s (0:01:01)\n", "PASS", 5, 0),
    ("pytest with failures", "3 failed, 2 passed, 1 error in 0.50s\n", "FAIL", 2, 4),
    ("expected failures", "2 passed, 1 xfailed in 0.50s\n", "PASS", 3, 0),
    ("a script", "ok: this\nok: that\n", "PASS", 1, 0),
    ("a script that fails", "missing: this\n", "FAIL", 0, 1),
    ("a skipped script", "no such tool\n", "SKIP", 0, 0),
    ("killed before any word", "", "ERROR", 0, 1),
]


@pytest.mark.parametrize("why,log,result,passed,failed", ROWS, ids=[r[0] for r in ROWS])
def test_count(tmp_path, why, log, result, passed, failed):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/one.log").write_text(log)
    (tmp_path / "tests/one.trs").write_text(f":test-result: {result}\n:recheck: no\n")
    run = subprocess.run([sys.executable, TALLY, "--sum", tmp_path],
                         capture_output=True, text=True, check=True)
    assert run.stdout == f"{passed} {failed}\n", why
