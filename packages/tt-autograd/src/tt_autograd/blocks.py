"""Blocks that are decorators, too: `with no_grad():` and `@no_grad()`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from tt_tensor.errors import ArgumentError

__all__ = ["Block"]

F = TypeVar("F", bound=Callable[..., Any])


class Block:
    """A context manager that also decorates functions of every kind: each call is a block of its own."""

    def __enter__(self) -> None:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def fresh(self) -> Block:
        """What one call of a decorated function enters: another of the same kind, unless the object keeps nothing."""
        return self

    def __call__(self, function: F) -> F:
        """Decorate a function, or a coroutine function, or a generator function, async or not: a generator holds it
        only while it runs, whoever iterates keeps a mode of their own."""
        if not callable(function):
            raise ArgumentError(
                f"{type(self).__name__}: decorates a function, not {type(function).__name__}; "
                f"as a block it is `with {type(self).__name__}():`"
            )
        if inspect.isgeneratorfunction(function):
            return self._around_generator(function)
        if inspect.isasyncgenfunction(function):
            return self._around_async_generator(function)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with self.fresh():
                    return await function(*args, **kwargs)

            return awaited  # type: ignore[return-value]

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with self.fresh():
                return function(*args, **kwargs)

        return called  # type: ignore[return-value]

    def _around_generator(self, function: Any) -> Any:
        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            running = function(*args, **kwargs)
            act, sent = running.send, None
            while True:
                try:
                    with self.fresh():
                        value = act(sent)
                except StopIteration as done:
                    return done.value
                finally:
                    sent = None  # an error that goes through holds this frame, which must not hold it, too
                try:
                    act, sent = running.send, (yield value)
                except GeneratorExit:
                    with self.fresh():
                        running.close()
                    raise
                except BaseException as error:
                    act, sent = running.throw, error

        return generator

    def _around_async_generator(self, function: Any) -> Any:
        @functools.wraps(function)
        async def generator(*args: Any, **kwargs: Any) -> Any:
            running = function(*args, **kwargs)
            act, sent = running.asend, None
            while True:
                try:
                    with self.fresh():
                        value = await act(sent)
                except StopAsyncIteration:
                    return
                finally:
                    sent = None
                try:
                    act, sent = running.asend, (yield value)
                except GeneratorExit:
                    with self.fresh():
                        await running.aclose()
                    raise
                except BaseException as error:
                    act, sent = running.athrow, error

        return generator
