# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the system tests. Nothing outlives its test; each gateway must
end cleanly and without a sanitizer's report."""
import shutil
import ssl

import pytest

from yett_test.certs import Authority
from yett_test.gateway import Gateway
from yett_test.origin import Origin
from yett_test.wait import Port, seconds

CHROMIUM_FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                  "--no-first-run", "--disable-background-networking",
                  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]


def pytest_configure(config):
    config.addinivalue_line("markers", "timing: measures times or rates on a machine that "
                            "others use too: has three tries, and the report says so")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("timing"):
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))


class Factory:
    """Starts gateways; stops what is left and asserts that all ended well."""

    def __init__(self, folder, origin):
        self.folder, self.origin = folder, origin
        self.started = []

    def __call__(self, port=None, origin=None, **config):
        folder = self.folder / f"gw{len(self.started)}"
        folder.mkdir()
        gateway = Gateway(folder, origin or self.origin, port or Port(), **config)
        self.started.append(gateway)
        return gateway

    def finish(self):
        failure = None
        for gateway in self.started:
            try:
                gateway.stop()
            except AssertionError as error:
                failure = failure or error
        if failure:
            raise failure


@pytest.fixture
def gateway(tmp_path, origin):
    factory = Factory(tmp_path, origin)
    yield factory
    factory.finish()


@pytest.fixture
def origin():
    server = Origin()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def module_origin():
    server = Origin()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def module_gateway(tmp_path_factory, module_origin):
    """For tables of many rows over one gateway."""
    factory = Factory(tmp_path_factory.mktemp("module"), module_origin)
    yield factory
    factory.finish()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def tls_origin(authority):
    """An origin over TLS with a certificate for origin.test."""
    pair = authority.issue("origin.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_OPTIONAL
    server = Origin(context)
    yield server
    server.stop()


@pytest.fixture
def browser(tmp_path):
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    if not driver or not chromium:
        pytest.skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("acceptInsecureCerts", True)
    for flag in CHROMIUM_FLAGS + [f"--user-data-dir={tmp_path / 'profile'}"]:
        options.add_argument(flag)
    chrome = webdriver.Chrome(service=Service(driver), options=options)
    chrome.set_page_load_timeout(seconds(30))
    chrome.implicitly_wait(seconds(5))
    yield chrome
    chrome.quit()
