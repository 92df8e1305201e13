"""The doctor's report as text: each paragraph is filled once, to the same width."""

from __future__ import annotations

from itertools import pairwise

from carbon_magic.grid.intensity import place
from carbon_magic.views.doctor import WIDTH, doctor_text
from carbon_magic.views.findings import Findings


def test_the_regions_paragraph_is_filled_line_by_line() -> None:
    found = place(None, "unknown")._replace(found="time zone Etc/UTC")
    report = doctor_text(
        Findings(
            candidates=[],
            idle={},
            tracking=True,
            scope="dedicated",
            scope_reason="said so",
            place=found,
            problems=[],
            versions={"carbon-magic": "1"},
        )
    )
    section = report.split("\nRegion\n")[1].split("\n\n")[0].splitlines()
    assert section[0].startswith("  Region unknown (time zone Etc/UTC)")
    assert all(line.startswith("  ") and len(line) <= WIDTH for line in section)
    for line, following in pairwise(section):
        command = following.strip().startswith("Say where you are")
        assert command or len(f"{line} {following.split()[0]}") > WIDTH, (line, following)
