"""The comm's messages: exact, finite, bounded, and without a word that no socket can carry."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from unit.views.made_records import HOSTILE, record, snapshot

from carbon_magic.comm import messages
from carbon_magic.comm.samples import Sample, Samples

WIRE_BYTES = 64_000


def on_the_wire(message: messages.Message) -> bytes:
    """What Jupyter makes of a message."""
    return json.dumps(message, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogateescape")


def test_a_record_has_its_figures_with_their_ranges() -> None:
    cell = messages.ended(record())
    assert cell["energy_j"] == [14400.0, 16560.0, 20160.0]
    assert cell["domains"] == {"cpu": 5580.0, "gpu": 10440.0, "dram": 540.0}
    assert cell["started_at"] == 1795442400.0
    assert (cell["label"], cell["execution_count"], cell["region_known"]) == ("encode", 7, True)


def test_unknown_is_null_and_never_nothing() -> None:
    cell = messages.ended(record(None, None))
    assert (cell["energy_j"], cell["emissions_g"], cell["domains"], cell["provenance"]) == (None, None, {}, None)
    assert cell["region_known"] is False


@given(st.text(st.characters(), max_size=400))
def test_any_label_goes_over_the_wire(label: str) -> None:
    on_the_wire(messages.record(record(label=label + "\ud800"), None))


def test_hostile_labels_are_bounded() -> None:
    assert len(messages.ended(record(label=HOSTILE))["label"]) <= 120


@given(st.floats())
def test_no_number_is_anything_but_finite(value: float) -> None:
    json.dumps(messages.number(value), allow_nan=False)


def test_a_history_of_a_long_session_is_bounded_and_has_the_dearest_and_the_latest() -> None:
    kept: list[Any] = [
        record((1.0, 1.0 + (number % 997), 1000.0), record_id=f"{number:032x}", label="x" * 120)
        for number in range(5000)
    ]
    samples = Samples()
    for second in range(86_400):
        samples.add(Sample(1.7e9 + second, 123.456, 234.567, 3.456))
    history = messages.history(snapshot(records=tuple(kept)), samples.thinned(messages.MOST_SAMPLES))
    assert len(on_the_wire(history)) <= WIRE_BYTES
    assert history["count"] == 5000
    assert 0.9 * messages.MOST_SAMPLES <= len(history["samples"]) <= messages.MOST_SAMPLES
    ids = {cell["record_id"] for cell in history["cells"]}
    assert {one.record_id for one in kept[-50:]} <= ids
    assert max(kept, key=lambda one: one.energy_j).record_id in ids


def test_a_day_of_samples_is_small_and_a_gap_stays_one() -> None:
    samples = Samples()
    for second in range(86_400):
        watts = None if second == 40_000 else 1.0
        samples.add(Sample(float(second), watts, None, None))
    held = sum(column.itemsize * len(column) for columns in (samples._fine, samples._coarse) for column in columns)
    assert held < 1 << 20
    assert [row.time for row in samples.thinned(100_000) if row.cpu is None] == [40_000.0]
