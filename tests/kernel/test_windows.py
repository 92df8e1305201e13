"""Which run is a cell, and how `%%carbon`'s line is taken off: no kernel needed, but IPython's own objects."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from carbon_magic.options import CellOptions, CellTransformer, OptionsError, options_of, parse_cell_line, split_cell
from carbon_magic.windows import Threads, Window, status_of


def info(raw_cell: str = "pass", silent: bool = False, store_history: bool = True) -> Any:
    return SimpleNamespace(raw_cell=raw_cell, silent=silent, store_history=store_history)


def ended(of: Any, before: BaseException | None = None, during: BaseException | None = None) -> Any:
    return SimpleNamespace(info=of, error_before_exec=before, error_in_exec=during, execution_count=1)


def window() -> Window:
    return Window(1, None, None)


def test_only_the_outermost_run_that_is_kept_in_history_is_a_cell() -> None:
    threads = Threads()
    outer, inner = info(), info()
    assert threads.outermost(outer)
    assert not threads.outermost(info(silent=True))
    assert not threads.outermost(info(store_history=False))
    cell = window()
    threads.begin(outer, cell)
    assert not threads.outermost(inner)
    threads.begin(inner, None)
    assert threads.end(ended(inner)) is None
    assert threads.inside()
    assert threads.end(ended(outer)) is cell
    assert not threads.inside()


def test_an_end_without_its_beginning_ends_nothing() -> None:
    threads = Threads()
    cell, outer = window(), info()
    threads.begin(outer, cell)
    assert threads.end(ended(info(""))) is None
    assert threads.end(ended(info("something else"))) is None
    assert threads.end(ended(outer)) is cell


def test_an_outer_end_ends_what_was_left_open_inside() -> None:
    threads = Threads()
    outer, cell = info(), window()
    threads.begin(outer, cell)
    threads.begin(info(), None)
    assert threads.end(ended(outer)) is cell
    assert not threads.inside()


def test_an_interrupted_run_ends_the_innermost_without_a_result_or_by_its_code() -> None:
    threads = Threads()
    cell = window()
    threads.begin(info(), cell)
    assert threads.end(None) is cell
    threads.begin(info("time.sleep(9)"), cell)
    assert threads.end(ended(info("time.sleep(9)"))) is cell


def test_each_thread_has_cells_of_its_own() -> None:
    threads = Threads()
    threads.begin(info(), window())
    seen: list[bool] = []
    other = threading.Thread(target=lambda: seen.append(threads.outermost(info())))
    other.start()
    other.join()
    assert seen == [True]


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (None, "interrupted"),
        (ended(info()), "ok"),
        (ended(info(), before=SyntaxError()), "error"),
        (ended(info(), during=ValueError()), "error"),
        (ended(info(), during=KeyboardInterrupt()), "interrupted"),
        (ended(info(), during=asyncio.CancelledError()), "interrupted"),
        (ended(info(), during=SystemExit()), "error"),
    ],
)
def test_how_a_cell_ended(result: Any, status: str) -> None:
    assert status_of(result) == status


OUTSIDE = CellTransformer(lambda: False)


def transformed(cell: str) -> str:
    return "".join(OUTSIDE(cell.splitlines(keepends=True)))


@pytest.mark.parametrize(
    ("cell", "becomes"),
    [
        ("%%carbon\nx", "#%%carbon\nx"),
        ("%%carbon -n a\nx\n", "#%%carbon -n a\nx\n"),
        ("%%carbon\tx\ny", "%%carbon\tx\ny"),
        ("%%carbon\n%%time\nx", "%%time\nx"),
        ("%%carbon -q\n\n\n%%bash\nls", "%%bash\nls"),
        ("%%carbon\nfrom __future__ import annotations\n", "#%%carbon\nfrom __future__ import annotations\n"),
        ("%%carbon\n", "%%carbon\n"),
        ("%%carbon -h\nx", "%%carbon -h\nx"),
        ("%%carbon -z\nx", "%%carbon -z\nx"),
        ("%%carbon -r FRR\nx", "%%carbon -r FRR\nx"),
        ("%%carbonate\nx", "%%carbonate\nx"),
        ("%%carbon?\nx", "%%carbon?\nx"),
        ("x\n%%carbon\ny", "x\n%%carbon\ny"),
        ("", ""),
    ],
)
def test_how_the_line_is_taken_off(cell: str, becomes: str) -> None:
    assert transformed(cell) == becomes


def test_within_a_cell_the_line_is_left_to_the_magic() -> None:
    lines = ["%%carbon\n", "x"]
    assert CellTransformer(lambda: True)(lines) == lines


@given(st.text())
def test_a_cell_without_the_line_is_never_changed(cell: str) -> None:
    lines = cell.splitlines(keepends=True)
    if not cell.startswith("%%carbon"):
        assert OUTSIDE(lines) == lines


@given(st.text(), st.lists(st.text(alphabet=st.characters(exclude_characters="\n\r"), max_size=20), max_size=6))
def test_no_cell_makes_it_raise_and_line_numbers_stay(options: str, body: list[str]) -> None:
    lines = [f"%%carbon {options}\n".replace("\r", ""), *(line + "\n" for line in body)]
    result = OUTSIDE(list(lines))
    following = next((line for line in lines[1:] if line.strip()), "")
    if not following.startswith("%%"):
        assert len(result) == len(lines)
        assert result[1:] == lines[1:]


@pytest.mark.parametrize(
    "cell",
    [
        "%%carbon -n a\nx",
        "\n\n%%carbon -n a\nx",
        ">>> %%carbon -n a\nx",
        "In [3]: %%carbon -n a\nx",
        "  %%carbon -n a\n  x",
    ],
)
def test_the_hooks_see_the_options_that_the_transformer_saw(cell: str) -> None:
    assert options_of(cell) == CellOptions(label="a")


@pytest.mark.parametrize("cell", ["", "x", "%%carbon", "%%carbon -n a", "%%time\n%%carbon\nx", "# %%carbon\nx"])
def test_other_cells_have_no_options(cell: str) -> None:
    assert options_of(cell) is None


def test_options_parse() -> None:
    assert parse_cell_line("") == CellOptions()
    assert parse_cell_line("-n 'two words' -r fr -o x -q") == CellOptions("two words", "fr", "x", True)
    assert split_cell("%%carbon  -q \nx\ny") == ("-q", ["x\n", "y"])
    with pytest.raises(OptionsError, match="--region"):
        parse_cell_line("--regoin FR")
    with pytest.raises(OptionsError, match="name of a variable"):
        parse_cell_line("-o not-a-name")


@pytest.mark.parametrize(
    "cell",
    [
        "%%carbon\nx",
        "    >>> %%carbon\nx",
        "... %%carbon\nx",
        " %%carbon\nx",
        ">>>%%carbon\nx",
        "In [1]:%%carbon\nx",
        ">>> In [1]: %%carbon\nx",
        "[ins] In [1]: %%carbon\nx",
        "\ufeff%%carbon\nx",
        "%%carbon\x0c\nx",
    ],
)
def test_what_ipython_hands_over_without_its_line_is_what_the_hooks_measure(cell: str) -> None:
    """Whatever IPython takes off a cell before: one whose line is gone has a result, one whose line is left has none."""
    given = TransformerManager()
    before = given.transform_cell(cell)
    transformer = CellTransformer(lambda: False)
    given.cleanup_transforms.append(transformer)
    assert (given.transform_cell(cell) != before) == (transformer.take(cell) is not None)
    assert transformer.take(cell) is None
