"""How a measurement of `track` ends, and what is shown of it."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

import pytest
from unit.track.work import machine_j, spend

from carbon_magic import track


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("mine"), "error"),
        (KeyboardInterrupt(), "interrupted"),
        (asyncio.CancelledError(), "interrupted"),
        (SystemExit(3), "error"),
        (SystemExit(0), "ok"),
        (SystemExit(), "ok"),
        (GeneratorExit(), "ok"),
    ],
)
def test_an_exception_passes_through_untouched_and_is_the_status(root: Path, error: BaseException, status: str) -> None:
    t = track("fails")

    def work() -> None:
        with t:
            spend(root, 1.0)
            raise error

    with pytest.raises(type(error)) as raised:
        work()
    assert raised.value is error
    assert error.__context__ is None
    assert error.__cause__ is None
    assert t.record is not None
    assert t.record.status == status
    assert machine_j(t) == pytest.approx(1.0)


def test_where_no_thread_can_be_started_the_work_is_done_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    files = set(Path("/proc/self/fd").iterdir()) if sys.platform == "linux" else set()
    monkeypatch.setattr(threading.Thread, "start", cannot)
    with track("work") as t:
        spend(root, 1.0)
    assert t.energy_j is None
    assert t.duration_s is not None
    assert t.duration_s >= 0.06
    monkeypatch.undo()
    if sys.platform == "linux":
        assert len(set(Path("/proc/self/fd").iterdir())) <= len(files)


def test_a_result_is_shown_when_it_is_asked_for_and_nothing_before(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with track("<b>shown</b>", region="FR") as t:
        spend(root, 3.0)
    assert capfd.readouterr() == ("", "")
    assert repr(t).startswith("<b>shown</b>: ")
    assert "this process's share" in repr(t)
    assert "kernel" not in repr(t)
    html = t._repr_html_()
    assert html is not None
    assert "<b>shown" not in html
    assert repr(t.runs[0]) == repr(t)
    with track() as t:
        spend(root, 3.0)
    assert "This block: " in repr(t)
    assert "CARBON_MAGIC_REGION=FR" in repr(t)
    assert "%carbon" not in repr(t)
