"""The arguments of the commands over the ledger and IPython's configuration, and what each one calls.

Only parsers are made here; what a command needs is imported when it runs.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from carbon_magic.commands import guarded
from carbon_magic.commands.compare_arguments import add_compare
from carbon_magic.commands.regions import add_regions

FORMATS = ("csv", "json", "codecarbon")

_MOMENTS = "90m, 36h, 7d, 4w ago, or 2026-11-01, 2026-11-01T14:30 (local time, unless it has a zone)"

_HISTORY_EXAMPLES = """\
examples:
  carbon-magic history
  carbon-magic history --since 30d --by day
  carbon-magic history --by notebook --json | jq '.groups[0]'

Energy and emissions have their range, at 95 %, in brackets. Where the region was unknown there is only a range.
"""
_EXPORT_EXAMPLES = """\
examples:
  carbon-magic export --format csv -o cells.csv --since 7d
  carbon-magic export --format json | jq '.[].energy_j'
  carbon-magic export --format codecarbon -o emissions.csv

csv and json have one record per cell; codecarbon one line per session, with the columns of CodeCarbon 3.3.2. In CSV a
text that a spreadsheet would take for a formula (it begins with = + - @ or a control character) gets a ' in front.
"""
_IMPORT_EXAMPLES = """\
examples:
  carbon-magic import emissions.csv
  carbon-magic import runs/*/emissions.csv

Each run becomes a session with one record. CodeCarbon gives no ranges, so how far its figures may be wrong stays
unknown. Its times have no zone and are taken for this machine's. Importing again adds only what is new.
"""
_MERGE_EXAMPLES = """\
examples:
  carbon-magic merge server/ledger-server.db
  carbon-magic merge a.db b.db -o all.db

Nothing is counted twice: merge a file again when it has grown. Sources are only read. Copy a ledger that is in use
together with its -wal file, or with 'sqlite3 ledger.db ".backup copy.db"'.
"""
_FORGET_EXAMPLES = """\
examples:
  carbon-magic forget --before 2026-01-01
  carbon-magic forget --notebook ~/work/analysis.ipynb
  carbon-magic forget --session 3f2a --yes

It says what would be deleted and asks. What is deleted is gone from the files, and from this machine's ledger only:
merging a file that still has it brings it back.
"""
_ENABLE_EXAMPLES = """\
examples:
  carbon-magic enable
  carbon-magic enable --profile work

It adds carbon_magic to InteractiveShellApp.extensions in the profile's ipython_config.json and leaves the rest of that
file, and all .py files, as they are.
"""

_CALIBRATE_EXAMPLES = """\
examples:
  carbon-magic calibrate
  sudo carbon-magic calibrate
  carbon-magic calibrate --against wall

Run it once, with nothing else running and a laptop's lid open. It keeps none, some and all processors busy for under
two minutes and fits the model that stands in where no sensor can be read; figures of later kernels are then nearer and
say so. It refuses on a busy machine and where what it saw makes no curve. Only one file is written. With sudo it is the
calling user's.

exit codes: 0 calibrated; 1 the machine cannot be calibrated now; 2 there is nothing to calibrate against.
"""


def add_commands(add: Callable[..., Any]) -> dict[str, Any]:
    """Add the commands' parsers with `add`, which makes one; give them by name."""
    return {
        **add_compare(add),
        "history": _history(add),
        "export": _export(add),
        "import": _import(add),
        "merge": _merge(add),
        "forget": _forget(add),
        "enable": _enable(add),
        "disable": _disable(add),
        "calibrate": _calibrate(add),
        **add_regions(add),
    }


def _history(add: Callable[..., Any]) -> Any:
    parser = add("history", "say what was recorded so far, by project, notebook, day or label", _HISTORY_EXAMPLES)
    parser.add_argument("--since", metavar="WHEN", type=_moment, help=f"leave out what began earlier: {_MOMENTS}")
    parser.add_argument(
        "--by", metavar="WHAT", type=_by, default="project", help="project (as if not said), notebook, day or label"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, in joules, grams and seconds")

    def run(parsed: argparse.Namespace) -> int:
        def command() -> int:
            from carbon_magic.commands.history import history

            return history(parsed.by, parsed.since, as_json=parsed.json)

        return guarded("history", command)

    parser.set_defaults(function=run)
    return parser


def _export(add: Callable[..., Any]) -> Any:
    parser = add("export", "write what was recorded as CSV, JSON or CodeCarbon's emissions.csv", _EXPORT_EXAMPLES)
    parser.add_argument("--format", metavar="FORMAT", type=_format, required=True, help="csv, json or codecarbon")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to this file, whole or not at all")
    parser.add_argument("--since", metavar="WHEN", type=_moment, help=f"leave out what began earlier: {_MOMENTS}")

    def run(parsed: argparse.Namespace) -> int:
        def command() -> int:
            from carbon_magic.commands.export import export

            return export(parsed.format, parsed.output, parsed.since)

        return guarded("export", command)

    parser.set_defaults(function=run)
    return parser


def _import(add: Callable[..., Any]) -> Any:
    parser = add("import", "take in runs that CodeCarbon measured", _IMPORT_EXAMPLES)
    parser.add_argument("files", nargs="+", metavar="FILE", help="an emissions.csv, of CodeCarbon 2.0 or later")

    def run(parsed: argparse.Namespace) -> int:
        def command() -> int:
            from carbon_magic.commands.importing import import_files

            return import_files(parsed.files)

        return guarded("import", command)

    parser.set_defaults(function=run)
    return parser


def _merge(add: Callable[..., Any]) -> Any:
    parser = add("merge", "take in ledgers of other machines", _MERGE_EXAMPLES)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a ledger of carbon-magic (.db)")
    parser.add_argument("-o", "--output", metavar="OUT", help="merge into this file, not into this machine's ledger")

    def run(parsed: argparse.Namespace) -> int:
        def command() -> int:
            from carbon_magic.commands.merging import merge_files

            return merge_files(parsed.files, parsed.output)

        return guarded("merge", command)

    parser.set_defaults(function=run)
    return parser


def _forget(add: Callable[..., Any]) -> Any:
    parser = add("forget", "delete what was recorded", _FORGET_EXAMPLES)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--session", metavar="ID", help="this session; the beginning of its id is enough")
    which.add_argument("--notebook", metavar="PATH", help="all that this notebook's kernels recorded")
    which.add_argument("--before", metavar="WHEN", type=_moment, help=f"what is older: {_MOMENTS}")
    parser.add_argument("--yes", action="store_true", help="do not ask")

    def run(parsed: argparse.Namespace) -> int:
        def command() -> int:
            from carbon_magic.commands.forgetting import Choice, forget

            return forget(Choice(parsed.session, parsed.notebook, parsed.before), yes=parsed.yes)

        return guarded("forget", command)

    parser.set_defaults(function=run)
    return parser


def _enable(add: Callable[..., Any]) -> Any:
    parser = add("enable", "have every new kernel of yours load carbon-magic", _ENABLE_EXAMPLES)
    _add_profile(parser)

    def run(parsed: argparse.Namespace) -> int:
        def command() -> int:
            from carbon_magic.enable import enable

            print(enable(parsed.profile))
            return 0

        return guarded("enable", command)

    parser.set_defaults(function=run)
    return parser


def _disable(add: Callable[..., Any]) -> Any:
    parser = add("disable", "undo that", "example: carbon-magic disable")
    _add_profile(parser)

    def run(parsed: argparse.Namespace) -> int:
        def command() -> int:
            from carbon_magic.enable import disable

            print(disable(parsed.profile))
            return 0

        return guarded("disable", command)

    parser.set_defaults(function=run)
    return parser


def _add_profile(parser: Any) -> None:
    parser.add_argument("--profile", metavar="NAME", default="default", help="IPython's profile (default: default)")


def _moment(text: str) -> datetime:
    from carbon_magic.commands.since import moment

    try:
        return moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _by(text: str) -> str:
    from carbon_magic.commands.history import checked_by

    try:
        return checked_by(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _format(text: str) -> str:
    if text in FORMATS:
        return text
    near = difflib.get_close_matches(text, FORMATS, n=1, cutoff=0.4) or list(FORMATS)
    raise argparse.ArgumentTypeError(f"there is no format {text!r}. Nearest: {', '.join(near)}")


def _calibrate(add: Callable[..., Any]) -> Any:
    parser = add("calibrate", "fit the model of the processors to this machine", _CALIBRATE_EXAMPLES)
    parser.add_argument(
        "--against",
        metavar="SENSOR",
        help="a sensor by the doctor's name of it, or wall: a meter that you read (default: the best that can be read)",
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=_level_seconds,
        default=20.0,
        help="how long each load is held, 4 to 60 (default: 20)",
    )
    parser.add_argument("--forget", action="store_true", help="delete this machine's calibration instead")
    parser.add_argument("--json", action="store_true", help="print the fit as JSON")

    def run(parsed: argparse.Namespace) -> int:
        def command() -> int:
            from carbon_magic.commands.calibrate import calibrate

            return calibrate(parsed.against, seconds=parsed.seconds, forget=parsed.forget, as_json=parsed.json)

        return guarded("calibrate", command)

    parser.set_defaults(function=run)
    return parser


def _level_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 4.0 <= seconds <= 60.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 4 to 60")
    return seconds
