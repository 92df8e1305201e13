"""What stands in a kernel's process before the extension came stands there after it has gone, and nothing else; and
however a kernel or a terminal ends, it ends as silently as without."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from kernel.conftest import Start
from kernel.kernels import LOAD, Kernel, records, trouble

UNLOAD = "%unload_ext carbon_magic"

# Everything in the process that an extension can leave something in, as JSON.
TRACES = """\
def _traces():
    import asyncio, gc, json, os, signal, sys, threading, warnings
    shell = get_ipython()
    def name(f):
        return f"{getattr(f, '__module__', '')}.{getattr(f, '__qualname__', type(f).__name__)}"
    gc.collect()
    folder = os.path.join(os.environ["TMPDIR"], f"carbon-magic-{os.getuid()}")
    links = []
    for n in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{n}"))
        except OSError:
            pass  # the number that the listing itself had
    return json.dumps({
        "threads": sorted(t.name for t in threading.enumerate()),
        # ipykernel makes a pair of these for each thread that sends, and collects those of ended threads now and then.
        "descriptors": sorted(l for l in links if "history" not in l and l != "anon_inode:[eventfd]"
                              and not l.startswith(f"/proc/{os.getpid()}/fd")),
        "callbacks": {e: [name(f) for f in fs] for e, fs in shell.events.callbacks.items()},
        "transformers": [name(f) for f in (*shell.input_transformers_cleanup, *shell.input_transformers_post)],
        "line transforms": [name(f) for f in shell.input_transformer_manager.line_transforms],
        "magics": {k: sorted(v) for k, v in shell.magics_manager.magics.items()},
        "magics registry": sorted(shell.magics_manager.registry),
        "configurables": [type(c).__name__ for c in shell.configurables],
        "completers": sorted(getattr(shell.strdispatchers.get("complete_command"), "strs", [])),
        "matchers": [name(m) for m in shell.Completer.matchers],
        "ast transformers": len(shell.ast_transformers),
        "names": sorted(n for n in shell.user_ns if not n.startswith("_")),
        "signals": [str(signal.getsignal(s)) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1)],
        "hooks": [name(h) for h in (sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook)],
        "import hooks": [len(sys.meta_path), len(sys.path_hooks), len(sys.path)],
        "environment": sorted(os.environ),
        "tasks": len(asyncio.all_tasks()) if asyncio._get_running_loop() else 0,
        "comms": sorted(map(str, getattr(getattr(shell.kernel, "comm_manager", None), "targets", {}))),
        "filters": len(warnings.filters),
        # What the ledger had no time for waits in a slip, until whoever opens it next writes it.
        "files": sorted(n for n in os.listdir(folder) if not n.startswith("cells-")) if os.path.isdir(folder) else [],
        "tracers": [str(sys.gettrace()), str(sys.getprofile())],
    })
