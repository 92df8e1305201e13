"""The pieces of HTML that every output under a cell is made of.

Inline styles only, no script, no SVG: in an untrusted notebook JupyterLab keeps hex colours, borders, widths and
opacity, and drops `var()`. So each colour is declared twice, the hex first and then the theme's variable, and what is
muted is muted by opacity. The hex colours have 3.3:1 or more on white and on near-black. With no style at all the
pieces are lines of text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from carbon_magic import written
from carbon_magic.power.sensor import Domain, Provenance
from carbon_magic.views.parts import Fact, Part
from carbon_magic.views.plain import COMMAND, escape

COLOURS: dict[Domain, tuple[str, str]] = {
    "cpu": ("#2b6fc4", "--cbm-cpu"),
    "gpu": ("#d95f02", "--cbm-gpu"),
    "dram": ("#1899a6", "--cbm-dram"),
    "other": ("#818181", "--cbm-bar"),
}
EDGES: dict[Provenance | None, str] = {
    "measured": "solid",
    "modelled": "dashed",
    "assumed": "dotted",
    None: "dotted",
}

MUTED = "opacity:.7;font-size:11px;line-height:16px"


def twice(css: str, domain: Domain) -> str:
    """A declaration with a domain's colour in place of `{}`: as hex, then as the theme's variable."""
    colour, variable = COLOURS[domain]
    return f"{css.format(colour)};{css.format(f'var({variable},{colour})')}"


def block(*lines: str, max_width: int = 680) -> str:
    """The whole output: a rule on the left, the lines one under the other."""
    style = (
        "border-left:2px solid #9e9e9e;padding:2px 0 2px 10px;font-size:13px;line-height:20px;"
        f"max-width:{max_width}px;font-variant-numeric:tabular-nums"
    )
    return f'<div style="{style}">' + "\n".join(line for line in lines if line) + "</div>"


def facts(label: str, listed: Iterable[Fact]) -> str:
    """The figures in one row that breaks between them."""
    pieces = []
    if label:
        pieces.append(f'<span style="display:inline-block;margin-right:16px">{escape(label)}</span>')
    for fact in listed:
        figure = escape(fact.figure)
        if fact.headline and fact.best:
            figure = f'<b style="font-size:15px">{figure}</b>'
        elif fact.headline:
            figure = f'<span style="font-size:15px;font-weight:400">{figure}</span>'
        if fact.bounds:
            comma = "" if fact.best else ","
            figure += f'{comma} <span style="{MUTED}">{escape(fact.bounds)}</span>'
        pieces.append(f'<span style="display:inline-block;margin-right:16px">{figure}</span>')
    return f"<div>{' '.join(pieces)}</div>"


def strip(parts: Sequence[Part]) -> str:
    """The split as one thin bar; what is under half a percent keeps a sliver."""
    segments = segment_widths(parts)
    if not segments:
        return ""
    spans = "".join(
        f'<span style="display:inline-block;height:4px;width:calc({percent:.1f}% - 1px);margin-right:1px;'
        f'{twice("background-color:{}", part.domain)}"></span>'
        for part, percent in segments
    )
    return f'<div style="line-height:4px;margin:4px 0 5px;white-space:nowrap;font-size:0">{spans}</div>'


def segment_widths(parts: Sequence[Part], whole: float = 100.0, least: float = 0.5) -> list[tuple[Part, float]]:
    """Each part with its percent of the bar, `whole` in all; nothing above 0 falls under `least`."""
    shown = [part for part in parts if part.energy_j > 0.0]
    total = sum(part.energy_j for part in shown)
    if total <= 0.0:
        return []
    raised = [max(whole * (part.energy_j / total), least) for part in shown]
    scale = whole / sum(raised)
    return [(part, width * scale) for part, width in zip(shown, raised, strict=True)]


def legend(parts: Iterable[Part]) -> str:
    """Each domain's energy behind a key whose edge says how it was obtained, with the word."""
    keys = [
        '<span style="display:inline-block;white-space:nowrap;margin-right:16px">'
        '<span style="display:inline-block;width:15px;vertical-align:middle;margin-right:5px;'
        f'{twice(f"border-top:3px {EDGES[part.provenance]} {{}}", part.domain)}"></span>'
        f"{part.name} {escape(written.energy(part.energy_j))} "
        f'<span style="{MUTED}">{escape(part.origin)}</span></span>'
        for part in parts
    ]
    return f"<div>{' '.join(keys)}</div>" if keys else ""


def notes(sentences: Iterable[str]) -> str:
    """Sentences in small muted type, each broken as little as the width allows; one with a command on its own line."""
    spans = [_said(sentence) for sentence in sentences]
    return f'<div style="{MUTED}">{" ".join(spans)}</div>' if spans else ""


def _said(sentence: str) -> str:
    said, sign, command = sentence.partition(COMMAND)
    if not sign:
        return f'<span style="display:inline-block;margin-right:5px">{escape(said)}</span>'
    code = f'<code style="font-size:11px;white-space:nowrap">{escape(sign + command)}</code>'
    return f"<div>{escape(said)}{code}</div>"


def cell(text: str, tag: str = "td", *, right: bool = False, css: str = "") -> str:
    """A cell of a table, its HTML given."""
    style = f"padding:1px 14px 1px 0;border:0;text-align:{'right' if right else 'left'};vertical-align:baseline"
    return f'<{tag} style="{style}{";" if css else ""}{css}">{text}</{tag}>'


def table(heads: Iterable[tuple[str, bool]], rows: Iterable[str]) -> str:
    """A table of rows, their HTML given, under heads of which each is on the left or the right."""
    muted = f"{MUTED};font-weight:400"
    head = "".join(cell(name, "th", right=right, css=muted) for name, right in heads)
    body = "\n".join(rows)
    return (
        '<div style="overflow-x:auto">'
        '<table style="border-collapse:collapse;margin:0;font-size:13px;color:inherit;table-layout:auto">'
        f'<thead><tr style="background:none">{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'
    )


def figure(written: str, bounds: str) -> str:
    """A figure and its range: where the column is narrow, the range goes under its figure, and neither is broken."""
    shown = f'<span style="white-space:nowrap">{escape(written)}</span>'
    if not bounds:
        return shown
    return f'{shown} <span style="{MUTED};font-weight:400;white-space:nowrap">{escape(bounds)}</span>'
