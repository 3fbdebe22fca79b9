"""Gradients of language models through the tape: every number of every parameter against central differences."""

import numpy as np
import pytest

import tt_autograd
from tt_nn.functional import cross_entropy
from tt_tensor import manual_seed
from tt_tensor.errors import GradientError
from tt_text import GPT, GPTConfig, Llama, LlamaConfig

SMALL = {
    "vocab_size": 7, "hidden_size": 4, "intermediate_size": 3, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 2, "max_position_embeddings": 6,
}  # fmt: skip
GPT2 = {"vocab_size": 7, "block_size": 6, "n_layer": 2, "n_head": 2, "n_embd": 4, "n_inner": 3}
MODELS = {
    "gpt, tied": lambda: GPT(GPTConfig(**GPT2, activation="gelu_new")),
    "gpt, untied, no bias": lambda: GPT(GPTConfig(**GPT2, tie_word_embeddings=False, bias=False)),
    "llama, untied": lambda: Llama(LlamaConfig(**SMALL)),
    "llama, tied, biases, window": lambda: Llama(
        LlamaConfig(
            **SMALL, tie_word_embeddings=True, attention_bias=True, mlp_bias=True, rope_layout="interleaved",
            sliding_window=2,
        )
    ),
}  # fmt: skip
each_model = pytest.mark.parametrize("name", MODELS)


def built(name):
    """In float64, with weights large enough that every part matters."""
    manual_seed(0)
    model = MODELS[name]().double().eval()
    rng = np.random.default_rng(0)
    for parameter in model.parameters():
        parameter.write(parameter.numpy() + rng.normal(0, 0.4, parameter.shape))
    return model


@pytest.fixture
def batch():
    rng = np.random.default_rng(1)
    tokens, targets = rng.integers(0, 7, (2, 5)), rng.integers(0, 7, (2, 5))
    targets[1, 2] = -100  # counts nothing
    return tokens, targets


@each_model
def test_every_number_of_every_parameter_against_central_differences(name, batch):
    model = built(name)
    model.loss(*batch).backward()
    step, seen = 1e-5, 0
    for path, parameter in model.named_parameters():
        grad = parameter.grad.numpy()
        assert grad.dtype == np.float64 and grad.shape == parameter.shape
        difference = np.empty_like(grad)
        values = parameter.numpy().copy()
        with tt_autograd.no_grad():
            for place in np.ndindex(values.shape):
                was, losses = values[place], []
                for moved in (was + step, was - step):
                    changed = values.copy()
                    changed[place] = moved
                    parameter.write(changed)
                    losses.append(model.loss(*batch).item())
                difference[place] = (losses[0] - losses[1]) / (2 * step)
                seen += 1
            parameter.write(values)
        np.testing.assert_allclose(grad, difference, rtol=1e-6, atol=1e-8, err_msg=path)
        if "bias" not in path or "k_proj" not in path:
            # A bias of keys adds the same to all scores, unless they turn with the position.
            assert np.abs(grad).max() > 1e-6, path
    assert seen == sum(parameter.size for parameter in model.parameters())


@pytest.mark.parametrize("name", ["gpt, untied, no bias", "llama, untied"])
def test_the_loss_at_a_position_has_no_gradient_at_later_tokens(name):
    model = built(name)
    embedding = model.transformer.wte if isinstance(model, GPT) else model.model.embed_tokens
    for i in range(5):
        model.zero_grad()
        targets = np.full((1, 5), -100)
        targets[0, i] = 6
        model.loss(np.arange(5)[None], targets).backward()
        grad = embedding.weight.grad.numpy()
        assert not grad[i + 1 :].any()
        assert (np.abs(grad[: i + 1]).max(axis=1) > 1e-9).all()


@each_model
def test_training_lowers_the_loss_and_a_tied_table_is_stepped_once(name, batch):
    model = built(name)
    first = model.loss(*batch).item()
    for _ in range(80):
        model.zero_grad()
        model.loss(*batch).backward()
        for parameter in model.parameters():
            parameter.write(parameter.numpy() - 0.2 * parameter.grad.numpy())
    assert model.loss(*batch).item() < 0.5 * first
    if model.config.tie_word_embeddings:
        table = model.transformer.wte.weight if isinstance(model, GPT) else model.model.embed_tokens.weight
        assert model.lm_head.weight is table


@each_model
def test_padding_gets_no_gradient_and_gives_none(name):
    model = built(name)
    tokens = np.array([[0, 0, 3, 4, 5]])
    mask = np.array([[0, 0, 1, 1, 1]])
    targets = np.array([[-100, -100, 4, 5, 6]])
    logits = model(tokens, attention_mask=mask)
    cross_entropy(logits.reshape(-1, 7), targets.reshape(-1)).backward()
    padded = {path: parameter.grad.numpy() for path, parameter in model.named_parameters()}
    model.zero_grad()
    model.loss(tokens[:, 2:], targets[:, 2:]).backward()
    for path, parameter in model.named_parameters():
        np.testing.assert_allclose(padded[path], parameter.grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=path)


@each_model
def test_a_cache_where_gradients_are_recorded_is_refused(name):
    model = built(name)
    with pytest.raises(GradientError, match="no history"):
        model(np.array([[1, 2]]), cache=model.new_cache())
    with tt_autograd.no_grad():
        model(np.array([[1, 2]]), cache=model.new_cache())
