"""Configurations go to JSON and back, and say which field is wrong."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_text.errors import ConfigError
from tt_text.models import GPTConfig, LlamaConfig

KINDS = [GPTConfig, LlamaConfig]
each_kind = pytest.mark.parametrize("kind", KINDS)

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**30) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@each_kind
@given(data=st.data())
def test_a_field_of_any_value_is_taken_or_refused_by_its_name(kind, data):
    name = data.draw(st.sampled_from([field.name for field in dataclasses.fields(kind)]))
    value = data.draw(JUNK)
    known = [field.name for field in dataclasses.fields(kind)]
    error = None
    try:
        config = kind.from_dict({name: value})
    except ConfigError as raised:
        error = str(raised)
    if error is None:
        assert getattr(config, name) == value
        assert kind.from_dict(json.loads(config.to_json())) == config
    else:
        # A size that does not divide is told with those that it shall divide.
        assert kind.__name__ in error
        assert any(word in error for word in [*known, "activation"])


@given(
    heads=st.integers(1, 6),
    width=st.integers(1, 8).map(lambda n: 2 * n),
    groups=st.integers(1, 6),
    own=st.booleans(),
)
def test_llama_round_trips_and_its_sizes_fit(heads, width, groups, own):
    settings = {
        "hidden_size": 7 if own else heads * width, "head_dim": width if own else None,
        "num_attention_heads": heads, "num_key_value_heads": groups,
    }  # fmt: skip
    if heads % groups:
        with pytest.raises(ConfigError, match=r"num_attention_heads = \d+ cannot share num_key_value_heads"):
            LlamaConfig(**settings)
        return
    config = LlamaConfig(**settings)
    assert config.groups == groups and config.width == width
    assert LlamaConfig.from_dict(config.to_dict()) == config


@each_kind
def test_a_file_round_trips(kind, tmp_path):
    config = kind(vocab_size=77)
    text = config.to_json(tmp_path / "config.json")
    assert (tmp_path / "config.json").read_text(encoding="utf-8") == text
    assert kind.from_json(tmp_path / "config.json") == config


@each_kind
@pytest.mark.parametrize(
    "content", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000, b'{"vocab_size": 1e999}', b'{"x": 1}', b"null"]
)
def test_what_is_no_configuration_is_refused(kind, content, tmp_path):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ConfigError, match=kind.__name__):
        kind.from_json(tmp_path / "config.json")


@each_kind
def test_a_missing_file_and_unknown_fields_are_named(kind, tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        kind.from_json(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"unknown fields \['n_heads'\]; there are"):
        kind.from_dict({"n_heads": 3})
    with pytest.raises(ConfigError, match="unknown fields"):
        kind.from_dict({1: 2, "a": 3})


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (GPTConfig, {"n_embd": 10, "n_head": 3}, "n_embd = 10 cannot be cut into n_head = 3"),
        (GPTConfig, {"vocab_size": 0}, "vocab_size must be a whole number from 1 up, not 0"),
        (GPTConfig, {"n_layer": 1 << 40}, "n_layer must be a whole number"),
        (GPTConfig, {"dropout": 1.0}, "dropout must be a number"),
        (GPTConfig, {"bias": 1}, "bias must be true or false"),
        (GPTConfig, {"activation": "sin"}, "'sin' is none of gelu"),
        (LlamaConfig, {"hidden_size": 10, "num_attention_heads": 3}, "give head_dim"),
        (LlamaConfig, {"head_dim": 5}, r"head_dim cannot be odd \(5\)"),
        (LlamaConfig, {"rope_theta": 0}, "rope_theta must be a number"),
        (LlamaConfig, {"rope_theta": 10**400}, "rope_theta must be a number"),
        (LlamaConfig, {"rms_norm_eps": float("nan")}, "rms_norm_eps must be a number"),
        (LlamaConfig, {"rope_layout": "other"}, "rope_layout is 'half' or 'interleaved'"),
        (LlamaConfig, {"rope_scaling": 2}, "rope_scaling is an object"),
        (
            LlamaConfig,
            {"rope_scaling": {"rope_type": "mrope"}},
            "LlamaConfig: rope_scaling: rope_type is 'mrope'",
        ),
        (LlamaConfig, {"rope_scaling": {"rope_type": "linear"}}, "factor is missing"),
        (LlamaConfig, {"sliding_window": 0}, "sliding_window must be a whole number"),
    ],
)
def test_what_does_not_fit_is_named(kind, fields, message):
    with pytest.raises(ConfigError, match=message):
        kind(**fields)


def test_defaults_follow_other_fields():
    assert GPTConfig().hidden == 4 * 768 and GPTConfig(n_inner=5).hidden == 5
    assert LlamaConfig().groups == 6 and LlamaConfig().width == 48
