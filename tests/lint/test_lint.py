# SPDX-License-Identifier: Apache-2.0
"""lint.py finds what it is there for: a tree with one fault each."""
import os
import shutil
import subprocess
import sys

import pytest

LINT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lint.py")
HEAD = "/* SPDX-License-Identifier: Apache-2.0 */\n/* What it is for. */\n#include \"config.h\"\n\n"
BODY = "int\nf(int a)\n{\n%s\treturn (a);\n}\n"


def lint(folder, **files):
    """What lint.py says of a tree of these files ("__" in a name is "/")."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".c")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copy(os.path.join(os.path.dirname(LINT), "../../.clang-format"), folder)
    run = subprocess.run([sys.executable, LINT, "--source", folder, "--build", folder],
                         capture_output=True, text=True, check=False)
    return run.returncode, run.stdout


def test_clean_file_passes(tmp_path):
    status, out = lint(tmp_path, gateway__base__x=HEAD + BODY % "")
    assert status == 0, out


@pytest.mark.parametrize("text,finding", [
    (BODY % "" + BODY.replace("f(", "g(") % "\ta++; \n", "white space at the end"),
    (BODY % "\tsprintf(0, 0);\n", "banned: sprintf()"),
    ("#include \"gateway/http/h1.h\"\n" + BODY % "", "layer: gateway/base (rank 0) may not"),
    ("#include <openssl/ssl.h>\n" + BODY % "", "layer: only gateway/tls/"),
    (BODY % ("\ta += 1;\n" * 60), "length: f: "),
    (BODY % ("\ta += 1;\n" * 120), "never more than 100"),
    (BODY % "".join(f"\tif (a == {i})\n\t\ta++;\n" for i in range(16)), "complexity 17"),
    ((BODY % "").replace("int a", "int a, int b, int c, int d, int e, int g"), "parameters: f: 6"),
    (BODY % ("\ta = " + "1 + " * 30 + "1;\n"), "columns: "),
    ("typedef struct s t;\n" + BODY % "", "no typedefs of structs"),
    (BODY % "\t/* lint: length: there was a reason once */\n", "length excuses nothing"),
    (BODY % "\t/* lint: banned: */\n\tstrcat(0, 0);\n", "banned without a reason"),
    ("/* TO" "DO: later */\n" + BODY % "", "do it now"),
])
def test_fault_is_found(tmp_path, text, finding):
    status, out = lint(tmp_path, gateway__base__x=HEAD + text)
    assert status == 1 and finding in out, out


def test_exception_with_a_reason_is_taken(tmp_path):
    text = BODY % "\t/* lint: banned: the buffer is checked above */\n\tstrcat(0, 0);\n"
    status, out = lint(tmp_path, gateway__base__x=HEAD + text)
    assert status == 0, out


def test_same_rank_is_sideways(tmp_path):
    text = HEAD + "#include \"gateway/tls/tls.h\"\n" + BODY % ""
    _, out = lint(tmp_path, gateway__http__x=text)
    assert "gateway/http (rank 2) may not include gateway/tls (rank 2)" in out
