"""Wrapping what is to be measured, so that it stays what it was.

A coroutine function stays one, as does a generator of either kind; name, docstring and signature stay, and whatever a
caller sends or throws into a generator, or closes, reaches it as if nothing were in between.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Protocol


class Advances(Protocol):
    """What is entered around each advance of one generator, and told at its end."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None: ...

    def end(self, error: BaseException | None) -> None: ...


def measuring(
    function: Callable[..., Any], once: Callable[[], AbstractContextManager[None]], advances: Callable[[], Advances]
) -> Callable[..., Any]:
    """A function of the same kind that measures.

    Args:
        once: gives what is entered around one call.
        advances: gives what is entered around each advance of one generator.
    """
    if inspect.isasyncgenfunction(function):
        return _async_generator(function, advances)
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with once():
                return await function(*args, **kwargs)

        return coroutine
    if inspect.isgeneratorfunction(function):
        generator = _generator(function, advances)
        # A generator that may be awaited stays one.
        awaited = getattr(getattr(function, "__code__", None), "co_flags", 0) & inspect.CO_ITERABLE_COROUTINE
        return types.coroutine(generator) if awaited else generator

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with once():
            return function(*args, **kwargs)

    return call


def _generator(function: Callable[..., Any], advances: Callable[[], Advances]) -> Callable[..., Any]:
    @wraps(function)
    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        inner, advance = function(*args, **kwargs), advances()
        error: BaseException | None = None
        try:
            with advance:
                item = next(inner)
            while True:
                try:
                    sent = yield item
                except BaseException as thrown:
                    with advance:
                        item = inner.throw(thrown)
                else:
                    with advance:
                        item = inner.send(sent)
        except StopIteration as stop:
            return stop.value
        except BaseException as raised:
            error = raised
            raise
        finally:
            advance.end(error)

    return generator


def _async_generator(function: Callable[..., Any], advances: Callable[[], Advances]) -> Callable[..., Any]:
    @wraps(function)
    async def generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner, advance = function(*args, **kwargs), advances()
        error: BaseException | None = None
        try:
            with advance:
                item = await inner.__anext__()
            while True:
                try:
                    sent = yield item
                except BaseException as thrown:
                    with advance:
                        item = await inner.athrow(thrown)
                else:
                    with advance:
                        item = await inner.asend(sent)
        except StopAsyncIteration:
            return
        except BaseException as raised:
            error = raised
            raise
        finally:
            advance.end(error)

    return generator
