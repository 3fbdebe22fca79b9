"""Packed files hold the same model in fewer bytes, and what they claim is checked before it is believed."""

import zlib
from itertools import pairwise

import numpy as np
import pytest

import tt_nn as nn
from tt_nn import WeightsError
from tt_perf import fold_batch_norm, load_quantized, quantize, save_quantized
from tt_tensor import manual_seed


def mlp(*sizes):
    layers = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


def trained(*sizes):
    """A network whose weights are normal, as trained ones about are."""
    manual_seed(0)
    model = mlp(*sizes)
    rng = np.random.default_rng(0)
    for parameter in model.parameters():
        parameter.write(rng.normal(size=parameter.shape).astype(parameter.dtype))
    return model


@pytest.mark.parametrize(
    ("scheme", "settings", "most"),
    [
        ("int8", {}, 0.96),
        ("int8", {"group_size": 1, "symmetric": False}, 1.0),  # the most bytes that a number can take
        ("int8", {"symmetric": False}, 0.98),
        ("int8-dynamic", {}, 0.96),
        ("int16", {"group_size": 1, "symmetric": False}, 1.0),
        ("bfloat16", {}, 0.9),
    ],
)
def test_the_same_model_in_fewer_bytes(scheme, settings, most, tmp_path):
    model = trained(200, 100, 10)
    x = np.random.default_rng(1).normal(size=(7, 200)).astype(np.float32)
    small = quantize(model, scheme, **settings)
    paths = tmp_path / "plain.safetensors", tmp_path / "packed.safetensors"
    for path, packed in zip(paths, (False, True), strict=True):
        save_quantized(small, path, {"who": "test"}, packed=packed)
    again = load_quantized(paths[1], mlp(200, 100, 10))
    assert nn.load_metadata(paths[1])["who"] == "test"
    assert again[0].scheme == small[0].scheme
    wanted = nn.load(paths[0])
    assert again.state_dict().keys() == wanted.keys()
    for name, tensor in again.state_dict().items():
        assert tensor.dtype == wanted[name].dtype
        np.testing.assert_array_equal(tensor.array, wanted[name].array)
    np.testing.assert_array_equal(again(x).array, small(x).array)
    sizes = [path.stat().st_size for path in paths]
    assert sizes[1] < most * sizes[0]


def test_a_quarter_of_the_float_file(tmp_path):
    model = trained(300, 200, 10)
    nn.save(model, tmp_path / "float.safetensors")
    save_quantized(quantize(model), tmp_path / "small.safetensors", packed=True)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("float", "small")]
    assert sizes[0] > 4 * sizes[1]


def test_tied_weights_stay_tied(tmp_path):
    text = pytest.importorskip("tt_text")
    config = text.GPTConfig(vocab_size=40, block_size=8, n_layer=1, n_head=2, n_embd=16)
    small = quantize(text.GPT(config).eval())
    save_quantized(small, tmp_path / "gpt.safetensors", packed=True)
    again = load_quantized(tmp_path / "gpt.safetensors", text.GPT(config))
    assert again.lm_head.weight is again.transformer.wte.weight
    tokens = np.arange(8)[None]
    np.testing.assert_array_equal(again(tokens).array, small(tokens).array)


def test_with_norms_folded(tmp_path):
    vision = pytest.importorskip("tt_vision")

    def network():
        return nn.Sequential(vision.Conv2d(3, 8, 3), vision.BatchNorm2d(8), nn.ReLU())

    x = np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32)
    small = quantize(fold_batch_norm(network()))
    save_quantized(small, tmp_path / "net.safetensors", packed=True)
    again = load_quantized(tmp_path / "net.safetensors", fold_batch_norm(network()))
    np.testing.assert_array_equal(again(x).array, small(x).array)


@pytest.fixture
def packed(tmp_path):
    """(path, header, bytes) of a small network."""
    path = tmp_path / "small.safetensors"
    save_quantized(quantize(trained(20, 10)), path, packed=True)
    return path, nn.load_metadata(path), nn.load(path)["packed"].array.tobytes()


def bytes_of(data):
    return {"packed": np.frombuffer(data, np.uint8)}


@pytest.mark.parametrize("size", ["-1", "1e3", "", "many", "9" * 40, "\u0663"])
def test_sizes_that_are_none(packed, size):
    path, header, data = packed
    nn.save(bytes_of(data), path, {**header, "tt.packed": size})
    with pytest.raises(WeightsError, match="no number of bytes"):
        load_quantized(path, mlp(20, 10))


def test_what_would_fill_the_memory_is_not_unpacked(packed):
    path, header, _ = packed
    bomb = zlib.compress(b"\0" * (1 << 26), 9)
    nn.save(bytes_of(bomb), path, {**header, "tt.packed": str(1 << 26)})
    with pytest.raises(WeightsError, match="67,108,864 bytes, more than this model can have"):
        load_quantized(path, mlp(20, 10))
    nn.save(bytes_of(bomb), path, {**header, "tt.packed": "1000"})  # and no more than it said
    with pytest.raises(WeightsError, match="does not unpack to the 1,000 bytes"):
        load_quantized(path, mlp(20, 10))


@pytest.mark.parametrize("change", ["short", "more", "wrong", "other", "missing", "floats"])
def test_damage_is_named(packed, change):
    path, header, data = packed
    if change == "short":
        made = bytes_of(data[:-9])
    elif change == "more":
        made = bytes_of(data + b"\0")
    elif change == "wrong":
        made = bytes_of(data[:50] + bytes([data[50] ^ 4]) + data[51:])
    elif change == "other":
        header, made = {**header, "tt.packed": "5"}, bytes_of(zlib.compress(b"hello"))
    elif change == "missing":
        made = {"other": np.zeros(3, np.uint8)}
    else:
        made = {"packed": np.zeros(3, np.float32)}
    nn.save(made, path, header)
    words = {"other": "is no file of weights", "missing": "no bytes named", "floats": "no bytes named"}
    with pytest.raises(WeightsError, match=words.get(change, "unpack")):
        load_quantized(path, mlp(20, 10))
