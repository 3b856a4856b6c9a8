#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`make lint`: the rules of CONTRIBUTING.md that a machine can check.

Prints "FILE:LINE: WHAT: what is wrong; what to do" for each finding. Where a
rule has to be broken, the code says so and why:

    /* lint: WHAT: reason */

on the line itself or just before it (for a function: in the comment before it;
for a file: in its first ten lines). An exception that excuses nothing is a
finding itself.
"""
import argparse
import concurrent.futures
import hashlib
import os
import re
import shutil
import subprocess
import sys

FUNCTION_LINES, FUNCTION_LINES_HARD = 60, 100
COMPLEXITY, PARAMETERS, COLUMNS = 15, 5, 90
C_LINES, H_LINES = 800, 150

# folder -> rank; a file includes its own folder and lower ranks
RANKS = {
    "gateway/base": 0,
    "gateway/loop": 1, "gateway/conf": 1,
    "gateway/net": 2, "gateway/tls": 2, "gateway/http": 2,
    "gateway/redis": 3,
    "gateway/route": 4, "geo": 4, "gateway/access": 4, "ratelimit": 4,
    "gateway/upstream": 4, "rules": 4, "gateway/cache": 4, "gateway/filter": 4,
    "gateway/request": 5,
    "gateway/steps": 6,
    "gateway": 7,
}
# header prefix -> the only folders (or files) that may include it
OWNERS = {
    "ev.h": ("gateway/loop/",),
    "openssl/": ("gateway/tls/",),
    "modsecurity/": ("rules/",),
    "yaml.h": ("gateway/conf/",),
    "jansson.h": ("gateway/cli/", "gateway/admin"),
    "crypt.h": ("gateway/access/",),
    "pcre2.h": ("gateway/route/", "rules/"),
    "ares.h": ("gateway/upstream/",),
    "hiredis/": ("gateway/redis/",),
    "maxminddb.h": ("geo/",),
    "nghttp2/": ("gateway/http/",),
    "zlib.h": ("gateway/filter/",),
    "brotli/": ("gateway/filter/",),
    "zstd": ("gateway/filter/",),
}
EVERY_LIBRARY = ("gateway/cli/version.c", "tests/")

BANNED = {
    "strcpy": "copy spans, or use snprintf", "strcat": "use struct text",
    "sprintf": "use snprintf or text_printf", "vsprintf": "use vsnprintf",
    "atoi": "use span_to_u64 or strtol with its checks", "atol": "use strtol with its checks",
    "strtok": "split spans", "gets": "use fgets", "alloca": "use an arena",
    "strncpy": "it may leave no NUL: use snprintf", "mktemp": "use mkstemp",
    "tmpnam": "use mkstemp", "localtime": "use gmtime_r", "gmtime": "use gmtime_r",
    "inet_ntoa": "use netaddr", "gethostbyname": "use getaddrinfo in a job",
}
FORBIDDEN_WORDS = re.compile("|".join((r"\bTO" r"DO\b", r"\bFIX" r"ME\b", r"\bXX" r"X\b")))
EXCEPTION = re.compile(r"/\*\s*lint:\s*([a-z-]+):\s*(.*?)\s*(?:\*/|$)")
KINDS = {"length", "complexity", "parameters", "columns", "file-length", "banned", "layer",
         "global", "clang-tidy"}

SKIPPED_FOLDERS = {".git", "build", "build-aux", "autom4te.cache", "__pycache__", "corpus",
                   ".pytest_cache", "data"}
GENERATED = {"configure", "configure~", "aclocal.m4", "Makefile.in", "config.h.in", "Makefile",
             "config.status", "config.log", "LICENSE"}
TIDY_CHECKS = ",".join((
    "-*", "bugprone-*", "-bugprone-easily-swappable-parameters", "-bugprone-narrowing-conversions",
    "-bugprone-reserved-identifier", "-bugprone-implicit-widening-of-multiplication-result",
    "-bugprone-assignment-in-if-condition", "-bugprone-branch-clone",
    "-bugprone-suspicious-missing-comma", "-bugprone-sizeof-expression", "-bugprone-not-null-terminated-result",
    "clang-analyzer-core.*", "clang-analyzer-unix.*",
    # it can't know that an absent span has no bytes to look at
    "-clang-analyzer-core.NullDereference", "-clang-analyzer-core.NonNullParamChecker", "clang-analyzer-deadcode.*",
    "clang-analyzer-security.insecureAPI.*",
    "-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling",
    "misc-redundant-expression", "misc-misplaced-const"))


class File:
    """One source file: its text, its exceptions and which of them were needed."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
            self.text = f.read()
        self.lines = self.text.split("\n")
        self.is_test = path.startswith("tests/")
        self.is_c = path.endswith((".c", ".h", ".cc"))
        self.exceptions = []            # [line, kind, reason, used]
        if self.is_c:
            for number, line in enumerate(self.lines, 1):
                match = EXCEPTION.search(line)
                if match:
                    self.exceptions.append([number, match.group(1), match.group(2), False])

    def excused(self, kind, first, last):
        """Is there an exception of that kind in these lines? Marks it as used."""
        found = False
        for exception in self.exceptions:
            if exception[1] == kind and first <= exception[0] <= last:
                exception[3] = found = True
        return found


