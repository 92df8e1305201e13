"""The command line, `carbon-magic`.

Each sub-command is a function that takes the parsed arguments and returns the exit code: 0, 1 where what was run
failed, 2 with one line on standard error where what was asked for cannot be done. What a sub-command needs is imported
when it runs, so that `--version`, `--help` and a typing error answer at once.
"""

from __future__ import annotations

import argparse
import difflib
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from carbon_magic import __version__
from carbon_magic.commands.arguments import add_commands

_RUN_EXAMPLES = """\
examples:
  carbon-magic run analysis.ipynb
  carbon-magic run analysis.ipynb -o executed.ipynb --region FR
  carbon-magic run *.ipynb -o executed/ --json costs.json
  carbon-magic run analysis.ipynb --json - | jq '.[] | {execution_count, energy_j}'

exit codes: 0 all cells ran; 1 a cell failed, took too long or killed its kernel; 2 it could not be run;
130 stopped with Ctrl-C.
"""

_MONITOR_EXAMPLES = """\
examples:
  carbon-magic monitor
  carbon-magic monitor --region FR -- python train.py --epochs 3
  carbon-magic monitor --json cost.json -- make -j8

exit codes: the command's own; 128 + the signal's number where one ended it; 127 where there is no such command, 126
where it cannot be executed; without a command 0 after Ctrl-C.
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and names the nearest option or sub-command."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see '{self.prog} --help')\n")

    def options(self) -> list[str]:
        """The names of the options."""
        return [name for action in self._actions for name in action.option_strings]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Raises:
        SystemExit: after `--help` and `--version` (code 0), and where the arguments are wrong (code 2).
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    parser, commands = _parsers()
    command = next((word for word in given if not word.startswith("-")), None)
    if command is not None and command not in commands:
        parser.error(f"there is no command {command!r}{_nearest(command, list(commands))}")
    parsed, unknown = parser.parse_known_args(given)
    if parsed.command is None:
        if unknown:
            parser.error(f"there is no option {unknown[0]!r}{_nearest(unknown[0], parser.options())}")
        parser.print_help(sys.stderr)
        return 2
    chosen = commands[parsed.command]
    if unknown:
        chosen.error(f"there is no option {unknown[0]!r}{_nearest(unknown[0], chosen.options())}")
    code: int = parsed.function(parsed)
    return code


def _parsers() -> tuple[_Parser, dict[str, _Parser]]:
    parser = _Parser(
        prog="carbon-magic",
        description="What notebook cells cost in energy and CO2e.",
        epilog="example: carbon-magic run analysis.ipynb --region FR",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"carbon-magic {__version__}", help="print the version")
    adding = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=_Parser)

    def add(name: str, does: str, examples: str, description: str | None = None) -> _Parser:
        """Each command's parser sets the `function` that runs it."""
        added: _Parser = adding.add_parser(
            name,
            help=does,
            description=description or f"{does[0].upper()}{does[1:]}.",
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        return added

    run = add(
        "run",
        "execute notebooks and say what each cell cost",
        _RUN_EXAMPLES,
        "Execute notebooks without a front end and say what each cell cost in energy and CO2e.",
    )
    run.add_argument("notebooks", nargs="+", metavar="NOTEBOOK", help="a notebook (.ipynb); executed in its own folder")
    run.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="write the executed notebook to this file, or each one into this folder (for several, or ending in /)",
    )
    run.add_argument(
        "--json",
        metavar="FILE",
        help="write the records of all cells as a JSON array to this file, or with - to standard output, alone there",
    )
    run.add_argument(
        "--region",
        metavar="ID",
        help="the grid that the energy comes from: FR, US-CA, aws:eu-north-1 (default: unknown)",
    )
    run.add_argument(
        "--kernel", metavar="NAME", help="the Jupyter kernel to use (default: the one the notebook names, else python3)"
    )
    run.add_argument(
        "--timeout",
        metavar="S",
        type=_seconds,
        help="the longest that one cell may take, in seconds (default: no limit)",
    )
    run.add_argument("--allow-errors", action="store_true", help="go on after a cell that fails, and exit with 0")
    run.set_defaults(function=_run)
    return parser, {"run": run, **add_commands(add), **_add_monitor(add)}


def _add_monitor(add: Callable[[str, str, str, str], _Parser]) -> dict[str, _Parser]:
    monitor = add(
        "monitor",
        "show what the machine or a command costs while it runs",
        _MONITOR_EXAMPLES,
        "Show what the machine costs until Ctrl-C, or a command with all that it starts until it ends, and the total.",
    )
    monitor.add_argument(
        "--region", metavar="ID", help="the grid that the energy comes from: FR, US-CA, aws:eu-north-1"
    )
    monitor.add_argument(
        "--interval", metavar="S", type=_interval, default=1.0, help="seconds between two readings (default: 1)"
    )
    monitor.add_argument(
        "--json", metavar="FILE", help="write the record to this file, or with - to standard output, once it has ended"
    )
    monitor.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND...", help="what to run")
    monitor.set_defaults(function=_monitor)
    return {"monitor": monitor}


def _monitor(parsed: argparse.Namespace) -> int:
    from carbon_magic.commands import guarded
    from carbon_magic.commands.monitor import monitor

    words = parsed.words[1:] if parsed.words[:1] == ["--"] else parsed.words
    return guarded(
        "monitor",
        lambda: monitor(words, region=parsed.region, interval_s=parsed.interval, json_file=parsed.json),
    )


def _run(parsed: argparse.Namespace) -> int:
    from carbon_magic.run.command import run

    return run(
        parsed.notebooks,
        output=parsed.output,
        json_file=parsed.json,
        region=parsed.region,
        kernel=parsed.kernel,
        timeout_s=parsed.timeout,
        allow_errors=parsed.allow_errors,
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _interval(text: str) -> float:
    seconds = _seconds(text)
    if not 0.2 <= seconds <= 60.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0.2 to 60")
    return seconds


def _nearest(given: str, names: list[str]) -> str:
    close = difflib.get_close_matches(given.partition("=")[0], names, n=1, cutoff=0.4)
    return f": did you mean {close[0]!r}?" if close else f"; there are: {', '.join(names)}"
