"""One small question over HTTP to something nearby: a Unix socket, the loopback, a meter that the user named.

Bounded in time and size, one connection for each question, no redirects, no proxies, no tokens. What comes back is
hostile until it has been read as what it should be.
"""

from __future__ import annotations

import io
import json
import re
import socket
import time
from typing import Any

TIMEOUT_S = 0.25
"""For the whole question: the sampler waits for it."""
MAX_BYTES = 1 << 20


class Unanswered(OSError):  # noqa: N818 - it reads as what it says
    """No answer that can be used, in words."""

    def __init__(self, words: str) -> None:
        super().__init__(None, words)
        self.words = words

    def __str__(self) -> str:
        return self.words


def ask(path: str, *, host: str, port: int = 80, unix: str | None = None, timeout_s: float = TIMEOUT_S) -> bytes:
    """The body of `GET path`.

    Args:
        unix: the Unix socket to ask in place of `host` and `port`.

    Raises:
        Unanswered: nobody there, too slow, too much, or another answer than 200.
    """
    ends_s = time.monotonic() + timeout_s
    try:
        with _connected(host, port, unix, timeout_s) as connection:
            head = f"GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode("ascii", "replace"))
            content = _received(connection, ends_s)
    except TimeoutError as error:
        raise Unanswered(f"no answer within {timeout_s:g} s") from error
    except OSError as error:
        if isinstance(error, Unanswered):
            raise
        raise Unanswered(f"no answer: {error.strerror or type(error).__name__}") from error
    return _body(content)


def _connected(host: str, port: int, unix: str | None, timeout_s: float) -> socket.socket:
    if unix is None:
        return socket.create_connection((host, port), timeout_s)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(unix)
    except BaseException:
        connection.close()
        raise
    return connection


def _received(connection: socket.socket, ends_s: float) -> bytes:
    """Everything that is sent until the end, in bounded time however slowly it drips.

    Raises:
        Unanswered: it is too much.
        TimeoutError: it takes too long.
    """
    content = bytearray()
    while True:
        left_s = ends_s - time.monotonic()
        if left_s <= 0.0:
            raise TimeoutError
        connection.settimeout(left_s)
        chunk = connection.recv(65536)
        content += chunk
        if len(content) > MAX_BYTES:
            raise Unanswered("it answers with more than a mebibyte")
        if not chunk or _is_whole(content):
            return bytes(content)


def _is_whole(content: bytearray) -> bool:
    """Whether an answer that told its length has come to its end: not everybody hangs up then."""
    head, blank, body = content.partition(b"\r\n\r\n")
    told = re.search(rb"\r\ncontent-length:[ ]*([0-9]{1,9})[ ]*(?:\r\n|$)", bytes(head), re.IGNORECASE)
    return bool(blank and told and len(body) >= int(told[1]))


def _body(content: bytes) -> bytes:
    """The body of an answer of 200.

    Raises:
        Unanswered: it is another answer, or none of HTTP.
    """
    import http.client  # takes milliseconds to import; few machines have anything to ask

    class Received:
        def makefile(self, mode: str) -> io.BytesIO:
            return io.BytesIO(content)

    try:
        answer = http.client.HTTPResponse(Received())  # type: ignore[arg-type]
        answer.begin()
        if answer.status != 200:
            raise Unanswered(_status(answer.status))
        return answer.read()
    except (http.client.HTTPException, OverflowError) as error:  # the latter: a length of twenty digits
        raise Unanswered(f"its answer is no HTTP: {type(error).__name__}") from error


def _status(status: int) -> str:
    if status in (401, 403):
        return f"it asks for a token (HTTP {status}), and none is ever sent"
    if status in (301, 302, 303, 307, 308):
        return f"it points elsewhere (HTTP {status}), which is not followed"
    return f"it answers HTTP {status}"


def ask_json(path: str, *, host: str, port: int = 80, unix: str | None = None, timeout_s: float = TIMEOUT_S) -> Any:
    """The same, read as JSON.

    Raises:
        Unanswered: no answer, or one that is no JSON.
    """
    return as_json(ask(path, host=host, port=port, unix=unix, timeout_s=timeout_s))


def as_json(body: bytes) -> Any:
    """Bytes as JSON.

    Raises:
        Unanswered: they are none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unanswered("its answer is no JSON") from error
