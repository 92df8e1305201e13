"""The arguments of `carbon-magic compare` and `carbon-magic methods`.

Only parsers are made here; what the commands need is imported when they run, and so is what checks an argument.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from carbon_magic.commands import guarded

_EXAMPLES = """\
examples:
  carbon-magic compare --energy-kwh 12.5 --from PL --to SE FR aws:us-west-2
  carbon-magic compare --energy-kwh 12.5 --from aws:us-east-1 --same-provider --top 5
  carbon-magic compare --energy-kwh 0.8 --from DE --eu --top 10
  carbon-magic compare --energy-kwh 0.8 --from gcp:europe-west3 --near 1000km --json | jq '.[1].region'
  carbon-magic compare --energy-kwh 0.8 --from DE --at 03:00

Without --to and filters a spread of grids is listed; from a cloud region, its provider's regions. Filters hold all at
once. Regions are ranked by intensity x PUE, and said to overlap where its ranges meet: then neither is clearly lower.
--at compares a run of an hour that begins now with one that begins then, for grids whose hours are known.
--json prints an array, here first; null is unknown; the note of here says how it was found.
"""


def add_compare(add: Callable[..., Any]) -> dict[str, Any]:
    """Add the parsers with `add`, which makes one; give them by name."""
    parser = add("compare", "say what the same energy would emit elsewhere", _EXAMPLES)
    parser.add_argument("--energy-kwh", metavar="E", type=_kilowatt_hours, required=True, help="the energy, in kWh")
    parser.add_argument(
        "--energy-kwh-low", metavar="E", type=_kilowatt_hours, help="the least that it may be, where that is known"
    )
    parser.add_argument("--energy-kwh-high", metavar="E", type=_kilowatt_hours, help="and the most")
    parser.add_argument(
        "--from",
        dest="region",
        metavar="REGION",
        help="where it is used: FR, US-CA, aws:eu-north-1, unknown (default: CARBON_MAGIC_REGION and its kin, else"
        " where this machine is by its cloud or time zone)",
    )
    parser.add_argument("--to", nargs="+", action="extend", default=[], metavar="REGION", help="compare with these")
    parser.add_argument("--same-provider", action="store_true", help="with all cloud regions of the same provider")
    parser.add_argument("--eu", action="store_true", help="with all regions in the European Union")
    parser.add_argument("--near", metavar="KM", type=_distance, help="with all within this distance: 1000km")
    parser.add_argument("--top", metavar="N", type=_top, help="list only the N lowest")
    parser.add_argument("--at", metavar="HH:MM", type=_clock, help="say what another time of day would change")
    parser.add_argument(
        "--pue",
        metavar="PUE",
        type=_power_usage,
        help="power usage effectiveness of the building, here and wherever none is published (default: 1)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, in grams")
    parser.set_defaults(function=_run(parser))
    page = add(
        "methods", "say how the figures are made, and what they leave out", "example: carbon-magic methods | less"
    )
    page.set_defaults(function=_methods)
    return {"compare": parser, "methods": page}


def _run(parser: Any) -> Callable[[argparse.Namespace], int]:
    def run(parsed: argparse.Namespace) -> int:
        best = parsed.energy_kwh
        low = best if parsed.energy_kwh_low is None else parsed.energy_kwh_low
        high = best if parsed.energy_kwh_high is None else parsed.energy_kwh_high
        if not low <= best <= high:
            parser.error("--energy-kwh lies between --energy-kwh-low and --energy-kwh-high")

        def command() -> int:
            from carbon_magic.commands.comparing import Asked
            from carbon_magic.commands.comparing import command as compare
            from carbon_magic.grid.choice import Wanted
            from carbon_magic.quantity import Interval

            wanted = Wanted(tuple(parsed.to), parsed.same_provider, parsed.eu, parsed.near)
            return compare(
                Interval(low, best, high),
                Asked(wanted, parsed.top, parsed.at),
                region=parsed.region,
                pue=parsed.pue,
                as_json=parsed.json,
            )

        return guarded("compare", command)

    return run


def _methods(parsed: argparse.Namespace) -> int:
    def command() -> int:
        from carbon_magic.commands.methods import methods

        return methods()

    return guarded("methods", command)


def _checked(name: str) -> Callable[[str], Any]:
    """What checks an argument, imported when there is one."""

    def check(text: str) -> Any:
        from carbon_magic.commands import comparing

        try:
            return getattr(comparing, name)(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return check


_kilowatt_hours = _checked("kilowatt_hours")
_distance = _checked("distance_km")
_top = _checked("top")
_clock = _checked("clock")
_power_usage = _checked("power_usage")
