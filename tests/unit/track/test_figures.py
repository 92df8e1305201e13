"""`track` on a made-up machine: exact joules, while it runs and after."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from machines.build import set_counter
from unit.track.work import FIGURES, START_UJ, forget, machine_j, rows, spend

from carbon_magic import track
from carbon_magic.grid.regions import UnknownRegion


def test_a_block_has_the_joules_that_the_counter_moved(root: Path) -> None:
    with track("work", region="FR") as t:
        spend(root, 15.0)
    assert machine_j(t) == pytest.approx(15.0)
    record = t.record
    assert record is not None
    assert record.final
    assert (record.label, record.status, record.region, record.region_source) == ("work", "ok", "FR", "user")
    assert record.sensors == ("powercap:package-0", "dram-model")
    for name in FIGURES:
        if name != "gpu_energy_j":
            assert getattr(t, name) == getattr(record, name) is not None
    assert t.gpu_energy_j is None
    assert t.energy_j_low < t.energy_j < t.energy_j_high  # type: ignore[operator]
    assert t.power_w == record.energy_j / record.duration_s  # type: ignore[operator]
    assert t.duration_s == pytest.approx(record.duration_s)


def test_before_it_begins_nothing_is_known_and_nothing_is_zero(root: Path) -> None:
    t = track("later")
    assert [getattr(t, name) for name in FIGURES] == [None] * len(FIGURES)
    assert (t.record, t.duration_s, t.power_w, t.running, t.runs) == (None, None, None, False, ())
    assert repr(t) == "<track 'later', not measured>"
    assert t._repr_html_() is None


def test_figures_can_be_read_while_it_runs(root: Path) -> None:
    t = track("long").start()
    spend(root, 10.0)
    assert machine_j(t) == pytest.approx(10.0)
    assert t.running
    record = t.record
    assert record is not None
    assert (record.status, record.final) == ("running", False)
    spend(root, 5.0, seconds=0.15)
    assert machine_j(t) == pytest.approx(15.0)
    spend(root, 1.0)
    t.stop()
    assert not t.running
    assert machine_j(t) == pytest.approx(16.0)
    record = t.record
    assert record is not None
    assert (record.status, record.final) == ("ok", True)


def test_reading_many_figures_asks_the_sensors_once(root: Path) -> None:
    with track("read") as t:
        time.sleep(0.02)
        spend(root, 1.0)
        first = t.energy_j
        set_counter(root, "intel-rapl:0", START_UJ + 90_000_000)
        assert t.energy_j == first
        assert t.power_w == t.record.energy_j / t.record.duration_s  # type: ignore[union-attr, operator]


def test_each_use_of_one_object_is_a_measurement_of_its_own(root: Path) -> None:
    t = track("again")
    for joules in (1.0, 2.0):
        with t:
            spend(root, joules)
    t.start()
    spend(root, 3.0)
    assert t.stop() is t
    assert [machine_j(run) for run in t.runs] == pytest.approx([1.0, 2.0, 3.0])
    assert machine_j(t) == pytest.approx(3.0)
    assert t.stop() is t
    assert len(t.runs) == 3


def test_what_is_started_twice_or_never_raises(root: Path) -> None:
    t = track("once")
    with pytest.raises(RuntimeError, match="start"):
        t.stop()
    t.start()
    with pytest.raises(RuntimeError, match="stop"):
        t.start()
    t.stop()


def test_inside_another_one_it_is_part_of_it_and_the_outer_one_is_kept(root: Path, tmp_path: Path) -> None:
    with track("outer") as outer:
        spend(root, 1.0)
        with track("first") as first:
            spend(root, 2.0)
        with track("second") as second:
            spend(root, 4.0)
    assert [machine_j(t) for t in (first, second, outer)] == pytest.approx([2.0, 4.0, 7.0])
    forget()
    (kept,) = rows(tmp_path / "home")
    assert kept["label"] == "outer"
    assert kept["energy_j"] == outer.energy_j
    (session,) = rows(tmp_path / "home", "sessions")
    assert (session["kind"], session["cells"], session["ending"]) == ("script", 1, "ended")
    assert session["machine_energy_j"] >= kept["machine_energy_j"]


def test_what_is_not_to_be_kept_is_not_but_what_is_inside_it_is(root: Path, tmp_path: Path) -> None:
    with track("private", keep=False) as t:
        spend(root, 1.0)
    assert machine_j(t) == pytest.approx(1.0)
    forget()
    assert not (tmp_path / "home").exists()
    with track("private", keep=False), track("public"):
        spend(root, 1.0)
    forget()
    assert [row["label"] for row in rows(tmp_path / "home")] == ["public"]


def test_the_default_grid_is_the_environments_as_it_is_when_it_begins(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(**options: Any) -> tuple[str, str, float]:
        with track("place", **options) as t:
            spend(root, 1.0)
        assert t.record is not None
        return t.record.region, t.record.region_source, t.record.pue

    assert found() == ("WORLD", "unknown", 1.0)
    monkeypatch.setenv("CARBON_MAGIC_REGION", "DE")
    assert found() == ("DE", "environment", 1.0)
    assert found(pue=1.5) == ("DE", "environment", 1.5)
    assert found(region="US-CA", pue=1.25) == ("US-CA", "user", 1.25)
    monkeypatch.setenv("CARBON_MAGIC_REGION", "Atlantis")
    with pytest.raises(UnknownRegion, match="Nearest"):
        found()


def test_grams_are_energy_times_pue_times_intensity(root: Path) -> None:
    with track(region="FR", pue=1.5) as t:
        spend(root, 10.0)
    assert t.energy_j is not None
    assert t.emissions_g == pytest.approx(t.energy_j / 3.6e6 * 1.5 * 41.45)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"regoin": "FR"}, TypeError, "did you mean 'region'"),
        ({"zzz": 1}, TypeError, "name, region, pue, keep"),
        ({"region": "FRR"}, UnknownRegion, "FR"),
        ({"region": 5}, TypeError, "region"),
        ({"pue": 0.5}, ValueError, "PUE"),
        ({"pue": "1.2"}, TypeError, "PUE"),
        ({"keep": "no"}, TypeError, "keep"),
        ({"name": 5}, TypeError, "name"),
    ],
)
def test_an_option_that_does_not_exist_or_fit_raises_at_once(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        track(**options)


def test_a_wrong_region_of_the_environment_raises_before_the_work(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARBON_MAGIC_REGION", "Atlantis")
    worked = []
    with pytest.raises(UnknownRegion), track("never"):
        worked.append(1)
    assert not worked
