"""Forks, interrupts and cells that overlap: where they meet the extension's own work, they disturb neither the notebook
nor what is recorded after them."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel.conftest import Start
from kernel.kernels import LOAD, Kernel, records, trouble

SESSION = "__import__('carbon_magic.session').session.current()"


@pytest.fixture
def kernel(start: Start, tmp_path: Path) -> Kernel:
    """A fresh kernel that tracks its cells, with a folder of its own for temporary files."""
    (tmp_path / "tmp").mkdir()
    started = start(environ={"TMPDIR": str(tmp_path / "tmp"), "XDG_RUNTIME_DIR": ""})
    started.run(LOAD, allow_error=False)
    return started


# Forks

# The child triggers a cell's events by hand: one that is kept in history hangs IPython 7.34 in a child by itself.
FORK = """\
import os, threading
from types import SimpleNamespace
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    code = 1
    try:
        shell = get_ipython()
        info = SimpleNamespace(raw_cell='%%carbon -q -o y\\ny = 5', silent=False, store_history=True, cell_id=None)
        shell.events.trigger('pre_run_cell', info)
        shell.run_cell('x = 3', silent=True)
        shell.events.trigger('post_run_cell', SimpleNamespace(
            info=info, error_before_exec=None, error_in_exec=None, execution_count=9, success=True, result=None))
        {more}
        os.write(w, repr((x, [t.name for t in threading.enumerate()])).encode())
        code = 0
    finally:
        os._exit(code)
os.close(w)
with os.fdopen(r) as f:
    said = f.read()
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


@pytest.mark.parametrize(
    "more",
    [
        "pass",
        "shell.run_line_magic('unload_ext', 'carbon_magic')",
        "import carbon_magic.session as s; s.current().reset()",
        "import carbon_magic.session as s; s.current().off(); s.current().on(); s.current().close()",
    ],
)
def test_a_forked_child_neither_hangs_nor_writes(kernel: Kernel, more: str, tmp_path: Path) -> None:
    before = records(kernel)
    outcome = kernel.run(FORK.replace("{more}", more))
    assert outcome.status == "ok", outcome.content
    assert kernel.ask("status") == "0"
    assert kernel.ask("said.startswith('(3, ')") == "True"
    assert "carbon" not in kernel.ask("said"), "the child has no thread of ours"
    assert records(kernel) == before + 1, "only the parent's cell is recorded"
    assert len(list((tmp_path / "tmp").glob("carbon-magic-*/*"))) == 2, "the parent's files stay"
    kernel.run("%%carbon -o r\nx = 1", allow_error=False)
    assert kernel.ask("r.status") == "'ok'"
    assert trouble(kernel) == "(None, None)"


def test_a_forked_child_that_ends_as_python_does(kernel: Kernel, tmp_path: Path) -> None:
    """What runs at its exit leaves the parent's file, thread and records alone."""
    kernel.run(
        "import multiprocessing as mp\np = mp.get_context('fork').Process(target=int)\np.start()\np.join()\n"
        "assert p.exitcode == 0",
        allow_error=False,
    )
    assert len(list((tmp_path / "tmp").glob("carbon-magic-*/*"))) == 2
    before = records(kernel)
    kernel.run("x = 1", allow_error=False)
    assert records(kernel) == before + 1


# Interrupts that arrive in the extension's own callbacks


RAISE_ONCE = """\
def arm():
    import carbon_magic.session
    sampler = carbon_magic.session.current().sampler
    real, left = type(sampler).border, [{skip}]
    def border():
        if left[0] == 0:
            left[0] = -1
            raise KeyboardInterrupt
        left[0] -= 1
        return real(sampler)
    sampler.border = border
arm()
"""


def test_an_interrupt_at_a_cells_beginning_reaches_the_cell(kernel: Kernel) -> None:
    """At once, as a signal would: also where the cell waits in a system call."""
    kernel.run(RAISE_ONCE.format(skip=0), silent=True, store_history=False, allow_error=False)
    outcome = kernel.run("import time\nbegun = time.monotonic()\ntime.sleep(10)")
    assert outcome.content.get("ename") == "KeyboardInterrupt"
    assert kernel.ask("time.monotonic() - begun < 9") == "True"
    still_tracks(kernel)


def test_an_interrupt_at_a_cells_end_disturbs_nothing_after_it(kernel: Kernel) -> None:
    """The cell has ended: there is nothing left to interrupt, neither the next cell nor the answer to a request."""
    kernel.run(RAISE_ONCE.format(skip=1), silent=True, store_history=False, allow_error=False)
    kernel.run("x = 1", allow_error=False)
    outcome = kernel.run("import time\ntime.sleep(0.3)\nx")
    assert outcome.status == "ok"
    still_tracks(kernel)


def still_tracks(kernel: Kernel) -> None:
    """Cells are recorded, one by one, and `%%carbon` is what it was."""
    for name in ("first", "second"):
        outcome = kernel.run(f"%%carbon -o {name}\nimport asyncio\nawait asyncio.sleep(0)\n1", allow_error=False)
        assert len(outcome.panels()) == 1
    assert kernel.ask("second.execution_count - first.execution_count") == "1"
    records(kernel)
    assert kernel.ask(f"[k.concurrent for k in {SESSION}.snapshot().records[-2:]]") == "[False, False]"
    assert kernel.ask(f"{SESSION}.snapshot().running") == "()"


# Subshells (ipykernel 7): two cells at once


def test_two_cells_at_once(start: Start) -> None:
    kernel = start()
    if "subshell" not in str(kernel.ask("get_ipython().kernel.kernel_info.get('supported_features', [])")):
        pytest.skip("this ipykernel has no subshells")
    kernel.run(LOAD, allow_error=False)
    client = kernel.client
    message = client.session.msg("create_subshell_request", {})
    client.control_channel.send(message)
    subshell = client.get_control_msg(timeout=30)["content"]["subshell_id"]
    kernel.run("import threading\nmeet = threading.Barrier(2, timeout=30)", allow_error=False)
    sent = [kernel.send("%%carbon -q -o a\nmeet.wait()\nx = 1\nmeet.wait()\nprint('a')")]
    message = client.session.msg(
        "execute_request",
        {
            "code": "%%carbon -q -o b\nmeet.wait()\ny = 2\nmeet.wait()\nprint('b')",
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        },
    )
    message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)
    sent.append(message["header"]["msg_id"])
    replies = {}
    while len(replies) < 2:
        reply = client.get_shell_msg(timeout=30)
        if reply["parent_header"].get("msg_id") in sent:
            replies[reply["parent_header"]["msg_id"]] = reply["content"]
    assert {content["status"] for content in replies.values()} == {"ok"}
    assert records(kernel) >= 3
    assert kernel.ask(f"[k.concurrent for k in {SESSION}.snapshot().records[-2:]]") == "[True, True]"
    kernel.run("z = 1", allow_error=False)
    records(kernel)
    assert kernel.ask(f"{SESSION}.snapshot().records[-1].concurrent") == "False"
    assert trouble(kernel) == "(None, None)"
