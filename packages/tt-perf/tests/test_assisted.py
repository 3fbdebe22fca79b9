"""Assisted generation with what tt-perf has: an int8 copy as the assistant, compiled kernels, KVCache."""

import copy
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tt_text", reason="language models come with tt-text: pip install 'tt-perf[compete]'")

import tt_perf
from tt_tensor import manual_seed
from tt_text import GPT, GPTConfig, Llama, LlamaConfig


@pytest.fixture(params=[False, True], ids=["numpy", "compiled"])
def compiled(request):
    """Both ways to compute."""
    if not request.param:
        yield False
        return
    pytest.importorskip("numba", reason="compiled kernels need numba")
    with tt_perf.accelerate(malloc=False):
        yield True


def gpt(seed=0):
    manual_seed(seed)
    made = GPT(GPTConfig(vocab_size=300, block_size=400, n_layer=3, n_head=4, n_embd=64)).eval()
    for parameter in made.parameters():
        if parameter.ndim == 2:
            parameter.write(parameter.array * 5)
    return made


def llama(window=None):
    manual_seed(0)
    made = Llama(
        LlamaConfig(
            300, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=400, sliding_window=window,
        )
    ).eval()  # fmt: skip
    for parameter in made.parameters():
        if parameter.ndim == 2:
            parameter.write(parameter.array * 5)
    return made


@pytest.mark.parametrize("scheme", ["int8", "int8-dynamic", "float16"])
@pytest.mark.parametrize("kind", ["gpt", "llama"])
def test_an_int8_copy_helps_to_the_same_tokens(compiled, kind, scheme):
    model = gpt() if kind == "gpt" else llama()
    draft = tt_perf.quantize(model, scheme)
    wanted = model.generate([1, 2, 3], 150, temperature=0)
    forwards = []
    model.register_forward_pre_hook(lambda module, inputs: forwards.append(np.shape(inputs[0])[1]))
    for ahead in (3, 7):
        forwards.clear()
        found = model.generate(
            [1, 2, 3], 150, temperature=0, assistant_model=draft, num_assistant_tokens=ahead
        )
        assert found == wanted
        # Most of the proposals were right.
        assert len(forwards) < 150 / (1 + ahead) * 2


def test_stories_are_the_same(compiled):
    """A trained model: 400 tokens, and its int8 copy says most of them."""
    home = os.environ.get("TT_DATA_HOME")
    path = Path(home or "") / "stories260K" / "stories260K.bin"
    if not home or not path.is_file():
        pytest.skip("stories260K/stories260K.bin is not in TT_DATA_HOME, or that is not set")
    model = Llama.from_llama2c(path).eval()
    draft = tt_perf.quantize(model, "int8")
    forwards = []
    model.register_forward_pre_hook(lambda module, inputs: forwards.append(np.shape(inputs[0])[1]))
    wanted = model.generate([1], 400, temperature=0)
    assert len(forwards) == 400
    forwards.clear()
    assert model.generate([1], 400, temperature=0, assistant_model=draft, num_assistant_tokens=5) == wanted
    assert len(forwards) < 80
    assert model.generate([1], 400, temperature=0, prompt_lookup_num_tokens=5) == wanted


@pytest.mark.parametrize("window", [None, 4, 16])
@pytest.mark.parametrize("cache", ["own", "KVCache", "float16"])
def test_caches(compiled, cache, window):
    """A KVCache with a window forgets what was wrong; so does one in float16, with which tokens are its own."""
    model = llama(window)
    other = copy.deepcopy(model)
    rng = np.random.default_rng(0)
    for parameter in other.parameters():
        parameter.write(parameter.array * (1 + 0.1 * rng.normal(size=parameter.shape).astype(np.float32)))

    def made():
        if cache == "own":
            return True
        return tt_perf.KVCache.for_model(model, dtype=np.float16 if cache == "float16" else None)

    wanted = model.generate([1, 2, 3], 120, temperature=0, cache=made())
    for ahead in (1, 3, 4):
        found = model.generate(
            [1, 2, 3], 120, temperature=0, cache=made(), assistant_model=other, num_assistant_tokens=ahead
        )
        assert found == wanted
