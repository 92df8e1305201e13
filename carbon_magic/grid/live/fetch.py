"""Asking a service for JSON, bounded in every way: time, size, form, and where the question goes.

This is the one module that talks to a network. httpx, an optional extra, is imported with the first question, in the
thread that asks. Nothing of an answer but its decoded JSON leaves here, and no error carries a header.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from carbon_magic.grid.live.provider import LiveError
from carbon_magic.threads import in_background

if TYPE_CHECKING:
    import httpx

INSTALL = "pip install 'carbon-magic[live]'"
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks")


class Limits(NamedTuple):
    """What an answer may take."""

    connect_s: float = 3.0
    read_s: float = 5.0
    """Between two parts of it."""
    total_s: float = 10.0
    most_bytes: int = 64 << 10


class Asking:
    """Asks, over one connection after the other: a question an hour keeps none open."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()

    def get(self, url: str, headers: Mapping[str, str]) -> object:
        """The decoded JSON at a URL.

        Raises:
            LiveError: httpx is missing, there is no answer, or not one that can be used; the words say which.
        """
        try:
            import httpx
        except ImportError:
            raise LiveError(f"cannot be asked without httpx: {INSTALL}", refused=True) from None
        try:
            with _quiet():
                status, answered, body = self._exchange(httpx, url, headers)
        except LiveError:
            raise
        except httpx.TimeoutException:
            raise LiveError("does not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RuntimeError) as error:
            # Whatever a hostile server, a proxy or a cut connection makes of it; its text may quote what was sent.
            raise LiveError(f"cannot be reached ({_kind(error)})") from None
        _check_status(status, answered)
        return _decoded(answered, body)

    def _exchange(self, httpx: Any, url: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        limits = self._limits
        sockets: list[socket.socket] = []
        over = threading.Event()

        def trace(event: str, info: Mapping[str, Any]) -> None:
            if event.endswith(("connect_tcp.complete", "start_tls.complete")):
                one = info["return_value"].get_extra_info("socket")
                if isinstance(one, socket.socket):
                    sockets.append(one)

        def end_it() -> None:
            over.set()
            for one in sockets[-1:]:
                _shut(one)

        # A server that sends a byte now and then never runs into a time-out between two of them.
        watch = in_background(threading.Timer(limits.total_s, end_it))
        watch.name = "carbon-magic live time-out"
        watch.start()
        asked = {**headers, "Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": _agent()}
        try:
            client: httpx.Client
            with httpx.Client(timeout=httpx.Timeout(limits.read_s, connect=limits.connect_s)) as client:
                question = client.build_request("GET", url, headers=asked, extensions={"trace": trace})
                response = client.send(question, stream=True, follow_redirects=False)
                try:
                    # Of a refusal the body is not read: it says nothing that is used.
                    body = self._body(response) if response.status_code == 200 else b""
                finally:
                    response.close()
                return response.status_code, dict(response.headers), body
        except LiveError:
            raise
        except Exception:
            if over.is_set():
                raise LiveError(f"does not answer in {limits.total_s:g} s") from None
            raise
        finally:
            watch.cancel()

    def _body(self, response: httpx.Response) -> bytes:
        most = self._limits.most_bytes
        if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            raise LiveError("answers in a form that was not asked for")  # a small body may unpack to a huge one
        read = bytearray()
        for part in response.iter_raw(4096):
            read += part
            if len(read) > most:
                raise LiveError(f"answers with more than {most >> 10} KiB")
        return bytes(read)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is closed already
        one.shutdown(socket.SHUT_RDWR)


def _check_status(status: int, headers: Mapping[str, str]) -> None:
    """Raise for every status but 200, in words."""
    if status == 200:
        return
    words = {
        401: "refuses the token (401)",
        403: "does not allow this with the token (403)",
        404: "does not know the zone (404)",
        429: "asks for fewer questions (429)",
    }.get(status)
    if words is None and 300 <= status < 400:
        words = f"sends on to another address ({status}), which is not followed"
    elif words is None:
        words = f"is out of order ({status})" if status >= 500 else f"refuses the question ({status})"
    refused = status in (401, 403, 404)
    raise LiveError(words, retry_after_s=_retry_after_s(headers.get("retry-after", "")), refused=refused)


def _retry_after_s(text: str) -> float | None:
    """What the header `Retry-After` asks for, in seconds: it has a number or a date. None where it has neither."""
    text = text.strip()[:64]
    try:
        seconds = float(text)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            until = parsedate_to_datetime(text)
            until = until if until.tzinfo is not None else until.replace(tzinfo=timezone.utc)
            seconds = (until - datetime.now(timezone.utc)).total_seconds()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _decoded(headers: Mapping[str, str], body: bytes) -> object:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        shown = "".join(char for char in kind if char.isalnum() or char in "/.+-")[:40] or "something nameless"
        raise LiveError(f"answers with {shown} and not with JSON")
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):  # no JSON, no UTF-8, too large a number, or nested too deeply
        raise LiveError("answers with JSON that cannot be read") from None


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


_KINDS = {
    "ConnectionRefusedError": "nobody listens there",
    "ConnectionResetError": "the connection is cut",
    "gaierror": "its name is not known, or there is no network",
    "RemoteProtocolError": "the answer is broken off, or no HTTP",
    "SSLCertVerificationError": "its certificate cannot be trusted",
}


def _kind(error: BaseException) -> str:
    """What went wrong, by the kinds of the error and of what is behind it: its own text is nobody's to trust."""
    behind: BaseException | None = error
    for _ in range(10):
        if behind is None:
            break
        if type(behind).__name__ in _KINDS:
            return _KINDS[type(behind).__name__]
        behind = behind.__cause__ or behind.__context__
    return type(error).__name__


def _agent() -> str:
    from carbon_magic import __version__

    return f"carbon-magic/{__version__}"


_asking = threading.local()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep httpx's log of this thread's question out of the notebook; that of the user's own goes where it went."""

    def not_ours(record: logging.LogRecord) -> bool:
        return not getattr(_asking, "here", False)

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(not_ours)
    _asking.here = True
    try:
        yield
    finally:
        _asking.here = False
        for logger in loggers:
            logger.removeFilter(not_ours)
