"""A store on the loopback interface: an HTTP server of a folder that fails in the ways that servers fail."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Handler(BaseHTTPRequestHandler):
    """Answers one connection as `served` says."""

    def __init__(self, served, *args):
        self.served = served
        super().__init__(*args)

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer(b"")

    def do_GET(self):
        self.answer(None)

    def answer(self, body):
        served, span = self.served, self.headers.get("Range")
        served.requests.append((self.command, self.path.rpartition("/")[2], span))
        file = served.folder / self.path.lstrip("/")
        if served.status or not file.is_file():
            self.send_response(served.status or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = file.read_bytes() if served.body is None else served.body
        if span and served.ranges:
            first, _, last = span.removeprefix("bytes=").partition("-")
            content = content[int(first) : int(last) + 1 if last else None]
            self.send_response(206)
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body is None:
            with suppress(OSError):
                self.wfile.write(content[: served.dies_after])


class Served:
    """A folder served over HTTP, and how the server behaves.

    Attributes
    ----------
    ranges : whether it knows the header Range
    dies_after : bytes after which it closes the connection, of each response
    status : answers everything with it
    body : sends it instead of what a file holds
    requests : (method, name, header Range) in their order
    """

    def __init__(self, folder):
        self.folder = folder
        self.ranges = True
        self.dies_after = None
        self.status = None
        self.body = None
        self.requests = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def spans(self, blob):
        """Return the Range headers of the downloads of one blob."""
        return [span for method, name, span in self.requests if method == "GET" and name == blob]

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def served(tmp_path, needs):
    needs("aiohttp")  # which fsspec reads HTTP with, and our extra does not bring
    folder = tmp_path / "served"
    folder.mkdir()
    server = Served(folder)
    yield server
    server.close()