class Lint:
    """Collects findings; one method per rule."""

    def __init__(self, root, build, require_tools):
        self.root, self.build, self.require_tools = root, build, require_tools
        self.findings = []
        self.skipped = []
        self.unchecked = set()          # kinds whose tool or build is not there
        self.files = [File(root, p) for p in sorted(self.list_files())]
        self.c_files = [f for f in self.files if f.is_c]

    def list_files(self):
        for where, folders, names in os.walk(self.root):
            folders[:] = [d for d in folders if d not in SKIPPED_FOLDERS and
                          not d.startswith(("build", "yett-")) and
                          not os.path.exists(os.path.join(where, d, "config.status"))]
            for name in names:
                path = os.path.relpath(os.path.join(where, name), self.root)
                if name in GENERATED and (where == self.root or name == "LICENSE"):
                    continue
                if name.endswith((".c", ".h", ".cc", ".py", ".sh", ".md", ".mk", ".ac", ".am",
                                  ".yaml", ".yml", ".conf", ".lua", ".service", ".1", ".txt")) \
                        or self.is_script(os.path.join(where, name)):
                    yield path

    @staticmethod
    def is_script(path):
        if os.path.islink(path) or not os.access(path, os.X_OK) or not os.path.isfile(path):
            return False
        with open(path, "rb") as f:
            return f.read(2) == b"#!"

    def found(self, path, line, kind, text):
        self.findings.append((path, line, f"{kind}: {text}"))

    def tool(self, name):
        if shutil.which(name):
            return True
        if self.require_tools:
            self.found("(tools)", 0, "tools", f"{name} is not installed; see packages_ci in "
                       "packaging/packages.sh")
        else:
            self.skipped.append(name)
        return False

    # --- any text file -----------------------------------------------------

    def check_text(self):
        for f in self.files:
            if f.text and not f.text.endswith("\n"):
                self.found(f.path, len(f.lines), "text", "no newline at the end of the file")
            for number, line in enumerate(f.lines, 1):
                if line.rstrip() != line:
                    self.found(f.path, number, "text", "white space at the end of the line")
                match = FORBIDDEN_WORDS.search(line)
                if match:
                    self.found(f.path, number, "text",
                               f"{match.group(0)}: do it now, or say in docs/ what is not built")
                if re.search(r"(?<![\w.$}~-])/wor[k]/", line):
                    self.found(f.path, number, "text", "a path of one machine")
            if f.path.endswith((".c", ".h", ".cc", ".py", ".sh", ".am", ".ac")) or \
                    self.is_script(os.path.join(self.root, f.path)):
                if not any("SPDX-License-Identifier: Apache-2.0" in s for s in f.lines[:3]):
                    self.found(f.path, 1, "text", "the SPDX line is missing from the first lines")

    def check_links(self):
        for f in self.files:
            if not f.path.endswith(".md"):
                continue
            for number, line in enumerate(f.lines, 1):
                for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                    if "://" in target or target.startswith("mailto:"):
                        continue
                    path = os.path.join(self.root, os.path.dirname(f.path), target)
                    if not os.path.exists(path):
                        self.found(f.path, number, "links", f"{target} does not exist")

    # --- C ------------------------------------------------------------------

    def check_c_lines(self):
        banned = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
        for f in self.c_files:
            limit = H_LINES if f.path.endswith(".h") else C_LINES
            length = len(f.lines) - 1
            if length > limit and not f.is_test and not f.excused("file-length", 1, 10):
                self.found(f.path, length, "file-length",
                           f"{length} lines, at most {limit}; split the module")
            if not re.match(r"/[*/] .*[^*/]", f.lines[1] if len(f.lines) > 1 else ""):
                self.found(f.path, 2, "text", "line 2 is a comment saying what the file is for")
            table = False               # rows of a table may be as long as they are
            for number, (line, code) in enumerate(zip(f.lines, code_of(f.text)), 1):
                table = "clang-format off" in line or table and "clang-format on" not in line
                if len(line.expandtabs(8)) > COLUMNS and not table and \
                        not f.excused("columns", number - 2, number):
                    self.found(f.path, number, "columns",
                               f"{len(line.expandtabs(8))} columns, at most {COLUMNS}")
                if re.match(r" {8}", line):
                    self.found(f.path, number, "text", "indented by spaces; tabs of 8")
                match = banned.search(code)
                if match and not f.excused("banned", number - 2, number):
                    self.found(f.path, number, "banned",
                               f"{match.group(1)}(): {BANNED[match.group(1)]}")
                if re.match(r"\s*typedef\s+(struct|union)\b", code):
                    self.found(f.path, number, "text", "no typedefs of structs; write struct X")
            if not f.path.endswith(".h") and not f.is_test:
                includes = [s for s in f.lines if s.startswith("#include")]
                if includes and includes[0] != '#include "config.h"':
                    self.found(f.path, f.lines.index(includes[0]) + 1, "text",
                               '"config.h" is the first include')

    def check_layers(self):
        include = re.compile(r'\s*#\s*include\s+["<]([^">]+)[">]')
        for f in self.c_files:
            own = folder_of(f.path)
            for number, line in enumerate(f.lines, 1):
                match = include.match(line)
                if not match:
                    continue
                header = match.group(1)
                text = None
                for prefix, owners in OWNERS.items():
                    if header.startswith(prefix) and \
                            not f.path.startswith(owners + EVERY_LIBRARY):
                        text = f"only {' '.join(owners)} uses <{header}>"
                other = folder_of(header)
                if other is not None and own is not None and other != own and \
                        RANKS[other] >= RANKS[own]:
                    text = (f"{own} (rank {RANKS[own]}) may not include {other} "
                            f"(rank {RANKS[other]})")
                if text and not f.excused("layer", number - 2, number):
                    self.found(f.path, number, "layer", text + "; see docs/design/layers.md")

    def check_functions(self):
        if not self.tool("pmccabe"):
            self.unchecked |= {"length", "complexity", "parameters"}
            return
        sources = {os.path.join(self.root, f.path): f for f in self.c_files
                   if not f.path.endswith(".h")}
        if not sources:
            return
        # complexity, lines and place of each function
        out = subprocess.run(["pmccabe"] + list(sources), capture_output=True, text=True,
                             check=False).stdout
        for line in out.splitlines():
            match = re.match(r"(\d+)\t\d+\t\d+\t(\d+)\t(\d+)\t(.*)\((\d+)\): (.*)", line)
            if not match:
                continue
            complexity, first, lines = (int(match.group(i)) for i in (1, 2, 3))
            f, name = sources[match.group(4)], match.group(6)
            before = comment_start(f.lines, first)
            last = first + lines
            if lines > FUNCTION_LINES_HARD:
                self.found(f.path, first, "length", f"{name}: {lines} lines, "
                           f"never more than {FUNCTION_LINES_HARD}; split it")
            elif lines > FUNCTION_LINES and not f.is_test and \
                    not f.excused("length", before, last):
                self.found(f.path, first, "length", f"{name}: {lines} lines, "
                           f"at most {FUNCTION_LINES}; split it")
            if complexity > COMPLEXITY and not f.is_test and not f.excused("complexity", before, last):
                self.found(f.path, first, "complexity", f"{name}: complexity {complexity}, "
                           f"at most {COMPLEXITY}; take a part out, or use a table")
            count = parameters("\n".join(code_of(f.text)[first - 1:first + 12]), name)
            if count > PARAMETERS and not f.excused("parameters", before, last):
                self.found(f.path, first, "parameters", f"{name}: {count} parameters, "
                           f"at most {PARAMETERS}; pass a struct")

    def check_globals(self):
        """Writable variables of file scope, seen in the object files of the build."""
        if not self.tool("objdump"):
            self.unchecked.add("global")
            return
        objects = []
        for f in self.c_files:
            if f.path.endswith(".h") or f.is_test:
                continue
            path = os.path.join(self.build, os.path.splitext(f.path)[0] + ".o")
            prefixed = [os.path.join(os.path.dirname(path), n)
                        for n in (listdir(os.path.dirname(path)))
                        if n.endswith("-" + os.path.basename(path))]
            path = next((p for p in [path] + prefixed if os.path.exists(p)), None)
            if path:
                objects.append((f, path))
        if not objects:
            self.skipped.append("variables of file scope (nothing is built)")
            self.unchecked.add("global")
        for f, path in objects:
            out = subprocess.run(["objdump", "-t", path], capture_output=True, text=True,
                                 check=False).stdout
            for match in re.finditer(r"^\w+ .{7} (\.t?(?:data|bss)\S*|\*COM\*)\t\w+ (?:\.\w+ )?(\S+)$",
                                     out, re.M):
                section, symbol = match.groups()
                name = symbol.split(".")[0]
                if section.startswith(".data.rel.ro") or symbol.startswith(".") or \
                        name.startswith(("_Z", "__", "DW")):
                    continue
                place = next((n for n, s in enumerate(code_of(f.text), 1)
                              if re.search(rf"\b{re.escape(name)}\b", s)), 1)
                if not f.excused("global", place - 4, place):
                    self.found(f.path, place, "global", f"{name} is writable and outlives its "
                               "function; keep it in a struct that somebody owns")

    def check_format(self):
        if not self.tool("clang-format"):
            return
        # Headers hold tables of aligned fields and comments: not clang-format's.
        sources = [f.path for f in self.c_files if not f.path.endswith(".h")]
        out = subprocess.run(["clang-format", "--dry-run", "--ferror-limit=1"] + sources,
                             cwd=self.root, capture_output=True, text=True, check=False).stderr
        for path, line in re.findall(r"^(\S+?):(\d+):\d+: \w+: code should be clang-formatted",
                                     out, re.M):
            self.found(path, int(line), "format", f"run clang-format -i {path}")

    def check_tidy(self):
        if not self.tool("clang-tidy"):
            self.unchecked.add("clang-tidy")
            return
        flags = ["-I" + self.root, "-I" + self.build, "-Wno-unknown-warning-option"]
        # the sanitizers run the tests; here it is about what they might not reach
        sources = [f for f in self.c_files if f.path.endswith((".c", ".cc")) and not f.is_test]
        if not os.path.exists(os.path.join(self.build, "config.h")):
            self.skipped.append("clang-tidy (nothing is configured)")
            self.unchecked.add("clang-tidy")
            return

        by_path = {f.path: f for f in self.c_files}
        with open(os.path.join(self.build, "config.h"), encoding="utf-8") as f:
            config = f.read()
        cache = os.path.join(self.build, "lint-cache")
        os.makedirs(cache, exist_ok=True)

        def tidy(f):
            """Its output; kept until the file or what it includes changes."""
            std = ["-std=gnu11", "-x", "c"] if f.path.endswith(".c") else ["-std=c++17"]
            seen, todo = set(), [f.path]
            while todo:
                path = todo.pop()
                if path in by_path and path not in seen:
                    seen.add(path)
                    todo += re.findall(r'^\s*#\s*include\s+"([^"]+)"', by_path[path].text, re.M)
            key = hashlib.sha256("\0".join([TIDY_CHECKS, config] + [
                path + by_path[path].text for path in sorted(seen)]).encode()).hexdigest()
            kept = os.path.join(cache, key)
            if not os.path.exists(kept):
                out = subprocess.run(
                    ["clang-tidy", "--quiet", "-checks=" + TIDY_CHECKS,
                     os.path.join(self.root, f.path), "--"] + std + flags,
                    capture_output=True, text=True, check=False).stdout
                with open(kept + ".new", "w", encoding="utf-8") as new:
                    new.write(out.replace(self.root + "/", ""))
                os.rename(kept + ".new", kept)
            with open(kept, encoding="utf-8") as old:
                return f, old.read()
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for f, out in pool.map(tidy, sources):
                for path, line, level, text in re.findall(
                        r"^(\S+?):(\d+):\d+: (warning|error): (.*)$", out, re.M):
                    path, line = os.path.normpath(path), int(line)
                    if path not in by_path:
                        if level == "error":
                            self.found(f.path, 1, "clang-tidy", text)
                    elif not by_path[path].excused("clang-tidy", line - 3, line):
                        self.found(path, line, "clang-tidy", text)

    # --- scripts and manual pages ------------------------------------------

    def check_scripts(self):
        shell = [f.path for f in self.files
                 if re.match(r"#!.*\b(ba|da)?sh\b|# shellcheck shell=", f.text)]
        python = [f.path for f in self.files if f.path.endswith(".py") or
                  re.match(r"#!.*\bpython3", f.text)]
        if shell and self.tool("shellcheck"):
            out = subprocess.run(["shellcheck", "-x", "-f", "gcc"] + shell, cwd=self.root,
                                 capture_output=True, text=True, check=False).stdout
            for path, line, text in re.findall(r"^(\S+?):(\d+):\d+: (.*)$", out, re.M):
                self.found(path, int(line), "shellcheck", text)
        for path in python:
            with open(os.path.join(self.root, path), "rb") as f:
                try:
                    compile(f.read(), path, "exec")
                except SyntaxError as e:
                    self.found(path, e.lineno or 1, "python", e.msg)
        if python and self.tool("pyflakes3"):
            out = subprocess.run(["pyflakes3"] + python, cwd=self.root, capture_output=True,
                                 text=True, check=False).stdout
            for path, line, text in re.findall(r"^(\S+?):(\d+):\d+:? (.*)$", out, re.M):
                self.found(path, int(line), "pyflakes", text)

    def check_man(self):
        pages = [f.path for f in self.files if re.search(r"\.[1-8]$", f.path)]
        if pages and self.tool("mandoc"):
            out = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"] + pages,
                                 cwd=self.root, capture_output=True, text=True, check=False)
            for path, line, text in re.findall(r"^mandoc: (\S+?):(\d+):\d+: (.*)$",
                                               out.stdout + out.stderr, re.M):
                self.found(path, int(line), "mandoc", text)

    def check_exceptions(self):
        for f in self.c_files:
            for line, kind, reason, used in f.exceptions:
                if kind not in KINDS:
                    self.found(f.path, line, "exception",
                               f"unknown kind {kind}; known: {' '.join(sorted(KINDS))}")
                elif len(reason) < 10:
                    self.found(f.path, line, "exception", f"{kind} without a reason")
                elif not used and kind not in self.unchecked:
                    self.found(f.path, line, "exception", f"{kind} excuses nothing; remove it")

    def run(self):
        for check in (self.check_text, self.check_links, self.check_c_lines, self.check_layers,
                      self.check_functions, self.check_globals, self.check_format,
                      self.check_scripts, self.check_man, self.check_tidy,
                      self.check_exceptions):
            check()


