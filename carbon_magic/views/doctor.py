"""`%carbon doctor`: which sensors there are, which are used, and why the others are not. Nothing is run or changed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carbon_magic import written
from carbon_magic.power.candidate import Candidate
from carbon_magic.power.sensor import DOMAINS
from carbon_magic.snapshot import Place
from carbon_magic.views.parts import NAMES
from carbon_magic.views.place import place_text
from carbon_magic.views.plain import clean, for_text

if TYPE_CHECKING:
    from carbon_magic.power.watch import Rest

WIDTH = 79


@dataclass(frozen=True, slots=True)
class Findings:
    """What the doctor reports on."""

    candidates: Sequence[Candidate]
    idle_w: dict[str, tuple[float, bool]]
    """By sensor: its idle power as known now, and whether it was measured in this session."""
    tracking: bool
    scope: str
    scope_reason: str
    place: Place
    problems: Sequence[str]
    versions: str
    records: str = "not kept: no session is running here"
    """Where they are kept, in words."""
    rest: Rest | None = None
    """What a meter of the whole machine shows beyond the components."""


def doctor_text(found: Findings) -> str:
    """The findings as text, at most 79 columns wide, ending in a line break."""
    lines = ["Sensors"]
    fixes: set[str] = set()
    for domain in DOMAINS:
        here = [candidate for candidate in found.candidates if candidate.domain == domain]
        for candidate in sorted(here, key=lambda candidate: (not candidate.used, not candidate.watched)):
            lines += _candidate(candidate, found.idle_w.get(candidate.name), fixes)
    if found.rest is not None:
        lines += _section("Rest of machine", [rest_text(found.rest)])
    lines += _section("This kernel's share", [f"{found.scope}: {found.scope_reason}"])
    lines += _section("Region", place_text(found.place, WIDTH - len("  ")).splitlines())
    lines += _section("Tracking", ["every cell" if found.tracking else "off: only cells that begin with %%carbon"])
    lines += _section("Records", [found.records])
    lines += _section("Problems", found.problems or ["none"])
    lines += _section("Versions", [found.versions])
    lines += _section("How the figures are made", ["%carbon methods, or carbon-magic methods on the command line"])
    return for_text("\n".join(lines)) + "\n"


def rest_text(rest: Rest) -> str:
    """The rest of the machine in one sentence."""
    return (
        f"{written.power(rest.rest_w)} of the {written.power(rest.whole_w)} that {rest.source} shows are drawn by "
        f"what is no processor, memory or accelerator, over the last {written.duration(rest.over_s)}. Never added."
    )


def _candidate(candidate: Candidate, idle: tuple[float, bool] | None, fixes: set[str]) -> list[str]:
    """A sensor's lines; a fix that was told before (they are in `fixes`) is not told again."""
    state = "used" if candidate.used else "compared" if candidate.watched else "not used"
    head = f"  {NAMES[candidate.domain]:6}{clean(candidate.name, 30):24} {candidate.provenance:10}{state}"
    lines = [head, *_wrapped(candidate.reason, "       ")]
    if idle is not None:
        how = "measured in this session" if idle[1] else "not yet measured here"
        lines += _wrapped(f"Idle power {written.power(idle[0])}, {how}.", "       ")
    if candidate.figures:
        figures = (f"{name} {_figure(value)}" for name, value in candidate.figures.items())
        lines += _wrapped("; ".join(figures), "       ")
    fix = candidate.fix or ""
    told = ["What opens it is told above."] if fix and fix in fixes else fix.splitlines()
    fixes.add(fix)
    for line in told:
        lines += _wrapped(line, "       ")
    return lines


def _figure(value: float | str | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else clean(value, 80)


def _section(title: str, sentences: Iterable[str]) -> list[str]:
    return ["", title, *(line for sentence in sentences for line in _wrapped(sentence, "  "))]


def _wrapped(sentence: str, indent: str) -> list[str]:
    """Long words are not broken: a command or a rule must be fit for copying."""
    return textwrap.wrap(
        clean(sentence, 2000),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
