# SPDX-License-Identifier: Apache-2.0
"""`error_pages`: refusals with pages of the operator's own."""
import json
import os
import re

import pytest
import yaml

from yett_test.gateway import merge, run
from yett_test.origin import dead_url

STYLE = "<style>@keyframes a{0%{top:0}50%{top:1px}}</style>"
PAGE = f"<!doctype html>{STYLE}<h1>%{{status}} %{{reason}}</h1><code>%{{id}}</code>"


def folder_of(path, **files):
    path.mkdir()
    for name, text in files.items():
        (path / name.replace("_", ".")).write_text(text)
    return path


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return folder_of(tmp_path_factory.mktemp("pages") / "shop", **{
        "403_html": PAGE, "5xx_html": "<p>broken %{host} <a href='/?%{id}'>again</a>",
        "default_json": '{"status": %{status}, "title": "%{reason}", "number": "%{id}", '
                        '"host": "%{host}"}',
        "notes_txt": "%{unknown} is not looked at"})


@pytest.fixture(scope="module")
def gw(module_gateway, pages):
    url, taken = dead_url()
    yield module_gateway(
        pools={"dead": {"servers": [{"url": url}], "retries": 0}},
        sites=[{"hosts": ["app.test"], "pool": "app", "error_pages": str(pages),
                "routes": [{"path": "/dead/", "pool": "dead"}]},
               {"hosts": ["plain.test"], "pool": "app"}])
    taken.close()


def test_a_page_for_its_status(gw):
    answer = gw.get("/?q=<script>alert(1)</script>")
    assert answer.status == 403
    assert answer.get("content-type") == "text/html; charset=utf-8"
    assert re.fullmatch(re.escape("<!doctype html>" + STYLE + "<h1>403 Forbidden</h1><code>")
                        + "[0-9A-Z]{26}</code>", answer.text)
    record = gw.audit(id=answer.id)
    assert record["reason"] == "waf" and record["id"] in answer.text
    for rule in record["waf"]["rules"]:
        assert str(rule["id"]) not in answer.text and rule["message"] not in answer.text


def test_a_page_for_its_class_in_a_route(gw):
    answer = gw.get("/dead/")
    assert 500 <= answer.status <= 599
    assert re.fullmatch(r"<p>broken app\.test <a href='/\?[0-9A-Z]{26}'>again</a>",
                        answer.text)


def test_fields_of_such_an_answer(gw):
    answer = gw.get("/?q=<script>alert(1)</script>")
    policy = answer.get("content-security-policy")
    assert "default-src 'none'" in policy and "img-src 'self' data:" in policy
    assert "style-src 'self' 'unsafe-inline'" in policy and "script" not in policy
    assert answer.get("cache-control") == "no-store"
    assert answer.get("x-content-type-options") == "nosniff"
    assert answer.get("x-request-id") == answer.id
    assert int(answer.get("content-length")) == len(answer.body)
    head = gw.ask("HEAD", "/?q=<script>alert(1)</script>")
    assert head.status == 403 and head.body == b""
    assert head.get("content-length") == answer.get("content-length")


def test_json_for_those_who_like_it_better(gw):
    answer = gw.get("/?q=<script>alert(1)</script>", [("Accept", "application/json")])
    assert answer.get("content-type") == "application/problem+json"
    told = json.loads(answer.body)
    assert told == {"status": 403, "title": "Forbidden", "number": answer.id,
                    "host": "app.test"}


def test_what_has_no_page_gets_that_of_yett(gw):
    answer = gw.ask("PROPFIND")
    assert answer.status == 405 and answer.get("allow")
    assert "This page does not take requests of this kind." in answer.text
    assert answer.get("content-security-policy") == \
        "default-src 'none'; style-src 'unsafe-inline'"
    other = gw.ask(target="/?q=<script>alert(1)</script>", host="plain.test")
    assert other.status == 403 and "<code>" in other.text and STYLE not in other.text
    broken = gw.raw(b"GET / HTTP/1.1\r\nHost: app.test\r\nHost: app.test\r\n\r\n")
    assert broken.status == 400 and "could not understand" in broken.text


@pytest.mark.parametrize("host", ["app.test:1234", "APP.test"])
def test_hosts_are_escaped(gw, host):
    answer = gw.ask(target="/dead/", host=host)
    assert f"<p>broken {host.lower()} " in answer.text


def check(tmp_path, folder, config=None):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(merge({
        "listeners": [{"address": "127.0.0.1:8080"}],
        "pools": {"app": {"servers": [{"url": "http://127.0.0.1:9"}]}},
        "sites": [{"hosts": ["*"], "pool": "app", "error_pages": str(folder)}]},
        config or {}), sort_keys=False))
    return path, run("check", "-c", path)


@pytest.mark.parametrize("files,says", [
    ({}, "no page there"),
    ({"403_html": "a\nb\n%{client}\n"}, "403.html:3: unknown variable %{client}; allowed: "),
    ({"403_html": ""}, "403.html: empty"),
    ({"403_html": "x" * 65537}, "403.html: larger than 64 KiB"),
    ({"40x_html": "x"}, "40x.html: not the name of a page"),
])
def test_faults(tmp_path, files, says):
    folder = folder_of(tmp_path / "pages", **files)
    path, done = check(tmp_path, folder)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{path}:"), done.stderr
    assert f"sites[0].error_pages: {folder}" in done.stderr and says in done.stderr
    started = run("run", "-c", path)
    assert started.returncode != 0 and says in started.stderr


def test_a_folder_that_is_not_there(tmp_path):
    _, done = check(tmp_path, tmp_path / "none")
    assert done.returncode == 1
    assert "sites[0].error_pages" in done.stderr and "cannot open" in done.stderr


def test_relative_and_counted(tmp_path):
    folder_of(tmp_path / "pages", **{"403_html": "x", "404_html": "x"})
    os.symlink("403.html", tmp_path / "pages" / "405.html")
    _, done = check(tmp_path, "pages")
    assert done.returncode == 0, done.stderr
    assert f"error pages {tmp_path}/pages: 3 pages" in done.stdout
