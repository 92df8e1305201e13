"""`carbon-magic run` with real kernels: what it writes, shows and returns, however the notebooks end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import nbformat
import pytest
from environments import write_kernel_spec
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from carbon_magic.ledger.record import CellRecord

COMMAND = [sys.executable, "-m", "carbon_magic", "run"]


def notebook(path: Path, *cells: Any, kernel: str = "cm-here") -> Path:
    """Write a notebook of code cells (given as text) and other cells."""
    listed = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=listed, metadata={"kernelspec": spec}), path)
    return path


def run(
    *arguments: str | Path, cwd: Path | None = None, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line, its standard output and error kept apart."""
    command = [*COMMAND, *map(str, arguments)]
    env = {**os.environ, **(environ or {})}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=cwd, env=env)


def check_records(records: list[dict[str, Any]]) -> None:
    """Every field is there, and the figures are in the order that DESIGN.md promises."""
    for record in records:
        assert list(record) == [field.name for field in fields(CellRecord)]
        assert record["final"] is True
        for low, best, high in (
            ("energy_j_low", "energy_j", "energy_j_high"),
            ("machine_energy_j_low", "machine_energy_j", "machine_energy_j_high"),
            ("emissions_g_low", "emissions_g", "emissions_g_high"),
            ("intensity_low", "intensity_g_per_kwh", "intensity_high"),
        ):
            assert 0 <= record[low] <= record[best] <= record[high], (low, record)
        assert 0 <= record["marginal_energy_j"] <= record["energy_j"] <= record["machine_energy_j"], record
        parts = [record[f"{domain}_energy_j"] or 0.0 for domain in ("cpu", "gpu", "dram")]
        assert sum(parts) == pytest.approx(record["energy_j"], abs=1e-9)


def outputs(path: Path) -> list[str]:
    """The text of each code cell's outputs."""
    node = nbformat.read(path, as_version=4)
    return [
        "".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)
        for cell in node.cells
        if cell.cell_type == "code"
    ]


