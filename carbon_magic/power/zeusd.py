"""RAPL through zeusd, a daemon that runs as root and tells its counters over a Unix socket.

Asked with `GET /cpu/get_cumulative_energy?cpu=true&dram=true`, it answers an object of packages by number, each with
`cpu_energy_uj` and `dram_energy_uj` (null where there is none), unwrapped by the daemon. One question serves all
sensors of a tick. The socket is the one that `ZEUSD_SOCK_PATH` names, else the daemon's own default.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from carbon_magic.power.asking import Unanswered, ask_json
from carbon_magic.power.constants import RAPL_DRAM, RAPL_PKG_AMD, RAPL_PKG_INTEL, RAPL_UPDATE_S
from carbon_magic.power.cumulative import Counter
from carbon_magic.power.sensor import Domain, SensorError

VARIABLE = "ZEUSD_SOCK_PATH"
DEFAULT = "var/run/zeusd.sock"
_QUESTION = "/cpu/get_cumulative_energy?cpu=true&dram=true"
_ONE_TICK_S = 0.1
"""Answers are this long good: the sensors of one tick share one."""
_MAX_PACKAGES = 64
_MAX_UJ = 10**18

Energies = dict[str, float]
"""Joules by `package-0`, `dram-0`."""


def socket_path(root: Path, environ: Mapping[str, str]) -> tuple[Path, bool]:
    """Where the socket is looked for, and whether the user said so."""
    said = environ.get(VARIABLE)
    return (Path(said), True) if said else (root / DEFAULT, False)


def is_socket(path: Path) -> bool:
    """Whether a Unix socket stands there."""
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:  # absent, or not ours to look at: none for us
        return False


class Daemon:
    """The daemon behind one socket."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._answer: tuple[float, Energies] | None = None

    def energies(self) -> Energies:
        """What it tells now.

        Raises:
            OSError: it does not answer as it should.
        """
        if self._answer is not None and self._clock() - self._answer[0] < _ONE_TICK_S:
            return self._answer[1]
        told = parse(ask_json(_QUESTION, host="zeusd", unix=os.fspath(self._path)))
        self._answer = (self._clock(), told)
        return told


def parse(answer: object) -> Energies:
    """Joules of each package and its memory.

    Raises:
        Unanswered: the answer is not what zeusd gives.
    """
    if not isinstance(answer, dict) or not 0 < len(answer) <= _MAX_PACKAGES:
        raise Unanswered("its answer names no package")
    told: Energies = {}
    for number, package in answer.items():
        if not (isinstance(number, str) and number.isdecimal() and len(number) <= 3 and isinstance(package, dict)):
            raise Unanswered("its answer names no package")
        for key, label in (("cpu_energy_uj", "package"), ("dram_energy_uj", "dram")):
            energy_uj = package.get(key)
            if energy_uj is None and label == "dram":
                continue
            if isinstance(energy_uj, bool) or not isinstance(energy_uj, int) or not 0 <= energy_uj <= _MAX_UJ:
                raise Unanswered(f"its {key} is no energy")
            told[f"{label}-{int(number)}"] = energy_uj / 1e6
    return told


def open_daemon(path: Path, vendor: str | None) -> list[Counter]:
    """A sensor for each package and its memory.

    Raises:
        SensorError: the daemon does not answer, or tells nothing.
    """
    daemon = Daemon(path)
    try:
        told = daemon.energies()
    except OSError as error:
        raise SensorError(str(error)) from error
    package = (RAPL_PKG_INTEL if vendor == "GenuineIntel" else RAPL_PKG_AMD).value
    sensors = []
    for label in told:
        domain: Domain = "dram" if label.startswith("dram") else "cpu"
        factor = RAPL_DRAM.value if domain == "dram" else package
        sensors.append(
            Counter(f"zeusd:{label}", domain, _reader(daemon, label), factor=factor, update_s=RAPL_UPDATE_S.value)
        )
    return sensors


def _reader(daemon: Daemon, label: str) -> Callable[[], float]:
    def read() -> float:
        told = daemon.energies()
        if label not in told:
            raise Unanswered(f"zeusd does not tell {label} any more")
        return told[label]

    return read
