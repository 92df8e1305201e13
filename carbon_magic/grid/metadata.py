"""The region by the cloud's own metadata service, asked only where people turned that on.

The service answers at a link-local address inside a virtual machine alone: nothing leaves the machine's host. It is
asked in a thread of its own, once, and gets 200 ms; without an answer the region stays what it was. No proxy is used.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from carbon_magic.grid.locate import Found, cloud_region
from carbon_magic.grid.table import PROVIDERS
from carbon_magic.threads import in_background

ADDRESS = "169.254.169.254:80"
"""Of all three providers' services (AWS IMDS, Google's and Azure's metadata servers)."""
TIME_OUT_S = 0.2
"""For one provider's answer, from the first packet to the last byte."""
_MOST_BYTES = 4096

_TOKEN = re.compile(r"[A-Za-z0-9_+/=.-]{1,1000}")


class _Asked(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]


_AWS_TOKEN = _Asked("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
_AWS_REGION = _Asked("GET", "/latest/meta-data/placement/region", {})
_GCP_ZONE = _Asked("GET", "/computeMetadata/v1/instance/zone", {"Metadata-Flavor": "Google"})
_AZURE = _Asked("GET", "/metadata/instance/compute?api-version=2021-02-01&format=json", {"Metadata": "true"})


def ask(providers: Sequence[str] = tuple(PROVIDERS), address: str = ADDRESS) -> Found | None:
    """Ask the service at `address`, as each of the providers' in turn; None where none answers. Never raises."""
    for provider in providers:
        try:
            said = _ASK[provider](address)
        except (OSError, http.client.HTTPException, ValueError, RecursionError):
            continue  # nobody there, too late, or not this provider's service
        region_id = cloud_region(provider, said)
        if region_id is not None:
            return Found(region_id, "metadata", f"from the metadata service of {PROVIDERS[provider]}")
    return None


def ask_in_background(
    then: Callable[[Found], None], providers: Sequence[str] = tuple(PROVIDERS), address: str = ADDRESS
) -> threading.Thread:
    """Ask in a thread, which ends by itself; `then` gets the answer in it, if there is one."""

    def work() -> None:
        found = ask(providers, address)
        if found is not None:
            then(found)

    thread = in_background(threading.Thread(target=work, name="carbon-magic-metadata"))
    thread.start()
    return thread


def _aws(address: str) -> str:
    token = _answer(address, _AWS_TOKEN)
    if not _TOKEN.fullmatch(token):
        raise ValueError("no token")
    return _answer(address, _AWS_REGION._replace(headers={"X-aws-ec2-metadata-token": token}))


def _gcp(address: str) -> str:
    return _answer(address, _GCP_ZONE)


def _azure(address: str) -> str:
    told = json.loads(_answer(address, _AZURE))
    location = told.get("location") if isinstance(told, dict) else None
    return location if isinstance(location, str) else ""


_ASK: dict[str, Callable[[str], str]] = {"aws": _aws, "gcp": _gcp, "azure": _azure}


def _answer(address: str, asked: _Asked) -> str:
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=TIME_OUT_S)
    connection.connect()
    # A time-out of the socket is for each packet: a service that sends a byte at a time would keep the thread for ever.
    over = threading.Timer(TIME_OUT_S, _hang_up, [connection.sock])
    over.daemon = True
    over.start()
    try:
        connection.request(asked.method, asked.path, headers={**asked.headers, "Connection": "close"})
        reply = connection.getresponse()
        content = reply.read(_MOST_BYTES)
    finally:
        over.cancel()
        connection.close()
    if reply.status != http.client.OK:
        raise ValueError(f"status {reply.status}")
    return content.decode("ascii", "replace").strip()


def _hang_up(wire: socket.socket) -> None:
    with suppress(OSError):  # it has ended already
        wire.shutdown(socket.SHUT_RDWR)
