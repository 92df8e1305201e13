"""`track` in real kernels: beside the extension, without it, across cells, in tasks and forked children."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kernel.kernels import LOAD, Kernel, records, trouble

SAMPLERS = "[t.name for t in __import__('threading').enumerate()].count('carbon-magic sampler')"


@pytest.fixture
def kernel(tmp_path: Path, kernel_name: str) -> Iterator[Callable[[], Kernel]]:
    """Starts kernels whose ledger is in `home` below the test's folder."""
    kernels: list[Kernel] = []

    def start() -> Kernel:
        environ = {"CARBON_MAGIC_HOME": str(tmp_path / "home"), "CARBON_MAGIC_REGION": "FR"}
        kernels.append(Kernel(kernel_name, tmp_path / "folder", environ))
        return kernels[-1]

    yield start
    for one in kernels:
        one.close()


def rows(tmp_path: Path, query: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for file in (tmp_path / "home").glob("*.db"):
        with closing(sqlite3.connect(file)) as database:
            found += database.execute(query).fetchall()
    return found


def ends(one: Kernel) -> None:
    """Let a kernel end by itself."""
    one.run("import os, signal; __import__('IPython').get_ipython().ask_exit()")
    one.client.stop_channels()
    one.manager.finish_shutdown()


def test_in_a_tracked_kernel_it_is_part_of_its_cell(kernel: Callable[[], Kernel], tmp_path: Path) -> None:
    one = kernel()
    one.run(LOAD, allow_error=False)
    told = one.run(
        "import time\nfrom carbon_magic import track\n"
        "with track('inner', region='US-CA') as t:\n    time.sleep(0.3)\n    live = t.energy_j",
        allow_error=False,
    )
    assert told.of("stream") == []
    assert told.of("display_data") == []
    assert records(one) == 1
    assert one.ask(SAMPLERS) == "1"
    assert one.ask("0 < live <= t.energy_j") == "True"
    assert one.ask("(t.record.label, t.record.region, t.record.final, t.running)") == "('inner', 'US-CA', True, False)"
    cell = "__import__('carbon_magic.session').session.current().snapshot().records[-1]"
    assert one.ask(f"t.record.session_id == {cell}.session_id and t.machine_energy_j <= {cell}.machine_energy_j") == (
        "True"
    )
    shown = one.run("t", allow_error=False).of("execute_result")[0]["data"]
    assert shown["text/plain"].startswith("inner: ")
    assert "this kernel's share" in shown["text/plain"]
    assert shown["text/html"].startswith("<div")
    assert trouble(one).startswith("(None, ")
    ends(one)
    assert [label for (label,) in rows(tmp_path, "SELECT label FROM records WHERE label IS NOT NULL")] == []
    assert {kind for (kind,) in rows(tmp_path, "SELECT kind FROM sessions")} == {"kernel"}


def test_a_generator_in_a_tracked_kernel_is_part_of_its_cell_too(kernel: Callable[[], Kernel], tmp_path: Path) -> None:
    one = kernel()
    one.run(LOAD, allow_error=False)
    one.run(
        "import time\nfrom carbon_magic import track\n@track\ndef items():\n    for number in range(3):\n"
        "        time.sleep(0.05)\n        yield number\nused = list(items())",
        allow_error=False,
    )
    assert one.ask("(used, len(items.track.runs), items.track.energy_j > 0)") == "([0, 1, 2], 1, True)"
    assert records(one) == 1
    ends(one)
    assert rows(tmp_path, "SELECT count(*) FROM records WHERE label = 'items'") == [(0,)]


def test_it_goes_on_from_cell_to_cell_and_in_tasks(kernel: Callable[[], Kernel]) -> None:
    one = kernel()
    one.run(LOAD, allow_error=False)
    one.run("import asyncio\nfrom carbon_magic import track\nt = track('long').start()", allow_error=False)
    one.run("await asyncio.sleep(0.3)", allow_error=False)
    one.run("t.stop()\nlong_s = t.duration_s", allow_error=False)
    assert one.ask("long_s >= 0.3 and t.energy_j > 0 and t.record.final") == "True"
    one.run(
        "async def work(n):\n"
        "    async with track(f'task {n}') as t:\n"
        "        await asyncio.sleep(0.1)\n"
        "    return t\n"
        "done = await asyncio.gather(*(work(n) for n in range(5)))",
        allow_error=False,
    )
    assert one.ask("all(t.energy_j > 0 and t.duration_s >= 0.1 for t in done)") == "True"
    one.run("with track('fails') as t:\n    1 / 0")
    assert one.ask("t.record.status") == "'error'"


def test_with_tracking_off_or_without_the_extension_it_measures_by_itself(
    kernel: Callable[[], Kernel], tmp_path: Path
) -> None:
    one = kernel()
    one.run("from carbon_magic import track\nimport threading, time\na = track('before').start()", allow_error=False)
    assert one.ask(SAMPLERS) == "1"
    one.run("time.sleep(0.2)\na.stop()", allow_error=False)
    assert one.ask(f"(a.energy_j > 0, a.record.final, {SAMPLERS})") == "(True, True, 0)"
    one.run(LOAD, allow_error=False)
    one.run("%carbon region US-CA\n%carbon off", allow_error=False)
    one.run("b = track('off').start()", allow_error=False)
    one.run("time.sleep(0.2)", allow_error=False)
    one.run("b.stop()", allow_error=False)
    # It followed the first one within a second, so the sampler was kept for another.
    one.run("while any(t.name == 'carbon-magic sampler' for t in threading.enumerate()): time.sleep(0.05)")
    assert one.ask(f"(b.energy_j > 0, b.record.final, b.record.region, {SAMPLERS})") == "(True, True, 'US-CA', 0)"
    ends(one)
    kept = rows(
        tmp_path,
        "SELECT label, kind FROM records JOIN sessions USING (session_id) WHERE label IS NOT NULL ORDER BY label",
    )
    assert kept == [("before", "script"), ("off", "script")]


def test_unloading_or_forking_in_the_middle_disturbs_nothing(kernel: Callable[[], Kernel]) -> None:
    one = kernel()
    one.run(LOAD, allow_error=False)
    one.run("from carbon_magic import track\nimport os, time", allow_error=False)
    forked = one.run(
        "with track('parent') as t:\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        with track('child') as c:\n"
        "            time.sleep(0.1)\n"
        "        os._exit(0 if c.energy_j is not None and t.energy_j is None else 1)\n"
        "    code = os.waitpid(pid, 0)[1]",
    )
    assert forked.status == "ok", forked.content
    assert one.ask("(code, t.energy_j > 0)") == "(0, True)"
    ended = one.run("with track('unloaded') as u:\n    %unload_ext carbon_magic\n    time.sleep(0.1)")
    assert ended.status == "ok", ended.content
    assert ended.of("stream") == []
    assert one.ask(f"(u.running, u.duration_s >= 0.1, {SAMPLERS})") == "(False, True, 0)"
    one.run(LOAD, allow_error=False)
    one.run("w = track('off and on').start()", allow_error=False)
    one.run("%carbon off", allow_error=False)
    one.run("time.sleep(0.1)\n%carbon on", allow_error=False)
    one.run("w.stop()", allow_error=False)
    # As long as it runs it keeps the sampler, so that its figures are whole.
    assert one.ask("(w.running, w.duration_s > 0.1, w.record.final)") == "(False, True, True)"
    one.run("%unload_ext carbon_magic", allow_error=False)
    one.run("with track('after') as v:\n    time.sleep(0.1)", allow_error=False)
    assert one.ask(f"(v.energy_j > 0, {SAMPLERS})") == "(True, 0)"
