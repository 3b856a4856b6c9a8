# SPDX-License-Identifier: Apache-2.0
"""Small MaxMind databases (format 2.0) made of a table: prefix to record."""
import ipaddress

MARKER = b"\xab\xcd\xefMaxMind.com"


class U16(int):
    """A number of the type uint16; plain ones are uint32."""


class U64(int):
    """A number of the type uint64."""


def _head(kind, size):
    assert size < 285
    first, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    if kind <= 7:
        return bytes([kind << 5 | first]) + more
    return bytes([first, kind - 7]) + more


def _number(kind, value):
    data = int(value).to_bytes((int(value).bit_length() + 7) // 8, "big")
    return _head(kind, len(data)) + data


def encode(value):
    """A value as it stands in the data section."""
    if isinstance(value, dict):
        return _head(7, len(value)) + b"".join(encode(k) + encode(v)
                                               for k, v in value.items())
    if isinstance(value, list):
        return _head(11, len(value)) + b"".join(encode(v) for v in value)
    if isinstance(value, str):
        data = value.encode()
        return _head(2, len(data)) + data
    return _number({U16: 5, U64: 9}.get(type(value), 6), value)


def build(records, kind="GeoLite2-Country"):
    """The bytes of a database; of two prefixes that overlap the later one wins."""
    nodes = [[None, None]]
    data, offsets = b"", {}
    for prefix, record in records.items():
        network = ipaddress.ip_network(prefix)
        bits, length = int(network.network_address), network.prefixlen
        if network.version == 4:
            length += 96
        encoded = encode(record)
        if encoded not in offsets:
            offsets[encoded] = len(data)
            data += encoded
        node = 0
        for i in range(length - 1):
            side = bits >> (127 - i) & 1
            if not isinstance(nodes[node][side], int):
                below = nodes[node][side]
                nodes.append([below, below])
                nodes[node][side] = len(nodes) - 1
            node = nodes[node][side]
        nodes[node][bits >> (128 - length) & 1] = (offsets[encoded],)
    tree = b""
    for pair in nodes:
        for side in pair:
            if side is None:
                side = len(nodes)
            elif isinstance(side, tuple):
                side = len(nodes) + 16 + side[0]
            tree += side.to_bytes(3, "big")
    meta = {"node_count": len(nodes), "record_size": U16(24), "ip_version": U16(6),
            "database_type": kind, "languages": ["en"],
            "binary_format_major_version": U16(2), "binary_format_minor_version": U16(0),
            "build_epoch": U64(1764000000), "description": {"en": "made by a test"}}
    return tree + bytes(16) + data + MARKER + encode(meta)


def country(code, continent):
    return {"continent": {"code": continent}, "country": {"iso_code": code}}


def network(number, name):
    return {"autonomous_system_number": number, "autonomous_system_organization": name}
