"""Kernels for `carbon-magic run`: which there are, and one that is started, asked and stopped.

A kernel is chosen by name before anything runs, so that a wrong name, another language or a broken kernel spec costs
nobody the time of a run. A started kernel is asked in silent requests, which leave no trace in the notebook: no output,
no number, no name in its namespace.
"""

from __future__ import annotations

import ast
import difflib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from carbon_magic.run import UsageError
from carbon_magic.views.plain import clean

START_TIMEOUT_S = 120
"""A kernel on a slow network file system takes up to a minute to import IPython."""
_ASK_TIMEOUT_S = 60.0

_PYTHON = "__import__('sys').executable"
_FOUND = "__import__('importlib.util').util.find_spec('carbon_magic') is not None"
_LOAD = "__import__('carbon_magic.run.feed', fromlist=['serve']).serve(get_ipython(), {!a}, {!a}, {!a})"
_SETTLE = "__import__('carbon_magic.session', fromlist=['settle']).settle(2.0)"


class KernelDiedError(Exception):
    """The kernel's process has ended."""


def check_kernel(name: str, where: str) -> str:
    """The kernel spec's name, once it is known that there is such a kernel and that it speaks Python.

    Args:
        where: who asked for it, for people: a notebook's path or the option.

    Raises:
        UsageError: there is no such kernel (names those there are, the nearest first), its spec cannot be read, or it
            is one of another language.
    """
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager()
    shown = clean(name, 80)
    try:
        spec = manager.get_kernel_spec(name)
    except NoSuchKernel:
        raise UsageError(_unknown(shown, where, sorted(manager.find_kernel_specs()))) from None
    except Exception as error:
        # A kernel.json is somebody's file: what jupyter_client makes of a broken one depends on where it is broken.
        raise UsageError(f"the kernel spec of {shown!r} cannot be read: {clean(str(error), 200)}") from None
    language = str(spec.language)
    if language.lower() != "python":
        raise UsageError(
            f"{where}: carbon-magic needs a Python kernel, and {shown!r} is one for {clean(language, 40) or 'nothing'}"
        )
    return name


def _unknown(shown: str, where: str, names: list[str]) -> str:
    if not names:
        return (
            f"{where}: there is no kernel {shown!r}, nor any other: "
            "install one beside carbon-magic with 'python -m pip install ipykernel'"
        )
    near = difflib.get_close_matches(shown.lower(), names, n=len(names), cutoff=0.0)
    ordered = near + [other for other in names if other not in near]
    listed = ", ".join(clean(other, 80) for other in ordered[:20]) + (", …" if len(ordered) > 20 else "")
    return f"{where}: there is no kernel {shown!r}. There are: {listed} (choose one with --kernel)"


@dataclass(slots=True)
class Kernel:
    """A running kernel and nbclient's client of it."""

    name: str
    client: Any
    """The `nbclient.NotebookClient`, its `km` and `kc` set."""
    log: Path
    """Where the kernel process writes what does not reach the notebook."""

    @classmethod
    async def start(
        cls, name: str, node: Any, *, cwd: Path, env: dict[str, str], log: Path, allow_errors: bool
    ) -> Kernel:
        """Start a kernel in the folder `cwd` and wait until it answers.

        Raises:
            UsageError: it cannot be started.
        """
        from nbclient import NotebookClient

        client = NotebookClient(
            node, kernel_name=name, timeout=None, allow_errors=allow_errors, startup_timeout=START_TIMEOUT_S
        )
        client.km = client.create_kernel_manager()
        with log.open("wb") as output:
            try:
                await _start(client, cwd, env, output)
            except Exception as error:
                # Whatever a kernel's launcher raises (a missing program, a time-out, an early end) means the same here.
                reason = _last_line(log) or clean(str(error), 200)
                raise UsageError(f"the kernel {clean(name, 80)!r} cannot be started: {reason}") from None
        return cls(name, client, log)

    async def load(self, sink: Path, notebook: str, region: str | None) -> None:
        """Load the extension, as the first thing that happens in the kernel, and say where its records go.

        Raises:
            UsageError: the kernel's environment lacks the package, or has one that cannot be loaded.
            KernelDiedError: the kernel ended.
        """
        content = await self.ask("", {"python": _PYTHON, "found": _FOUND})
        values = content.get("user_expressions", {})
        python = str(_value(values.get("python")) or "python")
        if _value(values.get("found")) is False:
            raise UsageError(
                f"the kernel {clean(self.name, 80)!r} runs {clean(python, 300)}, which lacks carbon-magic: "
                f"install it there with '{clean(python, 300)} -m pip install carbon-magic'"
            )
        content = await self.ask(_LOAD.format(str(sink), notebook, region))
        if content.get("status") != "ok":
            problem = clean(f"{content.get('ename')}: {content.get('evalue')}", 300)
            kernel = f"{clean(self.name, 80)!r} ({clean(python, 300)})"
            raise UsageError(f"carbon-magic cannot be loaded in the kernel {kernel}: {problem}")

    async def settle(self) -> None:
        """Wait until the records of all cells are final, at most some seconds."""
        await self.ask(_SETTLE, timeout_s=10.0)

    async def ask(
        self, code: str, expressions: dict[str, str] | None = None, timeout_s: float = _ASK_TIMEOUT_S
    ) -> dict[str, Any]:
        """Run code silently and return the reply's content.

        Raises:
            KernelDiedError: the kernel ended before it answered.
            TimeoutError: it did not answer in time.
        """
        from queue import Empty

        channel = self.client.kc
        asked = channel.execute(
            code, silent=True, store_history=False, user_expressions=expressions or {}, allow_stdin=False
        )
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            try:
                reply = await channel.get_shell_msg(timeout=0.5)
            except Empty:
                if not await self.alive():
                    raise KernelDiedError from None
                continue
            if reply["parent_header"].get("msg_id") == asked:
                content: dict[str, Any] = reply["content"]
                return content
        raise TimeoutError(f"no answer from the kernel in {timeout_s:g} s")

    async def alive(self) -> bool:
        """Whether the kernel's process runs."""
        return bool(await self.client.km.is_alive())

    async def interrupt(self) -> None:
        """What Ctrl-C does in a terminal."""
        await self.client.km.interrupt_kernel()

    async def stop(self, *, now: bool) -> None:
        """End the kernel: asked to, and killed where it does not within some seconds; or killed at once.

        A kernel that has been stopped stays so.
        """
        await _stop(self.client, now=now)


async def _start(client: Any, cwd: Path, env: dict[str, str], output: BinaryIO) -> None:
    try:
        # The kernel's own streams go to a file: they must not mix with records on standard output.
        await client.async_start_new_kernel(cwd=str(cwd), env=env, stdout=output, stderr=output)
        client.kc = client.km.client()
        client.kc.start_channels()
        await client.kc.wait_for_ready(timeout=START_TIMEOUT_S)
        client.kc.allow_stdin = False
    except BaseException:
        await _stop(client, now=True)
        raise


async def _stop(client: Any, *, now: bool) -> None:
    if client.kc is not None:
        client.kc.stop_channels()
    await client.km.shutdown_kernel(now=now or not await client.km.is_alive())


def _value(result: object) -> object:
    """The value of a user expression, or None."""
    if not isinstance(result, dict) or result.get("status") != "ok":
        return None
    text = result.get("data", {}).get("text/plain")
    try:
        return ast.literal_eval(text) if isinstance(text, str) else None
    except (ValueError, SyntaxError):
        return None


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 4096))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return clean(lines[-1], 200) if lines else ""
