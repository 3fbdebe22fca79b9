"""Function: what forward is given, what gradients gives back, and how to write one of your own."""

import threading

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor import Function, Tensor, memory, unbroadcast
from tt_tensor.errors import DTypeError, GradientError, IndexingError, InPlaceError, ShapeError, TTError
from tt_tensor.ops.arithmetic import Add, Mul
from tt_tensor.ops.pointwise import Exp
from tt_tensor.testing import check_dtypes, check_on_tensors, check_rule, sample


class Cube(Function):
    """y = x³: dx = 3 x² grad."""

    def forward(self, x):
        self.x = x
        return x * x * x

    def backward(self, grad):
        return grad * (3 * self.x * self.x)


class Seen(Function):
    """Keeps what forward was given, and adds it all up."""

    def forward(self, *arrays):
        self.given = arrays
        total = np.float32(0)
        for x in arrays:
            if x is not None:
                total = total + x
        return total

    def backward(self, grad):
        return tuple(None if x is None else grad for x in self.given)


def test_a_function_of_ones_own():
    function = Cube()
    y = function(Tensor([1.0, 2.0]))
    assert isinstance(y, Tensor)
    assert y.tolist() == [1.0, 8.0]
    (dx,) = function.gradients(np.ones(2, np.float32))
    assert type(dx) is np.ndarray
    assert dx.tolist() == [3.0, 12.0]
    assert dx.dtype == np.float32
    check_rule(Cube, sample((2, 3)))
    check_on_tensors(Cube, sample((2, 3)))
    check_dtypes(Cube, sample((2, 3)))


def test_kinds_of_operands():
    function = Seen()
    t, array = tt.tensor([1.0, 2.0]), np.array([3.0, 4.0], np.float32)
    function(t, array, 2, 2.5, True, None, [1.0, 2.0], np.float32(7))
    given = function.given
    assert given[0] is t.array  # no copy
    assert given[1] is array
    assert [type(x) for x in given[2:6]] == [int, float, bool, type(None)]  # scalars are weak, None stays
    assert given[6].dtype == np.float32
    assert given[6].tolist() == [1.0, 2.0]
    assert given[7].shape == ()
    assert given[7].dtype == np.float32


@pytest.mark.parametrize("x", [2.0, 2, True, np.float32(2), [2.0]])
def test_a_single_operand_becomes_an_array(x):
    function = Seen()
    function(x)
    assert isinstance(function.given[0], np.ndarray)


def test_weak_scalars_keep_float32():
    x = tt.tensor([1.0])
    assert Add()(x, 2.0).dtype == Add()(2.0, x).dtype == np.float32
    assert Mul()(x, np.float64(2)).dtype == np.float64


def test_gradients_are_only_for_floating_tensors():
    function = Seen()
    t, integers = tt.tensor([1.0, 2.0]), tt.tensor([1, 2])
    function(t, integers, 3.0, np.ones(2), None)
    grads = function.gradients(np.ones(2))
    assert [grad is None for grad in grads] == [False, True, True, True, True]


def test_gradients_undo_broadcasting_and_promotion():
    x, y = tt.ones(3, 1), tt.ones(2, 1, 4, dtype="float64")
    function = Add()
    z = function(x, y)
    dx, dy = function.gradients(np.ones(z.shape))
    assert (dx.shape, dx.dtype) == ((3, 1), np.float32)
    assert (dy.shape, dy.dtype) == ((2, 1, 4), np.float64)
    assert np.all(dx == 8)
    assert np.all(dy == 3)


def test_a_repeated_input_gets_one_gradient_for_each_place():
    x = tt.tensor([2.0, 3.0])
    function = Mul()
    function(x, x)
    dx, dy = function.gradients(np.ones(2, np.float32))
    np.testing.assert_array_equal(dx + dy, [4, 6])


def test_gradients_take_a_tensor_to_differentiate_again():
    x = tt.tensor([2.0])
    function = Cube()
    function(x)
    function.x = x  # as the engine does: forward is run again on Tensors
    (dx,) = function.gradients(tt.ones(1))
    assert isinstance(dx, Tensor)
    assert dx.tolist() == [12.0]


def test_wants_says_what_is_asked_for():
    function = Mul()
    function(tt.ones(2), tt.ones(2))
    assert function.wants(0)
    assert function.wants(1)
    function.needs = (False, True)
    dx, dy = function.gradients(np.ones(2, np.float32))
    assert dx is None
    assert dy is not None


