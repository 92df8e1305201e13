"""Sessions and records with round figures, and files that hold them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from unit.views.made_records import record

from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.row import SessionRow
from carbon_magic.ledger.store import Store

FIRST = "0123456789abcdef0123456789abcdef"
SECOND = "fedcba9876543210fedcba9876543210"
KWH = 3.6e6


def session(session_id: str = FIRST, **changed: Any) -> SessionRow:
    """An hour with 0.5 kWh and 28 g, in France, that has ended."""
    values: dict[str, Any] = {
        "session_id": session_id,
        "kind": "kernel",
        "host": "elsewhere",
        "boot_id": None,
        "pid": 12,
        "process_started": "34",
        "user": None,
        "project": "demo",
        "notebook": "/home/somebody/a.ipynb",
        "started_at": "2026-11-20T10:00:00.000+00:00",
        "heartbeat_at": "2026-11-20T11:00:00.000+00:00",
        "ended_at": "2026-11-20T11:00:00.000+00:00",
        "ending": "ended",
        "duration_s": 3600.0,
        "cells": 2,
        "energy_j": 0.5 * KWH,
        "energy_j_low": 0.4 * KWH,
        "energy_j_high": 0.6 * KWH,
        "between_cells_j": 0.1 * KWH,
        "machine_energy_j": None,
        "emissions_g": 28.0,
        "emissions_g_low": 20.0,
        "emissions_g_high": 40.0,
        "region": "FR",
        "region_source": "user",
        "scope": "dedicated",
        "data_version": "2026-11-23",
        "version": "0.1.0",
        "python": "3.11.7",
        "platform": "Linux",
    }
    return SessionRow(**{**values, **changed})


def cell(record_id: str = "a", session_id: str = FIRST, **changed: Any) -> CellRecord:
    """A cell of 1000 s with 0.2 kWh: 0.15 by the CPU, 0.05 by the memory; it saw no GPU."""
    made = record(
        (160.0, 200.0, 240.0),
        **{
            "record_id": record_id,
            "session_id": session_id,
            "project": "demo",
            "notebook": "/home/somebody/a.ipynb",
            "started_at": "2026-11-20T10:00:00.000+00:00",
            "duration_s": 1000.0,
            "cpu_energy_j": 0.15 * KWH,
            "gpu_energy_j": None,
            "dram_energy_j": 0.05 * KWH,
            **changed,
        },
    )
    return replace(made, energy_j=changed.get("energy_j", 0.2 * KWH))


def write(path: Path, sessions: Iterable[SessionRow], records: Iterable[CellRecord]) -> Path:
    """A ledger file that holds these, and those that it held before."""
    store = Store.open(path, False)
    for row in sessions:
        store.put_session(row)
    for one in records:
        store.put_record(one)
    store.commit()
    store.close()
    return path
