"""A loopback server for tests of downloads: serves bytes from memory and can fail on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """What the server holds and what it was asked.

    Attributes:
        url: The root's address.
        files: Path without its slash -> content.
        drops: How many of the next answers break off half-way.
        stalls: Set while answers are to stop half-way and hang.
        requests: The paths asked for.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    drops: int = 0
    stalls: threading.Event = field(default_factory=threading.Event)
    half_sent: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    requests: list[str] = field(default_factory=list)

    def address(self, name: str, content: bytes) -> str:
        """Serve ``content`` under ``name`` and return its address."""
        self.files[name] = content
        return f"{self.url}/{name}"


@contextmanager
def serving() -> Iterator[Served]:
    """Run a server on a free port of 127.0.0.1."""
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            served.requests.append(name)
            if name not in served.files:
                self.send_error(404)
                return
            content = served.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            half = len(content) // 2
            self.wfile.write(content[:half])
            self.wfile.flush()
            if served.drops:
                served.drops -= 1
                self.close_connection = True
                return
            if served.stalls.is_set():
                served.half_sent.set()
                served.released.wait(30)
                return
            self.wfile.write(content[half:])

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        served.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
