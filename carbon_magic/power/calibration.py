"""A curve of power over load that was fitted to this very machine, in place of the one of its kind.

Whatever sensor could be read for two minutes (counters opened once, a battery, a power supply, a meter at the wall) was
watched while known numbers of processors were kept busy by two programs that draw differently. What is kept is the
curve, with the day, the sensor and a digest of the machine's facts: on another machine, or after its processor was
changed, the fit is not used. A sensor behind a power supply tells only how much more a load draws than rest; the power
at rest then stays the model's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

from carbon_magic.power.constants import CALIBRATED_WORK, WALL_DESKTOP, WALL_LAPTOP, WALL_SERVER
from carbon_magic.power.machine import Form, Machine, at_once, read_text
from carbon_magic.quantity import Interval

Boundary = Literal["components", "wall"]
"""What a reference sees: the processors' own pins, or the whole machine behind its power supply."""

NOISE = 0.10
"""A level whose two halves differ by more than this part was not steady."""
FALL = 0.05
"""More load cannot draw less power, but for this part of noise."""
RISE = 0.10
"""A reference that sees the full load draw less than this part more than rest does not see the processors."""
VERSION = 1
MAX_BYTES = 64 * 1024
MAX_POINTS = 64
MAX_W = 20_000.0


class CalibrationError(ValueError):
    """What was measured makes no curve, or a file holds none. The message says why."""


class Level(NamedTuple):
    """One load, as it was measured."""

    load: float
    """The busy part of the machine's processors, 0 to 1."""
    watts: tuple[Interval, ...]
    """Mean power under each of the programs, with the range of the reference; one at rest."""
    noise: float
    """The largest relative difference between the first and the second half of one program's time."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A machine's own curve."""

    machine: str
    """`machine_id` of the machine it is of."""
    cpu: str | None
    fitted_at: str
    """UTC, ISO 8601."""
    reference: str
    """The sensor's name, or `wall meter`."""
    boundary: Boundary
    points: tuple[tuple[float, Interval], ...]
    """Power of the processors in watts over load."""
    noise: float
    version: str
    """Of the package that fitted it."""

    @property
    def spread(self) -> tuple[float, float]:
        """How far low and high lie from the best at full load, as parts of it."""
        full = self.points[-1][1]
        return 1.0 - full.low / full.best, full.high / full.best - 1.0


def machine_id(machine: Machine) -> str:
    """A digest of what a curve depends on: processor, its number, memory in GiB, and the system's own identity."""
    memory_gib = round((machine.memory_bytes or 0) / 1024**3)
    facts = (machine.cpu_name, machine.cpu_vendor, machine.logical_cpus, machine.sockets, machine.form, memory_gib)
    own = read_text(machine.root / "etc/machine-id", 64) or ""
    return sha256(repr((*facts, own)).encode()).hexdigest()[:32]


def fitted(
    levels: Sequence[Level], boundary: Boundary, form: Form, modelled_idle_w: Interval
) -> tuple[tuple[float, Interval], ...]:
    """The curve through measured levels, the first of which is at rest.

    Args:
        boundary: what the reference sees. Behind a power supply the additional power of a load is brought to the
            components by the factor of the machine's form, and stands on `modelled_idle_w`.

    Raises:
        CalibrationError: the levels make no curve; the message says why.
    """
    if len(levels) < 2 or levels[0].load > 0.2 or levels[-1].load < 0.8:
        raise CalibrationError("the loads that were reached do not span rest to full")
    for level in levels:
        if level.noise > NOISE:
            raise CalibrationError(
                f"the power was not steady: at {level.load:.0%} load its two halves differ by {level.noise:.0%}"
            )
    means = [sum(power.best for power in level.watts) / len(level.watts) for level in levels]
    for (before, after), level in zip(pairwise(means), levels[1:], strict=True):
        if after < before * (1.0 - FALL):
            raise CalibrationError(
                f"the power fell from {before:.3g} to {after:.3g} W as the load rose to {level.load:.0%}"
            )
    if means[-1] < means[0] * (1.0 + RISE):
        raise CalibrationError(
            f"full load drew {means[-1]:.3g} W and rest {means[0]:.3g} W: the sensor does not see the processors"
        )
    ranges = [_over_programs(level.watts) for level in levels]
    if boundary == "wall":
        ranges = _from_the_wall(ranges, form, modelled_idle_w)
    points: list[tuple[float, Interval]] = []
    for level, power in zip(levels, ranges, strict=True):
        best = max(power.best, points[-1][1].best) if points else power.best
        points.append((min(level.load, 1.0), Interval(min(power.low, best), best, max(power.high, best))))
    # The curve is asked from 0 to 1: its ends are those of the levels nearest to them.
    return ((0.0, points[0][1]), *points[1:-1], (1.0, points[-1][1]))


