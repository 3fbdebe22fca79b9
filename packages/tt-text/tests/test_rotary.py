"""Rotary positions: turned as the papers say, in both layouts, and products that know the distance only."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tt_text import RotaryEmbedding
from tt_text.errors import ConfigError
from tt_text.rotary import MOST, RotaryFunction
from tt_text.rotary_scaling import rotary_frequencies, rotary_magnitude, stretched_length
from tt_text.rotation import Rotation, factors_of

BOTH = pytest.mark.parametrize("layout", ["half", "interleaved"])


def turned(x, position, base, layout, size):
    """The definition: one vector, pair by pair."""
    y = list(map(float, x))
    for i in range(size // 2):
        first, second = (i, i + size // 2) if layout == "half" else (2 * i, 2 * i + 1)
        angle = position * base ** (-2 * i / size)
        a, b = float(x[first]), float(x[second])
        y[first] = a * math.cos(angle) - b * math.sin(angle)
        y[second] = a * math.sin(angle) + b * math.cos(angle)
    return y


def draw(*shape, dtype=np.float64):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


@BOTH
@given(st.data())
def test_every_vector_is_turned_by_its_position(layout, data):
    batch, heads, length = (data.draw(st.integers(0, 3)) for _ in range(3))
    pairs, rest = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 3))
    base, offset = data.draw(st.sampled_from([10.0, 10000.0, 500000.0])), data.draw(st.integers(0, 300))
    x = draw(batch, heads, length, 2 * pairs + rest)
    rotary = RotaryEmbedding(2 * pairs + rest, base, layout=layout, rotary_dim=2 * pairs)
    y = rotary(x, offset=offset)
    wanted = np.empty(x.shape)
    for n, h, t in np.ndindex(x.shape[:3]):
        wanted[n, h, t] = turned(x[n, h, t], offset + t, base, layout, 2 * pairs)
    np.testing.assert_allclose(y, wanted, atol=1e-12)
    np.testing.assert_array_equal(rotary.rotated(x, offset=offset), y)
    np.testing.assert_array_equal(rotary(x, offset + np.arange(length)), y)
    swapped = rotary(x.transpose(0, 2, 1, 3), offset=offset, axis=1)
    np.testing.assert_array_equal(swapped.transpose(0, 2, 1, 3), y)


@BOTH
def test_each_sequence_may_have_positions_of_its_own(layout):
    x = draw(3, 2, 4, 6)
    rotary = RotaryEmbedding(6, layout=layout)
    positions = np.array([[0, 1, 2, 3], [9, 0, 9, 400], [0, 0, 0, 1]])
    y = rotary(x, positions).numpy()
    for n in range(3):
        for t in range(4):
            one = rotary(x[n, :, t : t + 1], offset=int(positions[n, t]))
            np.testing.assert_allclose(y[n, :, t : t + 1], one, atol=1e-14)
    again = rotary(x.transpose(0, 2, 1, 3), Tensor(positions), axis=-3)
    np.testing.assert_array_equal(again.transpose(0, 2, 1, 3), y)
    # Where T = N, one axis of positions is still for the time.
    square = draw(3, 2, 3, 6)
    np.testing.assert_array_equal(rotary(square, [5, 6, 7]), rotary(square, offset=5))


@BOTH
def test_products_depend_on_the_distance_only(layout):
    rotary = RotaryEmbedding(8, layout=layout)
    q, k = draw(2, 1, 8)
    products = [
        [(rotary.rotated(q, offset=p) @ rotary.rotated(k, offset=p + d).T).item() for p in (0, 1, 50)]
        for d in (0, 3, 7)
    ]
    for row in products:
        np.testing.assert_allclose(row, row[0], atol=1e-12)
    assert abs(products[0][0] - products[1][0]) > 1e-3


@BOTH
def test_the_gradient_is_turned_back(layout):
    x = draw(2, 3, 5, 6)
    rotary = RotaryEmbedding(6, layout=layout, rotary_dim=4)
    y = rotary(x, offset=11)
    np.testing.assert_allclose(rotary.backward(y), x, atol=1e-14)


@BOTH
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_stays(layout, dtype):
    x = draw(2, 3, 5, 4, dtype=dtype)
    rotary = RotaryEmbedding(4, layout=layout)
    y = rotary(x)
    assert y.dtype == rotary.rotated(x).dtype == rotary.backward(y).dtype == dtype
    np.testing.assert_allclose(y, rotary(x.astype(np.float64)), atol=2e-3 if dtype == np.float16 else 1e-6)


@BOTH
def test_float32_is_right_far_out(layout):
    # The angle in float32 would be off by 0.004 at position 100,000: it is computed in float64.
    x = draw(1, 8, dtype=np.float32)
    y = RotaryEmbedding(8, layout=layout).rotated(x, offset=100_000)[0]
    np.testing.assert_allclose(y, turned(x[0], 100_000, 10000.0, layout, 8), atol=1e-6)


@BOTH
def test_positions_beyond_the_table_are_computed(layout):
    x = draw(2, 4)
    rotary = RotaryEmbedding(4, layout=layout)
    far = 10**12
    wanted = [turned(x[i], far + i, 10000.0, layout, 4) for i in range(2)]
    for y in (rotary.rotated(x, offset=far), rotary.rotated(x, [far, far + 1])):
        np.testing.assert_allclose(y, wanted, atol=1e-3)
    assert not rotary._tables
    across = rotary.rotated(draw(4, 4), offset=MOST - 2)
    np.testing.assert_allclose(across[3], turned(draw(4, 4)[3], MOST + 1, 10000.0, layout, 4), atol=1e-9)


@BOTH
@pytest.mark.parametrize(
    "change",
    [
        lambda x: np.asfortranarray(x),
        lambda x: x[::-1, :, ::-1, ::-1],
        lambda x: np.repeat(x, 2, -1)[..., ::2],
        lambda x: x.transpose(0, 2, 1, 3).copy().transpose(0, 2, 1, 3),
        lambda x: np.broadcast_to(x[:1, :1], x.shape),
        lambda x: np.broadcast_to(x[..., :1], x.shape),
    ],
)
def test_memory_in_any_order(layout, change):
    x = change(draw(2, 3, 4, 6))
    before = x.copy()
    rotary = RotaryEmbedding(6, layout=layout)
    np.testing.assert_array_equal(rotary.rotated(x), rotary.rotated(np.ascontiguousarray(x)))
    np.testing.assert_array_equal(x, before)


@BOTH
def test_what_the_call_before_asked_for_makes_no_difference(layout):
    rotary, x = RotaryEmbedding(6, layout=layout), draw(2, 3, 4, 6)
    positions = np.array([0, 1, 2, 3])
    asked = [
        lambda: rotary(x),
        lambda: rotary(x, offset=4),
        lambda: rotary(x, positions),
        lambda: rotary(x, positions.astype(np.int8)),
        lambda: rotary(x, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        lambda: rotary(x.reshape(3, 2, 4, 6), positions),
        lambda: rotary(x.astype(np.float32)),
        lambda: rotary(x.reshape(2, 4, 3, 6), axis=1),
        lambda: rotary(x.reshape(2, 4, 3, 6), positions, axis=1),
        lambda: rotary(x.reshape(4, 2, 3, 6), positions, axis=0),
    ]
    wanted = []
    for call in asked:
        rotary._last = (None, None)
        wanted.append(call().numpy())
    for i, j in np.random.default_rng(0).integers(0, len(asked), (100, 2)):
        asked[i]()
        np.testing.assert_array_equal(asked[j](), wanted[j])
    positions += 5  # changed in place
    np.testing.assert_array_equal(rotary(x, positions), rotary(x, offset=5))


def test_what_was_turned_is_memory_of_its_own():
    rotary, x = RotaryEmbedding(4), draw(3, 4)
    first = rotary.rotated(x)
    kept = first.copy()
    rotary.rotated(x + 1)
    np.testing.assert_array_equal(first, kept)


def llama3(theta, scaling):
    """Llama 3.1's rule as published, pair by pair."""
    old, factor = scaling["original_max_position_embeddings"], scaling["factor"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    new = []
    for frequency in theta:
        wavelength = 2 * math.pi / frequency
        if wavelength < old / high:
            new.append(frequency)
        elif wavelength > old / low:
            new.append(frequency / factor)
        else:
            smooth = (old / wavelength - low) / (high - low)
            new.append((1 - smooth) * frequency / factor + smooth * frequency)
    return new


DYNAMIC = {"rope_type": "dynamic", "factor": 4.0, "original_max_position_embeddings": 16}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
LONGROPE = {
    "rope_type": "longrope", "factor": 4.0, "original_max_position_embeddings": 16, "short_factor": [1.0] * 32,
    "long_factor": [2.0] * 32,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip


def test_scaling():
    theta = rotary_frequencies(64, 500000.0)
    np.testing.assert_allclose(theta, [500000.0 ** (-i / 32) for i in range(32)])
    np.testing.assert_array_equal(rotary_frequencies(64, 500000.0, {"rope_type": "default"}), theta)
    for name in ("rope_type", "type"):
        halved = rotary_frequencies(64, 500000.0, {name: "linear", "factor": 2})
        np.testing.assert_array_equal(halved, theta / 2)
    stretched = rotary_frequencies(64, 500000.0, LLAMA3)
    np.testing.assert_allclose(stretched, llama3(theta, LLAMA3), rtol=1e-14)
    # All three kinds of pair are there.
    ratio = stretched / theta
    assert ratio[0] == 1 and np.isclose(ratio[-1], 1 / 8) and np.any((ratio > 0.13) & (ratio < 0.99))


def test_a_long_text_is_stretched_and_a_short_one_is_not():
    """Where the length counts it is that of the call, so of a text read token by token each as it was when it came."""
    x = draw(24, 8)
    for scaling in (DYNAMIC, {**LONGROPE, "short_factor": [1.0] * 4, "long_factor": [2.0, 3.0, 4.0, 5.0]}):
        for layout in ("half", "interleaved"):
            scaled, plain = (RotaryEmbedding(8, layout=layout, scaling=one) for one in (scaling, None))
            m = rotary_magnitude(scaling)
            np.testing.assert_allclose(scaled.rotated(x[:16]), m * plain.rotated(x[:16]), atol=1e-14)
            whole = scaled.rotated(x)
            assert not np.allclose(whole[1:16], m * plain.rotated(x)[1:16])
            np.testing.assert_array_equal(scaled.rotated(x, np.arange(24)), whole)
            np.testing.assert_allclose(scaled.rotated(x[23:], offset=23), whole[23:], atol=1e-14)
            np.testing.assert_allclose(scaled.rotated(x[:16]), m * plain.rotated(x[:16]), atol=1e-14)
    theta = rotary_frequencies(8, 10000.0, DYNAMIC, 24)
    base = 10000.0 * (4 * 24 / 16 - 3) ** (8 / 6)
    np.testing.assert_allclose(theta, base ** (-np.arange(4) / 4))


@pytest.mark.parametrize(
    ("positions", "scaling", "length"),
    [
        (64, None, 64),
        (64, {"rope_type": "linear", "factor": 4.0}, 256),
        (16, DYNAMIC, 64),
        (64, {**YARN, "factor": 2}, 64),
        (64, {**YARN, "factor": 8.0}, 128),
        (64, {**LONGROPE, "factor": None}, 64),
        (1 << 30, {"rope_type": "linear", "factor": 1e30}, (1 << 31) - 1),
    ],
)
def test_how_long_a_text_may_be(positions, scaling, length):
    assert stretched_length(positions, scaling) == length


def test_a_scaled_embedding_turns_slower():
    x = draw(3, 8)
    y = RotaryEmbedding(8, scaling={"rope_type": "linear", "factor": 2.0}).rotated(x, [0, 2, 4])
    np.testing.assert_allclose(y, RotaryEmbedding(8).rotated(x, [0, 1, 2]), atol=1e-14)


@pytest.mark.parametrize(
    ("scaling", "words"),
    [
        ({"rope_type": "mrope", "factor": 2.0}, "rope_type is 'mrope'.*llama3"),
        ({"rope_type": ["yarn"]}, "rope_type is \\['yarn'\\]"),
        ({"rope_type": "yarn", "factor": 2.0}, "original_max_position_embeddings is missing"),
        ({**YARN, "factor": 0.5}, "factor must be a number from 1 up"),
        ({**YARN, "beta_fast": -1.0}, "beta_fast must be a number"),
        ({**YARN, "attention_factor": -1.0}, "attention_factor must be a number"),
        ({**YARN, "mscale": "x", "mscale_all_dim": 1.0}, "mscale must be a number"),
        ({**LONGROPE, "short_factor": [1.0]}, "short_factor is a list of 32 numbers"),
        ({**LONGROPE, "short_factor": [0.0] * 32}, "short_factor must be a number above 0"),
        ({**LONGROPE, "original_max_position_embeddings": 1}, "original_max_position_embeddings must be"),
        ({"factor": 2.0}, "rope_type is None"),
        ({"rope_type": "linear"}, "factor is missing"),
        ({"rope_type": "linear", "factor": 0.5}, "from 1 up, not 0.5"),
        ({"rope_type": "linear", "factor": "2"}, "factor must be a number"),
        ({"rope_type": "linear", "factor": math.nan}, "factor must be a number"),
        ({"rope_type": "linear", "factor": True}, "factor must be a number"),
        ({**LLAMA3, "low_freq_factor": 4.0}, "must be below high_freq_factor"),
        ({**LLAMA3, "original_max_position_embeddings": 0}, "original_max_position_embeddings"),
        ({k: v for k, v in LLAMA3.items() if k != "high_freq_factor"}, "high_freq_factor is missing"),
        ({"rope_type": "default", "rope_theta": 1.0}, "rope_theta is 1.0"),
        (["linear", 2.0], "table of settings"),
    ],
)
def test_scaling_that_is_not_known_is_refused(scaling, words):
    with pytest.raises(ConfigError, match=words):
        RotaryEmbedding(64, scaling=scaling)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"head_dim": 3}, "even"),
        ({"head_dim": 0}, "head_dim"),
        ({"head_dim": 4.0}, "head_dim"),
        ({"head_dim": 4, "rotary_dim": 6}, "at most head_dim"),
        ({"head_dim": 4, "rotary_dim": 3}, "even"),
        ({"head_dim": 4, "base": 0}, "base"),
        ({"head_dim": 4, "base": math.inf}, "base"),
        ({"head_dim": 4, "base": "10000"}, "base"),
        ({"head_dim": 4, "layout": "llama"}, "'half', 'interleaved'"),
        ({"head_dim": 4, "max_positions": 0}, "max_positions"),
    ],
)
def test_settings_that_are_none_are_refused(kwargs, words):
    with pytest.raises(ArgumentError, match=words):
        RotaryEmbedding(**kwargs)


