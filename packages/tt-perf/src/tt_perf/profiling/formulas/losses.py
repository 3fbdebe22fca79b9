"""Losses: operations for each number of the prediction, and for each row of classes."""

from __future__ import annotations

from tt_perf.profiling.application import Application
from tt_perf.profiling.formulas.formula import Formula

__all__ = ["FORMULAS"]


def _each(there: int, back: int) -> Formula:
    """The sum over all is one of `there`; the gradient of the target counts where it is asked for."""

    def backward(a: Application) -> int:
        return back * a.size() * (a.wants(0) + a.wants(1))

    return Formula(lambda a: there * a.size(), backward)


def _rows(a: Application) -> int:
    """Predictions of one sample each: all axes but the classes, which are axis 1, or the only one."""
    shape = a.shape()
    classes = shape[1] if len(shape) > 1 else (shape[0] if shape else 1)
    return a.size() // max(classes, 1)


def _classes(there: int, row: int, back: int, back_row: int) -> Formula:
    return Formula(
        lambda a: there * a.size() + row * _rows(a),
        lambda a: back * a.size() + back_row * _rows(a) if a.wants(0) else 0,
    )


FORMULAS = {
    "MSEFunction": _each(3, 1),  # -, square, Σ; (2 / n) grad is one number, times the difference
    "L1Function": _each(3, 2),  # -, | |, Σ; sign, times
    "HuberFunction": _each(6, 3),  # -, | |, comparison, ½ d d, Σ; cut at both ends, times
    "BCEWithLogitsFunction": _each(9, 6),  # max(x, 0) - x t + log1p(exp(-|x|)), Σ; (σ(x) - t) times
    "BCEFunction": _each(9, 5),  # -(t log p + (1 - t) log(1 - p)), Σ; (p - t) / (p (1 - p)) times
    "KLDivFunction": _each(4, 2),  # t (log t - x), Σ; -t times
    # One number of a row counts: times its weight, Σ.
    "NLLFunction": _classes(0, 2, 0, 1),
    # log Σ exp(x): max, -, exp, Σ, and a log a row; minus the score of the class, weight, Σ.
    # Back: exp(x - that), times; minus 1 at the class.
    "CrossEntropyFunction": _classes(4, 4, 3, 1),
    # The same, and Σ t (x - that) over the classes. Back: minus t at each.
    "SoftCrossEntropyFunction": _classes(7, 2, 4, 0),
    # Two log softmaxes of x / T and z / T, q, q (log q - log p) Σ; the log softmax of x, times the target, Σ.
    # Back: α T (p - q) + (1 - α) (softmax(x) - target), times.
    "DistillationFunction": _classes(23, 4, 8, 0),
}