def _over_programs(watts: Sequence[Interval]) -> Interval:
    """One range for all programs: their mean, the lowest and the highest, and what others may draw at the same load."""
    best = math.fsum(power.best for power in watts) / len(watts)
    low, high = min(power.low for power in watts), max(power.high for power in watts)
    measured = Interval(min(low, best), best, max(high, best))
    return measured if len(watts) == 1 else measured.times(CALIBRATED_WORK.value)


def _from_the_wall(ranges: Sequence[Interval], form: Form, idle_w: Interval) -> list[Interval]:
    wall = {"laptop": WALL_LAPTOP, "desktop": WALL_DESKTOP}.get(form, WALL_SERVER).value
    to_components = Interval(1 / wall.high, 1 / wall.best, 1 / wall.low)
    rest = ranges[0]
    found = [idle_w]
    for power in ranges[1:]:
        more = max(0.0, power.best - rest.best)
        span = Interval(
            more * power.low / power.best if power.best else 0.0, more, more * power.high / max(power.best, 1e-9)
        )
        found.append(idle_w.plus(span.times(to_components)))
    return found


def path_in(home: Path) -> Path:
    """Where this host's fit stands in the folder of records."""
    from carbon_magic.ledger.home import file_name, host

    return home / f"calibration-{file_name(host())}.json"


def usable(environ: Mapping[str, str], machine: Machine) -> tuple[Fit | None, str | None]:
    """The fit of this machine, if there is one, and in words why one that is there is not used."""
    from carbon_magic.ledger.home import HomelessError, home

    try:
        fit = read(path_in(home(environ)))
    except HomelessError:
        return None, None  # no folder, no fit
    except CalibrationError as error:
        return None, str(error)
    if fit is not None and fit.machine != machine_id(machine):
        return None, "The calibration that is kept is of another machine, or of this one with other parts."
    return fit, None


def written(fit: Fit) -> str:
    """The fit as its file has it."""
    data = asdict(fit)
    data["points"] = [[load, power.low, power.best, power.high] for load, power in fit.points]
    return json.dumps({"kind": "carbon-magic calibration", "format": VERSION, **data}, indent=1, allow_nan=False) + "\n"


def read(path: Path) -> Fit | None:
    """The fit in a file; None where there is no such file.

    Raises:
        CalibrationError: the file cannot be read, or holds no fit.
    """
    try:
        with open(path, "rb", opener=at_once) as file:
            content = file.read(MAX_BYTES + 1) or b""
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CalibrationError(f"{path.name} cannot be read: {error.strerror}") from error
    try:
        data = json.loads(content[:MAX_BYTES].decode("utf-8"))
        return _checked(data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        said = str(error) if isinstance(error, CalibrationError) else "it is no calibration of carbon-magic"
        raise CalibrationError(f"{path.name} is not used: {said}") from error


def _rising(loads: Sequence[float]) -> bool:
    return all(before < after for before, after in pairwise(loads))  # False for what is no number, too


def _checked(data: dict[str, Any]) -> Fit:
    if data["kind"] != "carbon-magic calibration":
        raise CalibrationError("it is no calibration of carbon-magic")
    if data["format"] != VERSION:
        raise CalibrationError("another version of carbon-magic wrote it")
    if data["boundary"] not in ("components", "wall"):
        raise CalibrationError("it says nothing of what was measured")
    points = tuple(
        (float(load), Interval(float(low), float(best), float(high))) for load, low, best, high in data["points"]
    )
    loads = [load for load, _ in points]
    if not 2 <= len(points) <= MAX_POINTS or loads[0] != 0.0 or loads[-1] != 1.0 or not _rising(loads):
        raise CalibrationError("its loads are not in order from 0 to 1")
    if not all(power.best > 0.0 and power.high <= MAX_W for _, power in points):
        raise CalibrationError("its powers are not those of a machine")
    if any(after.best < before.best for (_, before), (_, after) in pairwise(points)):
        raise CalibrationError("its power falls as the load rises")
    texts = {name: str(data[name])[:120] for name in ("machine", "fitted_at", "reference", "version")}
    noise = float(data["noise"])
    if not 0.0 <= noise < 1.0:
        raise CalibrationError("its noise is no part of 1")
    datetime.fromisoformat(texts["fitted_at"])  # the doctor tells the day
    cpu = None if data["cpu"] is None else str(data["cpu"])[:120]
    return Fit(points=points, boundary=data["boundary"], cpu=cpu, noise=noise, **texts)
