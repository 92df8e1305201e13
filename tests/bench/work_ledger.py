"""What `ledger.py` runs in processes of their own."""

from __future__ import annotations

import os
import random
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from common import serve

from carbon_magic.ledger.check import utc_text
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.row import SessionRow

BEGUN = datetime(2026, 1, 1, tzinfo=timezone.utc)
EACH = 100
"""Cells of a session."""


def record(number: int) -> CellRecord:
    """A cell with figures and names as they are in real ones, one in fifty of them beside another."""
    energy_j = random.Random(number).uniform(0.1, 5000.0)
    grams = energy_j / 3.6e6 * 380.0
    return CellRecord(
        record_id=f"{random.Random(-1 - number).getrandbits(128):032x}",
        session_id=f"{number // EACH:032x}",
        project=f"project-{number // EACH % 7}",
        notebook=f"/home/somebody/projects/project-{number // EACH % 7}/notebook-{number // EACH % 50}.ipynb",
        cell_id="a1b2c3d4-0000-4000-8000-000000000000",
        execution_count=number % EACH + 1,
        label="fit" if number % 10 == 0 else None,
        status="ok",
        final=True,
        concurrent=number % 50 == 0,
        started_at=utc_text(BEGUN + timedelta(seconds=30 * number)),
        duration_s=energy_j / 100.0,
        energy_j=energy_j,
        energy_j_low=0.8 * energy_j,
        energy_j_high=1.4 * energy_j,
        marginal_energy_j=0.7 * energy_j,
        idle_energy_j=0.3 * energy_j,
        machine_energy_j=1.2 * energy_j,
        machine_energy_j_low=energy_j,
        machine_energy_j_high=1.5 * energy_j,
        cpu_energy_j=0.9 * energy_j,
        gpu_energy_j=None,
        dram_energy_j=0.1 * energy_j,
        other_energy_j=0.4 * energy_j,
        share=0.9,
        scope="dedicated",
        emissions_g=grams,
        emissions_g_low=0.6 * grams,
        emissions_g_high=1.6 * grams,
        region="DE",
        region_source="config",
        intensity_g_per_kwh=380.0,
        intensity_low=228.0,
        intensity_high=532.0,
        intensity_source="Ember",
        intensity_year=2025,
        pue=1.0,
        data_version="2026-11-23",
        cpu_seconds=energy_j / 120.0,
        gpu_utilization=None,
        cpu_provenance="measured",
        gpu_provenance=None,
        dram_provenance="modelled",
        sensors=("powercap:package-0", "dram-model"),
        version="0.1.0",
    )


def session(number: int) -> SessionRow:
    begun = BEGUN + timedelta(seconds=30 * EACH * number)
    ended = utc_text(begun + timedelta(seconds=30 * EACH))
    return SessionRow(
        session_id=f"{number:032x}",
        kind="kernel",
        host="host",
        boot_id="0/4026531836",
        pid=number + 2,
        process_started="1",
        user="somebody",
        project=f"project-{number % 7}",
        notebook=f"/home/somebody/projects/project-{number % 7}/notebook-{number % 50}.ipynb",
        started_at=utc_text(begun),
        heartbeat_at=ended,
        ended_at=ended,
        ending="ended",
        duration_s=30.0 * EACH,
        cells=EACH,
        energy_j=300_000.0,
        energy_j_low=200_000.0,
        energy_j_high=400_000.0,
        between_cells_j=50_000.0,
        machine_energy_j=400_000.0,
        emissions_g=30.0,
        emissions_g_low=20.0,
        emissions_g_high=50.0,
        region="DE",
        region_source="config",
        scope="dedicated",
        data_version="2026-11-23",
        version="0.1.0",
        python="3.11.7",
        platform="Linux",
    )


def fill(folder: str, cells: int) -> float:
    """Write a ledger of so many cells; its size in MB."""
    from carbon_magic.ledger.store import Store

    path = Path(folder) / "ledger-host.db"
    store = Store.open(path, False)
    for number in range(cells):
        if number % EACH == 0:
            store.put_session(session(number // EACH))
        store.put_record(record(number))
        if number % 1000 == 0:
            store.commit()
    store.commit()
    store.close()
    return path.stat().st_size / 1e6


def ask(folder: str) -> dict[str, float]:
    """Milliseconds that questions take, each with opening the ledger."""
    from carbon_magic.ledger.read import Reader

    took = {}

    def timed(name: str, *questions: Callable[[Reader], object]) -> None:
        begun = time.perf_counter()
        with Reader(Path(folder)) as reader:
            for question in questions:
                question(reader)
            assert reader.problems == []
        took[name] = (time.perf_counter() - begun) * 1e3

    timed("totals and top ten", Reader.totals, lambda reader: reader.top(10))
    timed("by project", lambda reader: reader.groups("project"))
    timed("by day", lambda reader: reader.groups("day"))
    timed("list of sessions", Reader.sessions)
    timed("every record", lambda reader: sum(1 for _ in reader.records()))
    return took


def write(folder: str, batches: int, each: int) -> dict[str, float]:
    """Hand batches of records to a writer."""
    from carbon_magic.ledger.writer import Writer

    records = [record(number) for number in range(batches * each + 1)]
    writer = Writer("session", {"CARBON_MAGIC_HOME": folder})
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu = time.process_time()
    writer.put_record(records.pop(), "print(1)")
    assert writer.flush(30.0)
    first_ms = (time.process_time() - cpu) * 1e3
    delay = used = 0.0
    for number in range(batches):
        batch = records[number * each : (number + 1) * each]
        row = replace(session(number), heartbeat_at=utc_text(datetime.now(timezone.utc)))
        cpu = time.process_time()
        begun = time.perf_counter()
        for one in batch:
            writer.put_record(one, "print(1)")
        writer.put_session(row)
        delay += time.perf_counter() - begun
        assert writer.flush(30.0)
        used += time.process_time() - cpu
    added_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
    assert writer.close(10.0)
    count = batches * each
    return {
        "delay_us": delay / count * 1e6,
        "cpu_us": used / count * 1e6,
        "first_ms": first_ms,
        "added_mib": added_mib,
    }


if __name__ == "__main__":
    os.environ.pop("CARBON_MAGIC_MOUNTINFO", None)
    serve([fill, ask, write])
