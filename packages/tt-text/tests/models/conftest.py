"""What the tests of several models share: tiny models, the peer's, and what they are compared with."""

import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from tt_tensor import kernels, manual_seed
from tt_text.kernels.row import Row
from tt_text.models import GPT, GPTConfig, Llama, LlamaConfig

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture(autouse=True)
def seeded():
    manual_seed(0)


def filled(model, seed=0):
    """Random values everywhere, also where a model begins with 0 and 1, so that nothing can hide."""
    rng = np.random.default_rng(seed)
    for name, parameter in model.named_parameters():
        norm = ("norm" in name or ".ln_" in name) and name.endswith("weight")
        parameter.write(rng.normal(float(norm), 0.35, parameter.shape))
    return model.eval()


@pytest.fixture
def on_numpy():
    """Compiled kernels have ways of their own, which tt-perf tests."""
    before = kernels.preferred()
    kernels.prefer(None)
    yield
    kernels.prefer(before)


@pytest.fixture
def ways(monkeypatch):
    """How many tokens went the quick way."""
    counts = {"here": 0}
    decoded = Row.decoded

    def counted(self, *arguments):
        y = decoded(self, *arguments)
        counts["here"] += y is not None
        return y

    monkeypatch.setattr(Row, "decoded", counted)
    return counts


@pytest.fixture
def tiny_gpt():
    """A GPT with 2 layers and 3 heads, and settings of one's own."""

    def make(seed=0, **settings):
        usual = {"vocab_size": 13, "block_size": 20, "n_layer": 2, "n_head": 3, "n_embd": 12}
        return filled(GPT(GPTConfig(**{**usual, **settings})), seed)

    return make


@pytest.fixture
def tiny_llama():
    """A Llama with 2 layers, 4 heads of queries and 2 of keys, and settings of one's own."""

    def make(seed=0, **settings):
        usual = {
            "vocab_size": 13, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 20,
        }  # fmt: skip
        return filled(Llama(LlamaConfig(**{**usual, **settings})), seed)

    return make


@pytest.fixture
def golden(tmp_path):
    """A copy of a folder of the peer's, to do with as one likes."""

    def copy(name):
        return Path(shutil.copytree(GOLDENS / name, tmp_path / name))

    return copy


@pytest.fixture
def stories():
    """The 260K-parameter Llama of llama2.c."""
    home = os.environ.get("TT_DATA_HOME")
    path = Path(home or "") / "stories260K" / "stories260K.bin"
    if not home or not path.is_file():
        pytest.skip("stories260K/stories260K.bin is not in TT_DATA_HOME, or that is not set")
    return path


def numbers(model, name):
    return model.get_parameter(name).numpy().astype(np.float64)


