"""`track` as a decorator: functions, methods, coroutines and generators."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import pickle
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.track.work import forget, machine_j, rows, spend

from carbon_magic import track
from carbon_magic.tracking import Track


def test_a_decorated_function_is_what_it_was(root: Path) -> None:
    @track
    def add(a: int, b: int = 2, *, c: int = 3) -> int:
        """Adds."""
        spend(root, 1.0)
        return a + b + c

    assert add(1, c=5) == 8
    assert (add.__name__, add.__doc__) == ("add", "Adds.")
    assert str(inspect.signature(add)) == "(a: 'int', b: 'int' = 2, *, c: 'int' = 3) -> 'int'"
    t = add.track  # type: ignore[attr-defined]
    assert machine_j(t) == pytest.approx(1.0)
    assert t.record.label == "add"
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        add()  # type: ignore[call-arg]


def test_a_decorator_with_options_measures_each_call(root: Path) -> None:
    t = track("step", region="FR")

    @t
    def step(joules: float) -> None:
        spend(root, joules)

    for joules in (1.0, 2.0):
        step(joules)
    assert [machine_j(run) for run in t.runs] == pytest.approx([1.0, 2.0])
    assert {run.record.label for run in t.runs if run.record} == {"step"}


def test_methods_of_every_kind_can_be_decorated(root: Path) -> None:
    class Model:
        @track
        def fit(self) -> str:
            return "fit"

        @track
        @classmethod
        def make(cls) -> Model:
            return cls()

        @track("named")
        @staticmethod
        def help() -> str:
            return "help"

    assert (Model.make().fit(), Model.help()) == ("fit", "help")
    assert Model.fit.track.record.label == "test_methods_of_every_kind_can_be_decorated.<locals>.Model.fit"[-9:]  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="functions"):
        track(Model)


def test_a_call_within_a_call_and_one_that_fails_are_measured(root: Path) -> None:
    @track
    def deep(n: int) -> None:
        spend(root, 1.0)
        if n == 0:
            raise LookupError("bottom")
        deep(n - 1)

    with pytest.raises(LookupError):
        deep(2)
    runs = deep.track.runs  # type: ignore[attr-defined]
    assert [machine_j(run) for run in runs] == pytest.approx([1.0, 2.0, 3.0])
    assert [run.record.status for run in runs] == ["error"] * 3


def test_a_generator_pays_for_its_advances_and_not_for_what_is_done_with_its_items(root: Path, tmp_path: Path) -> None:
    @track
    def items() -> Generator[int, None, str]:
        spend(root, 1.0)
        yield 1
        spend(root, 2.0)
        yield 2
        spend(root, 4.0)
        return "done"

    assert inspect.isgeneratorfunction(items)
    seen = []
    for item in items():
        spend(root, 100.0)
        seen.append(item)
    assert seen == [1, 2]
    t = items.track  # type: ignore[attr-defined]
    assert machine_j(t) == pytest.approx(7.0)
    assert 0.18 <= t.duration_s < 0.27
    assert (t.record.status, t.record.final, t.record.duration_s) == ("ok", True, pytest.approx(t.duration_s))
    forget()
    (kept,) = rows(tmp_path / "home")
    assert (kept["label"], kept["machine_energy_j"]) == ("items", pytest.approx(t.machine_energy_j))


def test_what_is_sent_thrown_and_closed_reaches_the_generator(root: Path) -> None:
    def plain() -> Generator[Any, Any, str]:
        seen: list[Any] = []
        while True:
            try:
                got = yield list(seen)
                seen.append(got)
            except LookupError as error:
                seen.append(type(error))
            except GeneratorExit:
                seen.append("closed")
                raise
            if got == "end":
                return "returned"

    for function in (plain, track(plain)):
        g = function()
        assert next(g) == []
        assert g.send(1) == [1]
        assert g.throw(LookupError()) == [1, LookupError]
        with pytest.raises(ZeroDivisionError):
            g.throw(ZeroDivisionError())
        assert list(g) == []
        g = function()
        next(g)
        with pytest.raises(StopIteration) as stop:
            g.send("end")
        assert stop.value.value == "returned"
        g = function()
        next(g)
        g.close()
        assert list(g) == []
        g = function()
        next(g)
        with pytest.raises(GeneratorExit):
            g.throw(GeneratorExit())

        def delegating(function: Any = function) -> Generator[Any, Any, None]:
            yield (yield from function())

        outer = delegating()
        next(outer)
        assert outer.send("end") == "returned"


def test_a_generator_that_is_dropped_or_never_begun_ends_quietly(root: Path) -> None:
    @track
    def forever() -> Iterator[int]:
        while True:
            yield 1

    g = forever()
    next(g)
    del g
    forever()
    gc.collect()
    t = forever.track  # type: ignore[attr-defined]
    assert [run.record.status for run in t.runs] == ["ok"]
    assert not t.running


def test_a_million_items_cost_a_few_readings_and_the_range_says_so(root: Path) -> None:
    @track
    def numbers() -> Iterator[int]:
        yield from range(100_000)

    assert sum(numbers()) == sum(range(100_000))
    t = numbers.track  # type: ignore[attr-defined]
    record = t.record
    assert record.below_resolution
    assert record.duration_s == pytest.approx(t.duration_s)
    assert record.energy_j_low <= 0.6 * record.energy_j
    assert record.energy_j_high >= 1.9 * record.energy_j


def test_an_awaitable_generator_stays_one() -> None:
    import types

    @track(keep=False)
    @types.coroutine
    def nap() -> Generator[Any, Any, int]:
        yield
        return 5

    async def use() -> int:
        return await nap()

    assert asyncio.run(use()) == 5


def test_what_was_measured_stays_here_when_a_function_is_copied_or_sent_elsewhere(root: Path) -> None:
    @track("work", region="FR", keep=False)
    def work() -> float:
        spend(root, 4.0)
        return 4.0

    work()
    mine: Track = vars(work)["track"]
    for other in (copy.copy(mine), copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        assert (other.name, other.runs, other.record, other.running) == ("work", (), None, False)
        with other:
            spend(root, 2.0)
        assert machine_j(other) == pytest.approx(2.0)
        assert other.record is not None
        assert other.record.region == "FR"
    assert len(mine.runs) == 1
    assert machine_j(mine) == pytest.approx(4.0)
