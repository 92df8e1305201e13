"""Records and snapshots that a view is shown: the design's example session, and whatever a test changes in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from carbon_magic.grid.intensity import emissions, place
from carbon_magic.ledger.record import CellRecord
from carbon_magic.quantity import Interval
from carbon_magic.snapshot import DomainTotal, Snapshot

WH = 3600.0
HOSTILE = (
    "<img src=x onerror=alert(1)> \x1b[31mred\x1b[0m\x1b]0;title\x07 \u202ereversed\u202c\r\n\tnew line "
    "\x00\x9b2J$x$ \\(y\\) " + "z" * 10_000
)


def record(
    wh: tuple[float, float, float] | None = (4.0, 4.6, 5.6),
    region: str | None = "FR",
    source: str = "user",
    **changed: Any,
) -> CellRecord:
    """The design's cell [7] `encode`: 4.6 Wh in 94 s, by GPU, CPU and a modelled DRAM."""
    energy = None if wh is None else Interval(wh[0] * WH, wh[1] * WH, wh[2] * WH)
    where = place(region, source)
    grams = None if energy is None else emissions(energy, where)
    best = None if energy is None else energy.best
    values: dict[str, Any] = {
        "record_id": "r",
        "session_id": "s",
        "project": None,
        "notebook": None,
        "cell_id": None,
        "execution_count": 7,
        "label": "encode",
        "status": "ok",
        "final": True,
        "concurrent": False,
        "started_at": "2026-11-23T14:00:00Z",
        "duration_s": 94.0,
        "energy_j": best,
        "energy_j_low": energy.low if energy else None,
        "energy_j_high": energy.high if energy else None,
        "marginal_energy_j": None,
        "idle_energy_j": None,
        "machine_energy_j": None,
        "machine_energy_j_low": None,
        "machine_energy_j_high": None,
        "gpu_energy_j": None if best is None else best * 2.9 / 4.6,
        "cpu_energy_j": None if best is None else best * 1.55 / 4.6,
        "dram_energy_j": None if best is None else best * 0.15 / 4.6,
        "other_energy_j": None,
        "share": 1.0,
        "scope": "dedicated",
        "emissions_g": grams.best if grams else None,
        "emissions_g_low": grams.low if grams else None,
        "emissions_g_high": grams.high if grams else None,
        "region": where.region,
        "region_source": where.source,
        "intensity_g_per_kwh": where.intensity_g_per_kwh.best,
        "intensity_low": where.intensity_g_per_kwh.low,
        "intensity_high": where.intensity_g_per_kwh.high,
        "intensity_source": where.intensity_source,
        "intensity_year": where.intensity_year,
        "pue": where.pue,
        "data_version": where.data_version,
        "cpu_seconds": 90.0,
        "gpu_utilization": 0.9,
        "cpu_provenance": "measured",
        "gpu_provenance": "measured",
        "dram_provenance": "modelled",
        "sensors": ("powercap:package-0", "nvml:0", "dram-model"),
        "version": "0.1",
    }
    return CellRecord(**{**values, **changed})


def snapshot(region: str | None = "FR", source: str = "environment", **changed: Any) -> Snapshot:
    """The design's session: 41.3 Wh in 1 h 12 min, 91 % of it measured."""
    where = place(region, source)
    energy = Interval(34.2 * WH, 41.3 * WH, 51.6 * WH)
    values: dict[str, Any] = {
        "session_id": "s",
        "tracking": True,
        "started_at": "2026-11-23T13:37:00Z",
        "duration_s": 4320.0,
        "energy_j": energy,
        "machine_energy_j": None,
        "between_cells_j": Interval(3.0 * WH, 3.6 * WH, 4.4 * WH),
        "emissions_g": emissions(energy, where),
        "emissions_known": where.known,
        "power_w": 186.0,
        "mean_power_w": 34.4,
        "domains": {
            "cpu": DomainTotal(energy_j=energy.scaled(0.30), provenance="measured", power_w=50.0),
            "gpu": DomainTotal(energy_j=energy.scaled(0.61), provenance="measured", power_w=130.0),
            "dram": DomainTotal(energy_j=energy.scaled(0.09), provenance="modelled", power_w=6.0),
        },
        "place": where,
        "scope": "dedicated",
        "scope_reason": "This is a laptop of your own, without a CPU quota.",
        "records": (record(),),
        "running": (),
        "problems": (),
    }
    return Snapshot(**{**values, **changed})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.styles: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.open.append(tag)
        self.attributes.update(name for name, _ in attrs)
        self.styles += [value or "" for name, value in attrs if name == "style"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in ("td", "th", "div"):
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read_html(html: str) -> str:
    """The words of a view's HTML, once it has passed what every one of them must pass."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == [], "elements left open"
    assert reader.tags <= {"div", "span", "b", "code", "table", "thead", "tbody", "tr", "th", "td"}
    assert reader.attributes <= {"style"}
    for style in reader.styles:
        assert not re.search(r"url\(|expression|javascript", style)
        for name, colour in re.findall(r"([a-z-]+):[^;]*var\((--cbm-[a-z]+,#[0-9a-f]{6})\)", style):
            # Where var() is dropped, the same declaration with the hex colour stands before it.
            plain = re.search(rf"(?:^|;){name}:[^;]*{colour.split(',')[1]};", style)
            assert plain, style
            assert plain.start() < style.index("var(")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)
    return " ".join("".join(reader.words).replace("\u00a0", " ").split())


def check_text(text: str, width: int = 79) -> str:
    """A view's text, once it has passed what every one of them must pass, with plain spaces."""
    for line in text.split("\n"):
        assert len(line) <= width, line
        assert line == line.rstrip(), repr(line)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    return text.replace("\u00a0", " ")
