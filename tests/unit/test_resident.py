"""How much memory processes hold."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from machines.build import build, write

from carbon_magic.meter import Meter
from carbon_magic.power.sampler import Pace
from carbon_magic.resident import LARGE_BYTES, held_bytes, resident_bytes


def process(root: Path, pid: int, resident: int, proportional_kib: int | None) -> None:
    pages = resident // os.sysconf("SC_PAGE_SIZE")
    write(root, f"{pid}/statm", f"99999999 {pages} 10 1 0 50 0\n")
    if proportional_kib is not None:
        write(
            root,
            f"{pid}/smaps_rollup",
            f"00400000-7ff rollup\nRss: 1 kB\nPss:   {proportional_kib} kB\nPss_Dirty: 7 kB\n",
        )


def test_forked_workers_do_not_count_what_they_share_over_and_over(tmp_path: Path) -> None:
    for pid in (10, 11, 12):
        process(tmp_path, pid, 600 << 20, 200 << 10)
    assert held_bytes([10, 11, 12], str(tmp_path)) == 600 << 20


def test_a_large_process_is_its_own_and_is_not_added_up_page_by_page(tmp_path: Path) -> None:
    process(tmp_path, 10, LARGE_BYTES, 1)
    process(tmp_path, 11, 4 << 20, None)
    assert held_bytes([10, 11, 12], str(tmp_path)) == LARGE_BYTES + (4 << 20)
    write(tmp_path, "10/statm", "nonsense\n")
    assert resident_bytes(10, str(tmp_path)) is None
    assert held_bytes([10], str(tmp_path)) is None


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own count")
def test_on_a_shared_server_memory_goes_by_what_is_held(tmp_path: Path) -> None:
    """A notebook that sleeps on much memory keeps others from it: it pays for that, whatever the CPUs do."""
    meter = Meter({"CARBON_MAGIC_ROOT": str(build("server", tmp_path))}, "auto")
    assert meter.part() == (None, None, None, 64)
    meter.start(Pace(), lambda now_s: None, lambda: False, lambda sampler: None, threaded=False)
    try:
        held = meter.part().memory
        resident = resident_bytes()
        assert held is not None
        assert resident is not None
        assert 0.3 * resident < held * 512 * 2**30 < 1.7 * resident
        assert (meter.part().cpu, meter.part().gpu) == (None, None)
    finally:
        meter.stop()
