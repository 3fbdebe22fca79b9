"""A Llama's token in few calls, at every size: what its layers give one after the other."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_tensor import kernels
from tt_text import AppendCache
from tt_text.kernels import decode_rotary_row
from tt_text.kernels.decode_layers import Layers
from tt_text.kernels.row import Row
from tt_text.models import Llama, LlamaConfig


@pytest.fixture(autouse=True)
def on_numpy():
    """Compiled kernels have ways of their own, which tt-perf tests."""
    before = kernels.preferred()
    kernels.prefer(None)
    yield
    kernels.prefer(before)


def made(n=8, groups=2, share=2, d=4, hidden=10, layers=2, seed=0):
    model = Llama(
        LlamaConfig(
            vocab_size=7, hidden_size=n, intermediate_size=hidden, num_hidden_layers=layers, head_dim=d,
            num_attention_heads=groups * share, num_key_value_heads=groups, max_position_embeddings=90,
        )
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    for parameter in model.parameters():
        parameter.write(rng.normal(0, 0.5, parameter.shape))
    return model.eval()


def last(model, tokens):
    """The logits after the last of the tokens (T,), the others of which are in a cache."""
    cache = AppendCache()
    model(tokens[None, :-1], cache=cache)
    return model(tokens[None, -1:], cache=cache).array


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 9), st.integers(1, 3), st.integers(1, 3), st.sampled_from([2, 4, 6]), st.integers(1, 9),
    st.integers(1, 9),
)  # fmt: skip
def test_every_size(n, groups, share, d, hidden, length):
    model = made(n, groups, share, d, hidden)
    tokens = np.random.default_rng(length).integers(0, 7, length + 1)
    with patch.object(Llama, "_at_once", lambda *_: None):
        wanted = last(model, tokens)
    here = []
    decoded = Row.decoded
    with patch.object(Row, "decoded", lambda *a: here.append(decoded(*a)) or here[-1]):
        found = last(model, tokens)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
    assert here and here[-1] is not None


def test_weights_that_do_not_fit_together_do_not_suit():
    model = made()
    model(np.array([[1, 2]]), cache=AppendCache())
    cache = AppendCache()
    model(np.array([[1, 2]]), cache=cache)
    model(np.array([[1]]), cache=cache)
    ((norm_1, norm_2, linears, name), *_) = model.__dict__["_plan"].layers.parts

    def suits(at, weight, activation=name):
        changed = list(linears)
        changed[at] = (weight, None)
        return decode_rotary_row.suits_rotary(Layers([(norm_1, norm_2, changed, activation)]))

    for at, (weight, _) in enumerate(linears):
        assert suits(at, weight)
        assert not suits(at, weight, "mish")
        assert not suits(at, weight.astype(np.float64))
        assert not suits(at, model)
        assert not suits(at, weight[:, 1:])
    for at in (1, 2, 4, 5):
        assert not suits(at, linears[at][0][1:])
    assert not decode_rotary_row.suits_rotary(Layers([]))
