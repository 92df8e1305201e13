"""The state that the views draw: whatever a kernel sends, and for however long."""

from __future__ import annotations

from typing import Any

import pytest
from browser.views_page import Panels

NOISE = [
    None,
    7,
    "state",
    [],
    {},
    {"type": "tick"},
    {"type": "tick", "session_id": 5},
    {"type": "tick", "session_id": "session-1", "totals": 9},
    {"type": "record", "session_id": "session-1", "cell": {"record_id": "a"}},
    {"type": "record", "session_id": "session-1", "cell": {"record_id": "a", "status": "no such"}},
    {"type": "state", "session_id": "session-1", "protocol": "1"},
    {"type": "refused"},
    {"type": "nonsense", "session_id": "session-1"},
    {"type": "tick", "session_id": "x" * 500, "totals": {}},
]


@pytest.mark.parametrize("message", NOISE, ids=range(len(NOISE)))
def test_a_message_that_is_not_understood_changes_nothing(panels: Panels, message: Any) -> None:
    same = (
        "(message) => { const s = harness.fixtures.FIXTURES.example(); return harness.store.reduce(s, message) === s; }"
    )
    assert panels.page.evaluate(same, message) is True


def test_hostile_fields_become_unknown_not_wrong(panels: Panels) -> None:
    tick = {
        "type": "tick",
        "session_id": "session-1",
        "totals": {
            "energy_j": [3, 2, 1],
            "emissions_g": [1, "2", 3],
            "emissions_known": "yes",
            "power_w": -5,
            "mean_power_w": 1e300,
            "domains": {"cpu": {"energy_j": [0, 1, 2], "provenance": "trust me"}, "__proto__": 1},
            "equivalent": {"text": "x" * 5000, "bounds": {}},
        },
        "running": [7, {"record_id": "r", "status": "running", "energy_j": [None, 1, 2], "execution_count": 1.5}],
        "samples": [[5, "1", None, 2], [4, 1, 1, 1], "no", [6, 1, 2, 3]],
    }
    state = panels.page.evaluate(
        "(tick) => ({...harness.store.reduce(harness.store.empty(), tick), cells: []})",
        tick,
    )
    totals = state["totals"]
    assert (totals["energy_j"], totals["emissions_g"], totals["emissions_known"]) == (None, None, False)
    assert (totals["power_w"], totals["mean_power_w"], totals["domains"]) == (None, None, {})
    assert len(totals["equivalent"]["text"]) == 200
    assert [(cell["record_id"], cell["energy_j"], cell["execution_count"]) for cell in state["running"]] == [
        ("r", None, None)
    ]
    assert state["samples"] == [[5, None, None, 2], [6, 1, 2, 3]]
    # What came before this tick is not known.
    assert state["partial"] is True


def test_another_session_begins_anew(panels: Panels) -> None:
    state = panels.page.evaluate(
        """() => {
          const { FIXTURES, tick } = harness.fixtures;
          const s = harness.store.reduce(FIXTURES.example(), {...tick(), session_id: 'session-2'});
          return {count: s.count, cells: s.cells.size, samples: s.samples.length,
                  session: s.session_id, name: s.notebook};
        }"""
    )
    assert state == {"count": 0, "cells": 0, "samples": 0, "session": "session-2", "name": "train.ipynb"}


def test_a_final_record_takes_the_place_of_the_first(panels: Panels) -> None:
    counted = panels.page.evaluate(
        """() => {
          const { FIXTURES, record, cell, running } = harness.fixtures;
          const before = FIXTURES.example();
          const first = harness.store.reduce(before, record({...cell(12, 5), final: false}));
          const last = harness.store.reduce(first, record(cell(12, 6)));
          const wh = (state) => Math.round((state.cells_energy_j - before.cells_energy_j) / 36) / 100;
          return [first.count - before.count, wh(first), last.count - before.count, wh(last), last.running.length];
        }"""
    )
    assert counted == [1, 5, 1, 6, 0]


def test_a_day_of_samples_is_thinned_with_age(panels: Panels) -> None:
    kept = panels.page.evaluate(
        """() => {
          let state = harness.fixtures.FIXTURES.first();
          const start = 1_000_000;
          let most = 0;
          for (let at = 0; at < 86_400; at += 20) {
            const samples = Array.from({length: 20}, (_, more) => [start + at + more, 10, 20, 5]);
            state = harness.store.reduce(state, harness.fixtures.tick({samples}));
            most = Math.max(most, state.samples.length);
          }
          const times = state.samples.map((row) => row[0]);
          const last = times[times.length - 1];
          return {most, fine: times.filter((time) => time > last - 3600).length,
                  inOrder: times.every((time, at) => !at || time > times[at - 1]),
                  same: state.samples.every((row) => row[1] === 10 && row[2] === 20 && row[3] === 5)};
        }"""
    )
    assert kept["fine"] == 3600
    assert kept["most"] < 3600 + 8640 + 200
    assert kept["inOrder"]
    assert kept["same"]


def test_a_gap_stays_a_gap_when_it_is_thinned(panels: Panels) -> None:
    kept = panels.page.evaluate(
        """() => {
          const old = Array.from({length: 40}, (_, at) => at === 17 ? [at, null, null, null] : [at, 10, null, 2]);
          const state = harness.store.reduce(harness.fixtures.FIXTURES.first(),
            harness.fixtures.history([], {samples: [...old, [9000, 1, null, 1]]}));
          return state.samples;
        }"""
    )
    assert [17, None, None, None] in kept
    assert len(kept) == 7
    assert [row[1] for row in kept] == [10, 10, None, 10, 10, 10, 1]
