"""A kernel as a test sees it: cells go in, and everything that comes back for them is kept, in order.

`Kernel` starts one process from a kernel spec and talks to it by Jupyter's own messages. `Outcome` is all that one
request brought: the reply and what was published for it. `seen` brings an outcome into a form in which two kernels can
be compared: what differs from process to process (addresses, process numbers, temporary names, measured times) is
replaced, and text that was cut into messages by chance is joined.
"""

from __future__ import annotations

import os
import queue
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

TIMEOUT_S = 60.0
Message = dict[str, Any]

_VARIES = [
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"(?<![^\s\"'(])[^\s\"'(]{0,300}?ipykernel_\d+[/\\]\d+\.py"), "<cell>"),
    (re.compile(r"\(\d+\.py, line"), "(<cell>, line"),
    (re.compile(r"<ipython-input-(\d+)-[0-9a-f]+>"), r"<cell \1>"),
    (re.compile(r"0x[0-9a-fA-F]{6,}"), "<address>"),
    (re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"), "<id>"),
    (re.compile(r" at [0-9a-f]{8,}\b"), " at <address>"),
    # What was typed differs, as it should.
    (re.compile(r"raw_cell=\".*? store_history", re.DOTALL), "<code> store_history"),
    (re.compile(r"\b\d+(\.\d+)?(e[-+]\d+)? ?(ns|µs|us|μs|ms|s)\b"), "<time>"),
    (re.compile(r"\([\d,]+ loops? each\)"), "(<loops>)"),
    # The comment that takes the place of %%carbon's line is shown where a traceback shows the cell's first lines.
    (re.compile(r"^( *(?:-+>)? *1 )#.*$", re.MULTILINE), r"\1#"),
]


@dataclass
class Outcome:
    """What one request brought."""

    reply: Message
    published: list[Message] = field(default_factory=list)

    @property
    def content(self) -> dict[str, Any]:
        """The reply's content."""
        return dict(self.reply["content"])

    @property
    def status(self) -> str:
        return str(self.reply["content"]["status"])

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The contents of one kind of published message, in order."""
        return [message["content"] for message in self.published if message["msg_type"] == kind]

    def text(self, name: str = "stdout") -> str:
        """What was printed to one stream."""
        return "".join(content["text"] for content in self.of("stream") if content["name"] == name)

    def shown(self) -> list[Message]:
        """What was published for people to see: not the kernel's own account of the request, nor what goes over
        carbon-magic's comm, which no output holds."""
        own = ("status", "execute_input", "comm_close")
        return [message for message in self.published if message["msg_type"] not in own and not is_comm(message)]

    def value(self, name: str) -> str:
        """The text of one of the user expressions."""
        answer = self.reply["content"]["user_expressions"][name]
        assert answer["status"] == "ok", answer
        return str(answer["data"]["text/plain"])

    def panels(self) -> list[dict[str, str]]:
        """What carbon-magic displayed."""
        return [content["data"] for content in self.of("display_data") if is_ours(content)]


def is_ours(content: dict[str, Any]) -> bool:
    """Whether a displayed content is a result of `%%carbon`: no other output opens with this rule and its type."""
    html = content.get("data", {}).get("text/html", "")
    return html.startswith('<div style="border-left:2px solid #9e9e9e')


def is_comm(message: Message) -> bool:
    """Whether a message goes over carbon-magic's own comm, which no output holds."""
    content = message["content"]
    if message["msg_type"] == "comm_open":
        return bool(content["target_name"] == "carbon_magic")
    data = content.get("data")
    known = ("state", "tick", "record", "history", "refused")
    return message["msg_type"] == "comm_msg" and isinstance(data, dict) and data.get("type") in known


def settled(text: str, folder: Path | None = None) -> str:
    """`text` without what differs from one process to the next."""
    if folder is not None:
        text = text.replace(str(folder), "<folder>")
    for pattern, instead in _VARIES:
        text = pattern.sub(instead, text)
    return text


def seen(outcome: Outcome, folder: Path | None = None) -> dict[str, Any]:
    """What a user of the notebook sees of an outcome, but for what `%%carbon` shows; comparable between kernels."""

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return settled(value, folder)
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [clean(item) for item in value]
        return value

    outputs: list[dict[str, Any]] = []
    streams: dict[str, str] = {}
    for message in outcome.published:
        kind, content = message["msg_type"], message["content"]
        if kind in ("status", "execute_input") or is_ours(content) or is_comm(message):
            continue
        if kind == "stream":
            if content["text"].startswith("ERROR! Session/line number was not unique"):
                continue  # IPython's history thread, whenever it gets to it
            if not streams:
                streams = {}
                outputs.append({"streams": streams})
            streams[content["name"]] = streams.get(content["name"], "") + content["text"]
            continue
        streams = {}
        outputs.append({"kind": kind, **content})
    reply = dict(outcome.content)
    reply.pop("engine_info", None)
    return {"outputs": clean(outputs), "reply": clean(reply)}


