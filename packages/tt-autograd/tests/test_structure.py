"""Nestings are taken apart and put together again, whatever they are made of."""

from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_autograd.structure import Structure, hiding

Pair = namedtuple("Pair", "first second")


@dataclass
class Batch:
    x: object
    rest: object = field(default=None)


@dataclass(frozen=True)
class Frozen:
    x: object


leaves = st.builds(lambda k: tt.tensor(float(k)), st.integers(0, 99)) | st.none() | st.integers() | st.text()
nestings = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.builds(Pair, inner, inner)
        | st.builds(Batch, inner, inner)
        | st.builds(Frozen, inner)
    ),
    max_leaves=12,
)


def naive(value):
    """The Tensors in order, by the definition."""
    if isinstance(value, tt.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif isinstance(value, Batch):
        value = [value.x, value.rest]
    elif isinstance(value, Frozen):
        value = [value.x]
    elif not isinstance(value, list | tuple):
        return []
    return [x for part in value for x in naive(part)]


def shape(value):
    """What is left when every Tensor is the same."""
    if isinstance(value, tt.Tensor):
        return "tensor"
    if isinstance(value, dict):
        return type(value), [(name, shape(part)) for name, part in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [shape(part) for part in value]
    if isinstance(value, Batch | Frozen):
        return type(value), [(name, shape(part)) for name, part in vars(value).items()]
    return value


@given(nestings)
def test_apart_and_together(value):
    before = shape(value)
    taken = Structure.of(value)
    assert all(a is b for a, b in zip(taken.tensors, naive(value), strict=True))
    others = [tt.tensor(-1.0) for _ in taken.tensors]
    filled = taken.filled(others)
    assert shape(filled) == before
    assert all(a is b for a, b in zip(naive(filled), others, strict=True))
    assert all(a is b for a, b in zip(naive(value), taken.tensors, strict=True))  # the first is as it was
    assert hiding(value) is None


def test_kinds_of_dicts_stay_what_they_are():
    x = tt.ones(1)
    for value in (OrderedDict(b=x, a=x), defaultdict(list, b=x, a=1)):
        filled = Structure.of(value).filled([tt.zeros(1)] * 2)
        assert type(filled) is type(value)
        assert list(filled) == ["b", "a"]
        assert filled["b"].item() == 0.0
        assert value["b"] is x
    assert filled["new"] == []


class Holder:
    def __init__(self, value):
        self.value = value


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [1, (x,)], lambda x: {"a": Batch(1, x)}, Frozen])
def test_tensors_in_something_else_are_noticed(wrap):
    holder = Holder(tt.ones(1))
    assert hiding(wrap(holder)) is holder
    assert hiding(wrap(Holder(1.0))) is None
    assert hiding(wrap(Holder)) is None
    assert Structure.of(wrap(holder)).tensors == []
