"""Whether operations are recorded right now: a question each thread and each async task answers for itself.

    with no_grad():
        weight -= 0.1 * gradient        # an update is no part of the function that is learned

    @no_grad()
    def predict(x): ...

A new thread records. A new task begins with what held where it was started.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import Any

from tt_autograd.blocks import Block, F
from tt_tensor.errors import ArgumentError

__all__ = [
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]

enabled: ContextVar[bool] = ContextVar("tt_autograd_enabled", default=True)
inference: ContextVar[bool] = ContextVar("tt_autograd_inference", default=False)
_blocks: ContextVar[tuple[tuple[Any, bool, bool], ...]] = ContextVar("tt_autograd_blocks", default=())
"""The blocks that this thread and task is in, innermost last, each with what held outside of it."""


def is_grad_enabled() -> bool:
    """Whether an operation applied now, in this thread and task, is recorded where an input wants a gradient."""
    return enabled.get()


def is_inference_mode_enabled() -> bool:
    """Whether `inference_mode` holds in this thread and task."""
    return inference.get()


class _Mode(Block):
    """What holds inside a block or a function, and is put back at its end, whatever happened.

    The object itself keeps nothing of a block: it may be entered again inside itself, and in several threads at once.
    """

    def wanted(self, inferring: bool) -> tuple[bool, bool]:
        """(whether it records, whether it is inference) inside, where `inferring` says the latter of outside."""
        raise NotImplementedError

    def __enter__(self) -> None:
        recording, inferring = enabled.get(), inference.get()
        _blocks.set((*_blocks.get(), (self, recording, inferring)))
        recording, inferring = self.wanted(inferring)
        enabled.set(recording)
        inference.set(inferring)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        blocks = _blocks.get()
        index = len(blocks) - 1
        while index >= 0 and blocks[index][0] is not self:
            index -= 1
        if index < 0:
            return  # entered in another task (by an async generator that is closed here): it does not hold in this one
        _, recording, inferring = blocks[index]
        inner = blocks[index + 1 :]
        if inner:
            # It ends before a block that was entered inside of it (in another generator): that one puts back all.
            inner = ((inner[0][0], recording, inferring), *inner[1:])
        else:
            enabled.set(recording)
            inference.set(inferring)
        _blocks.set(blocks[:index] + inner)


class _Plain(_Mode):
    """A mode without arguments: `@no_grad` works without parentheses, too."""

    def __new__(cls, function: Any = None) -> Any:
        return object.__new__(cls) if function is None else cls()(function)


class no_grad(_Plain):  # noqa: N801  (PyTorch's name; it reads as a statement)
    """Record nothing: what is computed inside is constant. A block (`with no_grad():`) or a decorator.

    In-place writes to leaves are allowed inside, which is how weights are updated.
    """

    def wanted(self, inferring: bool) -> tuple[bool, bool]:
        return False, inferring


class enable_grad(_Plain):  # noqa: N801
    """Record again, inside `no_grad`. Inside `inference_mode` it changes nothing."""

    def wanted(self, inferring: bool) -> tuple[bool, bool]:
        return not inferring, inferring


class set_grad_enabled(_Mode):  # noqa: N801
    """Record or not, as `mode` says: from now on, or as a block, until its end.

    Args:
        mode: True records (but not inside `inference_mode`), False does not.

    Raises ArgumentError for anything else.
    """

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise ArgumentError(f"set_grad_enabled: mode is True or False, not {mode!r}")
        self.mode = mode
        self._before: bool | None = enabled.get()
        enabled.set(mode and not inference.get())

    def wanted(self, inferring: bool) -> tuple[bool, bool]:
        return self.mode and not inferring, inferring

    def __enter__(self) -> None:
        self._take_back()
        super().__enter__()

    def __call__(self, function: F) -> F:
        self._take_back()
        return super().__call__(function)

    def _take_back(self) -> None:
        """As a block or a decorator it means the block or the function, so what it set when it was made goes."""
        if self._before is not None:
            enabled.set(self._before)
            self._before = None


class inference_mode(_Mode):  # noqa: N801
    """Record nothing, and let no `enable_grad` inside switch recording on: for code that only predicts.

    Args:
        mode: False ends it for a part inside, and records there (as in PyTorch).

    Raises ArgumentError for anything else.
    """

    def __new__(cls, mode: Any = True) -> Any:
        # `@inference_mode` works without parentheses, too.
        return super().__new__(cls) if isinstance(mode, bool) else cls()(mode)

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode

    def wanted(self, inferring: bool) -> tuple[bool, bool]:
        return not self.mode, self.mode


class recorded(_Mode):  # noqa: N801
    """Record, whatever holds outside: for what the way back itself has to compute."""

    def wanted(self, inferring: bool) -> tuple[bool, bool]:
        return True, False
