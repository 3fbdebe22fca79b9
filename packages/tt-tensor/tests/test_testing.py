"""tt_tensor.testing finds what is wrong with a rule."""

import subprocess
import sys

import numpy as np
import pytest

import tt_tensor
from tt_tensor import Function, recorder
from tt_tensor.errors import ShapeError, TTError
from tt_tensor.ops.arithmetic import Add
from tt_tensor.testing import (
    Case,
    RuleError,
    binary_cases,
    check_dtypes,
    check_on_tensors,
    check_rule,
    functions_of,
    sample,
    unary_cases,
)


class Square(Function):
    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, grad):
        return 2 * grad * self.x


class Wrong(Square):
    def backward(self, grad):
        return 2.001 * grad * self.x + (np.abs(self.x) > 1.5) * 0.1


class WrongShape(Square):
    def backward(self, grad):
        return np.sum(grad * 2 * self.x)


class WritesInput(Square):
    def forward(self, x):
        self.x = x.copy()
        y = x * x
        x += 0.0 if x.size == 0 else 1e-3
        return y


class WritesGradient(Square):
    def backward(self, grad):
        grad *= 2 * self.x
        return grad


class Forgets(Square):
    def backward(self, grad):
        x, self.x = self.x, self.x * 0
        return 2 * grad * x


class Leaks(Square):
    """Escapes the Tensors: a derivative of its derivative would be lost."""

    def backward(self, grad):
        return 2 * grad * np.asarray(self.x)


class Raw(Square):
    def backward(self, grad):
        return np.asarray(grad) * 2 * np.asarray(self.x)


class NoRule(Square):
    def backward(self, grad):
        return grad * np.hypot(self.x, 0.0) * np.sign(self.x) * 2


class Widens(Square):
    def backward(self, grad):
        return grad * np.float64(2) * self.x


class WidensOut(Square):
    def forward(self, x):
        self.x = x
        return np.multiply(x, np.float64(1)) * x


class Missing(Function):
    """dy is forgotten."""

    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, grad):
        return grad * self.y, None


X = sample((3, 4))


def test_a_right_rule_passes():
    for x in (X, sample(()), sample((0, 2)), X.T, X[::-1]):
        check_rule(Square, x)
        check_on_tensors(Square, x)
        check_dtypes(Square, x)


@pytest.mark.parametrize("function", [Wrong, WritesInput, WritesGradient, Forgets])
def test_check_rule_finds(function):
    with pytest.raises(RuleError, match=function.__name__):
        check_rule(function, X)


def test_check_rule_finds_a_wrong_shape():
    with pytest.raises(ShapeError, match=r"WrongShape\(\(3, 4\)\) gives a gradient of shape \(\)"):
        check_rule(WrongShape, X)


def test_check_rule_finds_a_missing_gradient():
    with pytest.raises(RuleError, match=r"input \[1\]"):
        check_rule(Missing, X, X.copy())


def test_check_rule_adds_up_an_operand_used_twice():
    class Product(Missing):
        def backward(self, grad):
            return grad * self.y, grad * self.x

    check_rule(Product, X, X)


@pytest.mark.parametrize("function", [Raw, NoRule])
def test_check_on_tensors_finds(function):
    with pytest.raises(TTError, match=r"Raw|np\.hypot"):
        check_on_tensors(function, X)
    assert recorder.active is None  # also after a failure


@pytest.mark.parametrize("function", [Widens, WidensOut])
def test_check_dtypes_finds(function):
    with pytest.raises(RuleError, match=r"float32.*float64"):
        check_dtypes(function, X)


def test_cases_are_many_and_of_every_kind():
    unary, binary = unary_cases(Square), binary_cases(Missing)
    assert len(unary) >= 20
    assert len(binary) >= 20
    assert len({case.name for case in unary}) == len(unary)
    shapes = [case.inputs[0].shape for case in unary]
    assert () in shapes
    assert any(0 in shape for shape in shapes)
    assert any(not case.inputs[0].flags.c_contiguous for case in unary)
    assert any(case.inputs[0] is case.inputs[1] for case in binary)
    assert any(case.inputs[0].shape != case.inputs[1].shape for case in binary)
    assert all(isinstance(case, Case) and str(case) == case.name for case in unary + binary)


def test_sample_keeps_values_apart():
    x = sample((50,), low=0.0, high=1.0)
    assert np.diff(np.sort(x)).min() > 1 / 200
    assert x.min() >= 0
    assert x.max() <= 1


def test_functions_of_finds_every_function_and_no_other():
    found = functions_of(tt_tensor)
    assert Add in found
    assert len(found) > 20
    assert Square not in found
    assert all(function.__module__.startswith("tt_tensor") for function in found)


def test_testing_is_not_imported_by_default():
    late = ("tt_tensor.testing", "tt_tensor.numpy_protocol", "dataclasses", "numpy.random")
    code = f"import sys, tt_tensor; print([name for name in {late} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
