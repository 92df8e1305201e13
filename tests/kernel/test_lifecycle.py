"""Loading, unloading, dying: nothing is left behind, and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kernel.conftest import Start
from kernel.kernels import LOAD, Kernel, records

STATE = """\
import atexit, gc, os, threading
def _state(shell=get_ipython()):
    return {
        "threads": sorted(t.name for t in threading.enumerate()),
        "descriptors": sorted(link for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")
                              if "history" not in (link := os.readlink(f"/proc/self/fd/{n}"))
                              and link != "anon_inode:[eventfd]"),  # ipykernel's, of threads that have ended
        "control": [name for name, handler in sorted(getattr(shell.kernel, "control_handlers", {}).items())
                    if "carbon" in str(getattr(handler, "__module__", ""))],
        "comms": len(getattr(getattr(shell.kernel, "comm_manager", None), "comms", {})),
        "callbacks": {name: len(found) for name, found in shell.events.callbacks.items()},
        "transformers": len(shell.input_transformers_cleanup),
        "configurables": sorted(type(c).__name__ for c in shell.configurables if type(c).__name__ != "ExtensionMagics"),
        "magics": [kind for kind in ("line", "cell") if "carbon" in shell.magics_manager.magics[kind]],
        "completers": sorted(shell.strdispatchers["complete_command"].strs),
        # What the ledger had no time for waits in a slip, until whoever opens it next writes it.
        "files": sorted(n for f in os.walk(os.environ["XDG_RUNTIME_DIR"]) for n in f[2] if not n.startswith("cells-")),
    }
"""


def state(kernel: Kernel) -> str:
    return kernel.ask("_state()")


def test_loading_and_tracking_are_silent(start: Start) -> None:
    kernel = start()
    for cell in (LOAD, "x = 1", "%reload_ext carbon_magic", "x = 2", "%unload_ext carbon_magic", "x = 3"):
        outcome = kernel.run(cell)
        assert outcome.status == "ok"
        assert outcome.shown() == []


def test_unloading_leaves_nothing_behind(start: Start, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    kernel = start("work", {"XDG_RUNTIME_DIR": str(runtime)})
    kernel.run(STATE, allow_error=False)
    before = state(kernel)
    for _ in range(20):
        kernel.run(LOAD, allow_error=False)
        kernel.run("1", allow_error=False)
        kernel.run("%reload_ext carbon_magic", allow_error=False)
        kernel.run("%%carbon\n1", allow_error=False)
        kernel.run("%unload_ext carbon_magic", allow_error=False)
    assert state(kernel) == before
    assert "UsageError" in kernel.run("%carbon").text("stderr")


def test_loading_twice_tracks_once(start: Start) -> None:
    kernel = start()
    kernel.run(LOAD, allow_error=False)
    kernel.run("import carbon_magic\ncarbon_magic.load_ipython_extension(get_ipython())", allow_error=False)
    before = records(kernel)
    kernel.run("1")
    assert records(kernel) == before + 1


def test_unloading_within_a_tracked_cell_and_loading_again_goes_on(start: Start) -> None:
    kernel = start()
    kernel.run(LOAD, allow_error=False)
    outcome = kernel.run("%%carbon\nget_ipython().run_line_magic('unload_ext', 'carbon_magic')\n7")
    assert outcome.status == "ok"
    assert outcome.of("execute_result")[0]["data"]["text/plain"] == "7"
    kernel.run(LOAD, allow_error=False)
    kernel.run("1")
    assert records(kernel) == 1


HEAVY = ("pandas", "numpy", "bqplot", "ipywidgets", "nbclient", "rich", "pynvml", "psutil", "platformdirs", "sqlite3")


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    script = f"""
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "carbon_magic")
for cell in ("1", "x = 2", "%%carbon -q\\n3", "%carbon", "%carbon doctor"):
    shell.run_cell(cell, store_history=True)
print(sorted(set({HEAVY!r}) & (set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_platforms_import_load_and_model(platform: str, tmp_path: Path) -> None:
    """Without /proc, `resource` and `fcntl`, as the modelled path by psutil is there."""
    script = f"""
import os, sys, psutil, IPython.core.interactiveshell as shells, subprocess, asyncio, uuid, hashlib, tempfile, platform
shell = shells.InteractiveShell.instance()
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in ("resource", "fcntl", "pwd", "grp", "termios"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
for name in ("resource", "fcntl", "pwd", "grp", "termios"):
    sys.modules.pop(name, None)
import carbon_magic.power.machine as machine
sys.platform = {platform!r}
for name in [name for name in sys.modules if name.startswith("carbon_magic")]:
    del sys.modules[name]
import carbon_magic.power.machine as machine
made = machine.Machine(root=machine.Path("nowhere"), platform={platform!r}, cpu_name=None, cpu_vendor=None,
                       logical_cpus=4, sockets=1, form="laptop", memory_bytes=8 << 30)
machine.Machine.of = classmethod(lambda cls, *a, **k: made)
shell.run_line_magic("load_ext", "carbon_magic")
import carbon_magic.session as sessions
shell.run_cell("%%carbon -q -o kept\\nsum(range(2_000_000))", store_history=True)
kept = shell.user_ns["kept"]
assert sessions.current().trouble is None, sessions.current().trouble
assert sessions.current().sampler.problem is None, sessions.current().sampler.problem
assert kept.cpu_provenance == "assumed" and kept.energy_j > 0 and kept.cpu_seconds > 0, kept
shell.run_line_magic("unload_ext", "carbon_magic")
print("well")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["well"], done.stderr[-2000:]


def test_a_killed_kernel_is_no_neighbour_for_long(start: Start, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    first = start("first", {"XDG_RUNTIME_DIR": str(runtime)})
    second = start("second", {"XDG_RUNTIME_DIR": str(runtime)})
    for kernel in (first, second):
        kernel.run(LOAD, allow_error=False)

    def neighbours() -> int:
        return len([path for path in runtime.glob("*/*") if not path.name.startswith("cells-")])

    assert neighbours() == 2
    first.manager.provisioner.process.kill()
    first.manager.provisioner.process.wait(timeout=30)
    meter = "__import__('carbon_magic.session').session.current()._meter.neighbours.count()"
    assert second.ask(meter) == "1"
    assert neighbours() == 1


def test_an_interpreter_ends_promptly_and_silently_with_the_extension_loaded(tmp_path: Path) -> None:
    script = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "carbon_magic")
shell.run_cell("x = 1", store_history=True)
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
    )
    assert done.stdout == ""
    assert "carbon" not in done.stderr
