"""FLOPs of every layer equal what one counts by hand; no Function of any wheel is without a formula."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_nn
import tt_perf
from tt_nn.linear import LinearFunction
from tt_perf import flops
from tt_perf.profiling.flops import formula_of
from tt_perf.profiling.formulas.attention import pairs
from tt_tensor import Function, Tensor, observing
from tt_tensor.errors import DTypeError, GradientError
from tt_tensor.ops.arithmetic import Add, Div, Mul, Pow
from tt_tensor.ops.einsum import Einsum
from tt_tensor.ops.linalg import MatMul
from tt_tensor.ops.pointwise import Exp, Tanh
from tt_tensor.ops.reductions import Max, Mean, Sum
from tt_tensor.ops.shapes import Reshape
from tt_tensor.ops.softmax import LogSoftmax, Softmax

vision = pytest.mark.skipif(
    importlib.util.find_spec("tt_vision") is None, reason="tt-vision is not installed"
)
text = pytest.mark.skipif(importlib.util.find_spec("tt_text") is None, reason="tt-text is not installed")

WHEELS = ("tt_tensor", "tt_nn", "tt_autograd", "tt_data", "tt_optim", "tt_vision", "tt_text", "tt_perf")


def ones(*shape):
    return Tensor(np.ones(shape, np.float32))


def counted(function, *inputs):
    """(forward, backward) of a Function, applied."""
    function(*inputs)
    found = flops(function)
    assert found.counted
    return found[:2]


class Catch:
    """An observer that counts the first Function that is applied, all of its gradients asked for."""

    found = None

    def applied(self, function, inputs, output, started):
        self.found = self.found or flops(function)

    def called(self, module, started):
        pass


def applied_by(layer, *inputs):
    """(forward, backward) of what a layer of one Function applies."""
    catch = Catch()
    before = observing.install(catch)
    try:
        layer(*inputs)
    finally:
        observing.install(before)
    assert catch.found.counted
    return catch.found[:2]


def all_functions():
    for wheel in WHEELS:
        if importlib.util.find_spec(wheel) is None:
            continue
        for found in pkgutil.walk_packages(importlib.import_module(wheel).__path__, f"{wheel}."):
            if ".compiled." not in found.name:  # numba compiles when they are imported
                importlib.import_module(found.name)
    classes, stack = [], [Function]
    while stack:
        for kind in stack.pop().__subclasses__():
            stack.append(kind)
            # Examples in docstrings and READMEs make classes, too, which no module has.
            here = getattr(sys.modules.get(kind.__module__), kind.__name__, None) is kind
            if here and kind.__module__.partition(".")[0] in WHEELS:
                classes.append(kind)
    return classes


def test_every_function_of_every_wheel_has_a_formula():
    classes = all_functions()
    assert len(classes) > 60
    # Bases of others, never applied themselves.
    bases = {"_Deviation", "_Normalize", "_Steps", "_Trilinear"}
    missing = {kind.__name__ for kind in classes if formula_of(kind) is None} - bases
    assert missing == set()


def test_every_layer_of_tt_nn_is_counted():
    rng = np.random.default_rng(0)
    x = Tensor(rng.standard_normal((4, 6)).astype(np.float32))
    layers = [
        tt_nn.Linear(6, 3), tt_nn.ReLU(), tt_nn.LeakyReLU(), tt_nn.ELU(), tt_nn.ReLU6(), tt_nn.Hardsigmoid(),
        tt_nn.Hardswish(), tt_nn.GELU(), tt_nn.GELU("tanh"), tt_nn.SiLU(), tt_nn.Mish(), tt_nn.Softplus(),
        tt_nn.Sigmoid(), tt_nn.Tanh(), tt_nn.Softmax(-1), tt_nn.LogSoftmax(-1), tt_nn.LayerNorm(6), tt_nn.RMSNorm(6),
        tt_nn.Dropout(0.5), tt_nn.AlphaDropout(0.5), tt_nn.Softsign(), tt_nn.Tanhshrink(), tt_nn.Hardshrink(),
        tt_nn.Softshrink(), tt_nn.Threshold(0.1, 2.0),
    ]  # fmt: skip
    for layer in layers:
        there, back = applied_by(layer, x)
        assert there > 0 and back > 0, layer


# --- tt-tensor ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "shapes", "there", "back"),
    [
        (Add(), [(3, 4), (3, 4)], 12, 0),
        (Add(), [(3, 4), (4,)], 12, 12),  # the sum that undoes broadcasting
        (Mul(), [(3, 4), (3, 4)], 12, 24),
        (Div(), [(3, 4), (3, 4)], 12, 48),
        (Pow(), [(5,), (5,)], 5, 30),
        (Exp(), [(2, 3)], 6, 6),
        (Tanh(), [(2, 3)], 6, 18),
        (Sum(), [(2, 3)], 6, 0),
        (Mean(), [(2, 3)], 7, 1),
        (Max(), [(2, 3)], 6, 12),
        (Softmax(-1), [(2, 3)], 30, 24),
        (LogSoftmax(-1), [(2, 3)], 30, 24),
        (Reshape((6,)), [(2, 3)], 0, 0),
        (MatMul(), [(3, 4), (4, 5)], 2 * 3 * 4 * 5, 4 * 3 * 4 * 5),
        (MatMul(), [(7, 3, 4), (4, 5)], 2 * 7 * 3 * 4 * 5, 4 * 7 * 3 * 4 * 5),
        (MatMul(), [(4,), (4,)], 8, 16),
        (Einsum("ij,jk->ik"), [(3, 4), (4, 5)], 2 * 3 * 4 * 5, 4 * 3 * 4 * 5),
        (Einsum("i,j->ij"), [(3,), (4,)], 12, 48),
        (Einsum("ij->j"), [(3, 4)], 12, 0),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, Function) else str(x).replace(" ", ""),
)
def test_tensor_functions(function, shapes, there, back):
    # The gradient of a scattered einsum sums over index tuples too: k products and additions each.
    assert counted(function, *[ones(*shape) for shape in shapes]) == (there, back)


@given(rows=st.integers(0, 5), inner=st.integers(0, 5), columns=st.integers(0, 5))
def test_a_matrix_product_counts_what_loops_count(rows, inner, columns):
    count = 0
    for _ in range(rows):
        for _ in range(columns):
            for _ in range(inner):
                count += 2  # a product and an addition
    assert counted(MatMul(), ones(rows, inner), ones(inner, columns)) == (count, 2 * count)


# --- tt-nn ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lead", [(4,), (2, 3), (0,)], ids=str)
def test_linear(lead, bias):
    rows = int(np.prod(lead))
    product = 2 * rows * 5 * 7
    there, back = applied_by(tt_nn.Linear(5, 7, bias=bias), ones(*lead, 5))
    assert (there, back) == (product + bias * rows * 7, 2 * product + bias * rows * 7)


def test_backward_counts_what_is_asked_for_only():
    function = LinearFunction()
    function.needs = (False, True, True)
    assert counted(function, ones(4, 5), ones(7, 5), ones(7))[1] == 2 * 4 * 5 * 7 + 4 * 7


@pytest.mark.parametrize("affine", [True, False])
def test_norms(affine):
    n, rows = 3 * 8, 3
    x = ones(3, 8)
    there, back = applied_by(tt_nn.LayerNorm(8, elementwise_affine=affine), x)
    assert there == (7 if affine else 5) * n + 5 * rows
    assert back == (8 + 2 + 1 if affine else 7) * n
    there, back = applied_by(tt_nn.RMSNorm(8, elementwise_affine=affine), x)
    assert there == (4 if affine else 3) * n + 4 * rows
    assert back == (6 + 2 if affine else 5) * n


def test_losses():
    x, t = ones(4, 5), ones(4, 5)
    # Of the prediction and of the target, each.
    assert applied_by(tt_nn.MSELoss(), x, t) == (3 * 20, 2 * 20)
    assert applied_by(tt_nn.BCEWithLogitsLoss(), x, t) == (9 * 20, 2 * 6 * 20)
    labels = Tensor(np.zeros(4, np.int64))
    assert applied_by(tt_nn.CrossEntropyLoss(), x, labels) == (4 * 20 + 4 * 4, 3 * 20 + 4)


@pytest.mark.parametrize(
    ("layer", "there", "back"),
    [
        (tt_nn.Softsign(), 3, 2),
        (tt_nn.Tanhshrink(), 2, 2),
        (tt_nn.Hardshrink(), 2, 1),
        (tt_nn.Softshrink(), 3, 1),
        (tt_nn.Threshold(0.0, 1.0), 1, 1),
        (tt_nn.AlphaDropout(0.5), 3, 2),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, tt_nn.Module) else str(x),
)
def test_shrinks_and_alpha_dropout(layer, there, back):
    assert applied_by(layer, ones(4, 5)) == (there * 20, back * 20)


def test_bilinear_is_three_factors_and_a_sum():
    """W x₁ x₂ over 4 · 7 · 5 · 3 tuples: two products, an addition; back: that much for each of three."""
    tuples = 4 * 7 * 5 * 3
    assert applied_by(tt_nn.Bilinear(5, 3, 7, bias=False), ones(4, 5), ones(4, 3)) == (3 * tuples, 9 * tuples)


# --- tt-vision ------------------------------------------------------------------------------------------------


@vision
@pytest.mark.parametrize(
    ("channels", "filters", "groups"), [(4, 6, 1), (4, 6, 2), (4, 4, 4), (4, 8, 4)], ids=lambda x: str(x)
)
@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 0)])
def test_conv2d_counts_what_loops_count(channels, filters, groups, stride, padding):
    import tt_vision

    layer = tt_vision.Conv2d(channels, filters, 3, stride=stride, padding=padding, groups=groups)
    x = ones(2, channels, 7, 6)
    height, width = layer(x).shape[2:]
    count = 0
    for _ in range(2 * filters * height * width):  # every place of every filter
        count += 2 * (channels // groups) * 3 * 3
    bias = 2 * filters * height * width
    assert applied_by(layer, x) == (count + bias, 2 * count + bias)


@vision
def test_conv1d_and_transposed():
    import tt_vision

    layer = tt_vision.Conv1d(3, 5, 4, bias=False)
    assert applied_by(layer, ones(2, 3, 10)) == (2 * 2 * 5 * 7 * 3 * 4, 4 * 2 * 5 * 7 * 3 * 4)
    layer = tt_vision.ConvTranspose2d(3, 5, 2, stride=2, bias=False)
    product = 2 * (2 * 3 * 4 * 4) * (5 * 2 * 2)  # every number that goes in meets every weight of its channel
    assert applied_by(layer, ones(2, 3, 4, 4)) == (product, 2 * product)


@vision
def test_pools():
    import tt_vision

    x = ones(2, 3, 8, 8)
    places = 2 * 3 * 4 * 4
    assert applied_by(tt_vision.MaxPool2d(2), x) == (3 * places, places)
    assert applied_by(tt_vision.AvgPool2d(2), x) == (4 * places, 5 * places)
    assert applied_by(tt_vision.GlobalAvgPool2d(), x) == (2 * 3 * 64, 2 * 3 * 65)
    # 8 pixels in 3 bins: 0..2, 2..5, 5..7 have 3, 4 and 3, neighbours sharing some.
    assert applied_by(tt_vision.AdaptiveAvgPool2d(3), x)[0] == 6 * 10 * 10
    assert applied_by(tt_vision.AdaptiveMaxPool2d(3), x)[0] == 6 * (10 * 10 - 9)


@vision
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (3, 0)])
def test_patches(stride, padding):
    import tt_vision

    x, window = ones(2, 3, 6, 5), {"kernel_size": (3, 2), "stride": stride, "padding": padding}
    columns = tt_vision.Unfold(**window)(x)
    # Every number of a patch is a copy; back, it is added to its pixel. Fold is the same, the other way.
    assert applied_by(tt_vision.Unfold(**window), x) == (0, columns.size)
    assert applied_by(tt_vision.Fold((6, 5), **window), columns) == (columns.size, 0)


@vision
def test_norms_of_images():
    import tt_vision

    x = Tensor(np.random.default_rng(0).standard_normal((2, 4, 3, 3)).astype(np.float32))
    n = 2 * 4 * 9
    layer = tt_vision.BatchNorm2d(4)
    assert applied_by(layer, x) == (7 * n + 5 * 4, 11 * n)
    layer.eval()
    assert applied_by(layer, x) == (4 * n + 3 * 4, 6 * n)
    assert applied_by(tt_vision.GroupNorm(2, 4), x) == (7 * n + 5 * 2 * 2, 11 * n)


@vision
def test_resampling():
    import tt_vision

    x = ones(1, 2, 4, 4)
    assert applied_by(tt_vision.Upsample(scale_factor=2), x)[0] == 0  # nearest: copies
    assert applied_by(tt_vision.ZeroPad2d(1), x) == (0, 0)
    there, back = applied_by(tt_vision.Upsample(scale_factor=2, mode="bilinear"), x)
    # Along an axis of 4 → 8 the two ends are copies; six others are two products and an addition.
    assert there == 2 * (18 * 4 + 18 * 8)
    assert back > 0


# --- tt-text --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [None, 1, 3])
@pytest.mark.parametrize(("queries", "keys", "offset"), [(5, 5, 0), (2, 6, 4), (0, 3, 0), (4, 0, 0)])
def test_pairs_in_sight(queries, keys, causal, offset, window):
    count = 0
    for i in range(queries):
        for j in range(keys):
            ahead = j - i - offset
            hidden = (causal and ahead > 0) or (window is not None and not -window < ahead < window)
            count += not hidden
    assert pairs(queries, keys, causal, offset, window) == count


@text
@pytest.mark.parametrize("causal", [True, False])
def test_attention(causal):
    import tt_text

    n, h, t, d = 2, 3, 5, 4
    q = ones(n, h, t, d)
    found = applied_by(lambda x: tt_text.scaled_dot_product_attention(x, x, x, is_causal=causal), q)
    p = n * h * (t * (t + 1) // 2 if causal else t * t)
    assert found == (p * (2 * d + 1 + 5 + 2 * d), p * (4 * d + 4 * d + 3) + 2 * n * h * t * d)


@text
def test_embedding_counts_the_rows_it_adds():
    import tt_text
    from tt_text.embedding_bag import BagSum

    ids = Tensor(np.array([[1, 2, 2]]))
    assert applied_by(tt_text.Embedding(5, 4), ids) == (0, 3 * 4)
    assert applied_by(BagSum(np.array([0, 0, 2]), 3), np.ones((3, 4))) == (3 * 4, 0)


# --- quantized layers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
def test_a_quantized_layer_counts_as_the_one_it_was_made_of(bias):
    plain = tt_nn.Sequential(tt_nn.Linear(16, 8, bias=bias)).eval()
    x = ones(4, 16)
    quantized = tt_perf.quantize(plain)
    assert applied_by(quantized, x)[0] == applied_by(plain, x)[0] == 2 * 4 * 16 * 8 + bias * 4 * 8


# --- Functions of others --------------------------------------------------------------------------------------


class Unknown(Function):
    def forward(self, x):
        return x * 2

    def backward(self, grad):
        return grad * 2


class ByItself(Unknown):
    def flops(self):
        return 7, 11


class Wrong(Unknown):
    def flops(self):
        return 7


class TanhLookalike(Unknown):
    """A class of one's own may have the name of another."""


TanhLookalike.__name__ = "Tanh"


def test_what_has_no_formula_counts_elements_and_says_so():
    for kind in (Unknown, TanhLookalike):
        function = kind()
        function(ones(2, 3))
        assert flops(function) == (6, 6, False)


def test_a_function_may_say_it_itself():
    assert counted(ByItself(), ones(2, 3)) == (7, 11)


def test_bad_words_are_refused():
    function = Wrong()
    function(ones(2))
    with pytest.raises(DTypeError, match=r"Wrong\.flops\(\) gave 7"):
        flops(function)
    with pytest.raises(GradientError, match="not applied"):
        flops(Unknown())
