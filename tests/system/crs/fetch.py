# SPDX-License-Identifier: Apache-2.0
"""Fetches the regression tests of the rule set that is installed here, out of
Debian's source package. apt's own state is left alone: a private folder holds
a deb-src twin of the configured sources that carry the package."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGE = "modsecurity-crs"
SOURCES = Path("/etc/apt")


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True,
                          timeout=60).stdout


def installed():
    return output("dpkg-query", "-W", "-f=${Version}", PACKAGE)


def deb822(text):
    """Stanzas of a .sources file; a folded value keeps its lines."""
    for stanza in re.split(r"\n\s*\n", text):
        fields, name = {}, None
        for line in stanza.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if line[0] in " \t" and name:
                fields[name] += "\n" + line
            elif ":" in line:
                name, value = line.split(":", 1)
                fields[name] = value.strip()
        if fields:
            yield fields


def one_line(text):
    """Entries of a .list file in the form of a stanza."""
    for line in text.splitlines():
        match = re.match(r"^\s*deb\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s*(.*)$", line)
        if not match:
            continue
        options, uri, suite, components = match.groups()
        fields = {"Types": "deb", "URIs": uri, "Suites": suite,
                  "Components": components.split("#")[0].strip()}
        signed = re.search(r"signed-by=([^\s\]]+)", options or "")
        if signed:
            fields["Signed-By"] = signed.group(1)
        yield fields


def configured():
    files = [SOURCES / "sources.list", *sorted((SOURCES / "sources.list.d").glob("*"))]
    for path in files:
        if path.is_file() and path.suffix == ".list":
            yield from one_line(path.read_text())
        elif path.is_file() and path.suffix == ".sources":
            yield from deb822(path.read_text())


def twins():
    """deb-src stanzas of those sources that offer the package."""
    policy = output("apt-cache", "policy", PACKAGE)
    offering = set(re.findall(r"^\s+-?\d+ (\w+:\S+) ", policy, re.M))
    text = []
    for fields in configured():
        if fields.get("Enabled", "yes").lower() == "no" or "deb" not in \
                fields.get("Types", "").split():
            continue
        uris = [u for u in fields.get("URIs", "").split()
                if u.rstrip("/") in {o.rstrip("/") for o in offering}]
        if not uris:
            continue
        twin = {**fields, "Types": "deb-src", "URIs": " ".join(uris)}
        twin.pop("Architectures", None)
        text.append("".join(f"{name}: {value}\n" for name, value in twin.items()))
    if not text:
        sys.exit(f"no configured apt source offers {PACKAGE}: apt-get update?")
    return "\n".join(text)


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "yett"


def tests(cache=None):
    """The folder of the tests of the installed version, fetched if need be."""
    version = installed()
    folder = (Path(cache) if cache else cache_folder()) / f"crs-{version}"
    found = folder / "source" / "tests" / "regression" / "tests"
    if found.is_dir():
        return found
    work = folder.with_name(folder.name + ".new")
    shutil.rmtree(work, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True)
    (work / "src.sources").write_text(twins())
    options = []
    for name, value in (("Dir::Etc::sourcelist", work / "src.sources"),
                        ("Dir::Etc::sourceparts", "/dev/null"),
                        ("Dir::State::lists", work / "lists"),
                        ("Dir::Cache", work / "cache"),
                        ("APT::Sandbox::User", "root")):
        options += ["-o", f"{name}={value}"]
    print(f"fetching the source package of {PACKAGE} {version}", flush=True)
    subprocess.run(["apt-get", "-q", *options, "update"], check=False, timeout=300,
                   stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    subprocess.run(["apt-get", "-q", *options, "source", "--download-only",
                    f"{PACKAGE}={version}"], check=True, timeout=300, cwd=work,
                   stdin=subprocess.DEVNULL)
    description = next(work.glob("*.dsc"))
    subprocess.run(["dpkg-source", "--no-check", "-x", description.name, "source"],
                   check=True, timeout=60, cwd=work, stdout=subprocess.DEVNULL)
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)
    return found


if __name__ == "__main__":
    print(tests())
