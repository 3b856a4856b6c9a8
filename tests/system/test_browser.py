# SPDX-License-Identifier: Apache-2.0
"""A real browser works through it: pages, forms, a file upload, a refusal."""
import re

import pytest

from yett_test.wait import Port, seconds

pytestmark = pytest.mark.timing

PAGE = b"""<!doctype html><html><head><meta charset="utf-8">
<title>Shop</title>
<link rel="stylesheet" href="/style.css"><link rel="icon" href="data:,"></head><body>
<form id="text" method="post" action="/form"><input name="name"><input name="note">
<button>Send</button></form>
<form id="file" method="post" action="/upload" enctype="multipart/form-data">
<input type="file" name="file"><input name="title"><button>Upload</button></form>
<script src="/app.js"></script></body></html>"""
SCRIPT = b"""fetch("/api", {method: "POST", headers: {"Content-Type": "application/json"},
body: JSON.stringify({items: [1, 2, {a: "b"}]})}).then(r => r.text())
.then(t => { document.title = "Shop " + t; });"""


def typed(kind, body):
    def answer(exchange):
        text = body(exchange) if callable(body) else body
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
                      % (kind, len(text)) + text)
    return answer


@pytest.fixture
def shop(origin):
    origin.on("/", typed(b"text/html", PAGE))
    origin.on("/style.css", typed(b"text/css", b"body { color: black }"))
    origin.on("/app.js", typed(b"application/javascript", SCRIPT))
    origin.on("/api", typed(b"text/plain", b"ready"))
    origin.on("/form", typed(b"text/html", lambda e: b"<title>Thanks</title><pre>" +
                             e.request.body + b"</pre>"))
    origin.on("/upload", typed(b"text/html", b"<title>Stored</title>"))
    return origin


def title(browser, text):
    from selenium.webdriver.support.ui import WebDriverWait
    WebDriverWait(browser, seconds(20)).until(lambda b: b.title == text)


def test_browser(gateway, browser, shop, tmp_path, authority):
    from selenium.webdriver.common.by import By
    port = Port()
    pair = authority.issue("localhost")
    gw = gateway(port=port, listeners=[{
        "address": port.address, "tls": {"certificates": [pair.conf()]}}])
    home = f"https://localhost:{port.number}/"
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100)

    browser.get(home)
    title(browser, "Shop ready")        # page, style, script and a fetch with JSON

    browser.find_element(By.CSS_SELECTOR, "#text [name=name]").send_keys("Zoë O'Neill")
    browser.find_element(By.CSS_SELECTOR, "#text [name=note]").send_keys("50 % & more?")
    browser.find_element(By.CSS_SELECTOR, "#text button").click()
    title(browser, "Thanks")
    assert b"name=Zo%C3%AB+O%27Neill&note=50+%25+%26+more%3F" in \
        next(r for r in shop.requests if r.path == "/form").body

    browser.get(home)
    title(browser, "Shop ready")
    browser.find_element(By.CSS_SELECTOR, "#file [name=file]").send_keys(str(photo))
    browser.find_element(By.CSS_SELECTOR, "#file [name=title]").send_keys("My photo")
    browser.find_element(By.CSS_SELECTOR, "#file button").click()
    title(browser, "Stored")
    sent = next(r for r in shop.requests if r.path == "/upload")
    assert photo.read_bytes() in sent.body
    assert not gw.records()

    browser.get(home)
    browser.find_element(By.CSS_SELECTOR, "#text [name=note]").send_keys("1' OR 1=1--")
    browser.find_element(By.CSS_SELECTOR, "#text button").click()
    title(browser, "403 Forbidden")
    id = re.search(r"[0-9A-HJKMNP-TV-Z]{26}",
                   browser.find_element(By.TAG_NAME, "body").text)
    assert id, browser.page_source
    assert gw.audit(id=id.group(0))["status"] == 403
