"""The file that CARBON_MAGIC_DATA names: what it changes, and that a broken one never breaks a notebook."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from carbon_magic.grid import geography, regions, table
from carbon_magic.grid.intensity import intensity, place
from carbon_magic.grid.regions import DATA_VERSION, DataFileError, all_regions, by_id, region, require

Lay = Callable[[str | bytes], Path]


def forget() -> None:
    for cached in (
        table.table,
        table.by_id,
        regions._index,
        table.intensities_of_countries,
        geography._by_iso3,
        geography._points_of_states,
        intensity,
    ):
        cached.cache_clear()


@pytest.fixture
def lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lay]:
    """Lays a file with this content over the table, as a new process would."""

    def laid(content: str | bytes) -> Path:
        path = tmp_path / "own.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        monkeypatch.setenv("CARBON_MAGIC_DATA", str(path))
        forget()
        return path

    yield laid
    monkeypatch.undo()
    forget()


def test_a_row_replaces_what_it_gives_and_leaves_the_rest(lay: Lay) -> None:
    lay("id,lifecycle_g_per_kwh,intensity_low,intensity_high,year,source\nfr,24,20,30,2026,RTE\n")
    require()
    found = place("FR", "user")
    assert (found.intensity_g_per_kwh.low, found.intensity_g_per_kwh.best, found.intensity_g_per_kwh.high) == (
        20,
        24,
        30,
    )
    assert (found.name, found.intensity_source, found.intensity_year) == ("France", "RTE", 2026)
    assert len(all_regions()) == 491


def test_a_country_goes_by_its_iso3_code_too(lay: Lay) -> None:
    lay("id,intensity_g_per_kwh\nFRA,24\n")
    assert place("FR", "user").intensity_g_per_kwh.best == place("aws:eu-west-3", "user").intensity_g_per_kwh.best == 24
    assert len(all_regions()) == 491
    lay("id,intensity_g_per_kwh\nFRA,24\nFR,25\n")
    with pytest.raises(DataFileError, match="line 3, column id: FR is there twice"):
        require()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX's")
def test_what_is_no_plain_file_is_not_waited_for(lay: Lay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        monkeypatch.setenv("CARBON_MAGIC_DATA", str(path))
        forget()
        with pytest.raises(DataFileError, match=f"{path}: (not a plain file|Is a directory)"):
            require()


def test_a_figure_without_a_range_has_forty_percent(lay: Lay) -> None:
    lay("id,intensity_g_per_kwh\nUS,100\n")
    assert (intensity("US").low, intensity("US").high) == pytest.approx((60.0, 140.0))


def test_clouds_follow_their_grid_unless_the_file_names_them(lay: Lay) -> None:
    lay("id,intensity_g_per_kwh,intensity_low,intensity_high\nSE,10,8,12\naws:eu-north-1,50,,\n")
    assert intensity("azure:swedencentral") == intensity("SE")
    assert place("azure:swedencentral", "user").intensity_source == "own data"
    assert intensity("aws:eu-north-1").best == 50.0
    assert by_id("gcp:europe-north2").lifecycle_g_per_kwh == 10.0


def test_a_new_row_is_a_region(lay: Lay) -> None:
    lay("id,name,intensity_g_per_kwh,pue\nlab,Our laboratory,100,1.3\n")
    found = place("our laboratory", "config")
    assert (found.region, found.name, found.pue, found.intensity_g_per_kwh.best) == ("lab", "Our laboratory", 1.3, 100)
    assert region("LAB").id == "lab"
    assert geography.continent("lab") is None


def test_a_pue_alone_leaves_the_intensity(lay: Lay) -> None:
    before = by_id("aws:us-east-1").lifecycle_g_per_kwh
    lay("id,pue\naws:us-east-1,1.42\nFR,1.1\n")
    assert place("aws:us-east-1", "user").pue == 1.42
    assert place("FR", "user").pue == 1.1
    assert by_id("aws:us-east-1").lifecycle_g_per_kwh == before


def test_records_tell_that_figures_were_laid_over_and_which(lay: Lay) -> None:
    lay("id,intensity_g_per_kwh\nFR,24\n")
    first = place("DE", "user").data_version
    assert first.startswith(f"{DATA_VERSION}+own.")
    lay("id,intensity_g_per_kwh\nFR,25\n")
    assert place("DE", "user").data_version not in (first, DATA_VERSION)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id,nmae\nFR,x\n", ["line 1", "nmae", "name"]),
        ("name\nFrance\n", ["line 1", "id"]),
        ("id,id\nFR,FR\n", ["line 1", "twice"]),
        ("id,intensity_g_per_kwh\nFR,lots\n", ["line 2", "intensity_g_per_kwh", "lots"]),
        ("id,intensity_g_per_kwh\nFR,24\nDE,nan\n", ["line 3", "intensity_g_per_kwh"]),
        ("id,intensity_g_per_kwh\nFR,-5\n", ["line 2", "intensity_g_per_kwh"]),
        ("id,intensity_g_per_kwh\nFR,0\n", ["line 2", "intensity_g_per_kwh"]),
        ("id,intensity_g_per_kwh\nFR,1e9\n", ["line 2", "intensity_g_per_kwh"]),
        ("id,intensity_g_per_kwh,intensity_low\nFR,24,30\n", ["line 2", "intensity_low"]),
        ("id,intensity_g_per_kwh,intensity_high\nFR,24,20\n", ["line 2", "intensity_high"]),
        ("id,intensity_g_per_kwh,lifecycle_g_per_kwh\nFR,24,25\n", ["line 2", "lifecycle_g_per_kwh"]),
        ("id,intensity_low\nFR,20\n", ["line 2", "intensity_low"]),
        ("id,name\nlab,Our lab\n", ["line 2", "intensity_g_per_kwh"]),
        ("id,intensity_g_per_kwh,pue\nFR,24,0.9\n", ["line 2", "pue"]),
        ("id,intensity_g_per_kwh,year\nFR,24,26\n", ["line 2", "year"]),
        ("id,intensity_g_per_kwh\nFR,24,1\n", ["line 2", "cells"]),
        ("id,intensity_g_per_kwh\nFR,24\nfr,25\n", ["line 3", "twice"]),
        ("id,pue\nFR,1.2\nFR,1.3\n", ["line 3", "twice"]),
        ("id,intensity_g_per_kwh\na b,24\n", ["line 2", "id"]),
        ("id,intensity_g_per_kwh\nOwn,24\n", ["line 2", "id"]),
        ("id,name,intensity_g_per_kwh\nx,\x1b[2J,24\n", ["line 2", "name"]),
        (f"id,name,intensity_g_per_kwh\nx,{'n' * 201},24\n", ["line 2", "name"]),
        ('id,intensity_g_per_kwh\n"FR,24\n', ["line"]),
        ("id,intensity_g_per_kwh\n", ["no rows"]),
        ("", ["line 1", "id"]),
        (b"id\n\xff\n", ["UTF-8"]),
        ("id,intensity_g_per_kwh\n" + "\n" * 1_000_001, ["bytes"]),
        ("id,intensity_g_per_kwh\n" + "".join(f"r{n},1\n" for n in range(5_001)), ["rows"]),
    ],
)
def test_a_broken_file_says_where_and_the_shipped_table_is_used(
    lay: Lay, content: str | bytes, words: list[str]
) -> None:
    lay(content)
    with pytest.raises(DataFileError) as caught:
        require()
    assert str(caught.value).startswith("CARBON_MAGIC_DATA: ")
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert str(caught.value) in regions.problems()[0]
    assert place("FR", "user").intensity_g_per_kwh.best == 41.45
    assert place("FR", "user").data_version == DATA_VERSION


def test_a_file_that_is_not_there_says_so(lay: Lay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay("id,pue\nFR,1.2\n").unlink()
    with pytest.raises(DataFileError, match="No such file"):
        require()
    monkeypatch.setenv("CARBON_MAGIC_DATA", str(tmp_path))
    forget()
    assert "irectory" in regions.problems()[0]


def test_without_one_there_is_no_problem() -> None:
    require()
    assert regions.problems() == []
    assert regions.data_version() == DATA_VERSION
