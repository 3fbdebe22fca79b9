"""detect_anomaly: the first NaN or Inf names the operation, and the line of the user's code that asked for it.

    with detect_anomaly():
        loss = model(x).log().mean()        # AnomalyError: Log gives -inf … File "train.py", line 12 …
        loss.backward()                     # … or where a rule turns a finite gradient into NaN

Forward: an output with a NaN, of inputs without one; or with an Inf, of finite inputs. An infinity that was put in
on purpose, as masks for softmax are, is in the inputs and therefore no anomaly.
Backward: the same question to every rule, about the gradient that comes in and those that it sends back.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from tt_autograd.blocks import Block
from tt_autograd.errors import AnomalyError
from tt_autograd.nonfinite import described, first_bad, has, is_finite, range_of
from tt_autograd.user_lines import Line
from tt_autograd.watching import guard, watch
from tt_tensor import Function, Tensor
from tt_tensor.errors import ArgumentError

__all__ = ["detect_anomaly"]


class detect_anomaly(Block):  # noqa: N801  (PyTorch's name; it reads as a statement)
    """Raise AnomalyError at the first NaN or Inf, in forward and in backward: a block or a decorator.

    The message names the Function, the first bad value and its index, and the line of your code that applied the
    Function. Forward and backward both have to be inside the block. NumPy's own warnings about such values are silent
    there. It holds in this thread and task only, and costs a pass over every output and every gradient: for finding
    a fault, not for training.

    Args:
        mode: False finds nothing, and switches off an enclosing block.
        check_nan: False only keeps the lines: an error in backward then says where its Function was applied.
    """

    def __new__(cls, mode: Any = True, check_nan: bool = True) -> Any:
        # `@detect_anomaly` works without parentheses, too.
        return cls()(mode) if callable(mode) else super().__new__(cls)

    def __init__(self, mode: bool = True, check_nan: bool = True) -> None:
        for name, value in (("mode", mode), ("check_nan", check_nan)):
            if not isinstance(value, bool):
                raise ArgumentError(f"detect_anomaly: {name} is True or False, not {value!r}")
        self.mode, self.check_nan = mode, check_nan
        self._open: list[ExitStack] = []

    def fresh(self) -> detect_anomaly:
        return type(self)(self.mode, self.check_nan)

    def __enter__(self) -> None:
        opened = ExitStack()
        detector = Detector(self.check_nan) if self.mode else None
        opened.callback(guard.reset, guard.set(detector))
        if detector is not None:
            opened.enter_context(watch(detector.watch))
            if self.check_nan:
                opened.enter_context(np.errstate(divide="ignore", over="ignore", invalid="ignore"))
        self._open.append(opened)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.pop().close()


# --- where a Function was applied -----------------------------------------------------------------------


@dataclass(frozen=True)
class Running:
    """A rule that is running, and whether on Tensors: then what it computes is part of the derivative's graph."""

    name: str
    origin: Origin | None
    on_tensors: bool


@dataclass(frozen=True)
class Origin:
    """Where a Function was applied: the user's line, and the rule inside of which it happened, if in one."""

    line: Line
    inside: Running | None

    @property
    def part_of_a_rule(self) -> bool:
        """Whether a rule on Tensors applied it.

        Such a rule may pass through NaN or Inf and then select another value: only what leaves it counts.
        """
        return self.inside is not None and self.inside.on_tensors

    def __str__(self) -> str:
        if self.inside is None:
            return f"{self.line}"
        return f"{self.line}\nwhile the rule of {self.inside.name} was running{_applied(self.inside.origin)}"


_origins: weakref.WeakKeyDictionary[Function, Origin] = weakref.WeakKeyDictionary()
_running: ContextVar[Running | None] = ContextVar("tt_autograd_running_rule", default=None)


def _applied(origin: Origin | None) -> str:
    if origin is None:
        return ", which was not applied inside detect_anomaly: put the forward into the block, too, to see its line"
    return f", applied here:\n{origin}"


def _name(function: Function) -> str:
    return type(function).__name__


# --- forward --------------------------------------------------------------------------------------------


class Detector:
    """One block of detect_anomaly: watches the operations, and guards the ways back."""

    def __init__(self, check: bool) -> None:
        self.check = check

    def watch(self, function: Function, inputs: tuple[Any, ...], output: Tensor) -> None:
        """A `tt_autograd.watching.Watcher`."""
        if guard.get() is not self:
            return  # a block inside this one has the say
        origin = _origins[function] = Origin(Line.here(), _running.get())
        if self.check and not origin.part_of_a_rule:
            _check_output(function, inputs, output)

    def guarded(self, rule: Any, starts: Sequence[tuple[Any, Any]]) -> WayBack:
        """A `tt_autograd.watching.Guard`."""
        return WayBack(rule, starts, self.check)


