"""Networks and optimizers of recipes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from milestone_tinygpt.networks import MuonAndAdamW, network, optimizer, parameters
from milestone_tinygpt.recipes import NANOGPT
from tt_autograd import grad
from tt_optim import AdamW, LambdaLR, Muon
from tt_text import GPT, Llama


@pytest.fixture
def muon(tiny):
    return replace(tiny, optimizer="muon")


def moved(recipe, steps, loaded=None):
    """A network after some steps, and its optimizer; all begin with the same weights and see the same text."""
    model = network(recipe, 11, 0)
    moving = optimizer(recipe, model)
    if loaded is not None:
        weights, state = loaded
        model.load_state_dict(weights)
        moving.load_state_dict(state)
    tokens = np.arange(22).reshape(2, 11) % 11
    for _ in range(steps):
        moving.zero_grad()
        model.loss(tokens, (tokens + 1) % 11).backward()
        moving.step()
    return model, moving


def test_the_default_network_is_nanogpts():
    model = network(NANOGPT, 65, 0)
    assert isinstance(model, GPT)
    assert parameters(model) == 65 * 128 + 64 * 128 + 4 * (12 * 128 * 128 + 2 * 128) + 128
    assert model.lm_head.weight is model.transformer.wte.weight
    assert not any(name.endswith("bias") for name, _ in model.named_parameters())
    assert model.config.activation == "gelu"


def test_a_seed_draws_the_weights(tiny):
    one, same, other = (network(tiny, 65, seed).transformer.wte.weight.numpy() for seed in (4, 4, 5))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_llama_has_about_as_many_parameters(tiny):
    model = network(replace(NANOGPT, architecture="llama"), 65, 0)
    assert isinstance(model, Llama)
    assert model.config.intermediate_size == 352  # 8/3 · 128, rounded up to a multiple of 32
    assert 750_000 < parameters(model) < 850_000
    assert network(replace(tiny, architecture="llama", hidden=40), 65, 0).config.intermediate_size == 40


@pytest.mark.parametrize("architecture", ["gpt", "llama"])
def test_tables_begin_as_the_recipe_says(tiny, architecture):
    recipe = replace(tiny, architecture=architecture, tied=False)
    usual, larger = network(recipe, 65, 0), network(replace(recipe, embedding_std=0.1), 65, 0)
    for (name, one), (_, other) in zip(usual.named_parameters(), larger.named_parameters(), strict=True):
        factor = 5 if name.endswith(("wte.weight", "embed_tokens.weight")) else 1
        np.testing.assert_allclose(other.numpy(), factor * one.numpy(), rtol=1e-5)
    head = next(parameter for name, parameter in usual.named_parameters() if name == "lm_head.weight")
    assert parameters(usual) == parameters(network(replace(recipe, tied=True), 65, 0)) + head.size


def test_it_reads_as_far_as_it_is_judged(tiny):
    for architecture in ("gpt", "llama"):
        assert network(replace(tiny, block=16, judged_in=48, architecture=architecture), 65, 0).context == 48


@pytest.mark.parametrize("architecture", ["gpt", "llama"])
def test_matrices_decay_and_vectors_do_not(tiny, architecture):
    model = network(replace(tiny, architecture=architecture), 65, 0)
    moving = optimizer(replace(tiny, betas=(0.8, 0.95), decay=0.3), model)
    assert isinstance(moving, AdamW)
    matrices, vectors = moving.param_groups
    assert {p.ndim for p in matrices["params"]} == {2}
    assert {p.ndim for p in vectors["params"]} == {1}
    assert (matrices["weight_decay"], vectors["weight_decay"], matrices["betas"]) == (0.3, 0.0, (0.8, 0.95))
    assert sum(len(group["params"]) for group in moving.param_groups) == len(list(model.parameters()))


@pytest.mark.parametrize("architecture", ["gpt", "llama"])
def test_muon_takes_the_matrices_inside(muon, architecture):
    recipe = replace(muon, architecture=architecture, muon_lr=0.05, muon_decay=0.01)
    model = network(recipe, 65, 0)
    moving = optimizer(recipe, model)
    assert isinstance(moving, MuonAndAdamW)
    inside = {id(p) for muon in moving.muons for group in muon.param_groups for p in group["params"]}
    sizes = [sum(p.size for p in muon.param_groups[0]["params"]) for muon in moving.muons]
    assert len(sizes) == 2
    assert max(sizes) < 1.5 * min(sizes)
    layers = model.transformer.h if architecture == "gpt" else model.model.layers
    assert inside == {id(p) for p in layers.parameters() if p.ndim == 2}
    everything = [id(p) for group in moving.param_groups for p in group["params"]]
    assert sorted(everything) == sorted(id(p) for p in model.parameters())
    assert [group["lr"] for group in moving.param_groups] == [recipe.lr, recipe.lr, 0.05, 0.05]
    assert moving.param_groups[-1]["weight_decay"] == 0.01


def test_a_schedule_sets_the_rates_of_both(muon):
    moving = optimizer(muon, network(muon, 65, 0))
    LambdaLR(moving, lambda t: 0.5)
    assert [group["lr"] for group in moving.param_groups] == [
        muon.lr / 2,
        muon.lr / 2,
        muon.muon_lr / 2,
        muon.muon_lr / 2,
    ]
    assert moving.muons[1].param_groups[0]["lr"] == muon.muon_lr / 2


def test_both_move_as_each_alone_would(muon):
    """One step, against an AdamW and a Muon of their own."""
    model, _ = moved(muon, 1)
    twin = network(muon, 11, 0)
    tokens = np.arange(22).reshape(2, 11) % 11
    inside = [p for p in twin.transformer.h.parameters() if p.ndim == 2]
    rest = [p for p in twin.parameters() if not any(p is one for one in inside)]
    gradients = grad(twin.loss(tokens, (tokens + 1) % 11), list(twin.parameters()))
    for p, gradient in zip(twin.parameters(), gradients, strict=True):
        p.grad = gradient
    Muon(inside, muon.muon_lr, muon.muon_decay, muon.momentum).step()
    matrices = [p for p in rest if p.ndim == 2]
    vectors = [p for p in rest if p.ndim == 1]
    AdamW(matrices, muon.lr, muon.betas, weight_decay=muon.decay).step()
    AdamW(vectors, muon.lr, muon.betas, weight_decay=0).step()
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6, atol=1e-7)


def test_the_state_of_both_goes_on(muon):
    whole, _ = moved(muon, 4)
    half, moving = moved(muon, 2)
    weights = {name: value.numpy().copy() for name, value in half.state_dict().items()}
    from tt_tensor import tensor

    again, _ = moved(muon, 2, ({name: tensor(value) for name, value in weights.items()}, moving.state_dict()))
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
