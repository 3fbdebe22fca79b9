"""Whether operations are recorded right now: a question each thread and each async task answers for itself.

    with no_grad():
        weight -= 0.1 * gradient        # an update is no part of the function that is learned

    @no_grad()
    def predict(x): ...

A new thread records. A new task begins with what held where it was started.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TypeVar

from tt_tensor.errors import ArgumentError

__all__ = [
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]

F = TypeVar("F", bound=Callable[..., Any])

enabled: ContextVar[bool] = ContextVar("tt_autograd_enabled", default=True)
inference: ContextVar[bool] = ContextVar("tt_autograd_inference", default=False)


def is_grad_enabled() -> bool:
    """Whether an operation applied now, in this thread and task, is recorded where an input wants a gradient."""
    return enabled.get()


def is_inference_mode_enabled() -> bool:
    """Whether `inference_mode` holds in this thread and task."""
    return inference.get()


class _Mode:
    """Set variables on entry and put them back on exit, whatever happened; as a block or around a function."""

    def __init__(self) -> None:
        self._tokens: list[
            list[Token[bool]]
        ] = []  # a stack: the same object may be entered again inside itself

    def wanted(self) -> tuple[tuple[ContextVar[bool], bool], ...]:
        raise NotImplementedError

    def fresh(self) -> _Mode:
        """Another of the same kind: each call of a decorated function has its own."""
        return type(self)()

    def __enter__(self) -> None:
        self._tokens.append([variable.set(value) for variable, value in self.wanted()])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for token in reversed(self._tokens.pop()):
            token.var.reset(token)

    def __call__(self, function: F) -> F:
        """Decorate a function, coroutine function or generator function (a generator holds it while it runs)."""
        if not callable(function):
            raise ArgumentError(
                f"{type(self).__name__}: decorates a function, not {type(function).__name__}; "
                f"as a block it is `with {type(self).__name__}():`"
            )
        if inspect.isgeneratorfunction(function):
            return self._around_generator(function)
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
            # Only while the generator itself runs: whoever iterates keeps a mode of their own between its values.
            with self.fresh():
                running = function(*args, **kwargs)
            act, sent = running.send, None
            while True:
                try:
                    with self.fresh():
                        value = act(sent)
                except StopIteration as done:
                    return done.value
                try:
                    sent = yield value
                    act = running.send
                except GeneratorExit:
                    with self.fresh():
                        running.close()
                    raise
                except BaseException as error:
                    act, sent = running.throw, error

        return generator


class no_grad(_Mode):  # noqa: N801  (PyTorch's name; it reads as a statement)
    """Record nothing: what is computed inside is constant. A block (`with no_grad():`) or a decorator.

    In-place writes to leaves are allowed inside, which is how weights are updated.
    """

    def __new__(cls, function: Any = None) -> Any:
        # `@no_grad` works without parentheses, too.
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self, function: None = None) -> None:
        super().__init__()

    def wanted(self) -> tuple[tuple[ContextVar[bool], bool], ...]:
        return ((enabled, False),)


class enable_grad(no_grad):  # noqa: N801
    """Record again, inside `no_grad`. Inside `inference_mode` it changes nothing."""

    def wanted(self) -> tuple[tuple[ContextVar[bool], bool], ...]:
        return ((enabled, not inference.get()),)


class set_grad_enabled(_Mode):  # noqa: N801
    """Record or not, as `mode` says: from now on, or as a block, until its end.

    Args:
        mode: True records, False does not.
    """

    def __init__(self, mode: bool) -> None:
        super().__init__()
        if not isinstance(mode, bool):
            raise ArgumentError(f"set_grad_enabled: mode is True or False, not {mode!r}")
        self.mode = mode
        self._before: bool | None = enabled.get()
        enabled.set(mode and not inference.get())

    def wanted(self) -> tuple[tuple[ContextVar[bool], bool], ...]:
        return ((enabled, self.mode and not inference.get()),)

    def fresh(self) -> _Mode:
        return type(self)(self.mode)

    def __enter__(self) -> None:
        super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if not self._tokens and self._before is not None:
            enabled.set(self._before)

    def __call__(self, function: F) -> F:
        # As a decorator it means the function, so what it set when it was made is taken back.
        if self._before is not None:
            enabled.set(self._before)
            self._before = None
        return super().__call__(function)


class recorded(_Mode):  # noqa: N801
    """Record, whatever holds outside: for what the way back itself has to compute."""

    def wanted(self) -> tuple[tuple[ContextVar[bool], bool], ...]:
        return ((enabled, True), (inference, False))


class inference_mode(_Mode):  # noqa: N801
    """Record nothing, and let nothing inside switch recording on: for code that only predicts.

    Args:
        mode: False leaves everything as it is.
    """

    def __new__(cls, mode: Any = True) -> Any:
        # `@inference_mode` works without parentheses, too.
        return super().__new__(cls) if isinstance(mode, bool) else cls()(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.mode = mode

    def wanted(self) -> tuple[tuple[ContextVar[bool], bool], ...]:
        return ((enabled, False), (inference, True)) if self.mode else ()

    def fresh(self) -> _Mode:
        return type(self)(self.mode)
