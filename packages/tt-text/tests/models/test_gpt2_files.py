"""GPT-2 folders: names, configurations, and what is refused by name."""

import json

import numpy as np
import pytest

from tt_nn import load, save
from tt_tensor import default_generator
from tt_text.errors import ConfigError, PretrainedError
from tt_text.models import GPT, GPTConfig
from tt_text.models.gpt2_files import read_gpt2_config

TOKENS = np.arange(12)[None]


@pytest.fixture
def folder(golden):
    return golden("gpt2")


def change(folder, **fields):
    """Fields of config.json set, or taken away with None."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | fields
    path.write_text(
        json.dumps({key: value for key, value in config.items() if value is not None}), encoding="utf-8"
    )


def rewrite(folder, edit):
    """The tensors changed by `edit`, a function of their dict."""
    path = folder / "model.safetensors"
    state = {name: tensor.numpy() for name, tensor in load(path).items()}
    edit(state)
    save(state, path)


def test_the_configuration_in_our_words(folder):
    assert read_gpt2_config(folder) == GPTConfig(
        vocab_size=31,
        block_size=24,
        n_layer=2,
        n_head=3,
        n_embd=9,
        n_inner=11,
        dropout=0.1,
        activation="gelu_new",
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"n_positions": None, "n_ctx": 24}, {"block_size": 24}),
        ({"model_type": None}, {"block_size": 24}),
        ({"resid_pdrop": 0.3}, {"dropout": 0.0}),
        ({"attn_pdrop": 0.3, "embd_pdrop": 0.3, "resid_pdrop": 0.3}, {"dropout": 0.3}),
        ({"activation_function": "relu"}, {"activation": "relu"}),
        ({"reorder_and_upcast_attn": True}, {"n_head": 3}),
        ({"n_inner": None, "layer_norm_epsilon": 0.5}, {"n_inner": None, "layer_norm_epsilon": 0.5}),
        ({"a_field_of_next_year": 1}, {"n_head": 3}),
        ({"n_head": None, "num_attention_heads": 1}, {"n_head": 1}),
        ({"n_embd": None, "hidden_size": 9, "num_hidden_layers": 2}, {"n_embd": 9, "n_layer": 2}),
        ({"n_positions": None, "max_position_embeddings": 24, "n_ctx": 8}, {"block_size": 24}),
    ],
)
def test_configurations_of_other_times(folder, fields, expected):
    change(folder, **fields)
    config = read_gpt2_config(folder).to_dict()
    assert {name: config[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scale_attn_weights": False}, "scale_attn_weights is False; the models here have it as true only"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is True"),
        ({"add_cross_attention": True}, "add_cross_attention"),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads"),
        ({"quantization_config": {"bits": 4}}, "quantization_config .* absent"),
        ({"activation_function": "quick_gelu"}, "quick_gelu"),
        ({"activation_function": ["gelu"]}, "gelu"),
        ({"model_type": "llama"}, "model_type is 'llama'; this class loads 'gpt2'"),
        ({"model_type": None, "architectures": ["BertModel"]}, "BertModel"),
        ({"model_type": ["gpt2"]}, "model_type is"),
        ({"n_embd": None}, "no field 'n_embd'"),
        ({"n_embd": "9"}, "n_embd must be a whole number"),
        ({"n_embd": 9.0}, "n_embd must be a whole number"),
        ({"n_embd": 10}, "n_embd = 10 cannot be cut into n_head = 3"),
        ({"vocab_size": -31}, "vocab_size"),
        ({"num_attention_heads": 1}, "n_head is 3 and num_attention_heads is 1; both are names of the same"),
        ({"num_hidden_layers": 1}, "n_layer is 2 and num_hidden_layers is 1"),
        ({"is_causal": False}, "is_causal is False"),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings must be true or false"),
    ],
)
def test_configurations_that_are_refused(folder, fields, message):
    change(folder, **fields)
    with pytest.raises(ConfigError, match=rf"config\.json.*{message}"):
        GPT.from_pretrained(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"vocab_size": 32}, r"wte.weight is \(31, 9\), the configuration makes it \(32, 9\)"),
        (
            {"n_positions": (1 << 31) - 1},
            r"wpe.weight is \(24, 9\), the configuration makes it \(2147483647, 9\)",
        ),
        ({"n_layer": (1 << 31) - 1}, "missing: transformer.h.2.attn.c_attn.weight"),
        ({"n_layer": 1}, r"not expected: 'transformer.h.1.*… and more"),
        (
            {"n_inner": (1 << 31) - 1},
            r"c_fc.weight is \(9, 11\), the configuration makes it \(9, 2147483647\)",
        ),
        ({"tie_word_embeddings": False}, "missing: lm_head.weight"),
    ],
)
def test_sizes_that_the_tensors_do_not_have_are_refused_before_memory_is_taken(folder, fields, message):
    change(folder, **fields)
    with pytest.raises(PretrainedError, match=message):
        GPT.from_pretrained(folder)


def test_names_with_and_without_prefix_and_old_buffers(folder):
    expected = GPT.from_pretrained(folder)(TOKENS).numpy()

    def older(state):
        for name in list(state):
            state[name.removeprefix("transformer.")] = state.pop(name)
        state["h.0.attn.bias"] = np.tril(np.ones((1, 1, 24, 24), np.float32))
        state["h.1.attn.masked_bias"] = np.float32(-1e4)

    rewrite(folder, older)
    np.testing.assert_array_equal(GPT.from_pretrained(folder)(TOKENS).numpy(), expected)


def test_a_head_that_is_there_though_tied_must_be_the_table(folder):
    expected = GPT.from_pretrained(folder)(TOKENS).numpy()
    rewrite(folder, lambda state: state.update({"lm_head.weight": state["transformer.wte.weight"] + 0}))
    np.testing.assert_array_equal(GPT.from_pretrained(folder)(TOKENS).numpy(), expected)
    rewrite(folder, lambda state: state.update({"lm_head.weight": state["transformer.wte.weight"] + 1}))
    with pytest.raises(PretrainedError, match=r"tie_word_embeddings says that lm_head.weight is the table"):
        GPT.from_pretrained(folder)
    change(folder, tie_word_embeddings=False)
    np.testing.assert_allclose(
        GPT.from_pretrained(folder)(TOKENS).numpy() - expected,
        np.broadcast_to((GPT.from_pretrained(folder)(TOKENS).numpy() - expected)[..., :1], expected.shape),
        atol=1e-4,
    )


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: s.pop("transformer.h.1.mlp.c_fc.bias"), "missing: transformer.h.1.mlp.c_fc.bias"),
        (lambda s: s.update(extra=np.ones(3)), "not expected: 'extra'"),
        (lambda s: s.update({"wte.weight": s["transformer.wte.weight"] + 1}), "are the same tensor"),
        (
            lambda s: s.update(
                {"transformer.h.0.attn.c_attn.weight": s["transformer.h.0.attn.c_attn.weight"].T}
            ),
            r"c_attn.weight is \(27, 9\), the configuration makes it \(9, 27\)",
        ),
        (
            lambda s: s.update({"transformer.ln_f.bias": np.zeros(9, np.int64)}),
            "transformer.ln_f.bias is of dtype I64, not one of F16, BF16, F32, F64",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(folder, edit, message):
    rewrite(folder, edit)
    with pytest.raises(PretrainedError, match=message):
        GPT.from_pretrained(folder)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_become_float32(folder, dtype):
    rewrite(folder, lambda state: state.update({name: array.astype(dtype) for name, array in state.items()}))
    model = GPT.from_pretrained(folder)
    assert {parameter.dtype for parameter in model.parameters()} == {np.dtype(np.float32)}


def test_nothing_is_drawn_at_random(folder):
    before = default_generator().get_state()
    GPT.from_pretrained(folder)
    assert default_generator().get_state() == before


def test_a_model_without_biases_is_written_with_zeros(tiny_gpt, tmp_path):
    model = tiny_gpt(bias=False, activation="gelu_tanh", tie_word_embeddings=False)
    model.save_pretrained(tmp_path / "model")
    again = GPT.from_pretrained(tmp_path / "model")
    assert again.config.bias and again.config.activation == "gelu_new"
    np.testing.assert_allclose(again(TOKENS).numpy(), model(TOKENS).numpy(), rtol=0, atol=1e-5)


def test_the_class_is_the_callers(folder):
    class Mine(GPT):
        pass

    assert type(Mine.from_pretrained(folder)) is Mine
