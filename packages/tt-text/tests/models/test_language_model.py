"""What holds for every language model: its definition, causality, caches, padding, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_tensor import Tensor
from tt_tensor.errors import DTypeError, IndexingError, ShapeError

VARIANTS = [
    ("gpt", {"activation": "gelu_new"}),
    ("gpt", {"activation": "gelu_new", "tie_word_embeddings": False, "n_inner": 7}),
    ("gpt", {"activation": "gelu_new", "n_head": 1, "layer_norm_epsilon": 0.1}),
    ("llama", {}),
    ("llama", {"rope_layout": "interleaved", "num_key_value_heads": 1, "tie_word_embeddings": True}),
    ("llama", {"head_dim": 6, "num_key_value_heads": 4, "rope_theta": 100.0}),
    ("llama", {"sliding_window": 4}),
    ("llama", {"qk_norm": True, "num_key_value_heads": 2}),
]
each_variant = pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: " ".join([v[0], *v[1]]))


@pytest.fixture
def made(variant, tiny_gpt, tiny_llama):
    name, fields = variant
    return (tiny_gpt if name == "gpt" else tiny_llama)(**fields)


@pytest.fixture
def tokens():
    return np.random.default_rng(1).integers(0, 13, (3, 14))


@each_variant
def test_it_is_what_its_definition_says(made, tokens, by_definition):
    expected = np.array([by_definition(made, row) for row in tokens])
    np.testing.assert_allclose(made(tokens).numpy(), expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(made.double()(tokens).numpy(), expected, rtol=0, atol=1e-10)


@each_variant
def test_float32_stays_float32_and_the_mode_changes_nothing(made, tokens):
    y = made(tokens)
    assert y.dtype == np.float32 and y.shape == (3, 14, 13)
    np.testing.assert_array_equal(made.train()(tokens).numpy(), y.numpy())
    np.testing.assert_array_equal(made(Tensor(tokens)).numpy(), y.numpy())


@each_variant
@pytest.mark.parametrize("parts", [[1] * 14, [5, 1, 8], [13, 1], [2, 12]])
def test_with_a_cache_every_position_has_the_same_logits(made, tokens, parts):
    cache, found, at = made.new_cache(), [], 0
    for length in parts:
        found.append(made(tokens[:, at : at + length], cache=cache).numpy())
        at += length
        assert cache.length == at
    np.testing.assert_allclose(np.concatenate(found, 1), made(tokens).numpy(), rtol=0, atol=2e-5)


@each_variant
def test_a_later_token_changes_no_earlier_logits_and_an_earlier_one_changes_later_ones(made, tokens):
    base = made(tokens).numpy()
    for place in range(tokens.shape[1]):
        changed = tokens.copy()
        changed[:, place] = (changed[:, place] + 1) % 13
        after = made(changed).numpy()
        np.testing.assert_array_equal(after[:, :place], base[:, :place])
        assert (np.abs(after[:, place:] - base[:, place:]).max(axis=(0, 2))[:3] > 1e-4).all()


@each_variant
def test_padding_to_the_left_changes_nothing(made, tokens):
    mask = np.ones((3, 14), int)
    mask[0, :5] = mask[1, :13] = 0
    padded = made(tokens, attention_mask=mask).numpy()
    assert np.isfinite(padded).all()
    for row, start in enumerate([5, 13, 0]):
        alone = made(tokens[row : row + 1, start:]).numpy()[0]
        np.testing.assert_allclose(padded[row, start:], alone, rtol=0, atol=2e-5)


@each_variant
def test_padding_and_a_cache_together(made, tokens):
    mask = np.ones((3, 14), bool)
    mask[0, :4] = mask[2, :2] = False
    whole, cache, found = made(tokens, attention_mask=mask).numpy(), made.new_cache(), []
    for start, end in ((0, 6), (6, 7), (7, 14)):
        found.append(made(tokens[:, start:end], attention_mask=mask[:, :end], cache=cache).numpy())
    difference = np.abs(np.concatenate(found, 1) - whole)
    assert difference[mask].max() < 2e-5


@each_variant
def test_rows_of_a_batch_do_not_see_each_other(made, tokens):
    whole = made(tokens).numpy()
    for row in range(3):
        np.testing.assert_allclose(made(tokens[row : row + 1]).numpy()[0], whole[row], rtol=0, atol=2e-5)


@each_variant
def test_the_last_logits_alone(made, tokens):
    last = made(tokens, last=True).numpy()
    assert last.shape == (3, 1, 13)
    np.testing.assert_allclose(last, made(tokens).numpy()[:, -1:], rtol=0, atol=2e-5)


@each_variant
def test_loss_is_the_mean_of_the_log_probabilities(made, tokens):
    logits = made(tokens).numpy().astype(np.float64)
    targets = np.roll(tokens, -1, axis=1)
    targets[:, -1] = -100
    log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    each = -np.take_along_axis(log[:, :-1], targets[:, :-1, None], 2)
    np.testing.assert_allclose(made.loss(tokens, targets).item(), each.mean(), rtol=1e-5)


@pytest.mark.parametrize("kind", ["gpt", "llama"])
def test_every_shape_also_with_nothing_in_it(kind, tiny_gpt, tiny_llama):
    model = (tiny_gpt if kind == "gpt" else tiny_llama)()

    @settings(max_examples=30, deadline=None)
    @given(n=st.integers(0, 3), t=st.integers(0, 20))
    def check(n, t):
        assert model(np.zeros((n, t), np.int64)).shape == (n, t, 13)

    check()


@pytest.mark.parametrize("kind", ["gpt", "llama"])
def test_a_tied_head_is_one_parameter(kind, tiny_gpt, tiny_llama):
    make = tiny_gpt if kind == "gpt" else tiny_llama
    tied, own = make(tie_word_embeddings=True), make(tie_word_embeddings=False)
    table = tied.lm_head.weight
    assert sum(parameter is table for parameter in tied.parameters()) == 1
    assert sum(p.size for p in own.parameters()) - sum(p.size for p in tied.parameters()) == table.size
    assert {"lm_head.weight"} < set(tied.state_dict())


@pytest.mark.parametrize("kind", ["gpt", "llama"])
def test_what_it_refuses(kind, tiny_gpt, tiny_llama, tokens):
    model = (tiny_gpt if kind == "gpt" else tiny_llama)()
    cache = model.new_cache()
    model(tokens, cache=cache)
    for call, error, message in [
        (lambda: model(tokens[0]), ShapeError, r"tokens are of shape \(N, T\), not \(14,\)"),
        (lambda: model(tokens.astype(float)), DTypeError, "tokens are integers, not float64"),
        (lambda: model(tokens + 13), IndexingError, "out of range"),
        (lambda: model(tokens - 13), IndexingError, "out of range"),
        (lambda: model(np.zeros((1, 21), int)), ShapeError, "21 tokens .* reads at most 20"),
        (lambda: model(tokens[:, :7], cache=cache), ShapeError, r"21 tokens \(14 of them in the cache\)"),
        (lambda: model(tokens, positions=np.arange(3)), ShapeError, r"positions of shape \(3,\)"),
        (lambda: model(tokens, positions=np.arange(14.0)), DTypeError, "positions are integers"),
        (lambda: model(tokens, cache=True), DTypeError, r"a cache as new_cache\(\) makes, not True"),
        (lambda: model(tokens, positions=np.arange(14) + 7), IndexingError, "out of range"),
        (
            lambda: model(tokens, attention_mask=np.ones((3, 4))),
            ShapeError,
            r"attention_mask of shape \(3, 4\)",
        ),
    ]:
        with pytest.raises(error, match=message):
            call()


def test_weights_begin_as_gpt2s():
    from tt_text.models import GPT, GPTConfig, Llama, LlamaConfig

    model = GPT(GPTConfig(vocab_size=300, block_size=64, n_layer=8, n_head=4, n_embd=64))
    assert abs(model.transformer.wte.weight.numpy().std() - 0.02) < 0.001
    assert abs(model.transformer.h[3].mlp.c_fc.weight.numpy().std() - 0.02) < 0.001
    assert abs(model.transformer.h[3].mlp.c_proj.weight.numpy().std() - 0.02 / 4) < 0.0005
    assert not model.transformer.h[0].attn.c_attn.bias.numpy().any()
    assert (model.transformer.ln_f.weight.numpy() == 1).all()
    llama = Llama(LlamaConfig(vocab_size=300, hidden_size=64, num_attention_heads=4, num_hidden_layers=8))
    assert abs(llama.model.layers[0].mlp.up_proj.weight.numpy().std() - 0.02) < 0.001
    assert abs(llama.model.layers[0].mlp.down_proj.weight.numpy().std() - 0.02 / 4) < 0.0005
    # At first it knows nothing: every token is as likely as the next.
    tokens = np.arange(50)[None]
    assert abs(model.loss(tokens, tokens + 1).item() - np.log(300)) < 0.1


def test_dropout_drops_in_training_only(tiny_gpt, tiny_llama, tokens):
    for model in (tiny_gpt(dropout=0.5), tiny_llama(attention_dropout=0.5)):
        first = model(tokens).numpy()
        np.testing.assert_array_equal(model(tokens).numpy(), first)
        model.train()
        assert np.abs(model(tokens).numpy() - model(tokens).numpy()).max() > 0.1
