"""The parts of `carbon-magic run` that need no kernel: the sink, what is written, and how it is shown."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from carbon_magic.ledger.check import checked_record
from carbon_magic.ledger.record import CellRecord
from carbon_magic.run import sink as sink_module
from carbon_magic.run.notebooks import Notebook, read_notebook
from carbon_magic.run.output import records_json, write_atomically
from carbon_magic.run.progress import figures, progress
from carbon_magic.run.report import explain, notes, show, traceback_text
from carbon_magic.run.runner import CellRun, Outcome
from carbon_magic.run.sink import Sink

RECORD: dict[str, Any] = {
    "record_id": "r1",
    "session_id": "s",
    "project": None,
    "notebook": None,
    "cell_id": None,
    "execution_count": 1,
    "label": None,
    "status": "ok",
    "final": True,
    "concurrent": False,
    "started_at": "2026-11-23T10:00:00.000+00:00",
    "duration_s": 2.0,
    "energy_j": 36.0,
    "energy_j_low": 18.0,
    "energy_j_high": 72.0,
    "marginal_energy_j": 30.0,
    "idle_energy_j": 6.0,
    "machine_energy_j": 60.0,
    "machine_energy_j_low": 40.0,
    "machine_energy_j_high": 90.0,
    "cpu_energy_j": 30.0,
    "gpu_energy_j": None,
    "dram_energy_j": 6.0,
    "other_energy_j": None,
    "share": 0.5,
    "scope": "machine",
    "boundary": "components",
    "emissions_g": 0.004,
    "emissions_g_low": 0.001,
    "emissions_g_high": 0.02,
    "region": "FR",
    "region_source": "user",
    "intensity_g_per_kwh": 41.0,
    "intensity_low": 25.0,
    "intensity_high": 60.0,
    "intensity_source": "Ember",
    "intensity_year": 2025,
    "pue": 1.0,
    "data_version": "2026-11-23",
    "cpu_seconds": 2.0,
    "gpu_utilization": None,
    "cpu_provenance": "modelled",
    "gpu_provenance": None,
    "dram_provenance": "measured",
    "sensors": ["cpu model", "rapl"],
    "version": "0.1.0",
    "below_resolution": False,
}


def record(**changes: Any) -> CellRecord:
    return CellRecord.from_dict({**RECORD, **changes})


def line(**content: Any) -> bytes:
    return json.dumps(content).encode() + b"\n"


def outcome(*cells: CellRun, given: str = "a.ipynb", **changes: Any) -> Outcome:
    run = Outcome(Notebook(given, Path(given), None, None), list(cells), **changes)
    run.records = run.records or [cell.record for cell in cells if cell.record is not None]
    return run


def cell_run(source: str, found: CellRecord | None, **changes: Any) -> CellRun:
    count = found.execution_count if found is not None else None
    fields = {"began_s": 0.0, "ended": True, "execution_count": count, "record": found, **changes}
    return CellRun(index=0, source=source, cell_id="id", **fields)


class TestSink:
    def test_records_are_kept_in_order_and_lines_may_arrive_in_pieces(self, tmp_path: Path) -> None:
        path = tmp_path / "sink"
        whole = line(record=RECORD) + line(record={**RECORD, "record_id": "r2"})
        path.write_bytes(whole[:-50])
        sink = Sink(path)
        sink.read()
        assert [each.record_id for each in sink.records] == ["r1"]
        path.write_bytes(whole)
        sink.read()
        assert [each.record_id for each in sink.records] == ["r1", "r2"]
        assert sink.left_out == 0

    def test_a_torn_last_line_is_no_record(self, tmp_path: Path) -> None:
        path = tmp_path / "sink"
        path.write_bytes(line(record=RECORD) + line(record={**RECORD, "record_id": "r2"})[:-9])
        sink = Sink(path)
        sink.read()
        assert [each.record_id for each in sink.records] == ["r1"]

    def test_a_record_is_taken_once(self, tmp_path: Path) -> None:
        path = tmp_path / "sink"
        path.write_bytes(line(record=RECORD) * 2)
        sink = Sink(path)
        sink.read()
        assert (len(sink.records), sink.left_out) == (1, 1)

    def test_a_removed_file_costs_nothing_that_was_read(self, tmp_path: Path) -> None:
        path = tmp_path / "sink"
        path.write_bytes(line(record=RECORD))
        sink = Sink(path)
        sink.read()
        path.unlink()
        sink.read()
        assert len(sink.records) == 1

    @pytest.mark.parametrize(
        "bad",
        [b"\n", b"nonsense\n", b"\xff\xfe\n", b"[1]\n", b'{"record": 3}\n', b"[" * 5000 + b"\n", b'{"now": {}}\n'],
    )
    def test_a_line_that_is_no_record_is_left_out(self, tmp_path: Path, bad: bytes) -> None:
        path = tmp_path / "sink"
        path.write_bytes(bad + line(record=RECORD))
        sink = Sink(path)
        sink.read()
        assert [each.record_id for each in sink.records] == ["r1"]
        assert sink.left_out == (0 if bad == b"\n" else 1)

    def test_an_endless_line_is_not_held_in_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sink_module, "MAX_LINE_BYTES", 4096)
        path = tmp_path / "sink"
        path.write_bytes(b"x" * 100_000 + b"\n" + line(record=RECORD))
        sink = Sink(path)
        sink.read()
        assert ([each.record_id for each in sink.records], sink.left_out) == (["r1"], 1)

    def test_the_number_of_records_is_bounded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sink_module, "MAX_RECORDS", 2)
        path = tmp_path / "sink"
        path.write_bytes(b"".join(line(record={**RECORD, "record_id": f"r{i}"}) for i in range(3)))
        sink = Sink(path)
        sink.read()
        assert (len(sink.records), sink.left_out) == (2, 1)

    def test_the_running_cell_of_a_dead_kernel_becomes_killed(self, tmp_path: Path) -> None:
        running = {**RECORD, "record_id": "r2", "status": "running", "final": False}
        now = {"energy_j": 40.0, "cells": 1, "running": {"execution_count": 2, "duration_s": 3.0, "record": running}}
        path = tmp_path / "sink"
        path.write_bytes(line(record=RECORD) + line(now=now))
        sink = Sink(path)
        sink.read()
        killed = sink.killed_record()
        assert killed is not None
        assert (killed.record_id, killed.status, killed.final) == ("r2", "killed", True)

    def test_a_cell_that_ended_before_its_kernel_died_was_not_killed(self, tmp_path: Path) -> None:
        running = {**RECORD, "status": "running", "final": False}
        path = tmp_path / "sink"
        path.write_bytes(line(now={"energy_j": 1, "cells": 0, "running": {"record": running}}) + line(record=RECORD))
        sink = Sink(path)
        sink.read()
        assert sink.killed_record() is None


@pytest.mark.parametrize(
    "change",
    [
        {"energy_j": -1.0},
        {"energy_j": float("nan")},
        {"energy_j": float("inf")},
        {"energy_j": 1e300},
        {"energy_j": "36"},
        {"energy_j": True},
        {"energy_j": 80.0},
        {"machine_energy_j_low": 61.0},
        {"emissions_g_high": 0.001},
        {"duration_s": None},
        {"status": "fine"},
        {"status": []},
        {"final": 1},
        {"execution_count": 1.5},
        {"execution_count": -1},
        {"label": "x" * 10_001},
        {"label": 3},
        {"cpu_provenance": "guessed"},
        {"sensors": [1]},
        {"sensors": 7},
        {"boundary": "wall"},
        {"session_id": None},
    ],
)
def test_a_record_with_a_wrong_field_is_no_record(change: dict[str, Any]) -> None:
    assert checked_record(RECORD) == record()
    assert checked_record({**RECORD, **change}) is None


def test_a_record_without_a_field_is_no_record_and_unknown_fields_are_ignored() -> None:
    assert checked_record({key: value for key, value in RECORD.items() if key != "energy_j"}) is None
    assert checked_record({**RECORD, "of_the_future": 1}) == record()


def test_records_are_written_with_every_field_and_unknown_as_null() -> None:
    (written,) = json.loads(records_json([record()]))
    assert written == RECORD
    assert json.loads(records_json([])) == []


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")
    path.chmod(0o640)
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["x.json"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_device_is_written_to_and_not_replaced() -> None:
    write_atomically(Path("/dev/null"), "text")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_cells_that_do_not_run(tmp_path: Path) -> None:
    code = {"cell_type": "code", "metadata": {}, "outputs": [{"output_type": "stream"}], "execution_count": 7}
    cells = [
        {**code, "source": "1"},
        {**code, "source": " \n"},
        {**code, "source": ["2\n", "3"], "metadata": {"tags": ["skip-execution"]}},
        {"cell_type": "markdown", "metadata": {}, "source": "text"},
        {**code, "source": ["4\n", "5"]},
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    notebook = read_notebook(str(path))
    assert [cell.source for cell in notebook.code_cells] == ["1", "4\n5"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in notebook.code_cells)


class TestReport:
    def shown(self, *outcomes: Outcome) -> str:
        stream = io.StringIO()
        show(list(outcomes), stream)
        return stream.getvalue()

    def test_a_cell_and_the_total(self) -> None:
        second = record(record_id="r2", execution_count=2, label="training", energy_j=72.0, energy_j_high=144.0)
        text = self.shown(outcome(cell_run("x = 1\ny", record()), cell_run("%%carbon\nfit()", second)))
        rows = [row.split() for row in text.replace("\u00a0", "_").splitlines()]
        assert ["[1]", "x", "=", "1", "10_mWh", "(5.0–20)", "4.0_mg", "(1.0–20)", "2_s", "ok"] in rows
        assert ["[2]", "training", "20_mWh", "(5.0–40)", "4.0_mg", "(1.0–20)", "2_s", "ok"] in rows
        assert ["total", "of", "2", "cells", "30_mWh", "(10–60)", "8.0_mg", "(2.0–40)", "4_s"] in rows

    def test_emissions_are_a_range_alone_where_the_region_is_unknown(self) -> None:
        text = self.shown(outcome(cell_run("x", record(region="WORLD", region_source="unknown"))))
        assert "4.0" not in text
        assert "1.0–20\u00a0mg" in text
        assert "Region unknown" in text

    def test_unknown_energy_is_a_word_and_said_to_be_missing_from_the_total(self) -> None:
        nothing = {name: None for name in RECORD if name.startswith(("energy_j", "emissions_g"))}
        unknown = record(record_id="r2", execution_count=2, **nothing)
        text = self.shown(outcome(cell_run("x", record()), cell_run("y", unknown)))
        assert text.count("unknown") == 2 + 1
        assert "Energy unknown for 1 of 2 cells" in text

    def test_cells_that_overlap_are_not_summed(self) -> None:
        text = self.shown(outcome(cell_run("x", record()), cell_run("y", record(record_id="r2", concurrent=True))))
        total = next(row for row in text.splitlines() if "total of" in row)
        assert "10\u00a0mWh" in total
        assert "1 cells ran at the same time" in text

    def test_a_figure_below_resolution_has_its_sign(self) -> None:
        assert "≈\u00a010\u00a0mWh (5.0–20)   ≈\u00a04\u00a0mg (1.0–20)" in self.shown(
            outcome(cell_run("x", record(below_resolution=True)))
        )

    def test_source_and_label_are_shown_as_they_are_without_control_characters(self) -> None:
        hostile = record(record_id="r2", execution_count=2, label="[bold]\x1b]0;t\x07 \u202eno")
        text = self.shown(outcome(cell_run("x = '[red]:smile:'\x1b[2J", record()), cell_run("y", hostile)))
        assert "x = '[red]:smile:' " in text
        assert "[bold] no" in text
        assert "\x1b" not in text
        assert "\u202e" not in text

    def test_a_long_source_leaves_the_figures_their_room(self) -> None:
        text = self.shown(outcome(cell_run("x" * 500, record(execution_count=12_345))))
        row = next(row for row in text.splitlines() if "xxx" in row)
        assert "[12345]" in row
        assert row.rstrip().endswith("ok")
        assert "…" in row

    def test_a_cell_without_a_record_has_no_figures(self) -> None:
        text = self.shown(outcome(cell_run("boom()", None), end="killed"))
        row = next(row for row in text.splitlines() if "boom" in row)
        assert row.split() == ["#1", "boom()", "–", "–", "–", "killed"]

    def test_what_was_not_measured_is_named(self) -> None:
        assert "Not measured: CPU modelled." in notes([record()])
        assert not any("Not measured" in note for note in notes([record(cpu_provenance="measured")]))

    def test_the_region_is_named_with_its_intensity(self) -> None:
        assert "Region FR: 41\u00a0g\u00a0CO2e/kWh (25–60), Ember 2025, set by you." in notes([record(), record()])

    def test_several_notebooks_have_a_sum(self) -> None:
        other = outcome(cell_run("y", record(record_id="r2")), given="b.ipynb")
        assert "All 2 notebooks: 20\u00a0mWh (10–40)" in self.shown(outcome(cell_run("x", record())), other)


def test_a_traceback_loses_its_colours_and_control_sequences() -> None:
    text = "\x1b[0;31mError\x1b[0m: \x1b]0;title\x07bad\x1b[2J\r\x08\nend"
    assert traceback_text(text, colours=False) == "Error: bad\nend"
    assert traceback_text(text, colours=True) == "\x1b[0;31mError\x1b[0m: bad\nend\x1b[0m"


def test_why_a_run_ended() -> None:
    ran = cell_run("x", record(execution_count=4))
    assert explain(outcome(ran), colours=False) == ""
    assert explain(outcome(ran, end="error", traceback="T"), colours=False) == "T\na.ipynb: cell [4] failed\n"
    assert "the kernel died in cell [4]" in explain(outcome(ran, end="killed"), colours=False)
    assert "cell [4] took longer than --timeout" in explain(outcome(ran, end="timeout"), colours=False)


def test_progress_figures(tmp_path: Path) -> None:
    path = tmp_path / "sink"
    sink = Sink(path)
    running = cell_run("y", None, ended=False, began_s=100.0)
    assert figures([outcome(running)], sink, 112.0) == "– · cell 1: 0:12"
    path.write_bytes(line(now={"energy_j": 3600.0, "cells": 1, "running": None}))
    sink.read()
    before = outcome(cell_run("x", record(energy_j=7200.0, energy_j_high=9000.0)))
    assert figures([before, outcome(running)], sink, 112.0) == "3.0\u00a0Wh · cell 1: 0:12"


def test_there_is_no_bar_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with progress([], [], stream) as watch:
        assert watch is None
    assert stream.getvalue() == ""
