"""`carbon-magic calibrate`: fit the model of the processors to this machine, in under two minutes.

It watches a sensor while none, some and all processors are kept busy, and refuses where the machine is busy with
something else, where it is not given its processors, or where what was seen makes no curve. Nothing is changed but one
file in the folder of records.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from carbon_magic import __version__
from carbon_magic.power.calibration import CalibrationError, Fit, fitted, machine_id, path_in, written
from carbon_magic.power.candidate import Candidate
from carbon_magic.power.cpu_model import LoadModel
from carbon_magic.power.discover import discover, fallback_cpu
from carbon_magic.power.later import discover_later
from carbon_magic.power.loads import QUIET_S, Loads, RefusedError
from carbon_magic.power.machine import Machine
from carbon_magic.power.reference import Reference, Sensors, WallMeter
from carbon_magic.power.sensor import Sensor, SensorError
from carbon_magic.power.sources import Ways
from carbon_magic.power.usage import Usage, usage_of
from carbon_magic.quantity import Interval
from carbon_magic.run import UsageError

SECONDS = 20.0
"""How long each load is held, if not said."""

WALL = "wall"


class Told(NamedTuple):
    """How it says what it does."""

    say: Callable[[str], None]
    ask: Callable[[str], str]


def calibrate(
    against: str | None = None,
    *,
    seconds: float = SECONDS,
    forget: bool = False,
    as_json: bool = False,
    environ: dict[str, str] | None = None,
) -> int:
    """Fit, and keep the fit. Returns the exit code: 0, or 1 where the machine cannot be calibrated now.

    Args:
        against: a sensor's name as the doctor lists it, or `wall`; else the best one that can be read.
        seconds: how long each load is held.
        forget: delete the fit of this machine instead.

    Raises:
        UsageError: there is no such sensor, or none at all, or the fit could not be written.
        OSError: the fit cannot be written any more.
    """
    environ = dict(os.environ) if environ is None else environ
    root = Path(environ.get("CARBON_MAGIC_ROOT") or "/")
    path = path_in(_home(environ))
    told = Told(_say, _ask)
    if forget:
        with _acting_for(_caller(environ)):
            return _forget(path, told)
    _check_writable(path, environ)
    machine = Machine.of(root)
    usage = usage_of(root)
    reference = _reference(machine, against, told)
    try:
        fit = _fit(machine, usage, reference, seconds, told)
    except (RefusedError, CalibrationError, SensorError) as error:
        told.say(f"Not calibrated: {error}.")
        return 1
    finally:
        reference.close()
        usage.close()
    _keep(fit, path, environ)
    if as_json:
        sys.stdout.write(written(fit))
    else:
        for line in _report(fit, path, machine):
            print(line)
    return 0


def _forget(path: Path, told: Told) -> int:
    if not os.path.lexists(path):  # a link to nothing is in the way of a calibration, too
        told.say("There is no calibration of this machine.")
        return 0
    path.unlink()
    told.say("The calibration of this machine is deleted. From the next kernel on the model is that of its kind again.")
    return 0


def _fit(machine: Machine, usage: Usage, reference: Reference, seconds: float, told: Told) -> Fit:
    """Measure every load and fit the curve.

    Raises:
        RefusedError: something else is running, or not all processors may be used.
        CalibrationError: what was measured makes no curve.
        SensorError: the sensor cannot be read.
    """
    cpus = machine.logical_cpus
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cpus
    if allowed < cpus:
        raise RefusedError(f"this process may use {allowed} of {cpus} processors, and a curve needs them all")
    loads = Loads(usage, reference, cpus)
    steps = sorted({0, cpus // 4, cpus // 2, cpus})
    told.say(
        f"Calibrating against {reference.name}. It takes about {QUIET_S + seconds * len(steps):.0f} s, in which the "
        "machine should do nothing else."
    )
    told.say("Looking whether the machine is at rest.")
    loads.check_rest()
    levels = []
    for workers in steps:
        told.say(f"{'At rest' if not workers else f'{workers} of {cpus} processors busy'}, for {seconds:g} s.")
        levels.append(loads.level(workers, seconds))
    model = fallback_cpu(machine, lambda: 0.0).sensor
    idle_w = (model.idle_power_w if model else None) or Interval.exact(0.0)
    return Fit(
        machine=machine_id(machine),
        cpu=machine.cpu_name,
        fitted_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        reference=reference.name,
        boundary=reference.boundary,
        points=fitted(levels, reference.boundary, machine.form, idle_w),
        noise=max(level.noise for level in levels),
        version=__version__,
    )


def _reference(machine: Machine, against: str | None, told: Told) -> Reference:
    """What was asked for, else the processors' own sensors, else one of the whole machine.

    Raises:
        UsageError: there is none.
    """
    if against == WALL:
        if machine.form == "vm":
            raise UsageError("a virtual machine has no plug of its own: a meter would see the whole host")
        return WallMeter(told.ask)
    ways = Ways.of(machine)
    found = discover(machine, lambda: 0.0, ways=ways)
    found += discover_later(machine, ways, found)
    packages = [item for item in found if item.used and item.domain == "cpu" and item.provenance == "measured"]
    whole = [item for item in found if item.whole and item.sensor is not None and _tells(item.sensor)]
    whole.sort(key=lambda item: item.name == "powercap:psys")  # what that one holds is the least sure
    names = {item.name: item for item in (*packages, *whole)}
    if against is not None and against not in names:
        import difflib

        near = difflib.get_close_matches(against, [*names, WALL], n=2, cutoff=0.4) or [*names, WALL]
        _close(found, [])
        raise UsageError(f"--against {against!r}: no such sensor can be read here. Nearest: {', '.join(near)}")
    chosen = packages or whole[:1]
    if against is not None:
        chosen = [names[against]] if names[against] in whole else packages
    _close(found, chosen)
    if not chosen:
        raise UsageError(
            "there is no sensor to calibrate against. Read one once as the administrator "
            "('sudo carbon-magic calibrate'), unplug a laptop so that its battery tells, or read a meter at the wall "
            "('--against wall'). "
            "What was looked for: carbon-magic doctor"
        )
    sensors = [item.sensor for item in chosen if item.sensor is not None]
    return Sensors(sensors, "components" if chosen[0] in packages else "wall")


def _tells(sensor: Sensor) -> bool:
    """Whether a meter tells something at present: a battery on the mains does not."""
    try:
        return not math.isnan(sensor.peek())
    except SensorError:
        return False


def _close(found: Sequence[Candidate], kept: Sequence[Candidate]) -> None:
    for item in found:
        if item.sensor is not None and item not in kept:
            item.sensor.close()


def _home(environ: dict[str, str]) -> Path:
    """The folder of records: under sudo that of the user who called it."""
    from carbon_magic.ledger.home import home

    caller = _caller(environ)
    if caller is None or environ.get("CARBON_MAGIC_HOME"):
        return home(environ)
    return Path(caller.pw_dir) / ".local/share/carbon-magic"


def _caller(environ: dict[str, str]) -> Any:
    """Who called sudo, or None."""
    said = environ.get("SUDO_UID", "")
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not re.fullmatch(r"[0-9]{1,10}", said):
        return None
    import pwd  # POSIX only

    try:
        return pwd.getpwuid(int(said))
    except (KeyError, OverflowError):  # nobody has this number: then it is root's own
        return None


@contextlib.contextmanager
def _acting_for(caller: Any) -> Iterator[None]:
    """Touch files as the user who called sudo: what is made is theirs, and no link of theirs leads root astray."""
    if caller is None or sys.platform == "win32":
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    try:
        os.setgroups(os.getgrouplist(caller.pw_name, caller.pw_gid))
        os.setegid(caller.pw_gid)
        os.seteuid(caller.pw_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def _check_writable(path: Path, environ: dict[str, str]) -> None:
    """Find out before any load runs whether the fit can be kept. Nothing is made.

    Raises:
        UsageError: it cannot.
    """
    from carbon_magic.run.output import check_writable
    from carbon_magic.troubles import in_words

    with _acting_for(_caller(environ)):
        try:
            place = path.resolve()
            if place.exists() and not place.is_file():
                raise UsageError(f"the calibration would be kept in {place}, and what stands there is no file")
            folder = place.parent
            while not os.path.lexists(folder):  # those that are missing are made in the last that is there
                folder = folder.parent
        except (OSError, RuntimeError) as error:  # Python before 3.13 has a RuntimeError for links in a circle
            raise UsageError(f"the calibration {path} cannot be written: {in_words(error)}") from None
        check_writable(folder / place.name, "the calibration")


def _keep(fit: Fit, path: Path, environ: dict[str, str]) -> None:
    """Write the file whole or not at all; under sudo it belongs to the user who called it."""
    import platformdirs  # noqa: F401 (make_home needs it, and the caller may not be allowed to read root's packages)

    from carbon_magic.ledger.home import make_home
    from carbon_magic.run.output import replacing

    with _acting_for(_caller(environ)):
        make_home(path.parent)
        with replacing(path) as file:
            file.write(written(fit).encode())
        path.chmod(0o600)


def _report(fit: Fit, path: Path, machine: Machine) -> list[str]:
    lines = [f"Fitted against {fit.reference}, power of the processors by load:"]
    for load, power in fit.points:
        lines.append(f"  {load:>4.0%}  {power.best:7.1f} W  ({power.low:.1f} to {power.high:.1f})")
    low, high = fit.spread
    ranges = f"Its range at full load is -{low:.0%} to +{high:.0%}"
    kind = fallback_cpu(machine, lambda: 0.0).sensor
    if isinstance(kind, LoadModel):
        full = kind.curve[-1][1]
        ranges += f"; that of its kind is -{1.0 - full.low / full.best:.0%} to +{full.high / full.best - 1.0:.0%}"
    lines.append(f"{ranges}.")
    if fit.boundary == "components":
        lines.append(f"Kernels that cannot read {fit.reference} use it from their next start on.")
    else:
        lines.append("Kernels use it from their next start on.")
        lines.append("The sensor stands behind the power supply, so the power at rest is still that of the model.")
    lines.append(f"Kept in {path}. 'carbon-magic calibrate --forget' deletes it.")
    return lines


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _ask(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise RefusedError("nobody typed what the meter shows")
    return line
