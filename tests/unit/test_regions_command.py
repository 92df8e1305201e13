"""`carbon-magic regions`: lists, one region, JSON, sources, and errors in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from carbon_magic.cli import main

Capture = pytest.CaptureFixture[str]


def lines(capsys: Capture, *words: str) -> list[str]:
    assert main(["regions", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_all_are_listed_with_range_year_and_source(capsys: Capture) -> None:
    listed = lines(capsys)
    assert listed[0].split()[:2] == ["Id", "Name"]
    assert sum(line.startswith(("aws:", "gcp:", "azure:")) for line in listed) == 149
    france = next(line for line in listed if line.startswith("FR "))
    assert "41 (24–79)" in france
    assert "2025" in france
    assert "Ember" in france
    assert "491 regions" in listed[-1]
    assert max(len(line) for line in listed) <= 120


def test_a_query_that_is_no_region_lists_what_it_may_mean(capsys: Capture) -> None:
    listed = lines(capsys, "paris")
    assert [line.split()[0] for line in listed[1:4]] == ["aws:eu-west-3", "gcp:europe-west9", "azure:francecentral"]
    assert [line.split()[0] for line in lines(capsys, "georgia")[1:3]] == ["GE", "US-GA"]


def test_one_region_shows_the_published_direct_figure_apart(capsys: Capture) -> None:
    text = "\n".join(lines(capsys, "california")).replace("\u00a0", " ")
    assert text.startswith("California (US-CA)")
    assert "228 g CO2e/kWh" in text
    assert "life cycle" in text
    assert "207.51 g CO2e/kWh" in text
    assert "not comparable" in text
    assert "not comparable" not in "\n".join(lines(capsys, "france"))
    assert "Where      Ireland, Europe, European Union" in lines(capsys, "azure:northeurope")


def test_json_is_an_array_on_one_basis(capsys: Capture) -> None:
    assert main(["regions", "aws:us-east-1", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["region"], row["intensity_g_per_kwh"], row["basis"]) == ("aws:us-east-1", 303.9, "lifecycle")
    assert row["intensity_low"] < 303.9 < row["intensity_high"]
    assert (row["pue"], row["grid_region"], row["published_basis"]) == (1.15, "US-EGRID-SRVC", "direct")
    assert main(["regions", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 491


def test_sources_are_the_attribution_and_the_licences(capsys: Capture) -> None:
    text = " ".join(lines(capsys, "--sources"))
    assert "Ember, Yearly Electricity Data" in text
    assert "CC BY 4.0" in text
    assert "LICENSES" in text


def test_nothing_found_names_the_nearest(capsys: Capture) -> None:
    assert main(["regions", "Frnace"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "FR (France)" in said.err


@pytest.mark.parametrize("command", [["regions", "FR"], ["monitor", "--region", "FR", "--", "true"]])
def test_a_broken_file_of_own_data_is_said_in_one_line(tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "own.csv"
    path.write_text("id,intensity_g_per_kwh\nFR,x\n")
    ended = subprocess.run(
        [sys.executable, "-m", "carbon_magic", *command],
        env={**os.environ, "CARBON_MAGIC_DATA": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "line 2, column intensity_g_per_kwh" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
