"""Sums of the windows of one generator."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.views.made_records import record as made

from carbon_magic.ledger.record import CellRecord
from carbon_magic.pieces import added, stretched

positive = st.floats(0.001, 1e6)


@st.composite
def parts(draw: st.DrawFn) -> CellRecord:
    """A record in which the domains add up, with or without energy, with or without a GPU."""
    cpu, gpu, over = draw(positive), draw(st.none() | positive), draw(st.floats(1.0, 3.0))
    own = None if draw(st.integers(0, 5)) == 0 else cpu + (gpu or 0.0)
    known = own is not None
    return made(
        duration_s=draw(st.floats(1e-4, 100.0)),
        energy_j=own,
        energy_j_low=own / over if own is not None else None,
        energy_j_high=own * over if own is not None else None,
        marginal_energy_j=own / 2 if own is not None else None,
        idle_energy_j=own / 2 if own is not None else None,
        machine_energy_j=own * 2 if own is not None else None,
        machine_energy_j_low=own if own is not None else None,
        machine_energy_j_high=own * 4 if own is not None else None,
        cpu_energy_j=cpu if known else None,
        gpu_energy_j=gpu if known else None,
        dram_energy_j=None,
    )


@given(st.lists(parts(), min_size=1, max_size=8), st.floats(0.0, 500.0))
def test_a_sum_of_windows_is_a_record_like_any_other(pieces: list[CellRecord], active_s: float) -> None:
    known = [piece for piece in pieces if piece.energy_j is not None]
    total = added(pieces)
    assert total.duration_s == pytest.approx(sum(piece.duration_s for piece in pieces))
    if not known:
        assert total.energy_j is None
    for record in (total, stretched(total, active_s)):
        if record.energy_j is None:
            continue
        assert record.energy_j_low is not None
        assert record.energy_j_high is not None
        assert record.marginal_energy_j is not None
        assert record.machine_energy_j is not None
        assert 0.0 <= record.energy_j_low <= record.energy_j * (1 + 1e-9)
        assert record.energy_j <= record.energy_j_high * (1 + 1e-9)
        assert record.marginal_energy_j <= record.energy_j <= record.machine_energy_j
        assert (record.cpu_energy_j or 0.0) + (record.gpu_energy_j or 0.0) == pytest.approx(record.energy_j)
        mean_w = sum(p.energy_j for p in known if p.energy_j is not None) / sum(p.duration_s for p in known)
        assert record.energy_j / record.duration_s == pytest.approx(mean_w)
    if len(known) == len(pieces) and len(pieces) > 1:
        assert total.energy_j == pytest.approx(sum(piece.energy_j or 0.0 for piece in pieces))
    assert json.dumps(total.as_dict(), allow_nan=False)