"""


def traces(kernel: Kernel) -> dict[str, Any]:
    """What stands in the process at present."""
    kernel.run(TRACES, silent=True, store_history=False, allow_error=False)
    text = kernel.ask("_traces()")
    found: dict[str, Any] = json.loads(ast.literal_eval(text))
    return found


@pytest.fixture
def kernel(start: Start, tmp_path: Path) -> Kernel:
    """A fresh kernel with a folder of its own for temporary files, in which jedi, history and lists have settled."""
    (tmp_path / "tmp").mkdir()
    started = start(environ={"TMPDIR": str(tmp_path / "tmp"), "XDG_RUNTIME_DIR": ""})
    started.run("%config\n%carbon_is_not_loaded")
    started.run("x = 1\n%pwd", allow_error=False)
    started.request("complete_request", {"code": "%pw", "cursor_pos": 3})
    traces(started)
    return started


def test_unloading_leaves_nothing(kernel: Kernel) -> None:
    before = traces(kernel)
    kernel.run(LOAD, allow_error=False)
    loaded = traces(kernel)
    assert loaded["threads"] != before["threads"]
    assert loaded["files"] != before["files"]
    kernel.run("x = 1", allow_error=False)
    kernel.run("%%carbon -o r\nx = 1", allow_error=False)
    kernel.run("%carbon\n%carbon cells\n%carbon doctor\n%config CarbonMagic.pue = 1.2", allow_error=False)
    kernel.request("complete_request", {"code": "%carbon region a", "cursor_pos": 16})
    outcome = kernel.run(UNLOAD, allow_error=False)
    assert outcome.shown() == []
    kernel.run("del r", silent=True, store_history=False, allow_error=False)
    assert traces(kernel) == before
    outcome = kernel.run("%carbon")
    assert "not found" in outcome.text("stderr") + str(outcome.content.get("evalue"))
    assert kernel.run("%%carbon\nx = 1").panels() == []
    assert "carbon" not in "".join(
        kernel.request("complete_request", {"code": "%carb", "cursor_pos": 5}).content["matches"]
    )


def test_loading_twice_changes_nothing(kernel: Kernel) -> None:
    kernel.run(LOAD, allow_error=False)
    kernel.run("x = 1", allow_error=False)
    records(kernel)
    flushed = (
        "__import__('carbon_magic.session').session.current().flush(20)"  # its thread begins with the first record
    )
    kernel.ask(flushed)
    once = traces(kernel)
    outcome = kernel.run(LOAD, allow_error=False)
    assert "already loaded" in outcome.text()
    kernel.run("import carbon_magic as c\nc.load_ipython_extension(get_ipython())\ndel c", allow_error=False)
    assert traces(kernel) == once


def test_reloading_works_and_again(kernel: Kernel) -> None:
    kernel.run(LOAD, allow_error=False)
    loaded = traces(kernel)
    for _ in range(2):
        outcome = kernel.run("%reload_ext carbon_magic", allow_error=False)
        assert outcome.shown() == []
        assert traces(kernel) == loaded
        outcome = kernel.run("%%carbon -o r\nx = 1\nx", allow_error=False)
        assert len(outcome.panels()) == 1
        kernel.run("del r", silent=True, store_history=False)
        assert records(kernel) == 1
        assert trouble(kernel) == "(None, None)"


def test_fifty_times_does_not_grow(kernel: Kernel) -> None:
    again = (
        "for _ in range({}):\n    get_ipython().run_line_magic('load_ext', 'carbon_magic')\n"
        "    get_ipython().run_line_magic('unload_ext', 'carbon_magic')"
    )
    objects = (
        "import gc\ngc.collect()\nprint(sum(str(getattr(type(o), '__module__', '')).startswith('carbon_magic')"
        " for o in gc.get_objects()))"
    )
    before = traces(kernel)
    kernel.run(again.format(3), allow_error=False)
    few = int(kernel.run(objects, allow_error=False).text())
    kernel.run(again.format(50), allow_error=False)
    many = int(kernel.run(objects, allow_error=False).text())
    kernel.run("del gc", silent=True, store_history=False, allow_error=False)
    assert traces(kernel) == before
    assert many == few


# How a kernel ends


@pytest.mark.parametrize("how", ["shutdown", "exit"])
def test_the_end_is_silent_and_leaves_no_file(kernel: Kernel, how: str, tmp_path: Path) -> None:
    kernel.run(LOAD, allow_error=False)
    assert traces(kernel)["files"]
    said = kernel.terminal()
    if how == "shutdown":
        kernel.client.shutdown()
    else:
        kernel.client.execute("exit")
    kernel.manager.provisioner.process.wait(timeout=30)
    assert kernel.manager.provisioner.process.returncode == 0
    assert kernel.terminal() == said
    assert list((tmp_path / "tmp").glob("carbon-magic-*/*")) == []


@pytest.mark.parametrize("code", ["%load_ext carbon_magic\nx = 1", "%load_ext carbon_magic\nraise SystemExit(3)"])
def test_ipython_in_a_terminal_ends_silently(kernel_python: Path, tmp_path: Path, code: str) -> None:
    script = tmp_path / "script.ipy"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [str(kernel_python), "-m", "IPython", "--no-banner", "--colors=NoColor", str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": ""},
    )
    assert "carbon" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.glob("carbon-magic-*/*")) == []


def test_text_in_a_terminal(kernel_python: Path, tmp_path: Path) -> None:
    typed = "%load_ext carbon_magic\n%%carbon -n 'a name'\nx = 6 * 7\nx\n\n\n%carbon\nexit\n"
    done = subprocess.run(
        [str(kernel_python), "-m", "IPython", "--no-banner", "--simple-prompt", "--colors=NoColor"],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert "a name:" in done.stdout
    assert "Out[2]: 42" in done.stdout
    assert "Session:" in done.stdout
    assert "<div" not in done.stdout
