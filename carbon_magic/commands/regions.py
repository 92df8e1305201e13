"""`carbon-magic regions`: the grids there are, what a kilowatt-hour of each emits, and whose figures these are."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from typing import Any

from carbon_magic.commands import guarded
from carbon_magic.commands.files import plain_output

_WIDTH_OF_FILES = 120

_EXAMPLES = """\
examples:
  carbon-magic regions
  carbon-magic regions france
  carbon-magic regions aws:eu-west-3
  carbon-magic regions stockholm --json | jq '.[].intensity_g_per_kwh'
  carbon-magic regions --sources

A region that goes by QUERY is described; else all are listed that it may mean, by id, name, old name, city or provider.
"""


def add_regions(add: Callable[..., Any]) -> dict[str, Any]:
    """Add the command's parser with `add`, which makes one; give it by name."""
    parser = add("regions", "list regions and the carbon intensity of their grids, or find one", _EXAMPLES)
    parser.add_argument("query", nargs="*", metavar="QUERY", help="a region, or a part of its name")
    parser.add_argument("--json", action="store_true", help="print JSON, intensities in g CO2e/kWh over the life cycle")
    parser.add_argument(
        "--sources", action="store_true", help="print whose figures these are, and under which licences"
    )

    def run(parsed: Any) -> int:
        if parsed.sources:
            return guarded("regions", sources)
        return guarded("regions", lambda: regions(" ".join(parsed.query), as_json=parsed.json))

    parser.set_defaults(function=run)
    return {"regions": parser}


def regions(query: str, *, as_json: bool = False) -> int:
    """Print the regions that `query` may mean, all without one.

    Raises:
        UsageError: there is none, or `CARBON_MAGIC_DATA` cannot be used.
    """
    from carbon_magic.grid.regions import DataFileError, UnknownRegion, region, require, search
    from carbon_magic.run import UsageError
    from carbon_magic.views.plain import clean
    from carbon_magic.views.regions import as_data, region_text, regions_text

    try:
        require()
    except DataFileError as error:
        raise UsageError(clean(str(error), 500)) from None
    try:
        found, one = ([region(query)], True) if query.strip() else (search(""), False)
    except UnknownRegion as error:
        found, one = search(query), False
        if not found:
            raise UsageError(clean(str(error), 500)) from None
    if as_json:
        json.dump([as_data(row) for row in found], plain_output(), indent=2, allow_nan=False)
        sys.stdout.write("\n")
        return 0
    width = max(shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH_OF_FILES, 40)

    def text(ascii_only: bool) -> str:
        if one:
            return region_text(found[0], width, ascii_only=ascii_only)
        return regions_text(found, width, ascii_only=ascii_only)

    shown, encoding = text(False), sys.stdout.encoding or "ascii"
    if shown != shown.encode(encoding, "replace").decode(encoding):
        shown = text(True)
    sys.stdout.write(shown + "\n")
    return 0


def sources() -> int:
    """Print the attribution of the data, and where the licences stand."""
    from carbon_magic.grid.table import DATA, data_version
    from carbon_magic.views.plain import fill, for_stream

    readme = (DATA / "README.md").read_text(encoding="utf-8")
    said = " ".join(re.findall(r"^> ?(.*)$", readme.partition("## Attribution")[2], re.MULTILINE))
    lines = fill(said.split(" "), 79)
    lines += ["", f"Edition {data_version()}. What each figure is, and the licences' texts:", str(DATA / "README.md")]
    lines.append(str(DATA / "LICENSES"))
    sys.stdout.write(for_stream("\n".join(lines), sys.stdout) + "\n")
    return 0