def _check_output(function: Function, inputs: tuple[Any, ...], output: Tensor) -> None:
    if output.array.dtype.kind != "f" or is_finite(output):
        return
    in_place = output is inputs[0]
    if in_place:  # the target holds the result by now
        inputs = (getattr(function, "_before", output), *inputs[1:])
    given = [*inputs, *_parameters(function)]
    if has(np.isnan, given):
        return
    bad = np.isnan(output.array)
    if has(np.isinf, given):
        if not bad.any():
            return
    else:
        bad |= np.isinf(output.array)
    raise AnomalyError(
        f"{_name(function)}{' in place' if in_place else ''} gives {first_bad(output, bad)}, shape {output.shape}, of "
        f"{', '.join(map(described, inputs))}{_applied(_origins.get(function))}"
    )


def _parameters(function: Function) -> Iterator[Any]:
    """What came in through __init__, as far as it is kept under the names of the parameters there.

    Where one of them is not, every plain number among the attributes may be it.
    """
    kept = vars(function)
    names = inspect.signature(type(function)).parameters
    yield from (kept[name] for name in names if name in kept)
    if not all(name in kept for name in names):
        yield from (value for value in kept.values() if isinstance(value, float))


# --- backward -------------------------------------------------------------------------------------------


class WayBack:
    """One way back through a graph, with a look at every gradient."""

    def __init__(self, rule: Any, starts: Sequence[tuple[Any, Any]], check: bool) -> None:
        self._rule, self._check = rule, check
        # What to blame for a gradient that is not finite, by the Function's number or the leaf's id. It is not an
        # error yet: a rule that ran on Tensors may select another value.
        self._blame: dict[int, str] = {}
        for _, gradient in starts if check else ():
            if not is_finite(gradient):
                raise AnomalyError(
                    f"backward: the gradient to begin with, of shape {gradient.shape}, is {first_bad(gradient)}; "
                    "give a finite one"
                )

    def rule(self, function: Function, grad: Any) -> tuple[Any, ...]:
        """The rule, with a look before and after."""
        origin = _origins.get(function)
        blamed = None
        if self._check and not is_finite(grad):
            blamed = self._blame.get(function._number) or self._incoming(function, grad, origin)
            self._raise_unless_part(blamed, origin)
        token = _running.set(Running(_name(function), origin, isinstance(grad, Tensor)))
        try:
            gradients = self._rule(function, grad)
        except AnomalyError:
            raise  # from further inside, and it tells of this rule itself
        except Exception as error:
            error.add_note(f"in backward of {_name(function)}{_applied(origin)}")
            raise
        finally:
            _running.reset(token)
        for index, (x, g) in enumerate(zip(function.inputs, gradients, strict=True)) if self._check else ():
            flows = isinstance(x, Function) or getattr(x, "_requires_grad", False)
            if g is None or not flows or not function.wants(index) or is_finite(g):
                continue
            told = blamed or self._sent(function, index, grad, g, origin)
            self._raise_unless_part(told, origin)
            self._blame.setdefault(x._number if isinstance(x, Function) else id(x), told)
        return gradients

    def arrived(self, gradients: Mapping[int, Any]) -> None:
        """A look at the gradients at the end of the way, by the Function's number or the leaf's id."""
        for key, g in gradients.items() if self._check else ():
            if not is_finite(g):
                raise AnomalyError(
                    self._blame.get(key)
                    or f"backward: a gradient of shape {g.shape} is {first_bad(g)}, though every rule sent finite "
                    f"ones: their sum is too large for {g.dtype}, or a hook made it so"
                )

    @staticmethod
    def _raise_unless_part(told: str, origin: Origin | None) -> None:
        if origin is None or not origin.part_of_a_rule:
            raise AnomalyError(told)

    @staticmethod
    def _incoming(function: Function, grad: Any, origin: Origin | None) -> str:
        hooked = " a hook at that output made it so, or" if function._hooks is not None else ""
        return (
            f"backward: the gradient at the output of {_name(function)}, of shape {grad.shape}, is {first_bad(grad)}, "
            f"though every rule sent finite ones:{hooked} their sum over all uses is too large for {grad.dtype}"
            f"{_applied(origin)}"
        )

    @staticmethod
    def _sent(function: Function, index: int, grad: Any, g: Any, origin: Origin | None) -> str:
        return (
            f"backward: the rule of {_name(function)} gives {first_bad(g)} as the gradient at input {index}, of shape "
            f"{g.shape}, for a finite gradient {range_of(grad)} at its output{_applied(origin)}"
        )