@pytest.mark.parametrize(
    ("shape", "to"),
    [
        ((2, 3), (3,)),
        ((2, 3), (1, 3)),
        ((2, 3), (2, 1)),
        ((2, 3), ()),
        ((2, 0), (1, 1)),
        ((4, 2, 3), (2, 1)),
        ((0,), (1,)),
    ],
)
def test_unbroadcast_is_the_transpose_of_broadcasting(shape, to):
    grad = np.random.default_rng(0).normal(size=shape)
    found = unbroadcast(grad, to)
    assert found.shape == to
    v = np.random.default_rng(1).normal(size=to)
    np.testing.assert_allclose(np.sum(found * v), np.sum(grad * np.broadcast_to(v, shape)))
    assert isinstance(unbroadcast(tt.from_numpy(grad), to), Tensor)


def test_unbroadcast_keeps_all_digits_over_many_rows():
    grad = np.full((1 << 20, 2), 0.1, np.float32)
    grad[:, 1] = np.random.default_rng(0).uniform(size=len(grad))
    np.testing.assert_allclose(unbroadcast(grad, (2,)), grad.sum(axis=0, dtype=np.float64), rtol=1e-5)


def test_a_tuple_is_no_output():
    class Two(Function):
        def forward(self, x):
            return x * 2, x * 3

    with pytest.raises(DTypeError, match="gave 2 values, but a Function has one output"):
        Two()(tt.zeros(3))


def test_reapplying_starts_afresh():
    function = Exp()
    y = function(tt.zeros(2))
    y += 1
    with pytest.raises(InPlaceError, match="Exp needs its saved value"):
        function.gradients(np.ones(2))
    function(tt.zeros(2))
    assert function.gradients(np.ones(2, np.float32))[0].tolist() == [1, 1]


def test_saved_values_in_lists_are_checked_too():
    class Keep(Function):
        def forward(self, x):
            self.both = [x, x + 1]
            return x

        def backward(self, grad):
            return grad

    x = tt.zeros(2)
    function = Keep()
    function(x)
    x += 1
    with pytest.raises(InPlaceError, match=r"Keep needs its saved value `both` of shape \(2,\)"):
        function.gradients(np.ones(2))


# --- errors ----------------------------------------------------------------------------------------------


class Breaks(Function):
    def __init__(self, error):
        self.error = error

    def forward(self, x):
        raise self.error


@pytest.mark.parametrize(
    ("raised", "wanted"),
    [(ValueError("v"), ShapeError), (IndexError("i"), IndexingError), (TypeError("t"), DTypeError)],
)
def test_errors_of_numpy_name_the_op_and_the_shapes(raised, wanted):
    with pytest.raises(wanted, match=r"Breaks of \(2, 3\) float32") as caught:
        Breaks(raised)(tt.zeros(2, 3))
    assert caught.value.__cause__ is raised


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError):
        Breaks(ZeroDivisionError())(tt.zeros(1))
    typed = GradientError("as it is")
    with pytest.raises(GradientError, match=r"^as it is$"):
        Breaks(typed)(tt.zeros(1))


def test_wrong_number_of_operands():
    with pytest.raises(
        DTypeError, match=r"Exp of .*forward\(\) takes 2 positional arguments but 3 were given"
    ):
        Exp()(tt.zeros(2), tt.zeros(2))
    with pytest.raises(DTypeError, match=r"Mul of \(2,\) float32: .*missing 1 required"):
        Mul()(tt.zeros(2))


def test_functions_that_are_not_finished():
    class Half(Function):
        def forward(self, x):
            return x

    with pytest.raises(NotImplementedError, match=r"Function has no forward\(\)"):
        Function()(tt.zeros(1))
    function = Half()
    function(tt.zeros(1))
    with pytest.raises(GradientError, match=r"Half has no backward\(\)"):
        function.gradients(np.ones(1))


def test_gradients_before_the_application():
    with pytest.raises(GradientError, match="Cube was not applied"):
        Cube().gradients(np.ones(2))


def test_a_rule_with_the_wrong_number_of_gradients():
    class Short(Function):
        def forward(self, x, y):
            return x + y

        def backward(self, grad):
            return grad

    function = Short()
    function(tt.zeros(1), tt.zeros(1))
    with pytest.raises(GradientError, match="gave 1 gradients for 2 inputs"):
        function.gradients(np.ones(1))


