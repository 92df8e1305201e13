"""The cloud's metadata service, on loopback: nobody asks it unless told to, and none keeps its asker for long."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from carbon_magic.grid.choose import Whereabouts
from carbon_magic.grid.locate import Found
from carbon_magic.grid.metadata import TIME_OUT_S, ask

Serve = Callable[..., str]
Answer = Callable[["Service"], None]


class Service(BaseHTTPRequestHandler):
    """Answers as the class's `answer` says; remembers what was asked."""

    answer: Answer
    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.asked.append((self.command, self.path))
        type(self).answer(self)

    do_PUT = do_GET  # noqa: N815 - http.server's own names

    def say(self, text: str, status: int = 200) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a service and gives its address."""
    servers: list[ThreadingHTTPServer] = []

    def started(answer: Answer, asked: list[tuple[str, str]] | None = None) -> str:
        handler = type("Made", (Service,), {"answer": answer, "asked": [] if asked is None else asked})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_address[1]}"

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


def aws(service: Service) -> None:
    """IMDSv2: without a token from a PUT there is nothing."""
    if service.command == "PUT" and service.path == "/latest/api/token":
        seconds = service.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        service.say("tok3n==" if seconds.isdigit() else "", 200 if seconds.isdigit() else 400)
    elif service.headers.get("X-aws-ec2-metadata-token") == "tok3n==" and service.path.endswith("/placement/region"):
        service.say("eu-north-1")
    else:
        service.say("", 401)


def gcp(service: Service) -> None:
    right = service.headers.get("Metadata-Flavor") == "Google" and service.path.endswith("/instance/zone")
    service.say("projects/12/zones/europe-west9-b" if right else "", 200 if right else 403)


def azure(service: Service) -> None:
    right = service.headers.get("Metadata") == "true" and service.path.startswith("/metadata/instance/compute")
    service.say('{"location": "westeurope", "vmSize": "D2"}' if right else "", 200 if right else 400)


@pytest.mark.parametrize(
    ("answer", "region"), [(aws, "aws:eu-north-1"), (gcp, "gcp:europe-west9"), (azure, "azure:westeurope")]
)
def test_each_providers_service_tells_the_region(serve: Serve, answer: Answer, region: str) -> None:
    found = ask(address=serve(answer))
    assert found is not None
    assert (found.region, found.source) == (region, "metadata")
    assert "metadata service" in found.words


@pytest.mark.parametrize(
    "answer",
    [
        lambda service: service.say("", 500),
        lambda service: service.say("<html>log in</html>"),
        lambda service: service.say("mars-north-1"),
        lambda service: service.say("[" * 4000),
        lambda service: service.say("x" * 100_000),
        lambda service: service.say("tok\r\nX-Evil: 1"),
        lambda service: service.wfile.write(b"\x00\xff not HTTP\r\n\r\n"),
        lambda service: service.connection.close(),
    ],
)
def test_a_wrong_answer_is_none(serve: Serve, answer: Answer) -> None:
    assert ask(address=serve(answer)) is None


def test_nobody_there_is_no_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert ask(address=f"127.0.0.1:{port}") is None


def test_a_service_that_drips_is_left_after_its_time(serve: Serve) -> None:
    """Each byte comes in time for the socket, all of them would take a minute."""
    over = threading.Event()

    def drip(service: Service) -> None:
        service.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n")
        while not over.wait(TIME_OUT_S / 4):
            try:
                service.wfile.write(b"x")
            except OSError:
                return

    address = serve(drip)
    answers: list[Found | None] = []
    asking = threading.Thread(target=lambda: answers.append(ask(["gcp"], address)), daemon=True)
    asking.start()
    asking.join(20.0)
    over.set()
    assert answers == [None]


def wait_for(happened: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + 10.0
    while not happened() and time.monotonic() < deadline_s:
        time.sleep(0.005)
    return happened()


def test_it_is_asked_only_where_that_was_turned_on_and_once(serve: Serve) -> None:
    asked: list[tuple[str, str]] = []
    environ = {"TZ": "Europe/Paris", "CARBON_MAGIC_CLOUD_METADATA_ADDRESS": serve(gcp, asked)}
    told: list[str | None] = []
    here = Whereabouts(Path("/nonexistent"), environ)
    here.ask_cloud(False, lambda: told.append(here.found.region))
    assert here.found.region == "FR"
    assert asked == []
    here.ask_cloud(True, lambda: told.append(here.found.region))
    assert wait_for(lambda: told == ["gcp:europe-west9"])
    number = len(asked)
    here.ask_cloud(True, lambda: told.append("again"))
    assert (len(asked), len(told)) == (number, 1)


def test_the_environment_turns_it_on(serve: Serve) -> None:
    environ = {"TZ": "UTC", "CARBON_MAGIC_CLOUD_METADATA_ADDRESS": serve(aws), "CARBON_MAGIC_CLOUD_METADATA": "1"}
    here = Whereabouts(Path("/nonexistent"), environ)
    told: list[bool] = []
    here.ask_cloud(False, lambda: told.append(True))
    assert wait_for(lambda: bool(told))
    assert here.found.region == "aws:eu-north-1"
