"""What the panel costs its kernel: CPU seconds a minute with somebody looking and with nobody, bytes on the socket, and
the memory that a day of samples takes; and what it costs the browser, in milliseconds of its main thread a second.

    python tests/bench/panel.py [--seconds 30] [--no-browser]

A cell sleeps meanwhile, so that whatever CPU time the kernel uses is the sampler's and the comm's; for the browser it
works and sleeps by turns, so that each second has another power. Budgets: 0.6 s a minute and 8 kB/s with somebody
looking. The day is made up: a sample for each of its seconds, of which the second half may take no more than a mebibyte
above the first. The browser's time is that of scripts, styles and layout in a JupyterLab with the sidebar shown, less
the same with it shut: at most 5 ms more.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
from browser.lab_server import looking
from kernel.kernels import LOAD, Kernel
from playwright.sync_api import CDPSession

from carbon_magic.comm import messages
from carbon_magic.comm.samples import Sample, Samples

BUDGET_CPU_S = 0.6
BUDGET_BYTES = 8000.0
BUDGET_MAIN_MS = 5.0
SETTLING_MS = 5000
BUDGET_GROWTH_BYTES = 2**20
DAY_S = 86_400


def spent(kernel: Kernel, seconds: float, comm_id: str, *, looking: bool) -> tuple[float, float]:
    """CPU seconds a minute, and bytes a second of the comm's messages, while a cell sleeps."""
    session = kernel.client.session
    if looking:
        content = {"comm_id": comm_id, "data": {"type": "lease", "view": "bench"}}
        kernel.client.shell_channel.send(session.msg("comm_msg", content))
    sent = kernel.send(f"import time; time.sleep({seconds + 6})")
    time.sleep(2)
    process = psutil.Process(int(kernel.manager.provisioner.pid))
    before, began_s = sum(process.cpu_times()[:2]), time.monotonic()
    size = 0
    while (left_s := began_s + seconds - time.monotonic()) > 0:
        try:
            message = kernel.client.get_iopub_msg(timeout=left_s)
        except Exception:
            break
        if message["msg_type"] == "comm_msg":
            size += sum(len(json.dumps(message[part], default=str)) for part in ("header", "parent_header", "content"))
    took_s = time.monotonic() - began_s
    cpu_s = sum(process.cpu_times()[:2]) - before
    kernel.collect(sent)
    return cpu_s / took_s * 60.0, size / took_s


def day() -> tuple[int, int, int]:
    """Bytes held after half a made-up day of samples and after all of it, and those of one message of its history."""
    samples = Samples()
    tracemalloc.start()
    held = []
    for second in range(DAY_S):
        samples.add(Sample(1.8e9 + second, 50.0 + second % 7, 120.0 + second % 11, 5.0))
        if second in (DAY_S // 2, DAY_S - 1):
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    told = messages.rows(samples.thinned(messages.MOST_SAMPLES))
    return held[0], held[1], len(json.dumps(told))


def main_thread_ms(session: CDPSession) -> float:
    """What the page's main thread has spent so far on scripts, styles and layout."""
    told = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    return 1000.0 * sum(told[name] for name in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration"))


RESTLESS = """
import time
for second in range({seconds}):
    until = time.monotonic() + (0.1, 0.5, 0.3, 0.7, 0.2)[second % 5]
    while time.monotonic() < until:
        pass
    time.sleep(0.5)
"""


def browsed(seconds: float) -> tuple[float, float]:
    """The browser's milliseconds a second while a cell runs: with the sidebar shut, and with it shown."""
    with looking(1300, 900, 60_000) as lab:
        page = lab.page
        lab.open(lab.server.notebook("bench.ipynb", ["1 + 1", RESTLESS.format(seconds=int(8 * seconds + 120))]))
        lab.start()
        lab.run(0)
        page.wait_for_timeout(SETTLING_MS)
        lab.run(1)
        session = page.context.new_cdp_session(page)
        # Of the thread's own clock: what else the machine does is not counted.
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        spent_ms = []
        for _ in ("shown", "shut"):
            page.wait_for_timeout(SETTLING_MS)
            before_ms, began_s = main_thread_ms(session), time.monotonic()
            page.wait_for_timeout(1000 * seconds)
            spent_ms.append((main_thread_ms(session) - before_ms) / (time.monotonic() - began_s))
            lab.command("application:toggle-right-area")
    shown, shut = spent_ms
    return shut, shown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each part is measured")
    parser.add_argument("--no-browser", action="store_true", help="the kernel's part alone")
    chosen = parser.parse_args()
    seconds = chosen.seconds
    with tempfile.TemporaryDirectory() as folder:
        kernel = Kernel("python3", Path(folder) / "work")
        try:
            (opened,) = kernel.run(LOAD, allow_error=False).of("comm_open")
            closed = spent(kernel, seconds, opened["comm_id"], looking=False)
            looking = spent(kernel, seconds, opened["comm_id"], looking=True)
        finally:
            kernel.close()
    print(f"nobody looks:   {closed[0]:.2f} s CPU a minute, {closed[1]:.0f} bytes a second")
    print(f"somebody looks: {looking[0]:.2f} s CPU a minute, {looking[1]:.0f} bytes a second")
    half, whole, told = day()
    print(f"a day's samples: {half / 1024:.0f} KiB after 12 h, {whole / 1024:.0f} KiB after 24 h; told in {told} bytes")
    over = whole - half > BUDGET_GROWTH_BYTES or looking[0] > BUDGET_CPU_S or looking[1] > BUDGET_BYTES
    if not chosen.no_browser:
        shut, shown = browsed(seconds)
        print(f"browser's main thread: {shut:.1f} ms of CPU a second, {shown:.1f} with the sidebar shown")
        over = over or shown - shut > BUDGET_MAIN_MS
    budgets = f"{BUDGET_CPU_S} s, {BUDGET_BYTES:.0f} bytes, flat, {BUDGET_MAIN_MS:.0f} ms more"
    print(f"budgets: {budgets}: {'over' if over else 'kept'}")
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
