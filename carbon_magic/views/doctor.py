"""`%carbon doctor`: which sensors there are, which are used, and why the others are not. Nothing is run or changed.

The page has the same sections and sentences as the text. What an administrator would run stands in it as code, whole,
so that it can be copied.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from carbon_magic.power.candidate import Candidate
from carbon_magic.views import markup
from carbon_magic.views.findings import (
    Findings,
    Idle,
    figures_text,
    idle_text,
    ordered,
    overhead_text,
    rest_text,
    state_of,
)
from carbon_magic.views.parts import NAMES
from carbon_magic.views.place import place_text
from carbon_magic.views.plain import clean, escape, for_text
from carbon_magic.views.shown import Shown

WIDTH = 79
INDENT = " " * 7
TOLD = "What opens it is told above."


def doctor(found: Findings) -> Shown:
    """The findings in both forms, for IPython's `display`."""
    return Shown(doctor_text(found).rstrip("\n"), doctor_html(found))


def doctor_text(found: Findings) -> str:
    """The findings as text, ending in a line break, at most 79 columns wide but for what is to be copied."""
    lines = ["Sensors"]
    fixes: set[str] = set()
    for candidate in ordered(found):
        lines += _candidate(candidate, found.idle.get(candidate.name), fixes)
    for title, sentences in _sections(found):
        lines += ["", title, *(line for sentence in sentences for line in _wrapped(sentence, "  "))]
    return for_text("\n".join(lines)) + "\n"


def doctor_html(found: Findings) -> str:
    """The findings as HTML that an untrusted notebook keeps whole."""
    fixes: set[str] = set()
    pieces = [_title("Sensors"), *(_entry(one, found.idle.get(one.name), fixes) for one in ordered(found))]
    for title, sentences in _sections(found):
        pieces += [_title(title), *(f"<div>{escape(clean(sentence, 2000))}</div>" for sentence in sentences)]
    return markup.block(*pieces, max_width=760)


def _sections(found: Findings) -> list[tuple[str, Sequence[str]]]:
    """What comes after the sensors: titles with their sentences."""
    tracking = "every cell" if found.tracking else "off: only cells that begin with %%carbon"
    if found.tracking is None:
        tracking = "no kernel: %load_ext carbon_magic in a notebook begins it"
    rest = [("Rest of machine", [rest_text(found.rest)])] if found.rest is not None else []
    return [
        *rest,
        ("This kernel's share", [f"{found.scope}: {found.scope_reason}", *found.share_notes]),
        ("Region", [" ".join(place_text(found.place).split())]),
        ("Tracking", [tracking]),
        ("Records", [found.records]),
        ("Problems", found.problems or ["none"]),
        ("Own overhead", [overhead_text(found.overhead)]),
        ("Versions", [", ".join(f"{name} {version}" for name, version in found.versions.items())]),
        ("How the figures are made", ["%carbon methods, or carbon-magic methods on the command line"]),
        ("For a bug report", ["carbon-magic doctor --report has no names, paths or tokens in it"]),
    ]


def _said(candidate: Candidate, idle: Idle | None, fixes: set[str]) -> tuple[list[str], list[str]]:
    """A sensor's sentences, and the lines of what opens it; what was told before (it is in `fixes`) is not again."""
    sentences = [candidate.reason]
    if idle is not None:
        sentences.append(idle_text(idle))
    figures = figures_text(candidate)
    if figures:
        sentences.append(figures)
    fix = candidate.fix or ""
    if fix and fix in fixes:
        return [*sentences, TOLD], []
    fixes.add(fix)
    return sentences, fix.splitlines()


def _candidate(candidate: Candidate, idle: Idle | None, fixes: set[str]) -> list[str]:
    state = state_of(candidate)
    sentences, fix = _said(candidate, idle, fixes)
    head = f"  {NAMES[candidate.domain]:6}{clean(candidate.name, 30):24} {candidate.provenance:10}{state}"
    lines = [head, *(line for sentence in sentences for line in _wrapped(sentence, INDENT))]
    for line in fix:
        # A command or a rule that is broken over two lines is not fit for copying.
        lines += [f"{INDENT}  {clean(line, 2000)}"] if is_code(line) else _wrapped(line, INDENT)
    return lines


def _entry(candidate: Candidate, idle: Idle | None, fixes: set[str]) -> str:
    """A sensor on the page: the edge of its mark says how it tells, as everywhere."""
    sentences, fix = _said(candidate, idle, fixes)
    edge = f"border-top:3px {markup.EDGES[candidate.provenance]} {{}}"
    mark = (
        '<span style="display:inline-block;width:15px;vertical-align:middle;margin-right:5px;'
        f'{markup.twice(edge, candidate.domain)}"></span>'
    )
    weight = "600" if candidate.used else "400"
    head = (
        f'<div style="margin-top:4px">{mark}<span style="font-weight:{weight}">{NAMES[candidate.domain]} '
        f"{escape(clean(candidate.name, 60))}</span> "
        f'<span style="{markup.MUTED}">{candidate.provenance}, {state_of(candidate)}</span></div>'
    )
    said = "".join(f"<div>{escape(clean(sentence, 2000))}</div>" for sentence in sentences)
    return head + f'<div style="margin-left:20px">{said}{"".join(map(_fix_line, fix))}</div>'


def is_code(line: str) -> bool:
    """Whether a line of a candidate's fix is to be copied as it is."""
    return not line.rstrip().endswith((".", ":"))


def _fix_line(line: str) -> str:
    shown = clean(line, 2000)
    return f"<div>{_code(shown) if is_code(line) else escape(shown)}</div>"


def _code(text: str) -> str:
    return f'<code style="font-size:12px;white-space:pre-wrap;overflow-wrap:anywhere">{escape(text)}</code>'


def _title(text: str) -> str:
    return f'<div style="font-weight:600;margin-top:8px">{escape(text)}</div>'


def _wrapped(sentence: str, indent: str) -> Iterable[str]:
    """Long words are not broken: an address or a path must be fit for copying."""
    return textwrap.wrap(
        clean(sentence, 2000),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
