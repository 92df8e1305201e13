"""Turns the project's table of processors into the text file that the package looks names up in.

The source has one row per normalised processor name. What ships is the name, the watts, the cores and where the watts
come from, sorted, one line per name, so that a lookup is one search in the file and nothing is parsed. Names without
any digit ("intel xeon") stand for a whole family and are left out, because a match must be exact or none.

    python tools/build_cpu_power.py SOURCE.csv carbon_magic/data/cpu_power.txt
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

SOURCES = {
    "CodeCarbon cpu_dataset_builder (Intel ARK)": "1",
    "CodeCarbon cpu_dataset_builder (AMD desktop)": "2",
    "CodeCarbon cpu_dataset_builder (AMD server)": "3",
    "CodeCarbon cpu_power.csv": "4",
    "Eco2AI cpu_names.csv": "5",
}

HEADER = """\
# Thermal design power of processors, by normalised name. Made by tools/build_cpu_power.py; do not edit.
# name <TAB> TDP in watts <TAB> cores, or nothing <TAB> source <TAB> "disagree": another source differs by > 10 %
# Sources, in order of preference; later ones also served as a check, with carbontracker (MIT) and
# Green Algorithms (CC BY 4.0):
#   1 CodeCarbon (MIT), cpu_dataset_builder: Intel ARK
#   2 CodeCarbon (MIT), cpu_dataset_builder: AMD, desktop
#   3 CodeCarbon (MIT), cpu_dataset_builder: AMD, server
#   4 CodeCarbon (MIT), cpu_power.csv
#   5 Eco2AI (Apache-2.0), cpu_names.csv
# Values of Apple and Snapdragon parts are third-party estimates; their makers publish none.
"""


def build(source: Path, target: Path) -> int:
    """Write `target` from `source` and return the number of names."""
    lines: dict[str, str] = {}
    with source.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = "".join(letter for letter in row["key"] if letter.isascii()).strip()
            if not any(letter.isdigit() for letter in key):
                continue
            tdp_w = float(row["tdp_w"])
            if not 0 < tdp_w <= 1000:
                raise ValueError(f"{key}: {tdp_w} W is no thermal design power")
            disagree = "disagree" if row["disagreement"] == "1" else ""
            lines.setdefault(key, f"{key}\t{tdp_w:g}\t{row['cores']}\t{SOURCES[row['source']]}\t{disagree}\n")
    target.write_text(HEADER + "".join(lines[key] for key in sorted(lines)), encoding="ascii", newline="\n")
    return len(lines)


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), Path(sys.argv[2])), "names")
