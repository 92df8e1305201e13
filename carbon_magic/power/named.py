"""A source of power or energy that the user named: a smart plug, Scaphandre, Kepler, anything that speaks HTTP.

The setting is an address whose part behind `#` says which number: `http://127.0.0.1:8080/metrics#scaph_host_power_microwatts`
is a metric of Prometheus, `http://127.0.0.1/status#StatusSNS.ENERGY.Power` a path into JSON, and `@mW` at the end says
the unit where the name does not. Nothing is asked unless it was named, and beyond the loopback only a host that was
named a second time, as one that may be asked. It is the whole machine and never added to anything.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from carbon_magic.power.asking import Unanswered, as_json, ask
from carbon_magic.power.cumulative import Counter, Cumulative, Gauge

VARIABLE, HOST_VARIABLE = "CARBON_MAGIC_POWER_SOURCE", "CARBON_MAGIC_POWER_SOURCE_HOST"
PERIOD_S = 5.0
"""A plug measures anew every few seconds, and the sampler waits for its answer."""
EXAMPLE = "http://127.0.0.1:8080/metrics#scaph_host_power_microwatts"

_WATTS = {"W": 1.0, "mW": 1e-3, "uW": 1e-6, "kW": 1e3}
_JOULES = {"J": 1.0, "mJ": 1e-3, "uJ": 1e-6, "Wh": 3600.0, "kWh": 3.6e6}
MAX_W = 1e6
"""More than this is the machine of nobody."""
MAX_J = 1e15
"""Such a machine's energy in thirty years."""
_WORDS = (
    ("microwatts", "uW"),
    ("milliwatts", "mW"),
    ("kilowatts", "kW"),
    ("watts", "W"),
    ("microjoules", "uJ"),
    ("millijoules", "mJ"),
    ("joules", "J"),
    ("kwh", "kWh"),
)
"""What a name says of its unit, the longer words first."""
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,199}")
_STEP = re.compile(r"[^.\[\]]+|\[[0-9]{1,6}\]")


class WrongSource(ValueError):  # noqa: N818 - it reads as what it says
    """The setting names no source; the message says what is wrong and gives an example."""


class Source(NamedTuple):
    """A source as the setting names it."""

    host: str
    port: int
    path: str
    what: str
    """The metric, or the path into JSON."""
    unit: str

    @property
    def shown(self) -> str:
        """As the doctor shows it: without what may be a password in the query."""
        return f"http://{self.host}:{self.port}{self.path.partition('?')[0]}#{self.what}@{self.unit}"

    @property
    def cumulative(self) -> bool:
        """Whether it counts energy; else it tells power."""
        return self.unit in _JOULES


def source_of(setting: str, allowed_host: str | None = None) -> Source:
    """What the setting names.

    Args:
        allowed_host: a host beyond the loopback that may be asked.

    Raises:
        WrongSource: it is no address of this kind, or one that may not be asked.
    """
    try:
        address = urlsplit(setting.strip())
        host, port = address.hostname or "", address.port or 80
    except ValueError:
        # Neither the setting nor the error's text is repeated: a password may stand in both.
        raise WrongSource(f"The source of power is no address, such as {EXAMPLE}") from None
    if address.scheme != "http" or not host or address.username or address.password:
        raise WrongSource(f"A source of power begins with http:// and has no user name, such as {EXAMPLE}")
    if re.search(r"[\x00-\x20\x7f]", setting.strip()):
        raise WrongSource("An address has no blanks.")
    what, _, unit = address.fragment.partition("@")
    if not what:
        raise WrongSource(f"Behind # stands the metric or the path into JSON that holds the power, such as {EXAMPLE}")
    unit = unit or next((unit for word, unit in _WORDS if word in what.lower()), "W")
    if unit not in _WATTS and unit not in _JOULES:
        raise WrongSource(f"{unit!r} is no unit. Units: {', '.join((*_WATTS, *_JOULES))}")
    if not is_loopback(host) and host.lower() != (allowed_host or "").strip().lower():
        raise WrongSource(
            f"{host} is not this machine. To have it asked, name it as one that may be: power_source_host = {host!r}"
        )
    path = (address.path or "/") + (f"?{address.query}" if address.query else "")
    return Source(host, port, path, what, unit)


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host.lower() == "localhost"


def number_in(body: bytes, what: str) -> float:
    """The number that `what` names in an answer: JSON where it is JSON, else the text of Prometheus.

    Raises:
        Unanswered: it is not there, or no number.
    """
    value = _in_json(body, what) if body.lstrip()[:1] in (b"{", b"[") else _in_metrics(body, what)
    if not math.isfinite(value):
        raise Unanswered(f"{what} is no number")
    return value


def _in_json(body: bytes, what: str) -> float:
    here = as_json(body)
    for step in _STEP.findall(what):
        try:
            here = here[int(step[1:-1])] if step.startswith("[") else here[step]
        except (KeyError, IndexError, TypeError) as error:
            near = f"; there are {', '.join(sorted(map(str, here))[:8])}" if isinstance(here, dict) else ""
            raise Unanswered(f"its answer has no {step.strip('[]')}{near}"[:300]) from error
    if isinstance(here, str) and _NUMBER.fullmatch(here.strip()):
        return float(here)
    if isinstance(here, bool) or not isinstance(here, (int, float)):
        raise Unanswered(f"{what} is no number")
    try:
        return float(here)
    except OverflowError:  # hundreds of digits
        return math.inf


def _in_metrics(body: bytes, what: str) -> float:
    """The sum over all series of a metric, or the value of the one whose labels are given too."""
    if not _METRIC.fullmatch(what.partition("{")[0]):
        raise Unanswered("its answer is no JSON, and what is asked for is no name of a metric")
    total, found = 0.0, False
    for line in body.decode("utf-8", "replace").splitlines():
        series, blank, value = line.strip().rpartition(" ")
        if line.startswith("#") or not blank:
            continue
        if "}" in value or not _NUMBER.fullmatch(value):
            continue
        head, _, stamp = series.rpartition(" ")
        if (head.endswith("}") or _METRIC.fullmatch(head)) and _NUMBER.fullmatch(stamp):
            series, value = head, stamp  # the value is followed by a time stamp
        name = series.strip()
        if name == what or ("{" not in what and name.partition("{")[0] == what):
            total, found = total + float(value), True
    if not found:
        raise Unanswered(f"its answer has no metric {what}")
    return total


def sensor_of(source: Source) -> Cumulative:
    """The source as a sensor of the whole machine. Nothing is asked before the first `peek`."""
    unit = (_JOULES if source.cumulative else _WATTS)[source.unit]
    most = MAX_J if source.cumulative else MAX_W

    def read() -> float:
        value = number_in(ask(source.path, host=source.host, port=source.port), source.what) * unit
        if value < 0.0:
            raise Unanswered(f"{source.what} is negative")
        if value > most:
            raise Unanswered(f"{source.what} is more than a machine can draw; is its unit {source.unit}?")
        return value

    asked: Callable[[], float] = read
    if source.cumulative:
        return Counter("power-source", "other", asked, period_s=PERIOD_S, resolution_s=2 * PERIOD_S)
    return Gauge("power-source", "other", asked, period_s=PERIOD_S)
