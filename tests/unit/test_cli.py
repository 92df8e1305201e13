"""The command line without a kernel: what it says of wrong arguments, and that it answers without loading anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from carbon_magic import __version__
from carbon_magic.cli import main

NOTEBOOK = {
    "cells": [{"cell_type": "code", "metadata": {}, "source": ["1"], "outputs": [], "execution_count": None}],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 4,
}


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command line says on standard error; it must end with 2 and one line, and nothing on standard output."""
    try:
        code: object = main(arguments)
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.endswith("\n")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(NOTEBOOK), encoding="utf-8")
    return path


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"carbon-magic {__version__}\n"


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["run", "--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0
    for option in ("-o", "--json", "--region", "--kernel", "--timeout", "--allow-errors"):
        assert option in shown
    assert "carbon-magic run analysis.ipynb" in shown


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "run" in captured.err


def test_version_and_help_load_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from carbon_magic.cli import main\n"
        "for arguments in (['--version'], ['run', '--help']):\n"
        "    try: main(arguments)\n"
        "    except SystemExit: pass\n"
        "heavy = {'nbclient', 'nbformat', 'jupyter_client', 'rich', 'IPython', 'asyncio', 'psutil', 'pynvml'}\n"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_python_dash_m(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "carbon_magic", "--version"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, f"carbon-magic {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (["rnu", "a.ipynb"], "'run'"),
        (["--verison"], "'--version'"),
        (["run", "a.ipynb", "--jsn", "x"], "'--json'"),
        (["run", "a.ipynb", "--regoin=FR"], "'--region'"),
        (["run", "a.ipynb", "--allow-error"], "'--allow-errors'"),
    ],
)
def test_a_mistyped_word_names_the_nearest(
    capsys: pytest.CaptureFixture[str], arguments: list[str], nearest: str
) -> None:
    assert f"did you mean {nearest}?" in refusal(capsys, *arguments)


def test_run_needs_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    assert "NOTEBOOK" in refusal(capsys, "run")


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "inf", "nan"])
def test_a_timeout_is_a_number_of_seconds(capsys: pytest.CaptureFixture[str], seconds: str) -> None:
    assert f"'{seconds}' is no number of seconds" in refusal(capsys, "run", "a.ipynb", f"--timeout={seconds}")


def test_a_missing_file(capsys: pytest.CaptureFixture[str], notebook: Path) -> None:
    missing = str(notebook.with_name("none.ipynb"))
    assert f"{missing}: there is no such file" in refusal(capsys, "run", str(notebook), missing)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("print('hello')\n", "it is not JSON"),
        ("", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[1, 2]", "without a notebook's cells"),
        ('{"a": 1}', "without a notebook's cells"),
        (json.dumps({**NOTEBOOK, "nbformat": 3}), "old format 3"),
        (json.dumps({**NOTEBOOK, "nbformat": 5}), "newer than this version knows"),
        (json.dumps({**NOTEBOOK, "cells": "none"}), "its cells are not as the format has them"),
        (json.dumps({**NOTEBOOK, "cells": [{"cell_type": "code"}]}), "its cells are not as the format has them"),
        (json.dumps({**NOTEBOOK, "cells": [{"cell_type": "code", "source": [1]}]}), "its cells are not as the format"),
    ],
)
def test_what_is_no_notebook(capsys: pytest.CaptureFixture[str], notebook: Path, content: str, said: str) -> None:
    notebook.write_text(content, encoding="utf-8")
    assert said in refusal(capsys, "run", str(notebook))


def test_a_folder_is_no_notebook(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "is a folder" in refusal(capsys, "run", str(tmp_path))


def test_a_name_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b" not in refusal(capsys, "run", "a\x1b[2J\nb.ipynb")


def test_an_unknown_region_names_the_nearest(capsys: pytest.CaptureFixture[str], notebook: Path) -> None:
    assert "US-CA" in refusal(capsys, "run", str(notebook), "--kernel", "cm-here", "--region", "US-CAL")


def test_an_unknown_kernel_names_those_there_are(capsys: pytest.CaptureFixture[str], notebook: Path) -> None:
    said = refusal(capsys, "run", str(notebook), "--kernel", "cm-her")
    assert "--kernel: there is no kernel 'cm-her'. There are: cm-here" in said


def test_an_unknown_kernel_of_a_notebook_names_the_notebook(capsys: pytest.CaptureFixture[str], notebook: Path) -> None:
    spec = {"name": "lost", "display_name": "Lost"}
    notebook.write_text(json.dumps({**NOTEBOOK, "metadata": {"kernelspec": spec}}), encoding="utf-8")
    assert f"{notebook}: there is no kernel 'lost'" in refusal(capsys, "run", str(notebook))


def test_a_kernel_of_another_language(
    capsys: pytest.CaptureFixture[str], notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "jupyter" / "kernels" / "ir"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text('{"argv": ["R"], "display_name": "R", "language": "R"}', encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    assert "needs a Python kernel" in refusal(capsys, "run", str(notebook), "--kernel", "ir")


def test_a_broken_kernel_spec(
    capsys: pytest.CaptureFixture[str], notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "jupyter" / "kernels" / "broken"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text("{", encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    assert "'broken' cannot be read" in refusal(capsys, "run", str(notebook), "--kernel", "broken")


def test_outputs_that_cannot_be_written(capsys: pytest.CaptureFixture[str], notebook: Path, tmp_path: Path) -> None:
    base = ["run", str(notebook), "--kernel", "cm-here"]
    lost = str(tmp_path / "lost" / "x")
    assert "--json" in refusal(capsys, *base, "--json", lost)
    assert "-o" in refusal(capsys, *base, "-o", lost)
    assert "is a folder" in refusal(capsys, *base, "--json", str(tmp_path))
    assert "is one of the notebooks" in refusal(capsys, *base, "--json", str(notebook))
    both = str(tmp_path / "both")
    assert "is where -o writes" in refusal(capsys, *base, "--json", both, "-o", both)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ipynb"]


def test_several_notebooks_need_a_folder(capsys: pytest.CaptureFixture[str], notebook: Path, tmp_path: Path) -> None:
    other = tmp_path / "sub" / "a.ipynb"
    other.parent.mkdir()
    other.write_text(json.dumps(NOTEBOOK), encoding="utf-8")
    base = ["run", str(notebook), str(other), "--kernel", "cm-here", "-o"]
    assert "one file for 2 notebooks" in refusal(capsys, *base, str(tmp_path / "out.ipynb"))
    assert "would both be written" in refusal(capsys, *base, f"{tmp_path}/out/")
