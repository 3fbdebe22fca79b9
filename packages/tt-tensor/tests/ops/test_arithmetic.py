"""Arithmetic: NumPy's values and dtypes for every kind of operand, gradients for every pair of shapes, typed errors."""

import itertools
import math
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tt_tensor as tt
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, InPlaceError, ShapeError
from tt_tensor.ops import arithmetic

OPERATORS = {
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.truediv: np.true_divide,
    operator.pow: np.power,
    operator.floordiv: np.floor_divide,
    operator.mod: np.remainder,
}
DTYPES = ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "bool"]
SHAPES = [shape for rank in range(5) for shape in itertools.product((0, 1, 3), repeat=rank)]


def same(tensor, array):
    """The same kind of thing, dtype, shape and values."""
    assert type(tensor) is Tensor
    np.testing.assert_array_equal(tensor.numpy(), array, strict=True)


def or_error(call):
    try:
        with np.errstate(all="ignore"):
            return call()
    except (TypeError, ValueError, OverflowError):
        return None


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize(("left", "right"), list(itertools.product(DTYPES, repeat=2)))
def test_every_pair_of_dtypes_is_numpys(op, left, right):
    a, b = np.array([1, 0, 3]).astype(left), np.array([[1], [2]]).astype(right)
    wanted = or_error(lambda: op(a, b))
    if wanted is None:
        with pytest.raises(DTypeError):
            op(Tensor(a), Tensor(b))
        return
    with np.errstate(all="ignore"):
        same(op(Tensor(a), Tensor(b)), wanted)
        same(op(Tensor(a), b), wanted)
        same(op(a, Tensor(b)), wanted)


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "scalar", [2, 3.0, True, 0.5, np.float64(1.5), np.float32(2.5), np.int64(2), np.uint8(3)]
)
def test_scalars_on_either_side_promote_as_numpys(op, dtype, scalar):
    x = np.array([[1, 2, 3]]).astype(dtype)
    for wanted, found in (
        (lambda: op(x, scalar), lambda: op(Tensor(x), scalar)),
        (lambda: op(scalar, x), lambda: op(scalar, Tensor(x))),
    ):
        array = or_error(wanted)
        if array is None:
            with pytest.raises(DTypeError):
                found()
        else:
            same(found(), array)


@pytest.mark.parametrize("op", OPERATORS)
def test_float32_stays_float32_beside_python_numbers(op):
    x = Tensor([1.0, 2.0])
    for scalar in (3, 2.5, True):
        assert op(x, scalar).dtype == np.float32
        assert op(scalar, x).dtype == np.float32


@pytest.mark.parametrize("op", OPERATORS)
def test_lists_and_shapes_of_rank_0(op):
    x = Tensor([4.0, 2.0])
    same(op(x, [2, 4]), op(x.numpy(), np.array([2, 4])))
    same(op([2.0, 4.0], x), op(np.array([2, 4], np.float32), x.numpy()))
    same(op(Tensor(3.0), Tensor(2.0)), np.asarray(op(np.float32(3), np.float32(2))))


