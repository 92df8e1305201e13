"""The comm in real kernels: what a front end gets and when, what it may say, and that it costs the notebook nothing."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kernel.conftest import Start
from kernel.kernels import LOAD, TIMEOUT_S, Kernel, records, trouble

Data = dict[str, Any]

LINK = "__import__('carbon_magic.session').session.current().link"
SOON = (
    "import carbon_magic.comm.lease as _lease, carbon_magic.session as _session\n"
    "_lease.QUIET_S = 1.5\n"
    "_session.current().config.rest_interval_s = 1.0"
)
CLEAN = """\
get_ipython().extension_manager.unload_extension("carbon_magic")
"""
QUIET_FOR_S = 2.5
"""Long enough for two readings at rest."""


class Front:
    """What JupyterLab is to a kernel: it hears of the comm when it is opened, and talks to it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.heard: list[Data] = []
        self.kinds: list[str] = []
        self.comm_id = ""

    def load(self) -> Data:
        """Load the extension; gives the opening data."""
        outcome = self.kernel.run(LOAD, allow_error=False)
        (opened,) = outcome.of("comm_open")
        assert opened["target_name"] == "carbon_magic"
        self.comm_id = opened["comm_id"]
        data: Data = opened["data"]
        return data

    def say(self, data: Any, channel: str = "shell", comm_id: str | None = None) -> None:
        """Send a message to the comm."""
        session = self.kernel.client.session
        content = {"comm_id": comm_id or self.comm_id, "data": data}
        if channel == "control":
            request = session.msg("comm_info_request", {"target_name": "carbon_magic", "carbon_magic": content})
            self.kernel.client.control_channel.send(request)
        else:
            self.kernel.client.shell_channel.send(session.msg("comm_msg", content))

    def close(self) -> None:
        """What a front end does that does not know the target."""
        session = self.kernel.client.session
        self.kernel.client.shell_channel.send(session.msg("comm_close", {"comm_id": self.comm_id, "data": {}}))

    def listen(self, timeout_s: float) -> Data | None:
        """The next message of the comm, or None where nothing comes in so long."""
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0.0:
            try:
                message = self.kernel.client.get_iopub_msg(timeout=left_s)
            except queue.Empty:
                return None
            self.kinds.append(message["msg_type"])
            if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == self.comm_id:
                data: Data = message["content"]["data"]
                self.heard.append(data)
                return data
        return None

    def until(self, kind: str, true: Callable[[Data], bool] = lambda data: True) -> Data:
        """The next message of a kind that something is true of."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline_s:
            data = self.listen(deadline_s - time.monotonic())
            if data is not None and data["type"] == kind and true(data):
                return data
        raise AssertionError(f"no {kind}; so far {[data['type'] for data in self.heard]}")


@pytest.fixture(scope="module")
def fresh_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Kernel]]:
    """The kernel of an environment, in which nothing is loaded."""
    kernels: dict[str, Kernel] = {}

    def kernel_of(kernel_name: str) -> Kernel:
        if kernel_name not in kernels or not kernels[kernel_name].alive():
            folder = tmp_path_factory.mktemp(kernel_name) / "work"
            kernels[kernel_name] = Kernel(kernel_name, folder, {"CARBON_MAGIC_REGION": "FR"})
        return kernels[kernel_name]

    yield kernel_of
    for kernel in kernels.values():
        kernel.close()


@pytest.fixture
def front(fresh_pool: Callable[[str], Kernel], kernel_name: str) -> Iterator[Front]:
    """A front end of a kernel that a test loads the extension into, and which is as before after it."""
    kernel = fresh_pool(kernel_name)
    yield Front(kernel)
    kernel.run(CLEAN, silent=True, store_history=False, allow_error=False)


def test_the_comm_opens_with_how_things_stand(front: Front) -> None:
    opened = front.load()
    assert (opened["type"], opened["protocol"], opened["tracking"]) == ("state", 1, True)
    assert (opened["region"]["id"], opened["region"]["source"]) == ("FR", "environment")
    assert [source["domain"] for source in opened["sources"]] == ["cpu", "gpu", "dram", "grid"]


def test_a_cell_that_has_ended_is_told_once_though_nobody_looks(front: Front) -> None:
    front.load()
    front.kernel.send("sum(range(100_000))")
    record = front.until("record")
    assert record["cell"]["status"] == "ok"
    assert record["cell"]["final"] is True
    assert record["totals"]["energy_j"] is not None
    while front.listen(QUIET_FOR_S) is not None:
        pass
    # Which GPUs there are is known a little later than the rest, and told when it is.
    assert [data["type"] for data in front.heard if data["type"] != "state"] == ["record"]


@pytest.mark.parametrize(
    "work", ["import time; time.sleep(3)", "import time\nt = time.time()\nwhile time.time() < t + 3: pass"]
)
@pytest.mark.parametrize("channel", ["shell", "control"])
def test_a_lease_brings_ticks_while_a_cell_runs(front: Front, channel: str, work: str) -> None:
    """Over the shell it is taken before the cell; over control in the middle of it, where the shell waits."""
    front.load()
    if channel == "shell":
        front.say({"type": "lease", "view": "test"})
        front.kernel.send(work)
    else:
        front.kernel.send(work)
        while "execute_input" not in front.kinds:
            front.listen(0.5)
        front.say({"type": "hello", "protocol": 1, "version": "1"}, "control")
        front.say({"type": "lease", "view": "test"}, "control")
    first = front.until("tick", lambda tick: len(tick["running"]) == 1)
    second = front.until("tick", lambda tick: tick["running"] and tick["running"][0]["duration_s"] > 1.0)
    (cell,) = second["running"]
    assert cell["status"] == "running"
    assert second["totals"]["duration_s"] > first["totals"]["duration_s"]
    assert second["samples"]
    assert not any(data["type"] == "record" for data in front.heard)  # it came while the cell ran
    ended = front.until("record")
    assert ended["cell"]["record_id"] == cell["record_id"]
    if channel == "control":
        assert {"state", "history"} <= {data["type"] for data in front.heard}


def test_ticks_stop_soon_after_the_last_cell_though_the_lease_goes_on(front: Front) -> None:
    front.load()
    front.kernel.run(SOON, silent=True, store_history=False, allow_error=False)
    front.say({"type": "lease", "view": "test"})
    front.kernel.send("1")
    front.until("tick")
    while front.listen(QUIET_FOR_S) is not None:
        front.say({"type": "lease", "view": "test"})
    assert front.kernel.ask(f"{LINK}.watched") == "False"
    assert front.listen(QUIET_FOR_S) is None
    front.kernel.send("2")  # the lease still holds, and the next cell brings what was missed
    assert front.until("tick")["samples"]


def test_with_keep_live_they_go_on(front: Front) -> None:
    front.load()
    front.kernel.run(SOON, silent=True, store_history=False, allow_error=False)
    front.say({"type": "keep_live", "on": True})
    front.say({"type": "lease", "view": "test"})
    for _ in range(4):
        front.until("tick")


def test_hello_is_answered_by_all_there_is(front: Front) -> None:
    front.load()
    for number in range(3):
        front.kernel.run(f"{number}", allow_error=False)
    assert records(front.kernel) == 3
    front.say({"type": "hello", "protocol": 1, "version": "0.0"})
    assert front.until("state")["tracking"] is True
    history = front.until("history", lambda data: data["count"] == 3)
    first, second, third = [cell["execution_count"] for cell in history["cells"]]
    assert (second, third) == (first + 1, first + 2)


def test_a_region_is_set_or_refused_with_what_is_near(front: Front) -> None:
    front.load()
    front.say({"type": "region", "region": "SE"})
    assert front.until("state", lambda state: state["region"]["id"] == "SE")["region"]["source"] == "user"
    front.say({"type": "region", "region": "atlantis"})
    refused = front.until("refused")
    assert refused["what"] == "region"
    assert "atlantis" in refused["why"]
    front.say({"type": "region", "region": None})
    front.until("state", lambda state: state["region"]["source"] == "environment")


def test_tracking_is_switched(front: Front) -> None:
    front.load()
    for on in (False, True):
        front.say({"type": "track", "on": on})
        assert front.until("state")["tracking"] is on
        assert front.kernel.ask("__import__('carbon_magic.session').session.current().tracking") == str(on)


def test_the_chart_is_made_once_for_all_who_ask(front: Front) -> None:
    front.load()
    installed = front.kernel.ask("all(map(__import__('importlib.util').util.find_spec, ('bqplot', 'anywidget')))")
    front.say({"type": "chart"})
    if installed != "True":
        refused = front.until("refused")
        assert refused["what"] == "chart"
        assert "carbon-magic[panel]" in refused["why"]
        return
    first = front.until("chart")["model_id"]
    front.say({"type": "chart"})
    assert front.until("chart")["model_id"] == first
    assert front.kernel.ask(f"type({LINK}._chart.children[0]).__name__") == "'Figure'"


TWO_PANELS = f"""\
from carbon_magic.views.panel import panel as _panel
_panels = [_panel({LINK}) for _ in range(2)]
_told = []
for _number, _one in enumerate(_panels):
    _one.send = lambda message, number=_number: _told.append((number, message))