def test_a_gradient_that_is_not_of_the_outputs_shape():
    for function, inputs in (
        (Exp(), (tt.zeros(2, 3),)),
        (Add(), (tt.zeros(2, 3), 1.0)),
        (Add(), (tt.zeros(3), tt.ones(2, 3))),
    ):
        function(*inputs)
        for shape in ((5,), (), (3,), (1, 2, 3), (4, 2, 3)):
            with pytest.raises(ShapeError, match=r"has the shape of the output, \(2, 3\), but this one has"):
                function.gradients(np.ones(shape))


def test_repr_shows_the_shapes():
    function = Add()
    assert repr(function) == "Add()"
    function(tt.zeros(2, 3), 1.0)
    assert repr(function) == "Add((2, 3), 1.0)"


# --- in place --------------------------------------------------------------------------------------------


def test_in_place_writes_counts_and_returns_the_target():
    x = tt.tensor([1.0, 2.0])
    array = x.array
    assert Add().in_place(x, 1.0) is x
    assert x.array is array
    assert x.tolist() == [2.0, 3.0]
    assert x.version == 1


def test_in_place_keeps_the_value_from_before_when_recorded(notes):
    x, y = tt.tensor([2.0, 3.0]), tt.tensor([5.0, 7.0])
    function = Mul()
    function.in_place(x, y)
    assert x.tolist() == [10.0, 21.0]
    dx, dy = function.gradients(np.ones(2, np.float32))
    assert dx.tolist() == [5.0, 7.0]
    assert dy.tolist() == [2.0, 3.0]  # y's gradient is the old x
    assert notes.names == ["Mul"]


def test_in_place_copies_nothing_when_nobody_records():
    class Peek(Function):
        def forward(self, x, y):
            self.was = x
            return x + y

    x = tt.zeros(3)
    function = Peek()
    function.in_place(x, 1.0)
    assert np.shares_memory(function.was, x.array)


@pytest.mark.parametrize(
    ("target", "other", "error", "words"),
    [
        (
            lambda: tt.zeros(3),
            lambda: tt.zeros(2, 3),
            ShapeError,
            r"Add in place: the result has shape \(2, 3\)",
        ),
        (lambda: tt.zeros(3), lambda: tt.zeros(2), ShapeError, r"Add of \(3,\) float32, \(2,\) float32"),
        (lambda: tt.arange(3), lambda: 1.5, DTypeError, "Add in place: the result is float64.*int64"),
        (lambda: tt.zeros(3).broadcast_to((2, 3)), lambda: 1.0, InPlaceError, "read-only"),
    ],
)
def test_in_place_that_cannot_be_changes_nothing(target, other, error, words):
    x = target()
    before, version = x.tolist(), x.version
    with pytest.raises(error, match=words):
        Add().in_place(x, other())
    assert x.tolist() == before
    assert x.version == version


def test_float64_operand_casts_down_into_float32_in_place():
    x = tt.ones(2)
    x += np.ones(2)
    assert x.dtype == np.float32
    assert x.tolist() == [2.0, 2.0]


def test_applications_in_threads_do_not_meet():
    failures = []

    def work(seed):
        x = tt.from_numpy(np.random.default_rng(seed).normal(size=(8, 8)))
        for _ in range(200):
            function = Cube()
            y = function(x)
            other = y.clone()
            other += 1  # moves the clock of everybody
            (dx,) = function.gradients(np.ones((8, 8)))
            if not np.array_equal(dx, 3 * x.array * x.array):
                failures.append(seed)

    clock = memory.clock
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert memory.clock == clock + 800


def test_every_typed_error_is_a_tt_error():
    with pytest.raises(TTError):
        tt.zeros(2) + tt.zeros(3)


def test_another_thread_may_leave_something_on_a_function_while_it_is_checked(monkeypatch):
    function = Mul()
    function(Tensor([1.0, 2.0]), Tensor([3.0, 4.0]))
    other = Tensor([1.0])
    other += 1.0  # the clock goes on, so that what was saved is looked at

    def meanwhile(array, stamp):
        function.left = None
        return False

    monkeypatch.setattr(memory, "written_since", meanwhile)
    function.check_saved()
    assert function.left is None
