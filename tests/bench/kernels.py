"""A real kernel, started as a notebook server starts one, and what its process uses."""

from __future__ import annotations

import gc
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from common import NotMeasuredError, environment

WARM_UP = "import sys, os, time, json\n1 + 1"


class Kernel:
    """A kernel of this environment, warmed up by a few cells. Close it when done.

    Raises:
        NotMeasuredError: it does not start.
    """

    def __init__(self, extra: Mapping[str, str] | None = None) -> None:
        from jupyter_client.manager import KernelManager

        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(env=environment(extra), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        try:
            self._client.wait_for_ready(timeout=60)
        except RuntimeError as error:
            self.close()
            raise NotMeasuredError(f"a kernel: {error}") from error
        self.pid = int(self._manager.provisioner.pid)
        for _ in range(5):
            self.run(WARM_UP)

    def run(self, code: str, tell: str = "None", timeout_s: float = 120.0) -> Any:
        """Run a cell, then give what an expression of plain numbers is in the kernel.

        Raises:
            NotMeasuredError: the cell failed.
        """
        asked = {"told": f"__import__('json').dumps({tell})"}
        reply = self._client.execute(code, user_expressions=asked, reply=True, timeout=timeout_s)["content"]
        if reply["status"] != "ok":
            raise NotMeasuredError(f"a cell: {reply.get('ename')}: {reply.get('evalue')}")
        return _loads(reply["user_expressions"]["told"]["data"]["text/plain"])

    def begin(self, code: str) -> None:
        """Begin a cell and go on."""
        self._client.execute(code)

    def memory_mib(self) -> float:
        """Memory that this process has for itself alone."""
        import psutil

        gc.collect()
        return float(psutil.Process(self.pid).memory_full_info().uss) / 2**20

    def cpu_s(self) -> float:
        """CPU seconds of the process so far."""
        return cpu_s(self.pid)

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, in nanoseconds where it has a clock for that."""
    import psutil

    try:
        return time.clock_gettime((~pid << 3) | 2)
    except (AttributeError, OSError):
        used = psutil.Process(pid).cpu_times()
        return float(used.user + used.system)


def _loads(text: str) -> Any:
    import ast
    import json

    return json.loads(ast.literal_eval(text))
