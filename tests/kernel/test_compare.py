"""`%carbon compare` and `%carbon methods` in a real kernel: what is shown, what is refused, what Tab offers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kernel.kernels import Kernel, Outcome

SESSION = "__import__('carbon_magic.session').session.current()"


@pytest.fixture(autouse=True)
def in_poland(tracked: Kernel) -> Iterator[None]:
    silently(tracked, f"{SESSION}.config.region = 'PL'")
    yield
    silently(tracked, f"{SESSION}.config.region = None")


def silently(kernel: Kernel, code: str) -> None:
    kernel.run(code, silent=True, store_history=False, allow_error=False)


def shown(kernel: Kernel, line: str) -> dict[str, str]:
    (display,) = kernel.run(line, allow_error=False).of("display_data")
    data: dict[str, str] = display["data"]
    return data


def refused(kernel: Kernel, code: str) -> str:
    outcome: Outcome = kernel.run(code)
    assert (outcome.status, outcome.content["ename"]) == ("error", "UsageError")
    return str(outcome.content["evalue"])


def completions(kernel: Kernel, code: str) -> list[str]:
    content = kernel.request("complete_request", {"code": code, "cursor_pos": len(code)}).content
    return [code[: content["cursor_start"]] + match for match in content["matches"]]


def test_the_session_elsewhere(tracked: Kernel) -> None:
    tracked.run("sum(range(300_000))", allow_error=False)
    data = shown(tracked, "%carbon compare SE 'United States' aws:us-west-2")
    assert set(data) == {"text/plain", "text/html"}
    text = data["text/plain"].replace("\u00a0", " ")
    assert max(len(line) for line in text.splitlines()) <= 79
    rows = [line.split("  ")[0] for line in text.splitlines()]
    assert (
        rows.index("Poland (here)") < rows.index("Sweden") < rows.index("AWS us-west-2") < rows.index("United States")
    )
    assert "0.06×" in text
    assert "not clearly lower" in text
    assert "%carbon methods" in text


def test_one_cell_or_one_label(tracked: Kernel) -> None:
    outcome = tracked.run("%%carbon -q -n elsewhere\nsum(range(300_000))", allow_error=False)
    silently(tracked, f"{SESSION}.settle(5)")
    number = outcome.content["execution_count"]
    assert f"Cell [{number}]: " in shown(tracked, f"%carbon compare SE --cell {number}")["text/plain"]
    assert "elsewhere: " in shown(tracked, "%carbon compare SE --label elsewhere --at 03:00")["text/plain"]
    assert "Nearest: elsewhere" in refused(tracked, "%carbon compare SE --label elsewere")
    assert "no cell [9999]" in refused(tracked, "%carbon compare SE --cell 9999")


def test_without_names_it_says_what_it_lists(tracked: Kernel) -> None:
    text = shown(tracked, "%carbon compare")["text/plain"]
    assert "Nobody named any" in " ".join(text.split())
    assert "Sweden" in text
    assert "India" in text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%carbon compare Swden", "Sweden"),
        ("%carbon compare --sme-provider", "--same-provider"),
        ("%carbon compare --same-provider", "no cloud region"),
        ("%carbon compare --at noon", "03:00"),
        ("%carbon compar", "compare"),
        ("%carbon methods now", "takes nothing"),
    ],
)
def test_what_is_refused(tracked: Kernel, line: str, words: str) -> None:
    assert words in refused(tracked, line)


def test_the_page(tracked: Kernel) -> None:
    page = shown(tracked, "%carbon methods")
    assert page["text/markdown"].startswith("# How the figures are made\n")
    assert page["text/plain"] == page["text/markdown"]


def test_completion(tracked: Kernel) -> None:
    assert "%carbon compare aws:eu-north-1" in completions(tracked, "%carbon compare aws:eu-n")
    assert "%carbon compare SE US-CA" in completions(tracked, "%carbon compare SE US-C")
    assert "%carbon compare --same-provider" in completions(tracked, "%carbon compare --sa")
    assert "%carbon compare --at 03:00" in completions(tracked, "%carbon compare --at ")
    assert {"%carbon compare", "%carbon methods"} <= set(completions(tracked, "%carbon "))
