"""One small question over HTTP to something nearby: a Unix socket, the loopback, a meter that the user named.

Bounded in time and size, one connection for each question, no redirects, no proxies, no tokens. What comes back is
hostile until it has been read as what it should be.
"""

from __future__ import annotations

import json
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
    import http.client  # takes milliseconds to import; few machines have anything to ask

    ends_s = time.monotonic() + timeout_s
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        if unix is not None:
            connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.sock.settimeout(timeout_s)
            connection.sock.connect(unix)
        connection.request("GET", path, headers={"Host": host, "Accept-Encoding": "identity", "Connection": "close"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise Unanswered(_status(answer.status))
        body = bytearray()
        while chunk := answer.read1(65536):
            body += chunk
            if len(body) > MAX_BYTES:
                raise Unanswered("it answers with more than a mebibyte")
            if time.monotonic() > ends_s:
                raise Unanswered("it answers too slowly")
        return bytes(body)
    except Unanswered:
        raise
    except TimeoutError as error:
        raise Unanswered(f"no answer within {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(f"no answer: {getattr(error, 'strerror', None) or type(error).__name__}") from error
    finally:
        connection.close()


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