"""


def test_panels_of_one_kernel_are_told_of_its_cells_until_they_are_closed(front: Front) -> None:
    front.load()
    installed = front.kernel.ask("all(map(__import__('importlib.util').util.find_spec, ('bqplot', 'anywidget')))")
    if installed != "True":
        pytest.skip("the panel needs bqplot and anywidget")
    front.kernel.run(TWO_PANELS, allow_error=False)
    front.kernel.run("6 * 7  # the answer\n1", allow_error=False)
    front.until("record", lambda data: data["totals"] is not None)
    told = "{number for number, told in _told if told.get('cell', {}).get('code') == '6 * 7  # the answer'}"
    for _ in range(20):
        if front.kernel.ask(told) == "{0, 1}":
            break
        time.sleep(0.5)
    assert front.kernel.ask(told) == "{0, 1}"
    # The comm's own front end has the notebook.
    assert all("code" not in data["cell"] for data in front.heard if data["type"] == "record")
    front.kernel.run("[one.close() for one in _panels]", silent=True, store_history=False, allow_error=False)
    front.say({"type": "hello", "protocol": 1, "version": ""})
    front.until("history")
    assert front.kernel.ask(f"len({LINK}._listeners)") == "0"


def test_a_comm_that_is_closed_leaves_the_widgets_their_leases(front: Front) -> None:
    front.load()
    front.say({"type": "lease", "view": "test"})
    front.kernel.run(f"{LINK}.heard({{'type': 'lease', 'view': 'test'}})", allow_error=False)
    assert front.kernel.ask(f"sorted({LINK}.leases._until)") == "['comm:test', 'widget:test']"
    front.close()
    assert front.kernel.ask(f"sorted({LINK}.leases._until)") == "['widget:test']"


HOSTILE: list[Any] = [
    None,
    7,
    "lease",
    [],
    {},
    {"type": None},
    {"type": {"type": "hello"}},
    {"type": "nothing such"},
    {"type": "lease"},
    {"type": "lease", "view": 7},
    {"type": "lease", "view": "x" * 100_000},
    {"type": "region", "region": ["FR"]},
    {"type": "region", "region": "x" * 100_000},
    {"type": "track", "on": "yes"},
    {"type": "keep_live", "on": 1},
    {"type": "hello", "protocol": "🌍" * 10_000},
]


@pytest.mark.parametrize("channel", ["shell", "control"])
def test_hostile_messages_change_nothing(front: Front, channel: str) -> None:
    front.load()
    for data in HOSTILE:
        front.say(data, channel)
        front.say(data, channel, comm_id="another")
    front.kernel.run("1", allow_error=False)
    front.say({"type": "region", "region": "SE"}, channel)
    front.until("state", lambda state: state["region"]["id"] == "SE")
    assert front.kernel.ask(f"len({LINK}.leases._until)") == "0"
    assert trouble(front.kernel) == "(None, None)"
    assert "Traceback" not in front.kernel.terminal()


def test_a_front_end_that_does_not_know_the_target_is_left_alone(front: Front) -> None:
    front.load()
    front.say({"type": "lease", "view": "test"})
    front.close()
    front.kernel.send("1")
    assert front.listen(QUIET_FOR_S) is None
    assert "comm_open" not in front.kinds
    assert front.kernel.run("1 + 1").of("execute_result")[0]["data"]["text/plain"] == "2"
    assert trouble(front.kernel) == "(None, None)"


def test_unloading_closes_it_and_gives_back_the_control_channel(front: Front) -> None:
    handlers = "{kind: str(one) for kind, one in get_ipython().kernel.control_handlers.items()}"
    before = front.kernel.ask(handlers)
    front.load()
    assert front.kernel.ask(handlers) != before
    closed = front.kernel.run("%unload_ext carbon_magic").of("comm_close")
    assert [content["comm_id"] for content in closed] == [front.comm_id]
    assert front.kernel.ask(handlers) == before


def test_requests_for_comms_are_answered_as_before_whatever_rides_on_them(front: Front) -> None:
    front.load()
    client = front.kernel.client
    for rider in ({}, {"carbon_magic": {"comm_id": front.comm_id, "data": {"type": "region", "region": "SE"}}}):
        sent = client.session.msg("comm_info_request", {"target_name": "carbon_magic", **rider})
        client.control_channel.send(sent)
        while (reply := client.control_channel.get_msg(timeout=TIMEOUT_S))["parent_header"]["msg_id"] != sent["msg_id"]:
            pass
        assert reply["msg_type"] == "comm_info_reply"
        assert reply["content"]["comms"] == {front.comm_id: {"target_name": "carbon_magic"}}
    front.until("state", lambda state: state["region"]["id"] == "SE")


def test_a_forked_child_says_nothing(front: Front) -> None:
    front.load()
    front.say({"type": "lease", "view": "test"})
    front.kernel.send(
        "import os\n"
        "import carbon_magic.session as _s\n"
        "_read, _write = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    _sent = []\n"
        "    _s.current().link._comm.send = lambda *a, **k: _sent.append(a)\n"
        "    _s.current().link._send({'type': 'tick'}); _s.current().link.changed(); _s.current().link.close()\n"
        "    os.write(_write, str(len(_sent)).encode()); os._exit(0)\n"
        "print(os.read(_read, 9).decode(), os.wait()[1])"
    )
    deadline_s = time.monotonic() + TIMEOUT_S
    text = ""
    while time.monotonic() < deadline_s and "\n" not in text:
        message = front.kernel.client.get_iopub_msg(timeout=TIMEOUT_S)
        text += message["content"].get("text", "") if message["msg_type"] == "stream" else ""
    assert text == "0 0\n"


def test_a_run_without_a_front_end_opens_no_comm(start: Start) -> None:
    kernel = start()
    sink = kernel.folder / "sink"
    outcome = kernel.run(
        f"import carbon_magic.run.feed as feed\nfeed.serve(get_ipython(), {str(sink)!r}, 'n.ipynb', None)",
        allow_error=False,
    )
    assert outcome.of("comm_open") == []
