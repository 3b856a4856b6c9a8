#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which fields of the configuration an example lacks: fields.py YETT EXAMPLE.

Compares the example with the JSON Schema that YETT prints; `include` needs no
example.
"""
import json
import subprocess
import sys

import yaml


def collect(schema, root, samples, path, found):
    """Notes for each kind of mapping its schema and the sample values of it, wherever
    they stand: what several fields share needs an example once."""
    if "$ref" in schema:
        path = schema["$ref"].rsplit("/", 1)[1]
        schema = root["$defs"][path]
    for part in schema.get("anyOf", []):
        collect(part, root, samples, path, found)
    if "properties" in schema:
        known = found.setdefault(path, (schema, []))[1]
        new = [s for s in samples if isinstance(s, dict)]
        known.extend(new)
        for name, field in schema["properties"].items():
            below = [s[name] for s in new if name in s]
            collect(field, root, below, f"{path}.{name}", found)
    if isinstance(schema.get("items"), dict):
        collect(schema["items"], root,
                [v for s in samples if isinstance(s, list) for v in s], path, found)
    if isinstance(schema.get("additionalProperties"), dict):
        collect(schema["additionalProperties"], root,
                [v for s in samples if isinstance(s, dict) for v in s.values()], path,
                found)


def missing(root, sample):
    """Fields that none of the sample's mappings has."""
    found = {}
    collect(root, root, [sample], "configuration", found)
    for path, (schema, samples) in found.items():
        for name in schema["properties"]:
            if (path, name) == ("configuration", "include"):
                continue
            if not any(name in s for s in samples):
                yield f"{path}.{name}"


def main():
    yett, example = sys.argv[1:]
    schema = json.loads(subprocess.run([yett, "schema"], check=True, capture_output=True).stdout)
    with open(example, encoding="utf-8") as f:
        sample = yaml.safe_load(f)
    lacks = sorted(set(missing(schema, sample)))
    for field in lacks:
        print(f"{example} has no {field}")
    return 1 if lacks else 0


if __name__ == "__main__":
    sys.exit(main())