class Kernel:
    """One kernel process.

    Args:
        name: the kernel spec that starts it.
        folder: its working directory; beside it go its terminal output and its own history, settings and profile.
        environ: variables added to its environment.
        options: arguments added to its command line.
    """

    def __init__(
        self, name: str, folder: Path, environ: dict[str, str] | None = None, options: tuple[str, ...] = ()
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log = folder.with_name(folder.name + ".log")
        self.manager = KernelManager(kernel_name=name)
        with self.log.open("ab") as log:
            self.manager.start_kernel(
                cwd=str(folder),
                env={**os.environ, "IPYTHONDIR": str(folder.with_name(folder.name + ".ipython")), **(environ or {})},
                extra_arguments=list(options),
                stdout=log,
                stderr=log,
            )
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT_S)

    def close(self) -> None:
        """Kill it, if it lives."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def alive(self) -> bool:
        return bool(self.manager.is_alive())

    def terminal(self) -> str:
        """What the process wrote to its terminal."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def send(
        self,
        code: str,
        *,
        silent: bool = False,
        store_history: bool = True,
        expressions: dict[str, str] | None = None,
        allow_stdin: bool = False,
    ) -> str:
        """Have `code` executed; `collect` what it brings by the id that this gives."""
        return str(
            self.client.execute(
                code,
                silent=silent,
                store_history=store_history,
                user_expressions=expressions or {},
                allow_stdin=allow_stdin,
                stop_on_error=False,
            )
        )

    def run(
        self,
        code: str,
        *,
        silent: bool = False,
        store_history: bool = True,
        expressions: dict[str, str] | None = None,
        answers: Iterator[str] | None = None,
        on_message: Callable[[Message], None] | None = None,
        allow_error: bool = True,
    ) -> Outcome:
        """Execute `code` and wait for all that it brings. `answers` are typed where the cell asks for input."""
        sent = self.send(
            code, silent=silent, store_history=store_history, expressions=expressions, allow_stdin=answers is not None
        )
        outcome = self.collect(sent, answers=answers, on_message=on_message)
        if not allow_error:
            assert outcome.status == "ok", outcome.content
        return outcome

    def ask(self, expression: str) -> str:
        """The text of an expression's value, asked as inspectors ask: no cell, no history."""
        outcome = self.run("", silent=True, store_history=False, expressions={"asked": expression})
        return outcome.value("asked")

    def collect(
        self,
        sent: str,
        *,
        answers: Iterator[str] | None = None,
        on_message: Callable[[Message], None] | None = None,
    ) -> Outcome:
        """Everything that the request `sent` brings, up to `idle` and its reply."""
        published: list[Message] = []
        deadline_s = time.monotonic() + TIMEOUT_S
        while True:
            if answers is not None and self.client.stdin_channel.msg_ready():
                self.client.stdin_channel.get_msg(timeout=1)
                self.client.input(next(answers))
            try:
                message = self.client.get_iopub_msg(timeout=0.05 if answers is not None else 5)
            except queue.Empty:
                assert time.monotonic() < deadline_s, f"no end of the cell; so far: {published}"
                assert self.alive(), f"the kernel died: {self.terminal()}"
                continue
            if message["parent_header"].get("msg_id") != sent:
                continue
            published.append(message)
            if on_message is not None:
                on_message(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while True:
            reply = self.client.get_shell_msg(timeout=TIMEOUT_S)
            if reply["parent_header"].get("msg_id") == sent:
                return Outcome(reply, published)

    def request(self, kind: str, content: dict[str, Any]) -> Outcome:
        """Send any other request on the shell channel and wait for all that it brings."""
        message = self.client.session.msg(kind, content)
        self.client.shell_channel.send(message)
        return self.collect(message["header"]["msg_id"])

    def send_comm(self, kind: str, content: dict[str, Any]) -> list[Message]:
        """Send a comm message, which has no reply, and give what was published for it."""
        message = self.client.session.msg(kind, content)
        self.client.shell_channel.send(message)
        published: list[Message] = []
        while True:
            got = self.client.get_iopub_msg(timeout=TIMEOUT_S)
            if got["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            published.append(got)
            if got["msg_type"] == "status" and got["content"]["execution_state"] == "idle":
                return published


LOAD = "%load_ext carbon_magic"
RECORDS = "len(__import__('carbon_magic.session').session.current().snapshot().records)"
SETTLED = "__import__('carbon_magic.session').session.settle(30)"


def records(kernel: Kernel) -> int:
    """How many cells carbon-magic has recorded in this kernel, once every finished cell is settled."""
    assert kernel.ask(SETTLED) == "True"
    return int(kernel.ask(RECORDS))


def trouble(kernel: Kernel) -> str:
    """What carbon-magic has kept from the notebook, `None` where nothing went wrong."""
    session = "__import__('carbon_magic.session').session.current()"
    return kernel.ask(f"({session}.trouble, {session}.sampler and {session}.sampler.problem)")
