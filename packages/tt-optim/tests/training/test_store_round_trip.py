"""What goes into a checkpoint comes out, bit for bit and type for type; what it cannot hold is named."""

import collections
import enum
import json
import math
import struct

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_nn
import tt_optim
import tt_tensor as tt
from tt_optim.training.errors import StateError
from tt_optim.training.store import CheckpointStore
from tt_tensor.errors import DTypeError, TTError

TENSOR_DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]
ARRAY_DTYPES = [*TENSOR_DTYPES, "c8", "c16", ">i2", ">u4", ">f4", ">f8", ">c16"]


def same(a, b):
    """Equal types, shapes, dtypes and bits all the way down, and dicts in the same order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, tt.Tensor):
        return not b.requires_grad and same(a.array, b.array)
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype.str == b.dtype.str and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return struct.pack("<d", a) == struct.pack("<d", b)
    if isinstance(a, dict):
        return same(list(a), list(b)) and same(list(a.values()), list(b.values()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def any_bits(dtype):
    """Arrays of every bit pattern, signalling nans too; shapes () and with zeros."""
    dtype = np.dtype(dtype)
    shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)
    if dtype.kind == "b":
        return hnp.arrays(dtype, shapes)

    def filled(shape):
        size = math.prod(shape) * dtype.itemsize
        return st.binary(min_size=size, max_size=size).map(
            lambda octets: np.frombuffer(octets, dtype).reshape(shape).copy()
        )

    return shapes.flatmap(filled)


texts = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(
    ["", "$", "$tuple", "__metadata__", "tt.sha256", "a/b", "\ud83d\ude00", "\0", "1", '"\\']
)
floats = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
integers = (
    st.integers() | st.integers(-(2**200), 2**200) | st.sampled_from([2**63 - 1, 2**63, -(2**63), 1 - 2**63])
)
arrays = st.sampled_from(ARRAY_DTYPES).flatmap(any_bits)
tensors = st.sampled_from(TENSOR_DTYPES).flatmap(any_bits).map(tt.from_numpy)
scalars = (
    st.sampled_from([*TENSOR_DTYPES, "c8", "c16"])
    .flatmap(any_bits)
    .filter(lambda array: array.size > 0)
    .map(lambda array: array.reshape(-1)[0])
)
leaves = st.none() | st.booleans() | integers | floats | st.floats() | texts | scalars | arrays | tensors
keys = texts | st.integers() | st.integers(0, 3)
states = st.dictionaries(
    keys,
    st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=4).map(tuple)
            | st.dictionaries(keys, inner, max_size=4)
        ),
        max_leaves=12,
    ),
    max_size=5,
)


@given(states, st.integers(0, 10**12), st.none() | st.floats())
@settings(deadline=None, max_examples=400)
def test_any_state_comes_back_bit_for_bit(tmp_path_factory, state, step, score):
    store = CheckpointStore(tmp_path_factory.mktemp("run"))
    path = store.save(state, step, score)
    first = path.read_bytes()
    loaded = store.load()
    assert same(loaded, state)
    # A state has one encoding, so saving it again, or what was loaded, gives the same bytes.
    assert store.save(loaded, step, score).read_bytes() == first
    with safetensors.safe_open(path, framework="numpy") as file:
        assert file.metadata()["tt.checkpoint"] == "1"
        json.loads(file.metadata()["tt.document"])
        stored = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118 (the handle has no other way)
    assert sum(array.nbytes for array in stored) == 32 + sum(array_bytes(state))


def array_bytes(state):
    if isinstance(state, dict | list | tuple):
        for item in state.values() if isinstance(state, dict) else state:
            yield from array_bytes(item)
    elif isinstance(state, np.ndarray | tt.Tensor):
        yield state.nbytes


def test_the_library_sees_readable_names_and_the_same_arrays(tmp_path):
    order = np.arange(5)[::-1]
    state = {
        "model": {"0.weight": tt.ones(2, 3), "0.bias": tt.zeros(3)},
        "optimizer": {"state": {0: {"step": tt.tensor(3.0)}}},
        "loader": {"order": order, "flags": np.array([True, False]), "wave": np.array([1 + 2j])},
        "big-endian": np.array([1, 2], ">i4"),
    }
    found = safetensors.numpy.load_file(CheckpointStore(tmp_path).save(state, 7))
    assert sorted(found) == [
        "big-endian",
        "loader/flags",
        "loader/order",
        "loader/wave",
        "model/0.bias",
        "model/0.weight",
        "optimizer/state/0/step",
        "tt.sha256",
    ]
    np.testing.assert_array_equal(found["model/0.weight"], np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(found["loader/order"], order)
    np.testing.assert_array_equal(found["loader/flags"], [True, False])
    np.testing.assert_array_equal(found["loader/wave"], [[1.0, 2.0]])
    np.testing.assert_array_equal(found["big-endian"], [1, 2])


def test_integers_that_python_makes_no_text_of(tmp_path):
    huge = 10**5000
    state = {"values": [huge, -huge], "keys": {huge: 1, -huge: np.zeros(1)}}
    store = CheckpointStore(tmp_path)
    store.save(state, 0)
    assert same(store.load(), state)
    with pytest.raises(StateError, match=r'state\["keys"\]\[0x[0-9a-f]+\]'):
        store.save({"keys": {huge: set()}}, 0)


def test_names_that_collide_are_told_apart(tmp_path):
    state = {
        "a": {1: np.array(1), "1": np.array(2), "b": {"c": np.array(3)}},
        "a/1": np.array(4),
        "a/b": {"c": np.array(5)},
        "__metadata__": np.array(6),
        "tt.sha256": np.array(7),
        "a/1~2": np.array(8),
    }
    store = CheckpointStore(tmp_path)
    path = store.save(state, 0)
    assert same(store.load(), state)
    assert len(safetensors.numpy.load_file(path)) == 9


def test_views_come_back_as_they_look(tmp_path):
    x = np.arange(12.0).reshape(3, 4)
    state = {
        "transposed": x.T,
        "strided": x[::2, ::-1],
        "broadcast": np.broadcast_to(x[0], (2, 4)),
        "fortran": np.asfortranarray(x),
        "whole": x,
        "tensor": tt.from_numpy(x).T,
    }
    store = CheckpointStore(tmp_path)
    store.save(state, 0)
    for name, array in store.load().items():
        np.testing.assert_array_equal(np.asarray(array), np.asarray(state[name]))
        plain = array.array if name == "tensor" else array
        assert plain.flags.c_contiguous and plain.flags.writeable and plain.flags.owndata


def test_memory_maps_and_parameters_and_other_mappings_come_as_plain_ones(tmp_path):
    mapped = np.memmap(tmp_path / "data", np.int16, "w+", shape=(3,))
    mapped[:] = 1, 2, 3
    state = {"map": mapped, "p": tt_nn.Parameter([1.0]), "o": collections.OrderedDict(b=1, a=2)}
    store = CheckpointStore(tmp_path / "run")
    store.save(state, 0)
    expected = {"map": np.array([1, 2, 3], np.int16), "p": tt.tensor([1.0]), "o": {"b": 1, "a": 2}}
    assert same(store.load(), expected)


def test_random_generators_go_on_where_they_were(tmp_path):
    store = CheckpointStore(tmp_path)
    for kind in (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64):
        rng = np.random.Generator(kind(3))
        rng.integers(0, 9, 5, np.uint32)
        store.save({"rng": rng.bit_generator.state}, 0)
        fresh = np.random.Generator(kind(4))
        fresh.bit_generator.state = store.load()["rng"]
        assert fresh.random(100).tobytes() == rng.random(100).tobytes()


def test_a_model_and_its_optimizer_go_on_bit_for_bit(tmp_path):
    def made():
        model = tt_nn.Sequential(tt_nn.Linear(3, 4), tt_nn.Linear(4, 2))
        return model, tt_optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)

    def step(model, optimizer, number):
        for index, p in enumerate(model.parameters()):
            p.grad = tt.from_numpy(np.full(p.shape, math.sin(number + index), np.float32))
        optimizer.step()

    store = CheckpointStore(tmp_path)
    model, optimizer = made()
    for number in range(5):
        step(model, optimizer, number)
    store.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, 5)
    resumed, its_optimizer = made()
    state = store.load()
    resumed.load_state_dict(state["model"])
    its_optimizer.load_state_dict(state["optimizer"])
    for number in range(5, 10):
        step(model, optimizer, number)
        step(resumed, its_optimizer, number)
    assert same(resumed.state_dict(), model.state_dict())
    assert same(its_optimizer.state_dict(), optimizer.state_dict())


class Color(enum.IntEnum):
    RED = 1


def endless():
    state = {}
    state["again"] = [state]
    return state


def deep(levels):
    state = 1
    for _ in range(levels):
        state = [state]
    return {"deep": state}


@pytest.mark.parametrize(
    ("state", "where"),
    [
        ({"optimizer": {"hook": lambda: None}}, 'state["optimizer"]["hook"] is of type builtins.function'),
        ({"a": [0, ({1: {2, 3}},)]}, 'state["a"][1][0][1] is of type builtins.set'),
        ({"a": b"bytes"}, 'state["a"] is of type builtins.bytes'),
        ({"a": Color.RED}, "Color"),
        ({"a": collections.namedtuple("Pair", "x y")(1, 2)}, "Pair"),
        ({"a": np.str_("text")}, "numpy.str_"),
        ({"a": np.datetime64("2020-01-01")}, "numpy.datetime64"),
        ({"a": np.longdouble(1)}, "numpy.longdouble"),
        ({"a": np.array([1], object)}, 'state["a"] is an array of dtype object'),
        ({"a": np.array(["text"])}, "dtype <U4"),
        ({"a": np.zeros(2, "i4,f4")}, 'state["a"] is an array of dtype'),
        ({"a": np.zeros(2, "M8[s]")}, "datetime64"),
        ({"a": np.zeros(2, np.longdouble)}, "longdouble|float128|float96"),
        ({"a": np.ma.masked_array([1, 2], [True, False])}, "MaskedArray"),
        ({"a": {True: 1}}, 'state["a"] has the key True of type bool'),
        ({"a": {1.5: 1}}, 'state["a"] has the key 1.5 of type float'),
        ({"a": {(1,): 1}}, 'state["a"] has the key (1,) of type tuple'),
        ({np.int64(1): 1}, "state has the key"),
        (deep(64), "nested deeper than 64 levels"),
        (endless(), 'state["again"][0]["again"][0]["again"]'),
        ([1, 2], "a state is a dict, not list"),
        (None, "a state is a dict, not NoneType"),
    ],
)
def test_what_a_checkpoint_cannot_hold_is_named_before_a_file_is_touched(tmp_path, state, where):
    store = CheckpointStore(tmp_path)
    before = store.save({"x": 1}, 3).read_bytes()
    with pytest.raises(StateError) as caught:
        store.save(state, 3)
    assert any(part in str(caught.value) for part in where.split("|"))
    assert isinstance(caught.value, TTError) and isinstance(caught.value, TypeError)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000003.safetensors"]
    assert store.load() == {"x": 1}
    assert store.newest().read_bytes() == before


def test_a_tensor_around_an_unsupported_array_is_refused(tmp_path):
    broken = tt.tensor([1.0])
    broken.array = np.array([1j])
    with pytest.raises(DTypeError, match=r'state\["t"\]'):
        CheckpointStore(tmp_path).save({"t": broken}, 0)


def test_the_deepest_state_that_is_allowed_comes_back(tmp_path):
    store = CheckpointStore(tmp_path)
    store.save(deep(63), 0)
    assert store.load() == deep(63)


def test_too_much_text_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("tt_optim.training.checkpoint_file.MAX_HEADER", 1000)
    store = CheckpointStore(tmp_path)
    with pytest.raises(StateError, match="keep long lists of numbers as NumPy arrays"):
        store.save({"order": list(range(1000))}, 0)
    store.save({"order": np.arange(1000)}, 0)
    assert same(store.load(), {"order": np.arange(1000)})
