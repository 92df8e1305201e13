"""What a comm needs of ipykernel, whose ways differ from release to release.

What front ends say comes by the shell, which waits for the cell that runs; so that a view which is opened in the middle
of a long cell is heard too, messages are taken on the control channel as well, where they ride on requests for the
kernel's comms. A `comm_msg` there would be heard too, but after it the kernel says that it is idle, and a server that
ends idle kernels would end this one in the middle of its cell; what is said after a request for comms, servers do not
count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from carbon_magic.comm import messages

REQUEST = "comm_info_request"


def create(target: str, data: messages.Message) -> Any:
    """A comm of this kernel. The package `comm` has it from ipykernel 6.18 on, and beside an older one only a dummy."""
    try:
        from comm import create_comm
    except ImportError:
        create_comm = None  # type: ignore[assignment,unused-ignore]
    if create_comm is None or create_comm.__module__.partition(".")[0] == "comm":
        from ipykernel.comm import Comm

        make: Any = Comm
        return make(target_name=target, data=data)
    return create_comm(target_name=target, data=data)


def hear_on_control(kernel: Any, comm_id: str, received: Callable[[Any], None]) -> Callable[[], None]:
    """Take what rides on requests for the kernel's comms on the control channel; gives what undoes it.

    The requests themselves are answered as they were before.
    """
    handlers: Any = getattr(kernel, "control_handlers", None)
    if not isinstance(handlers, dict) or REQUEST not in handlers:
        return lambda: None
    before = handlers[REQUEST]

    def handle(stream: Any, ident: Any, message: Any) -> Any:
        content = message.get("content") if isinstance(message, dict) else None
        rider = content.get(messages.TARGET) if isinstance(content, dict) else None
        if isinstance(rider, dict) and rider.get("comm_id") == comm_id:
            received({"content": rider})
        return before(stream, ident, message)

    handlers[REQUEST] = handle

    def undo() -> None:
        # Where somebody has put another one on top, that one still needs this one.
        if handlers.get(REQUEST) is handle:
            handlers[REQUEST] = before

    return undo
