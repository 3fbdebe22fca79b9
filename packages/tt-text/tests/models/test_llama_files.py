"""Llama, Mistral and Qwen2 folders: configurations of all times, and what is refused by name."""

import json

import numpy as np
import pytest

from tt_nn import load, save
from tt_text.errors import ConfigError, PretrainedError
from tt_text.models import Llama
from tt_text.models.llama_files import read_llama_config

LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 12,
}  # fmt: skip
WINDOW = {"sliding_window": 3, "use_sliding_window": True}
TOKENS = np.arange(12)[None]


def change(folder, **fields):
    """Fields of config.json set; those of None taken away."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | fields
    path.write_text(
        json.dumps({key: value for key, value in config.items() if value is not None}), encoding="utf-8"
    )


def test_the_older_words_for_rotary_positions_mean_the_same(golden):
    folder = golden("llama_tied_groups")
    newer = read_llama_config(folder)
    assert newer.rope_theta == 500.0 and newer.rope_scaling == LLAMA3
    change(folder, rope_parameters=None, rope_theta=500.0, rope_scaling=LLAMA3)
    assert read_llama_config(folder) == newer
    oldest = {"type" if key == "rope_type" else key: value for key, value in LLAMA3.items()}
    change(folder, rope_scaling=oldest)
    expected = Llama.from_pretrained(golden("mistral_window").parent / "llama_tied_groups")
    np.testing.assert_array_equal(Llama.from_pretrained(folder)(TOKENS).numpy(), expected(TOKENS).numpy())


LONGROPE = {"rope_type": "longrope", "short_factor": [1.0, 2.0], "original_max_position_embeddings": 12}
LINEAR = {"rope_type": "linear", "factor": 2.0}
SHORT = {key: value for key, value in LLAMA3.items() if key != "original_max_position_embeddings"}


@pytest.mark.parametrize(
    ("fields", "theta", "scaling"),
    [
        ({"rope_scaling": LINEAR}, 10000.0, LINEAR),
        ({"rope_scaling": LINEAR, "rope_theta": 77.0}, 77.0, LINEAR),
        ({"rope_scaling": {**LINEAR, "rope_theta": 55.0}, "rope_theta": 77.0}, 55.0, LINEAR),
        ({"rope_scaling": {}, "rope_theta": 77.0}, 500.0, LLAMA3),
        ({"original_max_position_embeddings": 16}, 500.0, {**SHORT, "original_max_position_embeddings": 16}),
        ({"rope_parameters": SHORT, "max_position_embeddings": 20}, 10000.0,
         {**SHORT, "original_max_position_embeddings": 20}),
        ({"rope_parameters": LINEAR, "original_max_position_embeddings": 16}, 10000.0, LINEAR),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0, "original_max_position_embeddings": 7}}, 10000.0,
         {"type": "dynamic", "factor": 2.0, "original_max_position_embeddings": 24}),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}, "original_max_position_embeddings": 12}, 10000.0,
         {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 12}),
        ({"rope_scaling": {"rope_type": "yarn", "factor": None, "original_max_position_embeddings": 8}}, 10000.0,
         {"rope_type": "yarn", "factor": 3.0, "original_max_position_embeddings": 8}),
    ],
)  # fmt: skip
def test_of_two_scalings_the_one_counts_that_counts_in_the_library(golden, fields, theta, scaling):
    """As transformers 5.24 reads these files."""
    folder = golden("llama_tied_groups")
    change(folder, **fields)
    config = read_llama_config(folder)
    assert (config.rope_theta, config.rope_scaling) == (theta, scaling)


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("mistral_window", {"sliding_window": None}, {"sliding_window": 4096}),
        ("mistral_window", {"rms_norm_eps": None, "max_position_embeddings": None},
         {"rms_norm_eps": 1e-6, "max_position_embeddings": 131072}),
        ("mistral_window", {"model_type": None}, {"sliding_window": 5}),
        ("mistral_window", {"rope_parameters": None}, {"rope_theta": 10000.0, "rope_scaling": None}),
        ("llama_tied_groups", {"sliding_window": 3}, {"sliding_window": None}),
        ("mistral_window", {"layer_types": ["sliding_attention"] * 2}, {"sliding_window": 5}),
        ("qwen2_shards", {"sliding_window": 3}, {"sliding_window": None}),
        ("qwen2_shards", {**WINDOW, "layer_types": None}, {"sliding_window": None}),
        ("qwen2_shards", {**WINDOW, "layer_types": None, "max_window_layers": 0}, {"sliding_window": 3}),
        ("qwen2_shards", {**WINDOW, "layer_types": ["sliding_attention"] * 2}, {"sliding_window": 3}),
        ("qwen2_shards", {}, {"attention_bias": True, "mlp_bias": False}),
        ("qwen3_norms_window", {"head_dim": None, "attention_bias": None}, {"head_dim": 128, "attention_bias": False}),
        ("phi3_longrope", {"rms_norm_eps": None, "sliding_window": 3}, {"rms_norm_eps": 1e-5, "sliding_window": 3}),
        ("phi3_longrope", {"max_position_embeddings": None}, {"max_position_embeddings": 4096}),
    ],
)  # fmt: skip
def test_fields_that_are_absent_and_windows_that_are_not_used(golden, name, fields, expected):
    folder = golden(name)
    change(folder, **fields)
    config = read_llama_config(folder).to_dict()
    assert {name: config[name] for name in expected} == expected


def test_null_is_no_window(golden):
    folder = golden("mistral_window")
    path = folder / "config.json"
    fields = json.loads(path.read_text(encoding="utf-8")) | {"sliding_window": None}
    path.write_text(json.dumps(fields), encoding="utf-8")
    assert read_llama_config(folder).sliding_window is None


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        (
            "llama_tied_groups",
            {"rope_parameters": {"rope_type": "mrope", "factor": 2.0}},
            "rope_type is 'mrope'",
        ),
        ("llama_tied_groups", {"rope_parameters": [1]}, "an object with fields"),
        (
            "llama_tied_groups",
            {"rope_parameters": {"full_attention": {"rope_type": "default"}}},
            "layer to layer",
        ),
        (
            "llama_tied_groups",
            {"rope_parameters": {"rope_type": "default", "rope_theta": "x"}},
            "rope_theta must be",
        ),
        ("llama_tied_groups", {"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ("llama_tied_groups", {"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
        (
            "llama_tied_groups",
            {"rope_parameters": {**LONGROPE, "long_factor": [1.0]}},
            "long_factor is a list of 2 numb",
        ),
        (
            "llama_tied_groups",
            {"rope_parameters": {**LONGROPE, "long_factor": 3}},
            "long_factor is a list of 2 numb",
        ),
        (
            "llama_tied_groups",
            {"rope_parameters": {"type": "dynamic", "factor": 2.0}, "head_dim": 2},
            "more than two",
        ),
        ("llama_tied_groups", {"hidden_act": "quick_gelu"}, "quick_gelu"),
        ("llama_tied_groups", {"model_type": "gemma"}, "model_type is 'gemma'; this class loads 'llama'"),
        ("llama_tied_groups", {"quantization_config": {}}, "quantization_config"),
        ("llama_tied_groups", {"num_key_value_heads": 2}, "cannot share num_key_value_heads = 2"),
        ("llama_tied_groups", {"head_dim": 5}, "odd"),
        ("llama_tied_groups", {"attention_bias": "x"}, "attention_bias must be true or false"),
        ("llama_tied_groups", {"hidden_size": None}, "no field 'hidden_size'"),
        (
            "qwen2_shards",
            {"use_sliding_window": True, "layer_types": None, "max_window_layers": 1},
            "not the same in all",
        ),
        ("qwen2_shards", {"layer_types": ["full_attention", "sliding_attention"]}, "not the same in all"),
        ("qwen2_shards", {"layer_types": None, "max_window_layers": "x"}, "max_window_layers"),
        ("qwen2_shards", {"layer_types": 3}, "layer_types"),
        (
            "mistral_window",
            {"layer_types": ["full_attention"] * 2},
            "layer_types is .* with sliding_window = 5",
        ),
        ("mistral_window", {"layer_types": ["sliding_attention", "full_attention"]}, "layer_types is"),
        ("mistral_window", {"layer_types": 3}, "layer_types is 3"),
        ("llama_tied_groups", {"is_causal": False}, "is_causal is False"),
    ],
)
def test_configurations_that_are_refused(golden, name, fields, message):
    folder = golden(name)
    change(folder, **fields)
    with pytest.raises(ConfigError, match=rf"config\.json.*{message}"):
        Llama.from_pretrained(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"vocab_size": (1 << 31) - 1}, r"is \(31, 12\), the configuration makes it \(2147483647, 12\)"),
        ({"num_hidden_layers": (1 << 31) - 1}, "missing: model.layers.2.self_attn.q_proj.weight"),
        ({"head_dim": (1 << 31) - 2}, r"q_proj.weight is \(12, 12\), the configuration makes it \(6442450938, 12\)"),
        ({"attention_bias": True}, "missing: model.layers.0.self_attn.q_proj.bias"),
        ({"model_type": "qwen2", "layer_types": None}, "missing: model.layers.0.self_attn.q_proj.bias"),
        ({"tie_word_embeddings": False}, "missing: lm_head.weight"),
        ({"num_hidden_layers": 1}, "not expected: 'model.layers.1"),
    ],
)  # fmt: skip
def test_sizes_that_the_tensors_do_not_have_are_refused_before_memory_is_taken(golden, fields, message):
    folder = golden("llama_tied_groups")
    change(folder, **fields)
    with pytest.raises(PretrainedError, match=message):
        Llama.from_pretrained(folder)


def test_the_first_names_of_longrope_in_phi3(golden):
    folder = golden("phi3_longrope")
    expected = Llama.from_pretrained(folder)(TOKENS).numpy()
    for name in ("su", "yarn"):
        factors = {"short_factor": [1.0, 1.5], "long_factor": [2.0, 6.0]}
        change(folder, rope_parameters=None, rope_theta=500.0, rope_scaling={"type": name, **factors})
        np.testing.assert_array_equal(Llama.from_pretrained(folder)(TOKENS).numpy(), expected)


def test_tensors_in_one_have_the_sizes_of_all(golden):
    folder = golden("phi3_longrope")
    change(folder, num_key_value_heads=3)
    with pytest.raises(
        PretrainedError, match=r"qkv_proj.weight is \(20, 12\), the configuration makes it \(36, 12\)"
    ):
        Llama.from_pretrained(folder)


def test_many_positions_cost_nothing(golden):
    folder = golden("llama_tied_groups")
    change(folder, max_position_embeddings=(1 << 31) - 1)
    assert Llama.from_pretrained(folder).context == (1 << 31) - 1


def test_names_without_prefix_and_old_buffers(golden):
    folder = golden("llama_tied_groups")
    expected = Llama.from_pretrained(folder)(TOKENS).numpy()
    path = folder / "model.safetensors"
    state = {name.removeprefix("model."): tensor.numpy() for name, tensor in load(path).items()}
    state["layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(2, np.float32)
    state["rotary_emb.inv_freq"] = np.ones(3, np.float32)
    save(state, path)
    np.testing.assert_array_equal(Llama.from_pretrained(folder)(TOKENS).numpy(), expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"rope_layout": "interleaved", "attention_bias": True, "mlp_bias": True},
        {"rope_layout": "interleaved", "head_dim": 6, "num_key_value_heads": 1, "tie_word_embeddings": True},
        {"sliding_window": 3, "rope_theta": 77.0},
        {"rope_scaling": {"rope_type": "linear", "factor": 4.0}, "hidden_act": "gelu"},
        {"rope_layout": "interleaved", "qk_norm": True, "attention_bias": True, "head_dim": 6},
        {"qk_norm": True, "sliding_window": 3},
    ],
)
def test_written_and_read_again_logits_stay(tiny_llama, tmp_path, settings):
    model = tiny_llama(**settings)
    model.save_pretrained(tmp_path / "model")
    again = Llama.from_pretrained(tmp_path / "model")
    assert again.config.rope_layout == "half"
    np.testing.assert_allclose(again(TOKENS).numpy(), model(TOKENS).numpy(), rtol=0, atol=1e-5)


def test_a_window_with_biases_is_written_as_qwen2_or_refused(tiny_llama, tmp_path):
    model = tiny_llama(sliding_window=3, attention_bias=True)
    with pytest.raises(PretrainedError, match="a sliding window and a bias of o_proj"):
        model.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()
    for layer in model.model.layers:
        layer.self_attn.o_proj.bias.write(0)
    model.save_pretrained(tmp_path / "model")
    assert (
        json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf-8"))["model_type"] == "qwen2"
    )
    np.testing.assert_array_equal(
        Llama.from_pretrained(tmp_path / "model")(TOKENS).numpy(), model(TOKENS).numpy()
    )
    with pytest.raises(PretrainedError, match="norms of queries and keys and biases in the MLP"):
        tiny_llama(qk_norm=True, mlp_bias=True).save_pretrained(tmp_path / "other")
    with pytest.raises(PretrainedError, match="a sliding window and biases in the MLP"):
        tiny_llama(sliding_window=3, mlp_bias=True).save_pretrained(tmp_path / "other")
