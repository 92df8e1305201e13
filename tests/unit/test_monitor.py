"""`carbon-magic monitor` as a process of its own: what it runs is not touched, and what it used is told."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from machines.build import build

from carbon_magic.commands.live import SMALLEST
from carbon_magic.commands.monitor import line
from carbon_magic.monitor import Now
from carbon_magic.quantity import Interval

posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
MONITOR = [sys.executable, "-m", "carbon_magic", "monitor"]
BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"


def python(code: str) -> list[str]:
    """A command that runs Python code."""
    return ["--", sys.executable, "-S", "-c", textwrap.dedent(code)]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The real machine, and a ledger of its own."""
    return {**os.environ, "CARBON_MAGIC_HOME": str(tmp_path / "home"), "COLUMNS": "80"}


def run(environ: dict[str, str], *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MONITOR, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environ, input=answer
    )


def rows(tmp_path: Path, table: str = "records") -> list[dict[str, Any]]:
    found = []
    for file in (tmp_path / "home").glob("*.db"):
        with contextlib.closing(sqlite3.connect(file)) as database:
            database.row_factory = sqlite3.Row
            found += [dict(row) for row in database.execute(f"SELECT * FROM {table}")]
    return found


def test_a_command_keeps_its_input_output_and_exit_status(environ: dict[str, str], tmp_path: Path) -> None:
    done = run(
        environ,
        "--region",
        "FR",
        *python("import sys; print(input()[::-1]); print('told', file=sys.stderr); sys.exit(7)"),
        answer="abc\n",
    )
    assert done.returncode == 7
    assert done.stdout == "cba\n"
    told, *block = done.stderr.splitlines()
    assert told == "told"
    name = Path(sys.executable).name
    assert block[0].startswith(f"{name}: ")
    assert "error after" in done.stderr
    assert "this command's share" in " ".join(done.stderr.split())
    assert "France" in done.stderr
    assert done.stderr.endswith("\n  How the figures are made: carbon-magic methods\n")
    assert "\x1b" not in done.stderr
    (record,) = rows(tmp_path)
    assert (record["label"], record["status"], record["region"], record["final"]) == (name, "error", "FR", 1)
    (session,) = rows(tmp_path, "sessions")
    assert (session["kind"], session["cells"], session["ending"]) == ("monitor", 1, "ended")


def test_a_command_pays_for_what_it_and_its_children_used_and_not_for_the_monitor(
    environ: dict[str, str], tmp_path: Path
) -> None:
    burn = BURN.format(seconds=0.3)
    out = tmp_path / "cost.json"
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-S', '-c', {burn!r}])\n{burn}"
    done = run(environ, "--json", str(out), *python(code))
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    assert 0.6 <= record["cpu_seconds"] < 0.8
    assert record["status"] == "ok"
    assert record["final"] is True
    assert record["marginal_energy_j"] <= record["energy_j"] <= record["machine_energy_j"]
    sleeping = run(environ, "--json", str(out), *python("import time; time.sleep(1.2)"))
    assert sleeping.returncode == 0
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    assert record["cpu_seconds"] < 0.15


def test_json_to_standard_output_comes_after_the_command_has_ended(environ: dict[str, str]) -> None:
    done = run(environ, "--json", "-", *python("print('mine')"))
    first, rest = done.stdout.split("\n", 1)
    assert first == "mine"
    (record,) = json.loads(rest)
    assert record["status"] == "ok"
    assert "mean" in done.stderr


def test_the_joules_of_a_command_are_those_that_the_counter_moved(environ: dict[str, str], tmp_path: Path) -> None:
    root = build("intel-desktop", tmp_path / "machine")
    counter = root / "sys/class/powercap/intel-rapl:0/energy_uj"
    done = run(
        {**environ, "CARBON_MAGIC_ROOT": str(root)},
        "--json",
        "-",
        *python(f"import time; time.sleep(0.1); open({str(counter)!r}, 'w').write('16000000\\n')"),
    )
    (record,) = json.loads(done.stdout)
    assert record["machine_energy_j"] == pytest.approx(15.0 + 32 * 0.3 * record["duration_s"])
    assert record["cpu_provenance"] == "measured"


