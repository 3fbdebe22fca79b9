"""L-BFGS: Newton's direction, from a memory of the last few gradients in the place of second derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tt_optim.line_search import Point, strong_wolfe
from tt_optim.optimizer import Optimizer
from tt_optim.param_groups import Group, Params
from tt_optim.ranges import CHOICE, COUNT, NONNEGATIVE, number
from tt_tensor import memory, observing
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.tensor import as_array, wrap

__all__ = ["LBFGS"]

NUMBERS = ("func_evals", "n_iter", "t", "H_diag", "prev_loss")
VECTORS = ("d", "prev_flat_grad")
LISTS = ("old_dirs", "old_stps", "ro")
SCRATCH = "al"
"""What PyTorch keeps of its last direction and never reads again."""
CURVED = 1e-10
"""A pair whose product is no more than this says nothing of the curvature, and is not remembered."""


def _evaluations(name: str, value: Any) -> int | None:
    return None if value is None else COUNT(0)(name, value)


class LBFGS(Optimizer):
    """Limited-memory BFGS, for gradients without noise: of the whole data set.

        s = θₖ − θₖ₋₁, y = gₖ − gₖ₋₁           remembered, history_size of them, where s·y > 1e-10
        d = −H·g                              H ≈ the inverse Hessian, by the two loops over the pairs
        θ ← θ + t·d                           t = lr, the first time lr·min(1, 1/‖g‖₁), or as a line search says

    One `step(closure)` makes up to max_iter such iterations and calls the closure again and again, which clears the
    gradients, works out the loss, sends it back and returns it:

        def closure():
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            return loss

        optimizer.step(closure)

    Args:
        params: what to optimize, in one group; see `Optimizer`.
        lr: the step length, or the first one that the line search tries, ≥ 0.
        max_iter: iterations for one step.
        max_eval: calls of the closure for one step, about; 5/4 of max_iter by default.
        tolerance_grad: end where no number of the gradient is larger.
        tolerance_change: end where a step changes no number, or the loss, by more.
        history_size: how many pairs are remembered.
        line_search_fn: None, or "strong_wolfe".

    Raises ArgumentError for a value out of range, a second group, or a step without a closure.

    Source: Nocedal 1980, "Updating Quasi-Newton Matrices with Limited Storage"; Liu and Nocedal 1989.
    """

    ranges = {
        "lr": NONNEGATIVE,
        "max_iter": COUNT(0),
        "max_eval": _evaluations,
        "tolerance_grad": NONNEGATIVE,
        "tolerance_change": NONNEGATIVE,
        "history_size": COUNT(1),
        "line_search_fn": CHOICE(None, "strong_wolfe"),
    }
    tile = None

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        self._kept: dict[str, Any] = {}
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        super().check(group)
        if group.get("max_eval", 0) is None and "max_iter" in group:
            group["max_eval"] = group["max_iter"] * 5 // 4

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """The one group. Raises ArgumentError for a second one: the direction is of all parameters together."""
        if self.param_groups:
            raise ArgumentError(
                "LBFGS: it has one group of parameters: its direction is of all of them together"
            )
        super().add_param_group(param_group)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Up to max_iter iterations. Returns what `closure` returned first.

        Raises ArgumentError without a closure.
        """
        if closure is None:
            raise ArgumentError(
                "LBFGS.step: one step asks for the loss at several places, so it needs a closure that clears the "
                "gradients, works out the loss, calls its backward() and returns it"
            )
        self._layouts[0].keep_up(self, self.param_groups[0])
        observer = observing.active
        if observer is not None:
            started = observing.clock()
        first = self._iterate(closure)
        if observer is not None:
            observer.span(self, started)
        return first

    def _iterate(self, closure: Callable[[], Any]) -> Any:
        group, kept = self.param_groups[0], self._kept
        change = group["tolerance_change"]
        first = closure()
        loss, grad, asked = _value(first), self._gradient(), 1
        kept["func_evals"] = kept.get("func_evals", 0) + 1
        kept.setdefault("n_iter", 0)
        if _largest(grad) <= group["tolerance_grad"]:
            return first
        for count in range(1, group["max_iter"] + 1):
            kept["n_iter"] += 1
            d = self._direction(grad)
            kept["d"], kept["prev_flat_grad"], kept["prev_loss"] = d, grad.copy(), loss
            t = float(group["lr"])
            if kept["n_iter"] == 1:
                t *= min(1.0, 1 / float(np.abs(grad).sum()))
            kept["t"] = t
            slope = float(grad.dot(d))
            if slope > -change:
                break
            calls = 0
            if group["line_search_fn"] is not None:
                begin = self._values()

                def at(t: float, begin: np.ndarray = begin, d: np.ndarray = d) -> Point:
                    self._write(begin + d.dtype.type(t) * d)
                    value = _value(closure())
                    grad = self._gradient()
                    return Point(t, value, float(grad.dot(d)), grad)

                found, calls = strong_wolfe(at, Point(0.0, loss, slope, grad), t, _largest(d))
                kept["t"] = t = found.t
                loss, grad = found.value, found.grad
                self._write(begin + d.dtype.type(t) * d)
            else:
                self._write(self._values() + d.dtype.type(t) * d)
                if count < group["max_iter"]:
                    # Where it ends, the loss is asked for by the next step.
                    loss, grad, calls = _value(closure()), self._gradient(), 1
            asked += calls
            kept["func_evals"] += calls
            if (
                asked >= group["max_eval"]
                or _largest(grad) <= group["tolerance_grad"]
                or _largest(d * t) <= change
                or abs(loss - kept["prev_loss"]) < change
            ):
                break
        return first

    def _direction(self, grad: np.ndarray) -> np.ndarray:
        """−H·g, after the pair of the last iteration was remembered."""
        kept = self._kept
        if kept["n_iter"] == 1:
            kept |= {"old_dirs": [], "old_stps": [], "ro": [], "H_diag": 1.0}
            return -grad
        dirs, steps, inverse = (kept[name] for name in LISTS)
        y, s = grad - kept["prev_flat_grad"], kept["d"] * kept["t"]
        curved = float(y.dot(s))
        if curved > CURVED:
            if len(dirs) == self.param_groups[0]["history_size"]:
                for memories in (dirs, steps, inverse):
                    del memories[0]
            dirs.append(y)
            steps.append(s)
            inverse.append(1 / curved)
            kept["H_diag"] = curved / float(y.dot(y))
        d, shares = -grad, []
        for y, s, of_pair in zip(dirs[::-1], steps[::-1], inverse[::-1], strict=True):
            shares.append(float(s.dot(d)) * of_pair)
            d -= y * shares[-1]
        d *= kept["H_diag"]
        for y, s, of_pair, share in zip(dirs, steps, inverse, shares[::-1], strict=True):
            d += s * (share - float(y.dot(d)) * of_pair)
        return d

    # --- all parameters as one vector -----------------------------------------------------------------------

    def _values(self) -> np.ndarray:
        return np.concatenate([p.array for p in self.param_groups[0]["params"]], axis=None)

    def _gradient(self) -> np.ndarray:
        params = self.param_groups[0]["params"]
        parts = [np.zeros(p.shape, p.dtype) if p.grad is None else p.grad.array for p in params]
        return np.concatenate(parts, axis=None)

    def _write(self, values: np.ndarray) -> None:
        start = 0
        for p in self.param_groups[0]["params"]:
            p.array[...] = values[start : start + p.size].reshape(p.shape)
            memory.mark_written(p.array)
            start += p.size

    # --- what is remembered ---------------------------------------------------------------------------------

    @property
    def state(self) -> Any:
        """What is remembered, under the first parameter, as in PyTorch; a copy."""
        found = self.state_dict()["state"]
        return {self.param_groups[0]["params"][0]: found[0]} if found else {}

    def state_dict(self) -> dict[str, Any]:
        """PyTorch's structure: all that is remembered stands under the first parameter. A snapshot: copies."""
        saved = super().state_dict()
        if self._kept:
            entry: dict[str, Any] = {}
            for name, value in self._kept.items():
                if name in VECTORS:
                    entry[name] = wrap(value.copy())
                elif name in LISTS:
                    entry[name] = [wrap(np.array(part)) for part in value]
                else:
                    entry[name] = value
            saved["state"] = {0: entry}
        return saved

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where a `state_dict()` was taken, ours or PyTorch's. Copies; all of it or nothing.

        Raises as for every optimizer.
        """
        who = "LBFGS.load_state_dict"
        if not isinstance(state_dict, Mapping) or not isinstance(state_dict.get("state"), Mapping):
            raise ArgumentError(
                f'{who}: a state dict has the keys "state" and "param_groups", both with contents'
            )
        kept = self._read(who, state_dict["state"].get(0, {}))
        super().load_state_dict({**state_dict, "state": {}})
        self._kept = kept

    def _read(self, who: str, entry: Any) -> dict[str, Any]:
        if not isinstance(entry, Mapping):
            raise ArgumentError(f"{who}: its state must be a dict, not {type(entry).__name__}")
        known = (*NUMBERS, *VECTORS, *LISTS)
        if unexpected := [name for name in entry if name not in (*known, SCRATCH)]:
            raise ArgumentError(f"{who}: unexpected state {unexpected}; LBFGS keeps {list(known)}")
        size, dtype = self._values().size, self._values().dtype

        def vector(name: str, value: Any) -> np.ndarray:
            array = as_array(value, f"{who}: {name}")
            if array.dtype.kind != "f":
                raise DTypeError(f"{who}: {name} is {array.dtype}, not of a floating dtype")
            if array.shape != (size,):
                raise ShapeError(
                    f"{who}: {name} has shape {array.shape}, but the parameters are {size} numbers"
                )
            return array.astype(dtype)

        found: dict[str, Any] = {}
        for name, value in entry.items():
            if value is None or name == SCRATCH:
                continue
            if name in VECTORS:
                found[name] = vector(name, value)
            elif name in LISTS:
                if not isinstance(value, list | tuple):
                    raise ArgumentError(f"{who}: {name} must be a list, not {type(value).__name__}")
                found[name] = [number(name, one) if name == "ro" else vector(name, one) for one in value]
            else:
                found[name] = number(f"{who}: {name}", value)
        for name in ("func_evals", "n_iter"):
            found[name] = int(found.get(name, 0))
        if found["n_iter"] and (missing := [name for name in known if name not in found]):
            raise ArgumentError(f"{who}: its state lacks {missing}")
        if len({len(found.get(name, ())) for name in LISTS}) != 1:
            raise ArgumentError(f"{who}: {', '.join(LISTS)} must be of one length")
        return found


def _value(loss: Any) -> float:
    return number("LBFGS: what the closure returns", loss)


def _largest(x: np.ndarray) -> float:
    return float(np.abs(x).max(initial=0))