def softmax(scores):
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.fixture
def by_definition():
    """The logits (T, V) of a model for tokens (T,), in float64, one position and one head after the other."""

    def gpt(model, tokens):
        c, get = model.config, lambda name: numbers(model, name)

        def norm(x, at):
            mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
            return (x - mean) / np.sqrt(var + c.layer_norm_epsilon) * get(at + ".weight") + get(at + ".bias")

        def linear(x, at):
            return x @ get(at + ".weight").T + get(at + ".bias")

        x = np.array(
            [
                get("transformer.wte.weight")[t] + get("transformer.wpe.weight")[i]
                for i, t in enumerate(tokens)
            ]
        )
        d = c.n_embd // c.n_head
        for layer in range(c.n_layer):
            at = f"transformer.h.{layer}."
            q, k, v = np.split(linear(norm(x, at + "ln_1"), at + "attn.c_attn"), 3, axis=1)
            y = np.zeros_like(x)
            for h in range(c.n_head):
                cut = slice(h * d, (h + 1) * d)
                for i in range(len(tokens)):
                    weights = softmax(k[: i + 1, cut] @ q[i, cut] / np.sqrt(d))
                    y[i, cut] = weights @ v[: i + 1, cut]
            x = x + linear(y, at + "attn.c_proj")
            z = linear(norm(x, at + "ln_2"), at + "mlp.c_fc")
            z = 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))
            x = x + linear(z, at + "mlp.c_proj")
        return norm(x, "transformer.ln_f") @ get("lm_head.weight").T

    def llama(model, tokens):
        c, get = model.config, lambda name: numbers(model, name)
        d, shared = c.width, c.num_attention_heads // c.groups

        def norm(x, at):
            return x / np.sqrt((x * x).mean(-1, keepdims=True) + c.rms_norm_eps) * get(at + ".weight")

        def turn(x, position):
            x = x.copy()
            for i in range(d // 2):
                one, other = (2 * i, 2 * i + 1) if c.rope_layout == "interleaved" else (i, i + d // 2)
                angle = position * c.rope_theta ** (-2 * i / d)
                turned = complex(x[one], x[other]) * np.exp(1j * angle)
                x[one], x[other] = turned.real, turned.imag
            return x

        x = np.array([get("model.embed_tokens.weight")[t] for t in tokens])
        for layer in range(c.num_hidden_layers):
            at = f"model.layers.{layer}."
            z = norm(x, at + "input_layernorm")
            q, k, v = (z @ get(f"{at}self_attn.{name}_proj.weight").T for name in "qkv")
            if c.qk_norm:
                q, k = (
                    norm(a.reshape(len(x), -1, d), f"{at}self_attn.{name}_norm").reshape(a.shape)
                    for a, name in ((q, "q"), (k, "k"))
                )
            y = np.zeros((len(x), c.num_attention_heads * d))
            for h in range(c.num_attention_heads):
                cut, mine = slice(h * d, (h + 1) * d), slice(h // shared * d, (h // shared + 1) * d)
                keys = np.array([turn(k[j, mine], j) for j in range(len(x))])
                for i in range(len(x)):
                    first = 0 if c.sliding_window is None else max(0, i - c.sliding_window + 1)
                    weights = softmax(keys[first : i + 1] @ turn(q[i, cut], i) / np.sqrt(d))
                    y[i, cut] = weights @ v[first : i + 1, mine]
            x = x + y @ get(at + "self_attn.o_proj.weight").T
            z = norm(x, at + "post_attention_layernorm")
            gate = z @ get(at + "mlp.gate_proj.weight").T
            z = gate / (1 + np.exp(-gate)) * (z @ get(at + "mlp.up_proj.weight").T)
            x = x + z @ get(at + "mlp.down_proj.weight").T
        return norm(x, "model.norm") @ get("lm_head.weight").T

    return lambda model, tokens: (gpt if isinstance(model, GPT) else llama)(model, tokens)


@pytest.fixture
def llama2c_bytes():
    """A Llama as llama2.c's legacy_export writes it."""

    def write(model):
        c = model.config
        vocabulary = c.vocab_size if c.tie_word_embeddings else -c.vocab_size
        sizes = (c.hidden_size, c.intermediate_size, c.num_hidden_layers, c.num_attention_heads, c.groups)
        angles = np.outer(
            np.arange(c.max_position_embeddings), 10000.0 ** (-np.arange(0, c.width, 2) / c.width)
        )
        every = "model.layers.{}."
        names = [every + "input_layernorm", *(f"{every}self_attn.{n}_proj" for n in "qkvo")]
        names += [
            every + "post_attention_layernorm",
            *(f"{every}mlp.{n}_proj" for n in ("gate", "down", "up")),
        ]
        arrays = [numbers(model, "model.embed_tokens.weight")]
        arrays += [numbers(model, n.format(i) + ".weight") for n in names for i in range(c.num_hidden_layers)]
        arrays += [numbers(model, "model.norm.weight"), np.cos(angles), np.sin(angles)]
        arrays += [] if c.tie_word_embeddings else [numbers(model, "lm_head.weight")]
        header = struct.pack("<7i", *sizes, vocabulary, c.max_position_embeddings)
        return header + b"".join(array.astype("<f4").tobytes() for array in arrays)

    return write
