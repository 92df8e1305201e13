"""CPU seconds of a real process tree: children alive, dead, reaped, orphaned; and of a made-up machine."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from machines.build import write

from carbon_magic.power.usage import PsutilUsage, busy_seconds, stolen_seconds, usage_of

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"

SCRIPT = """
import os, signal, subprocess, sys, time
from carbon_magic.power.usage import usage_of
BURN = {burn!r}
def child(after=""):
    return subprocess.Popen([sys.executable, "-S", "-c", BURN + after])
def ready(process):
    process.stdout.readline()
usage = usage_of()
start = usage.tick()[0]
def used():
    return usage.tick()[0] - start
{body}
"""


def seconds(body: str) -> list[float]:
    """The numbers that a process of its own prints."""
    script = SCRIPT.format(burn=BURN, body=textwrap.dedent(body))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return [float(line) for line in done.stdout.split()]


@linux_only
def test_a_child_that_lived_between_two_ticks_is_counted() -> None:
    (used,) = seconds("child().wait(); print(used())")
    assert 0.3 <= used < 0.6


@linux_only
def test_a_child_is_counted_once_while_it_lives_when_it_is_dead_and_when_it_is_reaped() -> None:
    zombie, reaped = seconds(
        """
        c = child()
        os.waitid(os.P_PID, c.pid, os.WEXITED | os.WNOWAIT)
        print(used()); c.wait(); print(used())
        """
    )
    assert 0.3 <= zombie < 0.6
    assert reaped == pytest.approx(zombie, abs=0.05)


@linux_only
def test_a_child_that_nobody_reaps_does_not_take_its_seconds_with_it() -> None:
    alive, gone = seconds(
        """
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        c = subprocess.Popen([sys.executable, "-S", "-c", BURN + "print(1, flush=True)\\ninput()"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready(c); print(used())
        c.stdin.close()
        while True:
            try: os.kill(c.pid, 0)
            except ProcessLookupError: break
        print(used())
        """
    )
    assert 0.3 <= alive < 0.6
    assert gone >= alive


@linux_only
def test_a_known_child_is_followed_when_its_parent_leaves_it() -> None:
    before, after = seconds(
        """
        code = ("import os, subprocess, sys\\n"
                "if os.fork(): sys.stdin.readline(); os._exit(0)\\n"
                "print(os.getpid(), flush=True)\\n"
                "import time\\n"
                "while time.process_time() < 0.3: pass\\n"
                "print(1, flush=True)\\n"
                "time.sleep(60)\\n")
        c = subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        orphan = int(c.stdout.readline())
        used()
        c.stdin.write(b"\\n"); c.stdin.flush(); c.wait()
        ready(c)
        print(used()); os.kill(orphan, 9)
        while True:
            try: os.kill(orphan, 0)
            except ProcessLookupError: break
            if "Z" in open(f"/proc/{orphan}/stat").read().rsplit(")", 1)[1].split()[0]: break
        print(used())
        """
    )
    assert before >= 0.3
    assert after >= before


@linux_only
def test_a_border_sees_a_child_that_no_tick_has_seen_yet() -> None:
    (used,) = seconds(
        """
        c = subprocess.Popen([sys.executable, "-S", "-c", BURN + "print(1, flush=True)\\ninput()"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready(c); print(usage.border() - start); c.stdin.close(); c.wait()
        """
    )
    assert 0.3 <= used < 0.6


@linux_only
def test_a_child_whose_name_is_hostile_is_counted_all_the_same(tmp_path: Path) -> None:
    hostile = tmp_path / "a) R 1 (b"
    hostile.symlink_to(sys.executable)
    alive, reaped = seconds(
        f"""
        c = subprocess.Popen([{str(hostile)!r}, "-S", "-c", BURN + "print(1, flush=True)\\ninput()"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready(c); print(used()); c.stdin.close(); c.wait(); print(used())
        """
    )
    assert 0.3 <= alive < 0.6
    assert reaped == pytest.approx(alive, abs=0.05)


def test_psutil_tells_the_tree_and_the_machine() -> None:
    usage = PsutilUsage()
    own_s, busy_s = usage.tick()
    while usage.border() < own_s + 0.05:
        pass
    later_s, later_busy_s = usage.tick()
    assert later_s >= own_s + 0.05
    assert later_busy_s >= busy_s > 0.0
    assert usage.pids == {os.getpid()} | (usage.pids - {os.getpid()})


def test_busy_seconds_leave_out_idle_waiting_stolen_and_guest_time() -> None:
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    line = b"cpu  100 20 30 9999 9999 4 6 9999 50 50\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
    assert busy_seconds(line) == pytest.approx(160 / ticks_per_s)


@pytest.mark.parametrize("stat", [b"", b"cpu\n", b"intr 5 5 5 5 5 5 5 5\n"])
def test_a_machine_that_tells_nothing_has_no_busy_seconds(stat: bytes) -> None:
    assert busy_seconds(stat) == 0.0


@linux_only
def test_looking_for_children_finds_live_and_dead_ones_and_reaps_none() -> None:
    answers = seconds(
        """
        from carbon_magic.power.rawread import has_children
        found = [has_children()]
        c = subprocess.Popen([sys.executable, "-S", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
        found.append(has_children())
        c.stdin.close()
        os.waitid(os.P_PID, c.pid, os.WEXITED | os.WNOWAIT)
        found += [has_children(), has_children(), c.wait() == 0, has_children()]
        print(*map(int, found))
        """
    )
    assert answers == [False, True, True, True, True, False]


@linux_only
def test_a_machine_that_counts_anew_or_tells_nothing_for_a_while_goes_on(tmp_path: Path) -> None:
    """LXCFS that stopped and came back, or a virtual machine that went on elsewhere."""
    tick = os.sysconf("SC_CLK_TCK")
    stat = write(tmp_path, "proc/stat", f"cpu  {500 * tick} 0 0 0 0 0 0 0\n")
    usage = usage_of(tmp_path)
    assert usage.tick()[1] == 500.0
    told = {"cpu  x": 500.0, "": 500.0, f"cpu  {'9' * 400} 0 0 0 0 0 0 0": 500.0}
    told |= {
        f"cpu  {seconds * tick} 0 0 0 0 0 0 0": busy_s for seconds, busy_s in ((502, 502.0), (3, 502.0), (5, 504.0))
    }
    for content, busy_s in told.items():
        stat.write_text(f"{content}\n")
        assert usage.tick()[1] == pytest.approx(busy_s, abs=0.5)  # what this process used where nothing is told
    usage.close()


def test_stolen_seconds_are_the_hypervisors() -> None:
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    line = b"cpu  100 20 30 9999 9999 4 6 250 50 50\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
    assert stolen_seconds(line) == pytest.approx(250 / ticks_per_s)
    assert stolen_seconds(b"cpu  100 20 30 9999\n") == 0.0
    assert stolen_seconds(b"") == 0.0
