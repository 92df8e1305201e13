"""`carbon-magic run` from its arguments to its exit code.

First everything is checked that can be known without running a cell; then the notebooks run; then, however that ended,
what there is so far is written and shown: executed notebooks, records, tracebacks and the table.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import sys
from pathlib import Path

from carbon_magic.run import UsageError
from carbon_magic.run.kernels import check_kernel
from carbon_magic.run.notebooks import Notebook, read_notebook
from carbon_magic.run.output import check_writable, executed_paths, notebook_json, records_json, write_atomically
from carbon_magic.run.runner import Options, Outcome, Watch, run_notebooks
from carbon_magic.views.plain import clean, spell


def run(
    paths: list[str],
    *,
    output: str | None = None,
    json_file: str | None = None,
    region: str | None = None,
    kernel: str | None = None,
    timeout_s: float | None = None,
    allow_errors: bool = False,
) -> int:
    """Run notebooks and report what their cells cost.

    Args:
        paths: the notebooks, as given.
        output: where the executed notebooks go: a file, or a folder; None for nowhere.
        json_file: where the records go, `-` for standard output; None for nowhere.
        region: the id or name of the grid; None for what the kernel finds.
        kernel: the name of the kernel for all notebooks; None for the one each names.
        timeout_s: the longest time of one cell.
        allow_errors: go on after cells that fail.

    Returns:
        The exit code: 0, 1 where a notebook did not complete, 2 where something could not be run, 128 + the signal's
        number where one stopped the run.
    """
    codecs.register_error("carbon_magic.spell", spell)
    for stream in (sys.stdout, sys.stderr):
        # A terminal or pipe that cannot write a character gets it spelled in ASCII, not a traceback.
        getattr(stream, "reconfigure", lambda **_: None)(errors="carbon_magic.spell")
    try:
        notebooks = [read_notebook(path) for path in paths]
        options = Options(
            kernels={notebook.given: _kernel(notebook, kernel) for notebook in notebooks},
            region=_region(region),
            timeout_s=timeout_s,
            allow_errors=allow_errors,
        )
        written_to = {} if output is None else executed_paths(notebooks, output)
        _check_json(json_file, notebooks, written_to)
    except UsageError as error:
        return _refuse(error)

    outcomes: list[Outcome] = []
    code = _execute(notebooks, options, outcomes)
    if outcomes:
        code = max(code, _deliver(outcomes, written_to, json_file))
        for notebook in notebooks[len(outcomes) :]:
            sys.stderr.write(f"{clean(notebook.given, 300)}: not run\n")
    return code


def _execute(notebooks: list[Notebook], options: Options, outcomes: list[Outcome]) -> int:
    from carbon_magic.run.progress import progress

    try:
        with progress(notebooks, outcomes, sys.stderr) as watch:
            stopped_by = _in_loop(notebooks, options, outcomes, watch)
    except UsageError as error:
        return _refuse(error)
    except KeyboardInterrupt:
        if outcomes and outcomes[-1].end == "complete":
            outcomes[-1].end = "stopped"
        return 130
    if stopped_by is not None:
        return 128 + stopped_by
    return 0 if all(outcome.end == "complete" for outcome in outcomes) else 1


def _in_loop(notebooks: list[Notebook], options: Options, outcomes: list[Outcome], watch: Watch | None) -> int | None:
    running = run_notebooks(notebooks, options, outcomes, watch)
    if sys.platform == "win32":
        # ZeroMQ's sockets need a loop that can wait for them; Windows' own default cannot.
        with contextlib.closing(asyncio.SelectorEventLoop()) as loop:
            return loop.run_until_complete(running)
    return asyncio.run(running)


def _deliver(outcomes: list[Outcome], written_to: dict[str, Path], json_file: str | None) -> int:
    """Write and show what there is; 2 where something could not be written, else 0."""
    from carbon_magic.run.report import explain, show

    code = 0
    for outcome in outcomes:
        path = written_to.get(outcome.notebook.given)
        if path is not None:
            code = max(code, _write(path, notebook_json(outcome.notebook.node), "-o"))
    records = [record for outcome in outcomes for record in outcome.records]
    if json_file is not None and json_file != "-":
        code = max(code, _write(Path(json_file), records_json(records), "--json"))
    for outcome in outcomes:
        sys.stderr.write(explain(outcome, colours=sys.stderr.isatty()))
    try:
        show(outcomes, sys.stderr if json_file == "-" else sys.stdout)
        if json_file == "-":
            sys.stdout.write(records_json(records))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        code = max(code, _refuse(UsageError(f"standard output cannot be written: {error.strerror or error}")))
        # What is left in the buffer cannot be written at exit either.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - open until the process ends
    return code


def _refuse(error: UsageError) -> int:
    sys.stderr.write(f"carbon-magic run: {error}\n")
    return 2


def _kernel(notebook: Notebook, asked: str | None) -> str:
    if asked is not None:
        return check_kernel(asked, "--kernel")
    return check_kernel(notebook.kernel or "python3", clean(notebook.given, 300))


def _region(asked: str | None) -> str | None:
    from carbon_magic.grid.table import DataFileError, require

    try:
        require()
    except DataFileError as error:
        raise UsageError(clean(str(error), 500)) from None
    if asked is None:
        return None
    from carbon_magic.grid.regions import UnknownRegion, region

    try:
        return region(asked).id
    except UnknownRegion as error:
        raise UsageError(f"--region: {clean(str(error), 500)}") from None


def _check_json(json_file: str | None, notebooks: list[Notebook], written_to: dict[str, Path]) -> None:
    if json_file is None or json_file == "-":
        return
    path = Path(json_file)
    check_writable(path, "--json")
    if path.resolve() in {notebook.path for notebook in notebooks}:
        raise UsageError(f"--json {clean(json_file, 300)} is one of the notebooks")
    if path.resolve() in {written.resolve() for written in written_to.values()}:
        raise UsageError(f"--json {clean(json_file, 300)} is where -o writes an executed notebook")


def _write(path: Path, text: str, option: str) -> int:
    try:
        write_atomically(path, text)
    except OSError as error:
        sys.stderr.write(f"carbon-magic run: {option} {clean(str(path), 300)}: {error.strerror or error}\n")
        return 2
    return 0
