#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which fields of the configuration an example lacks: fields.py YETT EXAMPLE.

Compares the example with the JSON Schema that YETT prints; fields that it calls
not built yet, and `include`, need no example.
"""
import json
import subprocess
import sys

import yaml


def missing(schema, root, samples, path):
    """Paths of fields that none of the sample values has."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    for part in schema.get("oneOf", []) + schema.get("anyOf", []):
        yield from missing(part, root, samples, path)
    for name, field in schema.get("properties", {}).items():
        if "ot built yet" in json.dumps(field) or f"{path}{name}" == "include":
            continue
        below = [s[name] for s in samples if isinstance(s, dict) and name in s]
        if below:
            yield from missing(field, root, below, f"{path}{name}.")
        else:
            yield f"{path}{name}"
    if isinstance(schema.get("items"), dict):
        yield from missing(schema["items"], root,
                           [v for s in samples if isinstance(s, list) for v in s], path)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from missing(schema["additionalProperties"], root,
                           [v for s in samples if isinstance(s, dict) for v in s.values()],
                           path)


def main():
    yett, example = sys.argv[1:]
    schema = json.loads(subprocess.run([yett, "schema"], check=True, capture_output=True).stdout)
    with open(example, encoding="utf-8") as f:
        sample = yaml.safe_load(f)
    lacks = sorted(set(missing(schema, schema, [sample], "")))
    for field in lacks:
        print(f"{example} has no {field}")
    return 1 if lacks else 0


if __name__ == "__main__":
    sys.exit(main())