@pytest.mark.parametrize(
    ("x", "given", "error", "words"),
    [
        (np.zeros((2, 3)), {}, ShapeError, r"\(2, 3\).*D = 4"),
        (np.zeros(4), {}, ShapeError, r"\(4,\)"),
        (np.zeros((2, 4)), {"axis": -1}, ShapeError, "any axis but the last"),
        (np.zeros((2, 4)), {"axis": 5}, ShapeError, "axis 5"),
        (np.zeros((2, 4)), {"positions": [0, 1, 2]}, ShapeError, r"\(3,\).*must be \(2,\)"),
        (np.zeros((3, 2, 4)), {"positions": [[0, 1]] * 2}, ShapeError, r"\(2, 2\).*\(3, 2\)"),
        (np.zeros((2, 4)), {"positions": [0.0, 1.0]}, DTypeError, "whole numbers"),
        (np.zeros((2, 4), int), {}, DTypeError, "int64"),
        (np.zeros((2, 4)), {"offset": -1}, IndexingError, "position -1"),
        (np.zeros((2, 4)), {"positions": [3, -2]}, IndexingError, "position -2"),
        (np.zeros((2, 4)), {"offset": 9}, IndexingError, r"position 10 is out of range.*0 to 9 \(max_positions\)"),
        (np.zeros((2, 4)), {"positions": [10, 0]}, IndexingError, "position 10"),
        (np.zeros((2, 4)), {"offset": 10**30}, IndexingError, "position 1000000"),
        (np.zeros((2, 4)), {"positions": [[0], [1, 2]]}, ShapeError, "RotaryEmbedding"),
        (np.zeros((2, 4)), {"offset": 0.5}, ArgumentError, "offset"),
        (np.zeros((2, 4)), {"axis": None}, ArgumentError, "axis must be a whole number"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(x, given, error, words):
    rotary = RotaryEmbedding(4, max_positions=10)
    for call in (rotary, rotary.rotated):
        with pytest.raises(error, match=words):
            call(x, **given)


def test_a_rotation_by_itself():
    with pytest.raises(ArgumentError, match="layout"):
        factors_of(np.zeros((2, 2)), "pairs")
    rotation = Rotation(factors_of(np.zeros((5, 2)), "half"), "half")
    with pytest.raises(ShapeError, match="4 numbers that turn"):
        RotaryFunction(rotation)(np.zeros((5, 3)))
    with pytest.raises(ShapeError, match="RotaryFunction"):
        RotaryFunction(rotation)(np.zeros((1, 4)))  # five angles for one vector


def test_it_has_no_state_and_is_copied_whole():
    rotary = RotaryEmbedding(4, scaling=LLAMA3, max_positions=512, rotary_dim=2)
    x = draw(3, 4)
    y = rotary(x, offset=3)
    assert not rotary.state_dict() and not list(rotary.parameters())
    np.testing.assert_array_equal(copy.deepcopy(rotary)(x, offset=3), y)
    assert repr(rotary) == (
        f"RotaryEmbedding(4, base=10000, max_positions=512, layout='half', scaling={LLAMA3}, rotary_dim=2)"
    )
