"""What the doctor reports on, as the session or the command line found it, and the sentences for it.

The text, the page, the JSON and the block for bug reports are made of the same findings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from carbon_magic import written
from carbon_magic.power.candidate import Candidate
from carbon_magic.power.sensor import DOMAINS
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import Place
from carbon_magic.views.plain import clean

if TYPE_CHECKING:
    from carbon_magic.power.watch import Rest

MEASURED, MODEL, GUESSED = "measured", "model", "guessed"


class Idle(NamedTuple):
    """The idle power of one sensor's domain."""

    power_w: Interval
    origin: str
    """`measured` in this session, the `model`'s own, or `guessed` from the rated power until it is measured."""
    quiet: int = 0
    """Quiet seconds and more that it was measured in."""


class Overhead(NamedTuple):
    """What carbon-magic itself has cost in this process."""

    cpu_s: float | None
    """CPU seconds of the sampler's thread; None where there is no such thread."""
    lasted_s: float
    """Seconds for which it has been reading."""
    figures_bytes: int
    """Memory that the readings take."""
    loaded_bytes: int | None
    """Memory of the process that was added while the extension was loaded; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the doctor reports on."""

    candidates: Sequence[Candidate]
    idle: Mapping[str, Idle]
    """By sensor, of those that are used."""
    tracking: bool | None
    """None where no session is running."""
    scope: str
    scope_reason: str
    place: Place
    problems: Sequence[str]
    """The first of them keep a kernel from loading the extension, where it does not load."""
    versions: Mapping[str, str]
    machine: Mapping[str, str | int | float | None] = field(default_factory=dict)
    """Facts of the machine: `cpu`, `cpus`, `sockets`, `form`, `memory_gib`, `system`."""
    share_notes: Sequence[str] = ()
    """More about whose energy it is: time that was stolen, how many kernels share, what others do, sockets."""
    records: str = "not kept: no session is running here"
    """Where they are kept, in words."""
    rest: Rest | None = None
    """What a meter of the whole machine shows beyond the components."""
    overhead: Overhead | None = None
    loads: bool = True
    """False where a kernel would refuse the extension for what the environment says."""


def ordered(found: Findings) -> list[Candidate]:
    """The sensors by domain, the used ones first and then the watched ones."""
    return [
        candidate
        for domain in DOMAINS
        for candidate in sorted(
            (candidate for candidate in found.candidates if candidate.domain == domain),
            key=lambda candidate: (not candidate.used, not candidate.watched),
        )
    ]


def state_of(candidate: Candidate) -> str:
    """`used`, `compared` or `not used`."""
    return "used" if candidate.used else "compared" if candidate.watched else "not used"


def rest_text(rest: Rest) -> str:
    """The rest of the machine in one sentence."""
    return (
        f"{written.power(rest.rest_w)} of the {written.power(rest.whole_w)} that {rest.source} shows are drawn by "
        f"what is no processor, memory or accelerator, over the last {written.duration(rest.over_s)}. Never added."
    )


def idle_text(idle: Idle) -> str:
    """The idle power in one sentence, with its range where it was not measured."""
    if idle.origin == MEASURED:
        return f"Idle power {written.power(idle.power_w.best)}, measured in {idle.quiet} quiet moments of this session."
    figure = written.power_range(idle.power_w)
    said = f"Idle power {figure.best} {figure.bounds}"
    if idle.origin == MODEL:
        return f"{said}, from the model."
    return f"{said}, from the rated power until a quiet machine has been measured."


def overhead_text(overhead: Overhead | None) -> str:
    """What it has cost so far, in a sentence or two."""
    if overhead is None:
        return "none: nothing is being measured here"
    if overhead.cpu_s is None:
        said = "No thread of its own reads the sensors here."
    else:
        per_minute = f" ({60.0 * overhead.cpu_s / overhead.lasted_s:.2g} s a minute)" if overhead.lasted_s >= 1 else ""
        said = (
            f"The sampler's thread has used {overhead.cpu_s:.3g} s of CPU time in "
            f"{written.duration(overhead.lasted_s)}{per_minute}."
        )
    said += f" The readings take {_mib(overhead.figures_bytes)} of memory."
    if overhead.loaded_bytes is not None:
        said += f" Loading added {_mib(overhead.loaded_bytes)} to the process."
    return said


def figures_text(candidate: Candidate, hide: Callable[[str], str] = str) -> str:
    """What was found out of a sensor, in one line; empty where there is nothing. `hide` sees what others said first."""
    return "; ".join(
        f"{name} {_figure(hide(value) if isinstance(value, str) else value)}"
        for name, value in candidate.figures.items()
    )


def _mib(size: int) -> str:
    return f"{size / 2**20:.2g} MiB"


def _figure(value: float | str | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else clean(value, 80)