def test_one_record_for_each_executed_cell(kernel_name: str, tmp_path: Path) -> None:
    notebook(
        tmp_path / "work" / "a.ipynb",
        "%load_ext carbon_magic",
        "x = sum(range(3_000_000))\nx",
        new_markdown_cell("text"),
        " ",
        "import asyncio\nawait asyncio.sleep(0.05)\n'awaited'",
        "%%carbon -n named -q\ny = sum(range(3_000_000))",
        new_code_cell("1/0", metadata={"tags": ["raises-exception"]}),
        new_code_cell("raise SystemExit", metadata={"tags": ["skip-execution"]}),
        "print(sorted(name for name in dir() if 'carbon' in name), __import__('os').getcwd())",
        kernel=kernel_name,
    )
    executed = tmp_path / "executed.ipynb"
    ended = run("work/a.ipynb", "--json", "-", "-o", executed, "--region", "fr", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    records = json.loads(ended.stdout)
    check_records(records)
    assert [record["execution_count"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert [record["status"] for record in records] == ["ok", "ok", "ok", "ok", "error", "ok"]
    assert [record["label"] for record in records] == [None, None, None, "named", None, None]
    assert {record["notebook"] for record in records} == {"work/a.ipynb"}
    assert {(record["region"], record["region_source"]) for record in records} == {("FR", "user")}
    source = nbformat.read(tmp_path / "work" / "a.ipynb", as_version=4)
    ran = [source.cells[i].id for i in (0, 1, 4, 5, 6, 8)]
    assert [record["cell_id"] for record in records] == ran
    # The extension was loaded, and neither the notebook's outputs nor its names show it.
    shown = outputs(executed)
    assert shown[:5] == ["", "4499998500000", "", "'awaited'", ""]
    assert shown[-1] == f"[] {tmp_path / 'work'}\n"
    assert "widgets" not in nbformat.read(executed, as_version=4).metadata
    # With --json - the table goes to standard error.
    assert "total of 6 cells" in ended.stderr
    assert "named" in ended.stderr


def test_the_table_is_on_standard_output_and_the_records_in_a_file(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "x = 1", "sum(range(2_000_000))")
    ended = run(path, "--json", tmp_path / "records.json")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "total of 2 cells" in ended.stdout
    assert "sum(range(2_000_000))" in ended.stdout
    records = json.loads((tmp_path / "records.json").read_text())
    check_records(records)
    assert [record["notebook"] for record in records] == [str(path)] * 2


def test_what_a_kernel_writes_by_itself_does_not_reach_standard_output(tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "a.ipynb",
        "import os, subprocess, sys\nsys.__stdout__.write('stray'); sys.__stdout__.flush(); os.write(1, b'stray')\n"
        "subprocess.run([sys.executable, '-c', 'print(\"stray\")'])",
    )
    ended = run(path, "--json", "-")
    assert ended.returncode == 0
    assert len(json.loads(ended.stdout)) == 1
    assert "stray\n" not in ended.stderr


def test_a_failing_cell_ends_the_run(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "x = 1", "def f():\n    return 1 / 0\nf()", "print('not reached')")
    executed = tmp_path / "executed.ipynb"
    ended = run(path, "--json", tmp_path / "records.json", "-o", executed)
    assert ended.returncode == 1
    assert "ZeroDivisionError: division by zero" in ended.stderr
    assert "return 1 / 0" in ended.stderr
    assert "\x1b" not in ended.stderr
    assert ended.stderr.endswith(f"{path}: cell [2] failed\n")
    assert "total of 2 cells" in ended.stdout
    records = json.loads((tmp_path / "records.json").read_text())
    check_records(records)
    assert [record["status"] for record in records] == ["ok", "error"]
    counts = [cell.execution_count for cell in nbformat.read(executed, as_version=4).cells]
    assert counts == [1, 2, None]


def test_allowed_errors_do_not_end_the_run(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "1 / 0", "print('reached')")
    ended = run(path, "--json", "-", "--allow-errors")
    assert ended.returncode == 0
    assert [record["status"] for record in json.loads(ended.stdout)] == ["error", "ok"]
    assert "Traceback" not in ended.stderr


def test_a_dead_kernel_ends_the_run_and_its_last_cell_was_killed(kernel_name: str, tmp_path: Path) -> None:
    dying = "import os, time\nfor _ in range(30):\n    time.sleep(0.1)\nos._exit(9)"
    path = notebook(tmp_path / "a.ipynb", "x = 1", dying, "print('not reached')", kernel=kernel_name)
    ended = run(path, "--json", "-", "--allow-errors")
    assert ended.returncode == 1
    assert f"{path}: the kernel died in cell [2]" in ended.stderr
    assert "Traceback" not in ended.stderr
    records = json.loads(ended.stdout)
    check_records(records)
    assert [(record["execution_count"], record["status"]) for record in records] == [(1, "ok"), (2, "killed")]


def test_a_cell_that_takes_too_long_is_interrupted(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "x = 1", "import time\ntime.sleep(600)", "print('not reached')")
    ended = run(path, "--json", "-", "--timeout", "1.5")
    assert ended.returncode == 1
    assert f"{path}: cell [2] took longer than --timeout allows" in ended.stderr
    assert [record["status"] for record in json.loads(ended.stdout)] == ["ok", "interrupted"]


def test_a_kernel_that_cannot_be_interrupted_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(0.1)"
    path = notebook(tmp_path / "a.ipynb", "x = 1", deaf)
    ended = run(path, "--json", "-", "--timeout", "1.5")
    assert ended.returncode == 1
    assert [record["status"] for record in json.loads(ended.stdout)] == ["ok", "killed"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals that one process can send to another")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_from_outside(tmp_path: Path, number: int, code: int) -> None:
    path = notebook(
        tmp_path / "a.ipynb",
        "import os, pathlib, time\npathlib.Path('pid.part').write_text(str(os.getpid()))\n"
        "os.rename('pid.part', 'pid')\nwhile True: time.sleep(0.1)",
        "print('not reached')",
    )
    command = [*COMMAND, str(path), "--json", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not (tmp_path / "pid").exists():
                assert process.poll() is None
            process.send_signal(number)
            output, errors = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == code
    assert f"{path}: stopped" in errors
    assert "total of 1 cell" in errors
    assert [record["status"] for record in json.loads(output)] == ["interrupted"]
    assert not Path("/proc", (tmp_path / "pid").read_text()).exists()


def test_several_notebooks(tmp_path: Path) -> None:
    paths = [
        notebook(tmp_path / "a.ipynb", "x = 'of a'\nx"),
        notebook(tmp_path / "sub" / "b.ipynb", "'x' in dir()", "1 / 0"),
        notebook(tmp_path / "c.ipynb", "open('reached', 'w').close()"),
    ]
    ended = run(*paths, "-o", f"{tmp_path}/out/", "--json", tmp_path / "records.json")
    assert ended.returncode == 1
    records = json.loads((tmp_path / "records.json").read_text())
    assert [(record["notebook"], record["execution_count"]) for record in records] == [
        (str(paths[0]), 1),
        (str(paths[1]), 1),
        (str(paths[1]), 2),
    ]
    assert outputs(tmp_path / "out" / "a.ipynb") == ["'of a'"]
    assert outputs(tmp_path / "out" / "b.ipynb")[0] == "False"
    assert not (tmp_path / "out" / "c.ipynb").exists()
    assert not (tmp_path / "reached").exists()
    assert "All 2 notebooks:" in ended.stdout
    assert f"{paths[2]}: not run" in ended.stderr


class TestKernelsThatCannotRun:
    """Exit code 2 and one line, before anything has run."""

    @pytest.fixture
    def jupyter_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        own = tmp_path / "jupyter"
        monkeypatch.setenv("JUPYTER_PATH", os.pathsep.join([str(own), os.environ["JUPYTER_PATH"]]))
        return own

    @pytest.fixture
    def refused(self, tmp_path: Path) -> Any:
        def refused(*kernels: str) -> str:
            cell = "open('ran', 'w').close()"
            paths = [notebook(tmp_path / f"{i}.ipynb", cell, kernel=name) for i, name in enumerate(kernels)]
            ended = run(*paths, "--json", "-")
            assert (ended.returncode, ended.stdout) == (2, "")
            assert ended.stderr.count("\n") == 1
            assert not (tmp_path / "ran").exists()
            return ended.stderr

        return refused

    def lacking(self, jupyter_path: Path) -> None:
        code = (
            "import sys; sys.modules['carbon_magic'] = None; import ipykernel.kernelapp as k; k.launch_new_instance()"
        )
        write_kernel_spec(jupyter_path, "lacking", [sys.executable, "-c", code])

    def test_the_package_is_missing(self, jupyter_path: Path, refused: Any) -> None:
        self.lacking(jupyter_path)
        said = refused("lacking")
        assert f"the kernel 'lacking' runs {sys.executable}, which lacks carbon-magic" in said
        assert f"'{sys.executable} -m pip install carbon-magic'" in said

    def test_every_kernel_is_tried_before_the_first_cell_runs(self, jupyter_path: Path, refused: Any) -> None:
        self.lacking(jupyter_path)
        assert "lacks carbon-magic" in refused("cm-here", "lacking")

    def test_the_package_does_not_load(self, jupyter_path: Path, refused: Any, tmp_path: Path) -> None:
        (tmp_path / "carbon_magic.py").write_text("raise OSError('too\\nbad')")
        code = (
            f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
            "from ipykernel.kernelapp import launch_new_instance as n; n()"
        )
        write_kernel_spec(jupyter_path, "broken", [sys.executable, "-c", code])
        assert "cannot be loaded in the kernel 'broken'" in (said := refused("broken"))
        assert "OSError: too bad" in said

    def test_the_program_is_missing(self, jupyter_path: Path, refused: Any) -> None:
        write_kernel_spec(jupyter_path, "gone", ["/no/such/python"])
        assert "the kernel 'gone' cannot be started" in refused("gone")

    def test_the_kernel_ends_at_once(self, jupyter_path: Path, refused: Any) -> None:
        write_kernel_spec(jupyter_path, "brief", [sys.executable, "-c", "raise SystemExit('no licence')"])
        assert "the kernel 'brief' cannot be started: no licence" in refused("brief")


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are POSIX's")
def test_a_terminal_gets_a_progress_bar(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "import time\ntime.sleep(2.5)", "x = 1")
    shown, terminal = os.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([*COMMAND, str(path)], stdout=subprocess.PIPE, stderr=terminal, env=env) as process:
        os.close(terminal)
        parts = []
        while True:
            try:
                part = os.read(shown, 4096)
            except OSError:
                # Linux says EIO where the other end is closed; other systems read nothing.
                break
            if not part:
                break
            parts.append(part)
        assert process.stdout is not None
        table = process.stdout.read().decode()
    os.close(shown)
    text = b"".join(parts).decode(errors="replace")
    assert process.returncode == 0
    assert "0/2" in text
    assert "Wh" in text
    assert "cell 1: 0:0" in text
    assert "\x1b" not in table
    assert "total of 2 cells" in table


def test_cells_that_ended_before_the_kernel_died_keep_their_records(tmp_path: Path) -> None:
    """However soon: a record is written before the cell's reply is sent."""
    ended = run(
        notebook(tmp_path / "a.ipynb", "x = 1", "y = 2", "import os, signal; os.kill(os.getpid(), 9)"), "--json", "-"
    )
    assert ended.returncode == 1
    records = json.loads(ended.stdout)
    assert [(record["execution_count"], record["status"]) for record in records] == [
        (1, "ok"),
        (2, "ok"),
        (3, "killed"),
    ]
    check_records(records[:2])
    assert records[2]["duration_s"] < 1.0


def test_a_notebook_that_puts_a_pipe_in_the_sinks_place_holds_nobody_up(tmp_path: Path) -> None:
    hostile = "from carbon_magic.run import feed\nimport os\np = feed.order().sink\nos.unlink(p)\nos.mkfifo(p)"
    ended = run(notebook(tmp_path / "a.ipynb", hostile, "1 + 1"), "--json", "-")
    assert ended.returncode == 0
    assert json.loads(ended.stdout)[0]["execution_count"] == 1


def test_an_error_within_a_magic_above_it_is_still_an_error(tmp_path: Path) -> None:
    ended = run(notebook(tmp_path / "a.ipynb", "%%time\n%%carbon -n t\n1/0", "print('went on')"))
    assert ended.returncode == 1
    assert ended.stderr.count("ZeroDivisionError: division by zero") == 1


def test_an_output_without_a_name_is_refused_and_the_notebook_is_left_alone(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "1")
    before = path.read_bytes()
    ended = run(path, "-o", "")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert path.read_bytes() == before


def test_a_terminal_of_few_characters_gets_units_that_are_spelled(tmp_path: Path) -> None:
    ended = run(notebook(tmp_path / "a.ipynb", "1"), environ={"PYTHONIOENCODING": "ascii"})
    assert ended.returncode == 0
    assert "?" not in ended.stdout
    assert "Wh (" in ended.stdout
