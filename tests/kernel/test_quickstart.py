"""The quickstart notebook: stored clean, and run from top to bottom as a person would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import nbformat
import pytest

from carbon_magic.ledger.record import CellRecord

ROOT = Path(__file__).resolve().parent.parent.parent
QUICKSTART = ROOT / "binder" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Any]:
    """The records of a run, and the executed notebook."""
    executed = tmp_path_factory.mktemp("quickstart") / "executed.ipynb"
    command = [sys.executable, "-m", "carbon_magic", "run", "binder/quickstart.ipynb", "--json", "-", "-o", executed]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout), nbformat.read(executed, as_version=4)


def test_it_is_stored_clean() -> None:
    node = nbformat.read(QUICKSTART, as_version=nbformat.NO_CONVERT)
    nbformat.validate(node)
    assert (node.nbformat, node.nbformat_minor) == (4, 5)
    assert node.metadata.kernelspec.name == "python3"
    assert set(node.metadata) == {"kernelspec", "language_info"}
    for cell in node.cells:
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)
    assert next(cell.source for cell in node.cells if cell.cell_type == "code") == "%load_ext carbon_magic"


def test_every_code_cell_has_its_record(ran: tuple[list[dict[str, Any]], Any]) -> None:
    records, executed = ran
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert [record["cell_id"] for record in records] == [cell.id for cell in code]
    assert [record["execution_count"] for record in records] == list(range(1, len(code) + 1))
    assert {record["status"] for record in records} == {"ok"}
    assert {record["notebook"] for record in records} == {"binder/quickstart.ipynb"}
    labels = [record["label"] for record in records if record["label"]]
    assert labels == ["one model", "search", "another model, in France"]


def test_the_figures_are_all_there_and_in_order(ran: tuple[list[dict[str, Any]], Any]) -> None:
    for record in ran[0]:
        assert list(record) == [field.name for field in fields(CellRecord)]
        assert record["final"] is True
        assert record["boundary"] == "components"
        assert 0 < record["energy_j_low"] <= record["energy_j"] <= record["energy_j_high"]
        assert 0 <= record["marginal_energy_j"] <= record["energy_j"] <= record["machine_energy_j"]
        assert 0 <= record["machine_energy_j_low"] <= record["machine_energy_j"] <= record["machine_energy_j_high"]
        assert 0 < record["emissions_g_low"] <= record["emissions_g"] <= record["emissions_g_high"]
    by_label = {record["label"]: record for record in ran[0]}
    assert by_label["search"]["energy_j"] > by_label["one model"]["energy_j"]


def test_provenance_is_true_to_the_machine(ran: tuple[list[dict[str, Any]], Any]) -> None:
    counters = Path("/sys/class/powercap").glob("intel-rapl:*/energy_uj")
    expected = "measured" if any(os.access(counter, os.R_OK) for counter in counters) else "modelled"
    assert {record["cpu_provenance"] for record in ran[0]} == {expected}


def test_the_region_is_unknown_until_it_is_named(ran: tuple[list[dict[str, Any]], Any]) -> None:
    by_id = {record["cell_id"]: record for record in ran[0]}
    assert (by_id["grid-search"]["region"], by_id["grid-search"]["region_source"]) == ("WORLD", "unknown")
    assert (by_id["after-region"]["region"], by_id["after-region"]["region_source"]) == ("FR", "user")


def test_what_a_reader_sees(ran: tuple[list[dict[str, Any]], Any]) -> None:
    shown = {
        cell.id: "\n".join(output.get("text", "") or str(output.get("data")) for output in cell.outputs)
        for cell in ran[1].cells
        if cell.cell_type == "code"
    }
    assert shown["load"] == ""
    assert "image/png" in shown["plot-digits"]
    assert "image/png" in shown["plot-search"]
    assert "text/html" in shown["first-model"]
    assert "one model" in shown["first-model"]
    assert "Session" in shown["summary"]
    assert "search" in shown["cells"]
    assert "France" in shown["region"]
    assert "France" in shown["after-region"]
    assert "Sensors" in shown["doctor-cell"]
