# SPDX-License-Identifier: Apache-2.0
"""The public test suite of HTTP caches against the gateway with `cache: on`. What the
tests are, and where Yett decides otherwise: docs/design/cache-suite.md."""
import pytest

from http_cache import suite

# Of 95. What is not among them is listed there, each with its reason.
OPTIONAL_PASSED = 75


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
        results = suite.run(folder, gw.url)
    finally:
        origin.stop()

    def told(kind):
        return "\n".join(f"{test}: {results.reason(test)}" for test in results.of(kind)
                         if results.verdict(test) != suite.PASSED)

    assert len(results.of("required")) > 150
    assert results.of("required", suite.FAILED) == [], told("required")
    assert len(results.of("optimal", suite.PASSED)) >= OPTIONAL_PASSED, told("optimal")