@posix_only
def test_what_cannot_be_run_is_one_line_and_the_shells_own_status(environ: dict[str, str], tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x", encoding="ascii")
    for command, status, said in (
        ("no-such-command", 127, "command not found"),
        ("", 127, "'': command not found"),
        (str(tmp_path / "no/such"), 127, "command not found"),
        (str(plain), 126, "Permission denied"),
        (str(tmp_path), 126, "Permission denied"),
    ):
        done = run(environ, "--", command, "--option")
        assert done.returncode == status
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert said in done.stderr
    assert rows(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--regoin", "FR", "--", "true"], "--region"),
        (["--region", "FRR", "--", "true"], "FR (France)"),
        (["--interval", "0", "--", "true"], "0"),
        (["--interval", "0.1"], "0.2"),
        (["--json", "no/such/folder/x.json", "--", "true"], "no/such/folder"),
    ],
)
def test_what_is_asked_for_wrongly_is_one_line_and_nothing_runs(
    environ: dict[str, str], arguments: list[str], said: str
) -> None:
    done = run(environ, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_options_of_the_command_are_its_own(environ: dict[str, str]) -> None:
    for dashes in (["--"], []):
        done = run(environ, *dashes, sys.executable, "-S", "-c", "import sys; print(sys.argv)", "--json", "--", "-x")
        assert done.stdout == "['-c', '--json', '--', '-x']\n"


READY = """
import os, signal, sys, time
{setup}
print("ready", flush=True)
while True: time.sleep(0.05)
"""


@contextlib.contextmanager
def started(environ: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A monitor without a terminal; a command says when it is ready."""
    process = subprocess.Popen(
        [*MONITOR, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@posix_only
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, "killed"), (signal.SIGINT, "interrupted")])
def test_a_signal_is_passed_on_and_its_number_is_in_the_status(
    environ: dict[str, str], tmp_path: Path, sent: signal.Signals, status: str
) -> None:
    setup = "signal.signal(signal.SIGINT, signal.SIG_DFL)"
    with started(environ, *python(READY.format(setup=setup))) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(sent)
        _, told = process.communicate(timeout=30)
        assert process.returncode == 128 + sent
    assert "Traceback" not in told
    assert [row["status"] for row in rows(tmp_path)] == [status]


@posix_only
def test_a_command_that_handles_a_signal_ends_as_it_likes(environ: dict[str, str]) -> None:
    setup = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))"
    with started(environ, *python(READY.format(setup=setup))) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 5


@posix_only
def test_without_a_command_it_is_the_whole_machine_until_ctrl_c(environ: dict[str, str], tmp_path: Path) -> None:
    root = build("intel-desktop", tmp_path / "machine")
    out = tmp_path / "cost.json"
    environ = {**environ, "CARBON_MAGIC_ROOT": str(root)}
    with started(environ, "--interval", "0.2", "--region", "FR", "--json", str(out)) as process:
        begun(process.pid)
        time.sleep(0.4)
        with (root / "sys/class/powercap/intel-rapl:0/energy_uj").open("r+b", buffering=0) as file:
            file.write(b"6000000\n")
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        shown, told = process.communicate(timeout=30)
        assert process.returncode == 0, told
    assert told == ""
    assert shown.startswith("machine: ")
    assert "the whole machine" in shown
    (record,) = json.loads(out.read_text(encoding="utf-8"))
    assert record["machine_energy_j"] == pytest.approx(5.0 + 32 * 0.3 * record["duration_s"])
    assert record["energy_j"] == record["machine_energy_j"]
    assert (record["marginal_energy_j"], record["share"], record["status"]) == (None, None, "ok")
    assert record["cpu_energy_j"] == pytest.approx(5.0)
    (session,) = rows(tmp_path, "sessions")
    assert session["energy_j"] == pytest.approx(record["energy_j"], rel=0.05)


def begun(pid: int) -> None:
    """Wait until a monitor has opened its made-up machine's counter."""
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        try:
            if any("energy_uj" in str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()):
                return
        except OSError:  # a file was closed between the listing and the question, or this is not Linux
            pass
        time.sleep(0.01 if sys.platform == "linux" else 3.0)
        if sys.platform != "linux":
            return


class Terminal:
    """A pseudo-terminal of 24 rows with a monitor in its foreground."""

    def __init__(self, environ: dict[str, str], *arguments: str) -> None:
        import fcntl
        import pty
        import struct
        import termios

        pid, self.master = pty.fork()
        if pid == 0:
            # It begins once the terminal has its size.
            os.read(0, 1)
            os.execve(MONITOR[0], [*MONITOR, *arguments], {**environ, "TERM": "xterm"})
        self.pid = pid
        self.seen = ""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.write(self.master, b"\n")

    def read_until(self, text: str | None) -> None:
        """Read up to a text, or up to the end."""
        deadline_s = time.monotonic() + 30
        while text is None or text not in self.seen:
            assert time.monotonic() < deadline_s, self.seen
            if not select.select([self.master], [], [], 1.0)[0]:
                continue
            try:
                read = os.read(self.master, 4096)
            except OSError:  # the other side is closed
                read = b""
            if not read:
                assert text is None, self.seen
                break
            self.seen += read.decode(errors="replace")

    def end(self) -> int:
        """Read to the end and give the exit status."""
        self.read_until(None)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return status


@pytest.fixture
def terminal(environ: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    """Opens terminals with monitors in them, and leaves none behind."""
    opened: list[Terminal] = []

    def open_one(*arguments: str) -> Terminal:
        opened.append(Terminal(environ, *arguments))
        return opened[-1]

    yield open_one
    for one in opened:
        os.close(one.master)
        if one.pid:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)


@posix_only
def test_on_a_terminal_the_line_has_the_bottom_row_and_gives_it_back(terminal: Callable[..., Terminal]) -> None:
    code = "import time; print('one', flush=True); time.sleep(1.2); print('two'); import os; os._exit(4)"
    one = terminal("--interval", "0.3", *python(code))
    status = one.end()
    assert status == 4
    assert "\x1b[1;23r" in one.seen
    assert one.seen.count("\x1b[24;1H\x1b[2K") >= 3
    assert "CO₂e" in one.seen
    before, _, after = one.seen.rpartition("\x1b7\x1b[r\x1b[24;1H\x1b[2K\x1b8")
    assert "one\r\n" in before
    assert "\x1b" not in after
    assert "mean" in after


@posix_only
def test_ctrl_c_on_a_terminal_reaches_the_command_once(terminal: Callable[..., Terminal]) -> None:
    code = """
    import signal, sys, time
    got = []
    signal.signal(signal.SIGINT, lambda *_: got.append(1))
    print("ready", flush=True)
    while not got: time.sleep(0.01)
    time.sleep(0.3)
    print("got", len(got), flush=True)
    sys.exit(9)
    """
    one = terminal(*python(code))
    one.read_until("ready")
    os.write(one.master, b"\x03")
    assert one.end() == 9
    assert "got 1" in one.seen
    assert "Traceback" not in one.seen


@posix_only
def test_a_command_that_reads_single_keys_has_the_screen_for_itself(terminal: Callable[..., Terminal]) -> None:
    code = """
    import sys, termios, time, tty
    tty.setcbreak(0)
    time.sleep(1.0)
    print("done")
    """
    one = terminal("--interval", "0.2", *python(code))
    # It may be painted before the command has begun to read keys, and once it has ended; not in between.
    assert one.end() == 0
    assert one.seen.count("\x1b[24;1H\x1b[2K") <= 3


@posix_only
def test_the_machines_line_on_a_terminal_goes_with_ctrl_c(terminal: Callable[..., Terminal]) -> None:
    one = terminal("--interval", "0.2", "--region", "FR")
    one.read_until("W · ")
    os.write(one.master, b"\x03")
    assert one.end() == 0
    assert "machine: " in one.seen.rpartition("\x1b")[2]


def test_the_line_says_power_energy_emissions_time_and_split() -> None:
    now = Now(100.0, Interval(1000.0, 1224.0, 1500.0), Interval(0.01, 0.014, 0.02), True, 12.3, (("cpu", 10.2),))
    assert line(now).replace("\u00a0", " ") == "12 W · 0.34 Wh · 14 mg CO₂e · 1:40"
    both = now._replace(parts_w=(("cpu", 10.2), ("dram", 2.1)), region_known=False)
    assert line(both).replace("\u00a0", " ").endswith("10–20 mg CO₂e · 1:40 · CPU 10 W, DRAM 2.1 W")
    nothing = Now(0.0, None, None, True, None, ())
    assert line(nothing) == "– · – · 0:00"
    assert SMALLEST < (80, 24)
