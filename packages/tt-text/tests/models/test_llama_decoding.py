"""A Llama that writes token by token in few calls of NumPy: the logits of layer after layer, whatever else happens."""

import copy
from unittest.mock import patch

import numpy as np
import pytest

from tt_nn import GELU
from tt_tensor import kernels, observing
from tt_text import AppendCache, generate
from tt_text.models import Llama

pytestmark = pytest.mark.usefixtures("on_numpy")


@pytest.fixture
def model(tiny_llama):
    def make(**settings):
        return tiny_llama(max_position_embeddings=90, **settings)

    return make


def apart():
    """Layer after layer, meanwhile."""
    return patch.object(Llama, "_at_once", lambda *_: None)


def logits(each, cache, tokens, prompt=4):
    """Token by token, after a prompt."""
    found = [each(tokens[:, :prompt], cache=cache, last=True).array]
    found += [each(tokens[:, i : i + 1], cache=cache).array for i in range(prompt, tokens.shape[1])]
    return np.concatenate(found, axis=1)


def tokens_of(n=1, length=12, seed=0):
    return np.random.default_rng(seed).integers(0, 13, (n, length))


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_key_value_heads": 1},
        {"num_key_value_heads": 4, "rope_layout": "interleaved"},
        {"attention_bias": True, "mlp_bias": True, "hidden_act": "gelu"},
        {"sliding_window": 5},
        {"head_dim": 6, "hidden_act": "gelu_new", "tie_word_embeddings": True},
    ],
    ids=lambda settings: "-".join(settings) or "usual",
)
def test_logits_are_those_of_the_whole_text(settings, model, ways):
    each, tokens = model(**settings), tokens_of(length=85)  # the cache grows on the way
    wanted = each(tokens).array
    close(logits(each, AppendCache(), tokens), wanted[:, 3:])
    assert ways["here"] >= 80
    with apart():
        close(logits(each, AppendCache(), tokens), wanted[:, 3:])


def test_greedy_tokens_are_those_without_a_cache(model, ways):
    each = model()
    assert generate(each, [1, 2], 60, temperature=0) == generate(each, [1, 2], 60, temperature=0, cache=False)
    assert ways["here"] >= 55
    before = ways["here"]
    generate(each, [1], 5, temperature=0)
    assert ways["here"] == before + 5  # the first token as well


@pytest.mark.parametrize("scale", [1e-3, 30.0])
def test_weights_of_any_size(scale, model, ways):
    """Scores whose exp is no number of float32, too."""
    each, tokens = model(), tokens_of()
    for layer in each.model.layers:
        layer.self_attn.q_proj.weight.array[...] *= scale
    close(logits(each, AppendCache(), tokens), each(tokens).array[:, 3:])
    assert ways["here"] == 8


@pytest.mark.parametrize("kind", ["batch", "padding", "float64", "float16", "several", "loops"])
def test_what_it_is_not_for_goes_layer_after_layer(kind, model, ways):
    each, tokens = model(), tokens_of(2 if kind == "batch" else 1)
    if kind.startswith("float"):
        each.to(kind)
    mask = np.ones_like(tokens, bool)
    mask[0, 0] = kind != "padding"
    wanted = each(tokens, attention_mask=mask).array
    cache, found, step = AppendCache(), [], 2 if kind == "several" else 1
    with kernels.use("loops" if kind == "loops" else "numpy", "decode_attention"):
        for i in range(0, 12, step):
            y = each(tokens[:, i : i + step], attention_mask=mask[:, : i + step], cache=cache)
            found.append(y.array)
    tolerance = 0.1 if kind == "float16" else 1e-4
    found = np.concatenate(found, axis=1)
    np.testing.assert_allclose(found[:, 1:], wanted[:, 1:], rtol=tolerance, atol=tolerance)
    assert found.dtype == each.lm_head.weight.dtype
    assert not ways["here"]


def test_positions_of_ones_own(model, ways):
    each, tokens = model(), tokens_of()
    wanted = each(tokens, positions=np.arange(12) * 3).array
    cache = AppendCache()
    each(tokens[:, :11], positions=np.arange(11) * 3, cache=cache)
    close(each(tokens[:, 11:], positions=[[33]], cache=cache).array, wanted[:, 11:])
    assert ways["here"] == 1


def write(each):
    each.model.layers[1].mlp.up_proj.weight.array[...] *= -1


def replace(each):
    each.model.layers[0].self_attn.o_proj = copy.deepcopy(each.model.layers[1].self_attn.o_proj)


def activation(each):
    each.model.layers[1].mlp.act = GELU()


def eps(each):
    each.model.layers[0].input_layernorm.eps = 0.5


def swap(each):
    layers = each.model.layers
    layers[0], layers[1] = layers[1], layers[0]


def hook(each):
    each.model.layers[1].self_attn.register_forward_hook(lambda module, given, y: y * 2)


def window(each):
    for layer in each.model.layers:
        layer.self_attn.window = 3


def subclass(each):
    class Doubled(type(each.model.layers[0].mlp)):
        def forward(self, x):
            return super().forward(x) * 2

    each.model.layers[0].mlp.__class__ = Doubled


@pytest.mark.parametrize(
    "change",
    [write, replace, activation, eps, swap, hook, window, subclass],
    ids=lambda change: change.__name__,
)
def test_what_changes_between_two_tokens_counts_at_once(change, model):
    each, tokens = model(), tokens_of(length=9)
    cache, other = AppendCache(), AppendCache()
    logits(each, cache, tokens[:, :8])
    with apart():
        logits(each, other, tokens[:, :8])
    same = each(tokens[:, 8:], cache=copy.deepcopy(cache)).array
    change(each)
    with apart():
        wanted = each(tokens[:, 8:], cache=other).array
    assert not np.allclose(wanted, same, rtol=1e-3)
    close(each(tokens[:, 8:], cache=cache).array, wanted)


def test_a_layer_of_ones_own_is_called(model, ways):
    class Layer(type(model().model.layers[0])):
        def __init__(self):
            pass

        def forward(self, x, *rest):
            return x * 2

        def infer(self, x, *rest):
            return x * 2

    each, tokens = model(), tokens_of()
    each.model.layers = type(each.model.layers)([Layer()])
    close(logits(each, AppendCache(), tokens), each(tokens).array[:, 3:])
    assert not ways["here"]


def test_an_observer_is_told_of_every_module(model, ways):
    class Names(list):
        def called(self, module, started):
            self.append(type(module).__name__)

        def applied(self, *_):
            pass

        span = sent_back = applied

    each, tokens, cache = model(), tokens_of(), AppendCache()
    each(tokens, cache=cache)
    names = Names()
    before = observing.install(names)
    try:
        each(tokens[:, :1], cache=cache)
    finally:
        observing.install(before)
    assert names.count("LlamaLayer") == 2 and names.count("RMSNorm") == 5 and names.count("Linear") == 15
    assert not ways["here"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30])
def test_what_is_no_number_is_as_layer_after_layer(value, model):
    each, tokens = model(), tokens_of()
    cache, other = AppendCache(), AppendCache()
    logits(each, cache, tokens)
    with apart():
        logits(each, other, tokens)
    each.model.layers[0].mlp.gate_proj.weight.array[3] = value
    with np.errstate(all="ignore"):
        with apart():
            wanted = each(tokens[:, :1], cache=other).array
        np.testing.assert_allclose(each(tokens[:, :1], cache=cache).array, wanted, rtol=1e-4, atol=1e-4)