@pytest.mark.parametrize(
    ("function", "low"),
    [
        (arithmetic.Add, -2), (arithmetic.Sub, -2), (arithmetic.Mul, -2), (arithmetic.Div, 0.5), (arithmetic.Pow, 0.5),
        (arithmetic.Remainder, 0.5), (arithmetic.FloorDivide, 0.5),
    ],
)  # fmt: skip
def test_every_pair_of_shapes_broadcasts_and_gives_gradients_of_its_operands_shapes(function, low):
    rng = np.random.default_rng(0)
    pool = {shape: rng.uniform(low, 2, shape).astype(np.float32) for shape in SHAPES}
    ufunc = {
        "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.true_divide, "Pow": np.power,
        "Remainder": np.remainder, "FloorDivide": np.floor_divide,
    }[function.__name__]  # fmt: skip
    checked = 0
    for a, b in itertools.product(SHAPES, repeat=2):
        try:
            shape = np.broadcast_shapes(a, b)
        except ValueError:
            continue
        checked += 1
        apply = function()
        z = apply(Tensor(pool[a]), Tensor(pool[b]))
        assert z.shape == shape
        np.testing.assert_array_equal(z.numpy(), ufunc(pool[a], pool[b]))
        grad = np.ones(shape, np.float32)
        dx, dy = apply.gradients(grad)
        assert dx.shape == a
        assert dy.shape == b
        assert dx.dtype == dy.dtype == np.float32
        if function is arithmetic.Add and 0 not in shape:  # each element counts as often as it was repeated
            assert (dx == np.prod(shape) // np.prod(a, dtype=int)).all()
            assert (dy == np.prod(shape) // np.prod(b, dtype=int)).all()
    # Of two sizes along one axis, 7 of the 9 pairs broadcast; beyond the lower rank every size does.
    assert checked == sum(7 ** min(a, b) * 3 ** abs(a - b) for a in range(5) for b in range(5))


@given(
    arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=4).flatmap(
        lambda shapes: st.tuples(
            *[
                arrays.arrays(np.float64, shape, elements=st.floats(-100, 100))
                for shape in shapes.input_shapes
            ]
        )
    )
)
def test_div_mod_is_pythons(pair):
    x, y = pair
    y = np.where(np.abs(y) < 0.1, 0.5, y)
    quotient, rest = divmod(Tensor(x), Tensor(y))
    for q, r, a, b in zip(*(np.ravel(z) for z in (quotient, rest, *np.broadcast_arrays(x, y))), strict=True):
        assert (q, r) == divmod(a, b)
    same(Tensor(x) // Tensor(y), quotient.numpy())
    same(Tensor(x) % Tensor(y), rest.numpy())


def test_reflected_div_mod():
    q, r = divmod(-7, Tensor([2.0, -2.0]))
    assert (q.tolist(), r.tolist()) == ([-4.0, 3.0], [1.0, -1.0])


@pytest.mark.parametrize("op", ["iadd", "isub", "imul", "itruediv", "ipow", "ifloordiv", "imod"])
@pytest.mark.parametrize("other", [3, 2.5, [2.0, 4.0], Tensor([[2.0, 4.0]])])
def test_in_place_writes_into_the_same_memory_and_counts(op, other):
    x = Tensor([[7.0, 5.0], [1.0, 9.0]])
    array, row, version = x.array, x.array[0], x.version
    wanted = getattr(operator, op[1:])(array.copy(), np.asarray(other, np.float32))
    y = getattr(operator, op)(x, other)
    assert y is x
    assert x.array is array
    assert x.version == version + 1
    np.testing.assert_array_equal(x.numpy(), wanted.astype(np.float32))
    np.testing.assert_array_equal(row, wanted.astype(np.float32)[0])


def test_in_place_refuses_what_does_not_fit():
    x = Tensor([1.0, 2.0])
    for op, other, error in [
        (operator.iadd, np.ones((2, 2)), ShapeError),
        (operator.ipow, np.ones((3, 1)), ShapeError),
        (operator.ifloordiv, np.ones(3), ShapeError),
    ]:
        with pytest.raises(error):
            op(x, other)
    integers = Tensor([1, 2])
    for op in (operator.iadd, operator.itruediv, operator.ipow, operator.imod):
        with pytest.raises(DTypeError, match="lose its kind"):
            op(integers, 0.5)
    assert x.tolist() == [1, 2]
    assert integers.tolist() == [1, 2]
    with pytest.raises(InPlaceError):
        x.broadcast_to((3, 2)).__imul__(2)


@pytest.mark.parametrize("op", OPERATORS)
def test_wrong_operands(op):
    x = Tensor([1.0, 2.0])
    for wrong in (None, "a", {}, object(), [[1], [2, 3]], 1j):
        with pytest.raises((DTypeError, ShapeError)):
            op(x, wrong)
        with pytest.raises((DTypeError, ShapeError)):
            op(wrong, x) if not isinstance(wrong, str) else op(x, wrong)
    with pytest.raises(ShapeError, match=r"\(2,\) float32, \(3,\) float32"):
        op(x, Tensor([1.0, 2.0, 3.0]))


def test_an_integer_that_the_dtype_cannot_hold():
    with pytest.raises(ArgumentError, match="uint8"):
        Tensor(np.array([1], np.uint8)) + 300


class TestPow:
    def test_integers_to_a_negative_power(self):
        for exponent in (-1, Tensor([-1, 2]), np.array(-2)):
            with pytest.raises(ArgumentError, match="astype"):
                Tensor([1, 2]) ** exponent
        same(Tensor([1, 2]) ** -1.0, np.array([1, 0.5]))

    def test_gradient_at_base_0_and_negative_bases(self):
        x = np.array([0.0, -2.0, -3.0])
        for exponent, wanted in [
            (0, [0, 0, 0]), (1, [1, 1, 1]), (2, [0, -4, -6]), (3, [0, 12, 27]), (4.0, [0, -32, -108]),
        ]:  # fmt: skip
            for p in (exponent, np.full(3, exponent, np.float64)):
                function = arithmetic.Pow()
                function.needs = (True, False)
                function(Tensor(x), Tensor(p) if isinstance(p, np.ndarray) else p)
                dx, dp = function.gradients(np.ones(3))
                np.testing.assert_array_equal(dx, wanted)
                assert dp is None  # and no logarithm was taken: it would warn

    def test_gradient_of_the_exponent(self):
        function = arithmetic.Pow()
        function(Tensor([0.0, 0.0, 2.0, -2.0, 0.0]), Tensor([2.0, 0.0, 3.0, 2.0, 1.0]))
        _, dp = function.gradients(np.ones(5, np.float32))
        np.testing.assert_allclose(dp, [0, 0, 8 * np.log(2), np.nan, 0], 1e-6)

    def test_a_number_as_base(self):
        function = arithmetic.Pow()
        function(2, Tensor([3.0, -1.0]))
        nothing, dp = function.gradients(np.ones(2, np.float32))
        assert nothing is None
        assert dp.dtype == np.float32
        np.testing.assert_allclose(dp, np.log(2) * np.array([8, 0.5]), 1e-6)

    def test_the_smallest_bases_to_the_0(self):
        for dtype in (np.float16, np.float32, np.float64):
            x = np.array(
                [0, np.finfo(dtype).smallest_subnormal, np.finfo(dtype).tiny, 1, np.inf, np.nan], dtype
            )
            function = arithmetic.Pow()
            function(Tensor(x), Tensor(np.zeros(6, dtype)))
            function.needs = (True, False)
            np.testing.assert_array_equal(function.gradients(np.ones(6, dtype))[0], np.zeros(6, dtype))

    def test_only_the_rule_of_an_exponent_keeps_the_result(self):
        x = Tensor([2.0])
        function = arithmetic.Pow()
        y = function(x, 3)
        y += 1  # PyTorch allows it, too: the rule of x needs x alone
        np.testing.assert_array_equal(function.gradients(np.ones(1, np.float32))[0], [12])

    def test_second_derivative_through_exponent_0(self, tape):
        """d²/dx dp of xᵖ at p = 0 is 1/x."""
        x, p = Tensor(np.array([2.0, 4.0])), Tensor(np.array([0.0, 0.0]))

        def slope(x, p):
            return tape.gradients(tt.pow, (x, p), Tensor(np.ones(2)), create_graph=True)[1][0]

        dx, (_, mixed) = tape.gradients(slope, (x, p), np.ones(2))
        np.testing.assert_array_equal(dx.numpy(), [0, 0])
        np.testing.assert_allclose(mixed, [0.5, 0.25])


def test_aliases_and_methods():
    x, y = Tensor([7.0, -7.0]), Tensor([2.0, 3.0])
    for names, wanted in [
        (("add",), [9, -4]), (("sub", "subtract"), [5, -10]), (("mul", "multiply"), [14, -21]),
        (("div", "divide", "true_divide"), [3.5, -7 / 3]), (("pow", "power"), [49, -343]),
        (("floor_divide",), [3, -3]), (("remainder",), [1, 2]),
    ]:  # fmt: skip
        for name in names:
            same(getattr(tt, name)(x, y), np.array(wanted, np.float32))
            same(getattr(x, name)(y), np.array(wanted, np.float32))
            assert getattr(tt, name).__doc__
    for name in ("neg", "negative"):
        same(getattr(tt, name)(x), np.array([-7, 7], np.float32))
        same(getattr(x, name)(), np.array([-7, 7], np.float32))
    same(-x, np.array([-7, 7], np.float32))
    assert +x is x
    copied = tt.positive(x)
    same(copied, x.numpy())
    assert not copied.shares_memory(x)
    same(x.add(y, alpha=-2), np.array([3, -13], np.float32))
    same(x.sub(y, alpha=0.5), np.array([6, -8.5], np.float32))


def test_python_numbers_give_what_tensor_makes_of_their_result():
    for found, dtype in [
        (tt.add(1.5, 2), "float32"), (tt.add(1, 2), "int64"), (tt.mul(1.5, 2.0), "float32"),
        (tt.div(1, 2), "float32"), (tt.pow(2, -1), "float32"),
    ]:  # fmt: skip
        assert found.dtype == dtype
    with pytest.raises(DTypeError, match="Pow: dtype complex128 is not supported"):
        tt.pow(-8, 1 / 3)


@pytest.mark.parametrize("call", [lambda x: x * 2.0, lambda x: 2 * x, lambda x: x / 0.5, lambda x: x * 2 / 1])
def test_what_a_number_multiplies_may_be_written_before_backward(call, tape):
    def run(x):
        y = call(x)
        x.detach().zero_()
        return y

    _, (dx,) = tape.gradients(run, [Tensor([1.0, 3.0])], np.float32([1, 10]))
    same(tt.as_tensor(dx), np.float32([2, 20]))


@pytest.mark.parametrize("call", [lambda x: x * x, lambda x: 1 / x, lambda x: x * np.float32(2)])
def test_what_a_rule_needs_may_not(call, tape):
    def run(x):
        y = call(x)
        x.detach().zero_()
        return y

    with pytest.raises(InPlaceError, match="saved value"):
        tape.gradients(run, [Tensor([1.0, 3.0])], np.float32([1, 10]))


@pytest.mark.parametrize("call", [lambda x: -x, lambda x: x - x, tt.positive])
def test_bool_has_no_sign(call):
    with pytest.raises(DTypeError):
        call(Tensor([True, False]))


@pytest.mark.parametrize("op", OPERATORS)
def test_numpys_functions_give_the_same(op):
    x, y = Tensor([7.0, -7.0]), np.array([2.0, 3.0], np.float32)
    same(OPERATORS[op](x, y), op(x, y).numpy())
    same(OPERATORS[op](y, x), op(y, x).numpy())


def test_numbers_get_no_gradient_and_arrays_none_either():
    for function in (arithmetic.Add, arithmetic.Mul, arithmetic.Div, arithmetic.Remainder, arithmetic.Pow):
        for other in (2.0, np.array([2.0, 3.0])):
            apply = function()
            apply(Tensor([5.0, 4.0]), other)
            dx, nothing = apply.gradients(np.ones(2, np.float32))
            assert dx.dtype == np.float32
            assert nothing is None


def test_division_that_rounds():
    x = np.array([7, -7, 6, -6, 2**62 + 1, -(2**62) - 1])
    for divisor in (2, -2):
        wanted = np.array([abs(int(a)) // 2 * (1 if (a > 0) == (divisor > 0) else -1) for a in x])
        np.testing.assert_array_equal(tt.div(x, divisor, rounding_mode="trunc").numpy(), wanted, strict=True)
        np.testing.assert_array_equal(
            tt.div(x, divisor, rounding_mode="floor").numpy(), x // divisor, strict=True
        )
    y = tt.div(Tensor([7.0, -7.0, 0.5]), Tensor([2.0]), rounding_mode="trunc")
    assert y.tolist() == [3.0, -3.0, 0.0] and y.dtype == np.float32
    with pytest.raises(ArgumentError, match="rounding_mode"):
        tt.div(x, 2, rounding_mode="up")


def test_three_at_once():
    x, y, z = Tensor([[1.0], [2.0]]), Tensor([3.0, 4.0]), Tensor([5.0, 8.0])
    assert tt.addcmul(x, y, z, value=0.5).tolist() == [[8.5, 17.0], [9.5, 18.0]]
    assert x.addcdiv(z, y, value=-1).tolist() == (x - z / y).tolist()
    assert tt.lerp(x, y, 0.5).tolist() == [[2.0, 2.5], [2.5, 3.0]]
    assert tt.lerp(x, y, Tensor([0.0, 1.0])).tolist() == [[1.0, 4.0], [2.0, 4.0]]
    assert tt.addcmul(x, y, z, value=0.3).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_any_number_of_numbers(dtype):
    x = np.linspace(-2, 2, 7).astype(dtype)
    numbers = [0.0, -0.0, 1e-38, 1e38, 1e-320, 0.1, 1 / 3, math.inf, *np.linspace(0.5, 1.5, 600).tolist()]
    with np.errstate(all="ignore"):
        for number in [*numbers, *numbers]:
            same(Tensor(x) * number, x * number)
            same(Tensor(x) + number, x + number)
    one = Tensor(np.ones(1, dtype))
    for number in (0.0, -0.0, 0.0):  # equal as keys of a dictionary
        assert math.copysign(1, (one * number).item()) == math.copysign(1, number)
