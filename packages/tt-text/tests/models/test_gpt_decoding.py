"""A GPT that writes token by token in few calls of NumPy: the logits of layer after layer, whatever else happens."""

import copy
import threading
from unittest.mock import patch

import numpy as np
import pytest

from tt_nn import Linear, Parameter, ReLU
from tt_tensor import kernels, observing
from tt_text import AppendCache, generate
from tt_text.models import GPT

pytestmark = pytest.mark.usefixtures("on_numpy")


@pytest.fixture
def model(tiny_gpt):
    def make(**settings):
        return tiny_gpt(block_size=90, n_layer=3, **settings)

    return make


def apart():
    """Layer after layer, meanwhile."""
    return patch.object(GPT, "_at_once", lambda *_: None)


def logits(each, cache, tokens, prompt=4):
    """Token by token, after a prompt."""
    found = [each(tokens[:, :prompt], cache=cache, last=True).array]
    found += [each(tokens[:, i : i + 1], cache=cache).array for i in range(prompt, tokens.shape[1])]
    return np.concatenate(found, axis=1)


def tokens_of(n=1, length=12, seed=0):
    return np.random.default_rng(seed).integers(0, 13, (n, length))


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu", "silu"])
@pytest.mark.parametrize("bias", [True, False])
def test_logits_are_those_of_the_whole_text(activation, bias, model, ways):
    each, tokens = model(activation=activation, bias=bias), tokens_of(length=85)  # the cache grows on the way
    wanted = each(tokens).array
    close(logits(each, AppendCache(), tokens), wanted[:, 3:])
    assert ways["here"] >= 80
    with apart():
        close(logits(each, AppendCache(), tokens), wanted[:, 3:])


def test_greedy_tokens_are_those_without_a_cache(model, ways):
    each = model()
    assert generate(each, [1, 2], 60, temperature=0) == generate(each, [1, 2], 60, temperature=0, cache=False)
    assert ways["here"] >= 55


@pytest.mark.parametrize("kind", ["batch", "padding", "float64", "float16", "several"])
def test_what_it_is_not_for_goes_layer_after_layer(kind, model, ways):
    each, tokens = model(), tokens_of(2 if kind == "batch" else 1)
    if kind.startswith("float"):
        each.to(kind)
    mask = np.ones_like(tokens, bool)
    mask[0, 0] = kind != "padding"
    wanted = each(tokens, attention_mask=mask).array
    cache, found, step = AppendCache(), [], 2 if kind == "several" else 1
    for i in range(0, 12, step):
        y = each(tokens[:, i : i + step], attention_mask=mask[:, : i + step], cache=cache)
        found.append(y.array)
    tolerance = 0.1 if kind == "float16" else 1e-4
    np.testing.assert_allclose(
        np.concatenate(found, axis=1)[:, 1:], wanted[:, 1:], rtol=tolerance, atol=tolerance
    )
    assert found[-1].dtype == each.lm_head.weight.dtype
    assert not ways["here"]


def test_a_cache_of_another_kind_is_asked_as_ever(model, ways):
    class Halved(AppendCache):
        def update(self, layer, keys, values):
            return super().update(layer, keys * np.float32(0.5), values)

    each, tokens = model(), tokens_of()
    with apart():
        wanted = logits(each, Halved(), tokens)
    close(logits(each, Halved(), tokens), wanted)
    assert not ways["here"] and not np.allclose(wanted, logits(each, AppendCache(), tokens), rtol=1e-3)


def write(each):
    each.transformer.h[1].mlp.c_fc.weight.array[...] *= -1


def replace(each):
    each.transformer.h[0].attn.c_proj = copy.deepcopy(each.transformer.h[2].attn.c_proj)


def activation(each):
    each.transformer.h[2].mlp.act = ReLU()


def eps(each):
    each.transformer.h[0].ln_2.eps = 0.5


def swap(each):
    blocks = each.transformer.h
    blocks[0], blocks[1] = blocks[1], blocks[0]


def hook(each):
    each.transformer.h[1].mlp.register_forward_hook(lambda module, given, y: y * 2)


def forward(each):
    norm = each.transformer.h[1].ln_1
    norm.forward = lambda x: type(norm).forward(norm, x) * 2


def array(each):
    weight = each.transformer.h[1].attn.c_attn.weight
    weight.array = weight.array[::-1].copy()


def head(each):
    each.lm_head.register_forward_hook(lambda module, given, y: y * 2)


def last_norm(each):
    each.transformer.ln_f.bias.array[...] += 1


def biased_head(each):
    made = Linear(12, 13)
    made.bias.write(np.arange(13))
    each.lm_head = made


def wide_head(each):
    each.lm_head.weight = Parameter(each.lm_head.weight.array.astype(np.float64) * 2)


def own_head(each):
    class Doubled(Linear):
        def forward(self, x):
            return super().forward(x) * 2

    each.lm_head.__class__ = Doubled


@pytest.mark.parametrize(
    "change",
    [
        write,
        replace,
        activation,
        eps,
        swap,
        hook,
        forward,
        array,
        head,
        last_norm,
        biased_head,
        wide_head,
        own_head,
    ],
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


def test_a_copy_is_a_model_of_its_own(model):
    each, tokens = model(), tokens_of()
    before = logits(each, AppendCache(), tokens)
    other = copy.deepcopy(each)
    for parameter in other.parameters():
        parameter.write(parameter.array * 0.9)
    close(logits(other, AppendCache(), tokens), other(tokens).array[:, 3:])
    np.testing.assert_array_equal(logits(each, AppendCache(), tokens), before)


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
    assert names.count("Block") == 3 and names.count("LayerNorm") == 7 and names.count("Linear") == 13
    assert not ways["here"]


def test_loops_in_use_are_used(model, ways):
    each, tokens = model(), tokens_of(length=7)
    wanted = logits(each, AppendCache(), tokens)
    before = ways["here"]
    with kernels.use("loops"):
        close(logits(each, AppendCache(), tokens), wanted)
    assert ways["here"] == before == 3


def test_what_is_no_number_is_as_layer_after_layer(model):
    each, tokens = model(), tokens_of()
    each.transformer.wte.weight.array[5] = np.nan
    each.lm_head.weight = copy.deepcopy(each.transformer.wte.weight)
    each.lm_head.weight.array[5] = 1
    for token in (5, 3):
        cache, other = AppendCache(), AppendCache()
        each(tokens[tokens != 5][None], cache=cache)
        with apart():
            each(tokens[tokens != 5][None], cache=other)
            wanted = each([[token]], cache=other).array
        np.testing.assert_allclose(each([[token]], cache=cache).array, wanted, rtol=1e-4, atol=1e-4)
        assert np.isnan(wanted).all() == (token == 5)


def test_threads_may_write_with_one_model(model):
    each = model()
    texts = [tokens_of(length=60, seed=seed) for seed in range(3)]
    wanted, found = [logits(each, AppendCache(), text) for text in texts], {}

    def writing(number):
        for _ in range(5):
            found[number] = logits(each, AppendCache(), texts[number])

    threads = [threading.Thread(target=writing, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, expected in enumerate(wanted):
        np.testing.assert_array_equal(found[number], expected)
