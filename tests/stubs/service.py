"""A service of live intensities on loopback, which answers as a test tells it to: rightly, wrongly or not at all."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One question."""

    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        self.server.answer(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name for it
        """Nothing is printed."""

    def say(self, body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        """Answer with a body."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # whoever asked has had enough


class Service(ThreadingHTTPServer):
    """The server. `answer` says what it does with the next questions."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: Answer = says({})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that whoever asked has cut is none of the test's business."""


@contextmanager
def service() -> Iterator[Service]:
    """A service that runs while the block does."""
    server = Service()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def says(data: object, status: int = 200, **headers: str) -> Answer:
    """JSON."""
    return lambda handler: handler.say(json.dumps(data).encode(), status, **headers)


def says_text(text: str, kind: str = "application/json") -> Answer:
    """A body as it is."""
    return lambda handler: handler.say(text.encode(), 200, kind)


def says_nothing(handler: Handler) -> None:
    """Take the question and never answer."""
    time.sleep(3.0)
    handler.close_connection = True


def drips(handler: Handler) -> None:
    """Send a header's bytes one by one."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    try:
        for _ in range(200):
            handler.wfile.write(b"x")
            time.sleep(0.02)
    except OSError:
        pass  # whoever asked has had enough
    handler.close_connection = True


def cuts(handler: Handler) -> None:
    """Reset the connection."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.rfile.close()
    handler.connection.close()


def hour(moment: datetime | None = None) -> datetime:
    """The full hour at or before a moment."""
    return (moment or datetime.now(timezone.utc)).replace(minute=0, second=0, microsecond=0)


def electricity_maps(value: float, begins: datetime | None = None, **more: object) -> dict[str, object]:
    """An answer in the form of Electricity Maps."""
    begins = begins or hour()
    return {
        "zone": "FR",
        "carbonIntensity": value,
        "datetime": begins.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "updatedAt": "2026-01-01T00:00:00.000Z",
        "emissionFactorType": "lifecycle",
        "isEstimated": False,
        "estimationMethod": None,
        **more,
    }


def half_hours(values: list[tuple[float | None, float]], begins: datetime | None = None) -> list[dict[str, object]]:
    """Half-hours in the form of the Carbon Intensity API: (actual, forecast) from a moment on."""
    begins = begins or hour()
    found = []
    for index, (actual, forecast) in enumerate(values):
        start = begins + timedelta(minutes=30 * index)
        found.append(
            {
                "from": f"{start:%Y-%m-%dT%H:%MZ}",
                "to": f"{start + timedelta(minutes=30):%Y-%m-%dT%H:%MZ}",
                "intensity": {"forecast": forecast, "actual": actual, "index": "moderate"},
            }
        )
    return found