def code_of(text):
    """The lines of C text with comments and the contents of strings blanked out."""
    def blank(match):
        s = match.group(0)
        if s.startswith("/"):
            return re.sub(r"[^\n]", " ", s)
        return s[0] + re.sub(r"[^\n]", "_", s[1:-1]) + s[-1]
    pattern = r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
    lines = re.sub(pattern, blank, text, flags=re.S).split("\n")
    original = text.split("\n")
    return [o if re.match(r"\s*#\s*include", o) else s for s, o in zip(lines, original)]


def folder_of(path):
    """The layer that a file or an included header belongs to; None outside of them."""
    folder = os.path.dirname(path)
    if folder == "gateway/cli":
        folder = "gateway"
    while folder and folder not in RANKS:
        folder = os.path.dirname(folder)
    return folder or None


def comment_start(lines, first):
    """The line where the comment before a function that starts at `first` begins."""
    number = first - 1                  # the line before, counted from 1
    while number > 0 and lines[number - 1].strip():
        number -= 1
    return number + 1


def parameters(code, name):
    """How many parameters the definition of `name` at the start of `code` has."""
    match = re.search(rf"\b{re.escape(name.split('::')[-1])}\s*\(", code)
    if not match:
        return 0
    depth, count, any_text = 1, 1, ""
    for c in code[match.end():]:
        if c == "(":
            depth += 1
        elif c == ")":
            depth -= 1
            if depth == 0:
                break
        elif c == "," and depth == 1:
            count += 1
        any_text += c
    return 0 if any_text.strip() in ("", "void") else count


def listdir(folder):
    return os.listdir(folder) if os.path.isdir(folder) else []


def main():
    parser = argparse.ArgumentParser(description="checks the source tree")
    parser.add_argument("--source", default=".")
    parser.add_argument("--build", default=".")
    parser.add_argument("--require-tools", action="store_true",
                        help="a missing tool is a finding")
    args = parser.parse_args()
    lint = Lint(os.path.abspath(args.source), os.path.abspath(args.build), args.require_tools)
    lint.run()
    for path, line, text in sorted(set(lint.findings)):
        print(f"{path}:{line}: {text}")
    for what in lint.skipped:
        print(f"lint: skipped: {what}")
    print(f"lint: {len(lint.files)} files, {len(set(lint.findings))} findings")
    return 1 if lint.findings else 0


if __name__ == "__main__":
    sys.exit(main())
