# SPDX-License-Identifier: Apache-2.0
"""The public test suite of HTTP caches against the gateway with `cache: on`. What the
tests are, and where Yett decides otherwise: docs/design/cache-suite.md."""
from fnmatch import fnmatchcase

import pytest

from http_cache import suite

# What Yett decides otherwise, each with its reason there.
NOT_TESTED = ["stale-close-*", "headers-store-Set-Cookie", "headers-store-Content-Range",
              "headers-store-Transfer-Encoding", "304-etag-update-response-Set-Cookie",
              "304-etag-update-response-Content-Range", "304-etag-update-response-ETag"]
NOT_PASSED = ["heuristic-*-cached", "partial-store-partial-*", "other-set-cookie",
              "vary-normalise-lang-order", "vary-normalise-lang-case",
              "vary-normalise-lang-select", "method-POST", "conditional-lm-fresh-no-lm"]
KNOWN = {"required": NOT_TESTED, "optimal": NOT_PASSED, "check": ["*"]}
OPTIONAL_PASSED = 75


def is_known(test, kind):
    return any(fnmatchcase(test, pattern) for pattern in KNOWN[kind])


@pytest.fixture
def folder():
    try:
        return suite.install()
    except suite.Unavailable as why:
        pytest.skip(str(why))


def test_public_suite(gateway, folder):
    origin = suite.Origin(folder)
    try:
        gw = gateway(**suite.configuration(origin.port))
        results = suite.run(folder, gw.url, is_known)
    finally:
        origin.stop()
    assert len(results.of("required")) == 165 and len(results.of("optimal")) == 95
    assert results.of("required", suite.FAILED) == []
    unexpected = {test: results.reason(test)
                  for kind in ("required", "optimal") for test in results.of(kind)
                  if results.verdict(test) != suite.PASSED and not is_known(test, kind)}
    assert unexpected == {}
    assert len(results.of("optimal", suite.PASSED)) >= OPTIONAL_PASSED
