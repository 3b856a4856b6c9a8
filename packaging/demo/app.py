#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A small web shop to put behind Yett: pages, a search, a login, an upload.

It is careless on purpose: /items pastes its `id` into SQL, so that one can see
what an attack does to it directly and what comes through Yett. It keeps its
data in memory and listens on the loopback address only.

usage: app.py [--port PORT]      0, the default, takes a free one and prints it
"""
import argparse
import html
import json
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

STYLE = ("body{font:16px sans-serif;max-width:40em;margin:3em auto}label{display:block}"
         "nav a{margin-right:1em}")
MAX_BODY = 1 << 20

SEARCH = '<form action="/search"><label>Search <input name="q" id="q"></label></form>'
LOGIN = ('<form action="/login" method="post"><label>Name <input name="user"></label>'
         '<label>Password <input name="password" type="password"></label>'
         '<button>Log in</button></form>')
UPLOAD = ('<form action="/upload" method="post" enctype="multipart/form-data">'
          '<label>File <input type="file" name="file"></label><button>Send</button></form>')


def open_database():
    db = sqlite3.connect(":memory:", check_same_thread=False)
    db.execute("create table items (id integer primary key, name text, hidden integer)")
    db.executemany("insert into items (name, hidden) values (?, ?)",
                   [("tea pot", 0), ("tea cup", 0), ("next year's price list", 1)])
    return db


class Shop(BaseHTTPRequestHandler):
    """One request; `db` and `db_lock` are set on the class before the start."""
    protocol_version = "HTTP/1.1"
    server_version = "demo"
    sys_version = ""
    db = None
    db_lock = threading.Lock()

    def answer(self, status, body, kind="text/html; charset=utf-8"):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def page(self, title, *parts, status=200):
        self.answer(status, f"<!doctype html><html lang=en><title>{html.escape(title)}</title>"
                    f"<style>{STYLE}</style><nav><a href='/'>Shop</a>"
                    "<a href='/items?id=1'>Item 1</a><a href='/login'>Log in</a>"
                    f"<a href='/upload'>Upload</a></nav><h1>{html.escape(title)}</h1>"
                    + "".join(parts) + "</html>\n")

    def items(self, where):
        """The careless part: `where` becomes SQL as it is."""
        with self.db_lock:
            try:
                rows = self.db.execute(
                    f"select id, name from items where hidden = 0 and {where}").fetchall()
            except sqlite3.Error as e:
                return f"<p>The database says: {html.escape(str(e))}</p>"
        return "<ul>" + "".join(f"<li>{n}: {html.escape(name)}</li>" for n, name in rows) + "</ul>"

    def do_GET(self):
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        if url.path == "/":
            self.page("A small shop", SEARCH, self.items("1"))
        elif url.path == "/items":
            self.page("Items", self.items(f"id = '{query.get('id', '1')}'"))
        elif url.path == "/search":
            with self.db_lock:
                rows = self.db.execute("select name from items where hidden = 0 and name like ?",
                                       (f"%{query.get('q', '')}%",)).fetchall()
            self.page("Search", SEARCH, f"<p>{len(rows)} found for "
                      f"<q>{html.escape(query.get('q', ''))}</q></p>")
        elif url.path == "/login":
            self.page("Log in", LOGIN)
        elif url.path == "/upload":
            self.page("Upload", UPLOAD)
        elif url.path == "/api/status":
            self.answer(200, json.dumps({"status": "open", "items": 3}) + "\n",
                        "application/json")
        else:
            self.page("Not found", status=404)

    do_HEAD = do_GET

    def do_POST(self):
        try:
            length = int(self.headers.get("Content-Length", "0"))
        except ValueError:
            length = -1
        if not 0 <= length <= MAX_BODY:
            self.close_connection = True
            self.page("Too large", status=413)
            return
        body = self.rfile.read(length)
        path = urlsplit(self.path).path
        if path == "/login":
            user = parse_qs(body.decode(errors="replace")).get("user", ["nobody"])[0]
            self.page("Welcome", f"<p>Hello, {html.escape(user)}.</p>")
        elif path == "/upload":
            self.page("Thank you", f"<p>{len(body)} bytes received.</p>")
        else:
            self.page("Not found", status=404)

    def log_message(self, *args):
        """Silent: the gateway writes the access log."""


def main():
    parser = argparse.ArgumentParser(description="a careless demo shop, on loopback only")
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    Shop.db = open_database()
    server = ThreadingHTTPServer(("127.0.0.1", args.port), Shop)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
