"""The benchmarks run and print whole tables. What they find is not judged here: that depends on the machine."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the made-up counter and GPU are Linux programs")

OVERHEAD = [
    "memory added after 2.4 h, a tick every second, 200 cells",
    "added per cell, RAPL: delay",
    "added per cell, RAPL: CPU of all threads",
    "added per cell, RAPL and GPU: delay",
    "added per cell, RAPL and GPU: CPU of all threads",
]
ACCURACY = [
    "machine energy of a cell of 5 ms (10 cells), off by",
    "machine energy of a cell of 20 ms (15 cells), off by",
    "machine energy of a cell of 100 ms (10 cells), off by",
    "machine energy of a cell of 1 s (1 cell), off by",
]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks' modules can be imported."""
    monkeypatch.syspath_prepend(str(HERE))


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HERE / script), *arguments], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize(
    ("script", "only", "expected"),
    [("overhead.py", "day,cell", OVERHEAD), ("accuracy.py", "cells", ACCURACY)],
    ids=["overhead", "accuracy"],
)
def test_a_quick_run_prints_the_whole_table(script: str, only: str, expected: list[str], tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    done = run(script, "--quick", "--only", only, "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    assert [row["what"] for row in found["rows"]] == expected
    assert found["failures"] == []
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert lines[0].split(" | ")[1:4] == ["budget", "carbon-magic", "CodeCarbon 3.3.2"]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]] == expected
    for row in found["rows"]:
        assert row["ours"]["values"]
        assert all(math.isfinite(value) for value in row["ours"]["values"])
        if importlib.util.find_spec("codecarbon") is None:
            assert row["theirs"] in ("not installed", "not tried")


def test_a_group_that_does_not_exist_is_refused_with_those_that_do() -> None:
    done = run("accuracy.py", "--only", "cell")
    assert done.returncode == 2
    assert "there is no 'cell', only cells, long, share" in done.stderr


@pytest.mark.usefixtures("bench")
def test_a_budget_is_held_against_the_median_or_the_worst() -> None:
    from common import Figure, Row

    values = (1.0, 2.0, 9.0)
    assert not Row("", "", 5.0, "ms", Figure(values), "").over
    assert Row("", "", 5.0, "%", Figure(values, judged="worst"), "").over
    assert not Row("", "", None, "%", Figure(values, judged="worst"), "").over
    assert Row("w", "≤ 1 ms", 1.0, "ms", Figure(values), Figure((30.0,))).cells() == [
        "w",
        "≤ 1 ms",
        "2 ms (1 to 9) **over**",
        "30 ms",
        "15 ×",
    ]


@pytest.mark.usefixtures("bench")
def test_a_difference_of_medians_has_its_confidence() -> None:
    from common import difference

    exact = difference([5.0] * 9, [3.0] * 7)
    assert (exact.median, exact.interval) == (2.0, (2.0, 2.0))
    vague = difference([4.0, 5.0, 6.0], [3.0])
    assert (vague.median, vague.interval) == (2.0, (1.0, 3.0))
    assert vague.text("%") == "2 % (95 %: 1 to 3)"


@pytest.mark.usefixtures("bench")
def test_time_is_lost_where_a_piece_of_work_takes_longer_than_its_neighbours() -> None:
    from work_overhead import _losses

    # Three seconds of pieces of 10 ms, which become 12 ms in the second one; one piece there takes 50 ms more.
    pieces_s = [0.010] * 100 + [0.012] * 40 + [0.062] + [0.012] * 38 + [0.010] * 110
    stamps = [sum(pieces_s[:count]) for count in range(len(pieces_s) + 1)]
    assert _losses(stamps)[:2] == pytest.approx([0.0, 5.0], abs=1e-6)


@pytest.mark.usefixtures("bench")
def test_the_true_energy_is_the_integral_of_the_power() -> None:
    from made_up import CONSTANT_W, WAVES, gpu_joules, joules

    step_s = 1e-5
    times = [2.0 + (number + 0.5) * step_s for number in range(100_000)]
    power_w = [CONSTANT_W + sum(w * math.sin(2 * math.pi * hertz * at_s) for w, hertz in WAVES) for at_s in times]
    assert joules(2.0, 3.0) == pytest.approx(math.fsum(power_w) * step_s, rel=1e-6)
    assert gpu_joules([(0.0, 100.0), (2.0, 50.0)], 1.0, 4.0) == 100.0 + 2 * 50.0


def test_what_could_not_be_measured_is_told_and_fails(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['bench', '--json', sys.argv[1]]\n"
        "from common import Work, main\n"
        "def broken(report, quick): Work('work_overhead.py', 'cell', side='ours', blocks=1).result()\n"
        "sys.exit(main('title', 'text', {'broken': broken}))"
    )
    file = tmp_path / "found.json"
    command = [sys.executable, "-c", code, str(file)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "not measured: broken: cell ours: TypeError: " in done.stdout
    assert json.loads(file.read_text(encoding="utf-8"))["failures"] != []
