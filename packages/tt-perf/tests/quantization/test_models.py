"""quantize: whole models, what they compute, and what they refuse."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tt_nn as nn
from tt_nn import StateDictError, WeightsError
from tt_perf.quantization import (
    QuantizedConv2d,
    QuantizedEmbedding,
    QuantizedLayer,
    QuantizedLinear,
    Scheme,
    compare_quantized,
    load_quantized,
    quantize,
    save_quantized,
    state_bytes,
)
from tt_tensor import Tensor, kernels, random
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, IndexingError, ShapeError

SCHEMES = ["int8", "int8-dynamic", "int8-static", "int16", "float16", "bfloat16"]
ERRORS = {"int16": 1e-4, "float16": 2e-3, "bfloat16": 2e-2}


def mlp() -> nn.Sequential:
    random.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 5, bias=False)).eval()


def data(rows: int = 40) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, 20)).astype(np.float32)


def calibrated(scheme: str, batches: list) -> dict:  # type: ignore[type-arg]
    return {"calibration": batches} if scheme == "int8-static" else {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_model_computes_about_what_it_did(scheme: str) -> None:
    model, x = mlp(), data()
    before = {name: tensor.array.copy() for name, tensor in model.state_dict().items()}
    small = quantize(model, scheme, **calibrated(scheme, [x]))
    y, wanted = small(Tensor(x)).array, model(Tensor(x)).array
    assert y.dtype == np.float32
    assert np.abs(y - wanted).max() <= ERRORS.get(scheme, 5e-2)
    assert np.abs(y - wanted).max() > 0
    np.testing.assert_array_equal(nn.infer(small, x), y)
    for name, array in before.items():
        np.testing.assert_array_equal(model.state_dict()[name].array, array)
    assert not any(isinstance(module, QuantizedLayer) for module in model.modules())


@pytest.mark.parametrize("scheme", ["int8", "int16", "float16"])
def test_what_is_computed_is_the_dequantized_model(scheme: str) -> None:
    model = mlp()
    small = quantize(model, scheme, group_size=8 if scheme == "int8" else None)
    again = copy.deepcopy(model)
    for layer, stored in ((again[0], small[0]), (again[2], small[2])):
        layer.weight.write(stored.dequantize())
    np.testing.assert_allclose(small(data()).array, again(data()).array, atol=3e-4)


def test_a_layer_by_itself() -> None:
    layer = nn.Linear(6, 4)
    small = quantize(layer)
    assert isinstance(small, QuantizedLinear)
    assert small.in_features == 6 and small.out_features == 4
    assert repr(small) == "QuantizedLinear(in_features=6, out_features=4, bias=True, weights=int8)"
    assert small(np.ones((2, 3, 6), np.float32)).shape == (2, 3, 4)
    assert small(np.ones(6, np.float32)).shape == (4,)
    assert small(np.ones((0, 6), np.float32)).shape == (0, 4)


def test_settings_change_the_scheme() -> None:
    small = quantize(nn.Linear(20, 3), symmetric=False, group_size=8)
    assert small.scale.shape == small.zero_point.shape == (3, 3)
    assert "group_size=8, affine" in repr(small)
    assert set(small.state_dict()) == {"weight", "scale", "zero_point", "bias"}


def test_skipped_layers_stay() -> None:
    small = quantize(mlp(), skip="2")
    assert isinstance(small[0], QuantizedLinear) and type(small[2]) is nn.Linear
    assert small[2].weight.requires_grad is False
    with pytest.raises(ArgumentError, match=r"skip='head\.\*'.*there are 0, 2"):
        quantize(mlp(), skip=["head.*"])
    with pytest.raises(ArgumentError, match="beside those in skip"):
        quantize(mlp(), skip="*")


def test_a_subclass_with_its_own_forward_stays() -> None:
    class Doubled(nn.Linear):
        def forward(self, x):  # type: ignore[no-untyped-def]
            return super().forward(x) * 2

    class Named(nn.Linear):
        pass

    small = quantize(nn.Sequential(Doubled(3, 3), Named(3, 3)))
    assert type(small[0]) is Doubled and isinstance(small[1], QuantizedLinear)


def test_a_layer_whose_forward_was_replaced_stays() -> None:
    model = mlp()
    layer = model[0]
    layer.forward = lambda x: nn.Linear.forward(layer, x) * 2
    small = quantize(model)
    assert not isinstance(small[0], QuantizedLayer) and isinstance(small[2], QuantizedLayer)
    np.testing.assert_allclose(small(data()).array, model(data()).array, atol=0.1)


def test_an_embedding_that_shortens_its_rows_stays() -> None:
    text = pytest.importorskip("tt_text", reason="tt-text is part of the extra compete")
    table = text.Embedding(5, 4, max_norm=0.5)
    small = quantize(nn.Sequential(table, nn.Linear(4, 2)), "int8")
    assert type(small[0]) is text.Embedding
    np.testing.assert_array_equal(small[0]([1, 2]), table([1, 2]))


def test_a_layer_used_twice_is_quantized_once() -> None:
    shared = nn.Linear(4, 4)
    small = quantize(nn.Sequential(shared, nn.Tanh(), shared))
    assert small[0] is small[2]
    assert state_bytes(small) == 4 * 4 + 4 * 4 + 4 * 4


def test_what_was_computed_before_is_not_copied() -> None:
    model = mlp()
    model(data())
    small = quantize(model)
    assert small[1]._applied is None


@pytest.mark.parametrize("scheme", SCHEMES)
def test_training_is_refused(scheme: str) -> None:
    small = quantize(mlp(), scheme, **calibrated(scheme, [data()]))
    with pytest.raises(GradientError, match="is quantized"):
        small.train()
    small.eval()
    y = small(data())
    with pytest.raises(GradientError, match="is quantized"):
        small.backward(np.ones(y.shape, np.float32))
    assert not any(parameter.requires_grad for parameter in small.parameters())


def test_bad_weights_are_named() -> None:
    model = mlp()
    model[2].weight.array[1, 3] = np.nan
    with pytest.raises(ArgumentError, match=r"2\.weight: nan in row 1, column 3"):
        quantize(model)


def test_wrong_input_says_what_is_wrong() -> None:
    small = quantize(mlp())
    with pytest.raises(ShapeError, match=r"\(3, 19\).*20 elements"):
        small(np.zeros((3, 19), np.float32))
    with pytest.raises(ShapeError, match="20 elements"):
        small(np.float32(1))
    with pytest.raises(DTypeError, match="int64"):
        small(np.zeros((3, 20), np.int64))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((nn.ReLU(),), ArgumentError, "has no Linear"),
        ((np.zeros(3),), DTypeError, "ndarray"),
        ((nn.Linear(2, 2), "int9"), ArgumentError, "there are int8, int8-dynamic"),
        ((nn.Linear(2, 2), 8), ArgumentError, "a name or a Scheme"),
        ((nn.Linear(2, 2), "int8-static"), ArgumentError, "need calibration="),
    ],
    ids=["nothing", "array", "name", "number", "static"],
)
def test_bad_arguments_say_what_is_wrong(arguments: tuple, error: type, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(error, match=words):
        quantize(*arguments)


def test_calibration_is_for_static_activations() -> None:
    with pytest.raises(ArgumentError, match="float ones"):
        quantize(mlp(), calibration=[data()])
    with pytest.raises(ArgumentError, match="no batches"):
        quantize(mlp(), "int8-static", calibration=iter(()))
    with pytest.raises(ArgumentError, match=r"the input of 0.*NaN"):
        quantize(mlp(), "int8-static", calibration=[np.full((2, 20), np.nan, np.float32)])
    with pytest.raises(ArgumentError, match="quantized already"):
        quantize(quantize(mlp()))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weights": "int4"}, "int8, int16"),
        ({"activations": "float"}, "dynamic, static"),
        ({"weights": "int16", "activations": "dynamic"}, "int8 weights"),
        ({"weights": "float16", "group_size": 4}, "no scales"),
        ({"group_size": -1}, "from 1 up"),
        ({"per": "tensor", "group_size": 4}, "no meaning"),
        ({"symmetric": 1}, "True or False"),
        ({"observer": "mean"}, "minmax"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_schemes_that_are_none(settings: dict, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ArgumentError, match=words):
        Scheme(**settings)


def test_calibration_leaves_the_model_as_it_was() -> None:
    model = mlp().train()
    small = quantize(model, "int8-static", calibration=[data(), data(3)])
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    low, high = data().min(), data().max()
    assert float(small[0].input_scale.array) == pytest.approx((high - low) / 255, rel=1e-5)
    hidden = nn.functional.relu(model[0](data())).array.max()
    assert float(small[2].input_scale.array) == pytest.approx(hidden / 255, rel=1e-5)
    assert int(small[2].input_zero_point.array) == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_files_hold_the_true_size_and_give_the_same_model(scheme: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    random.manual_seed(1)
    model = nn.Sequential(nn.Linear(300, 200), nn.ReLU(), nn.Linear(200, 10)).eval()
    x = np.random.default_rng(0).normal(size=(5, 300)).astype(np.float32)
    small = quantize(model, scheme, **calibrated(scheme, [x]))
    save_quantized(small, tmp_path / "small.safetensors", {"who": "test"})
    nn.save(model, tmp_path / "model.safetensors")
    sizes = [(tmp_path / name).stat().st_size for name in ("small.safetensors", "model.safetensors")]
    assert sizes[0] / sizes[1] < (0.27 if "int8" in scheme else 0.52)
    other = nn.Sequential(nn.Linear(300, 200), nn.ReLU(), nn.Linear(200, 10))
    again = load_quantized(tmp_path / "small.safetensors", other)
    np.testing.assert_array_equal(again(x).array, small(x).array)
    assert again[0].scheme == small[0].scheme
    assert nn.load_metadata(tmp_path / "small.safetensors")["who"] == "test"
    # Plainly saved, it loads into a model that was quantized the same way.
    nn.save(small, tmp_path / "plain.safetensors")
    skeleton = quantize(other, scheme, **calibrated(scheme, [x * 3]))
    skeleton.load_state_dict(nn.load(tmp_path / "plain.safetensors"))
    np.testing.assert_array_equal(skeleton(x).array, small(x).array)


def test_files_of_others_are_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "small.safetensors"
    with pytest.raises(ArgumentError, match="no quantized layers"):
        save_quantized(mlp(), path)
    nn.save(mlp(), path)
    with pytest.raises(WeightsError, match="not written by save_quantized"):
        load_quantized(path, mlp())
    save_quantized(quantize(mlp()), path)
    with pytest.raises(StateDictError, match="has not: 2"):
        load_quantized(path, nn.Sequential(nn.Linear(20, 32)))
    with pytest.raises(StateDictError, match="weight"):
        load_quantized(path, nn.Sequential(nn.Linear(20, 31), nn.ReLU(), nn.Linear(31, 5, bias=False)))
    for text in (
        "[",
        "[1]",
        '[{"scheme":{"weights":"int3"},"layers":["0"]}]',
        '[{"scheme":{"x":1},"layers":["0"]}]',
    ):
        nn.save(quantize(mlp()), path, {"tt.quantized": text})
        with pytest.raises(WeightsError, match="cannot be read"):
            load_quantized(path, mlp())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(WeightsError):
        load_quantized(path, mlp())


def test_a_copy_does_not_share() -> None:
    small = quantize(mlp())
    other = copy.deepcopy(small)
    other[0].weight.write(0)
    assert np.abs(small[0].dequantize()).max() > 0
    assert np.abs(other[0].dequantize()).max() == 0
    np.testing.assert_allclose(
        other[0](data()).array, np.broadcast_to(other[0].bias.array, (40, 32)), atol=1e-6
    )


def test_the_report_compares() -> None:
    model, x = mlp(), data()
    small = quantize(model)
    report = compare_quantized(model, small, lambda each: float(each(x).array.mean()))
    assert [row.name for row in report.layers] == ["0", "2"]
    assert report.before == state_bytes(model) == 4 * (20 * 32 + 32 + 32 * 5)
    assert report.after == state_bytes(small) == 20 * 32 + 4 * 32 + 4 * 32 + 32 * 5 + 4 * 5
    for row, layer, quantized in zip(report.layers, (model[0], model[2]), (small[0], small[2]), strict=True):
        off = layer.weight.array - quantized.dequantize()
        assert row.error == pytest.approx(np.abs(off).max(), rel=1e-4)
        assert 30 < row.noise < 60
    text = str(report)
    assert "QuantizedLinear" in text and "score:" in text and f"({report.ratio:.3f} ×)" in text
    assert report.to_dict()["ratio"] == report.ratio
    with pytest.raises(ArgumentError, match="no quantized layers"):
        compare_quantized(model, model)
    with pytest.raises(ArgumentError, match="shape"):
        compare_quantized(nn.Sequential(nn.Linear(2, 2)), small)


# --- embeddings and convolutions, of wheels that need not be there ---------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_tied_head_stays_tied(scheme: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = pytest.importorskip("tt_text", reason="tt-text is part of the extra compete")
    random.manual_seed(2)
    config = text.GPTConfig(50, 16, 2, 2, 32)
    model = text.GPT(config).eval()
    tokens = np.random.default_rng(0).integers(0, 50, (3, 12))
    small = quantize(model, scheme, **calibrated(scheme, [tokens]))
    assert isinstance(small.transformer.wte, QuantizedEmbedding)
    assert small.lm_head.weight is small.transformer.wte.weight
    wanted = model(tokens).array
    assert np.abs(small(tokens).array - wanted).max() < 0.05 * np.abs(wanted).max()
    np.testing.assert_array_equal(
        small.transformer.wte(tokens).array, small.lm_head.dequantize()[tokens], "both read one table"
    )
    save_quantized(small, tmp_path / "gpt.safetensors")
    assert "lm_head.weight" in nn.load(tmp_path / "gpt.safetensors")
    again = load_quantized(tmp_path / "gpt.safetensors", text.GPT(config))
    assert again.lm_head.weight is again.transformer.wte.weight
    np.testing.assert_array_equal(again(tokens).array, small(tokens).array)
    with pytest.raises(IndexingError, match="id 50 is out of range"):
        small(np.array([[50]]))
    with pytest.raises(DTypeError, match="whole numbers"):
        small.transformer.wte(np.zeros(3, np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_model_keeps_its_dtype(scheme: str, dtype: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Also where nothing but the table of embeddings says which that is."""
    text = pytest.importorskip("tt_text", reason="tt-text is part of the extra compete")

    def made():  # type: ignore[no-untyped-def]
        random.manual_seed(4)
        return nn.Sequential(text.Embedding(9, 8), nn.Linear(8, 3)).to(dtype).eval()

    tokens = np.array([[1, 2, 8]])
    small = quantize(made(), scheme, **calibrated(scheme, [tokens]))
    assert made()(tokens).dtype == small(tokens).dtype == dtype
    save_quantized(small, tmp_path / "small.safetensors")
    again = load_quantized(tmp_path / "small.safetensors", made())
    assert again(tokens).dtype == dtype
    np.testing.assert_array_equal(again(tokens).array, small(tokens).array)


@pytest.mark.parametrize("scheme", ["int8", "int8-dynamic"])
def test_generation_goes_through_infer(scheme: str, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    text = pytest.importorskip("tt_text", reason="tt-text is part of the extra compete")
    random.manual_seed(3)
    model = text.GPT(text.GPTConfig(50, 32, 2, 2, 32)).eval()
    small = quantize(model, scheme)
    calls = []
    infer = QuantizedLinear.infer
    monkeypatch.setattr(
        QuantizedLinear, "infer", lambda self, x, *rest: calls.append(1) or infer(self, x, *rest)
    )
    with kernels.use("numpy"):  # a compiled kernel takes all layers in one call
        cached = small.generate([1, 2, 3], max_new_tokens=10, temperature=0.0)
    assert len(calls) == 10 * (2 * 4 + 1)
    if scheme == "int8":
        plain = small.generate([1, 2, 3], max_new_tokens=10, temperature=0.0, cache=False)
        assert list(cached) == list(plain)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("mode", ["zeros", "reflect"])
def test_convolutions(scheme: str, mode: str) -> None:
    vision = pytest.importorskip("tt_vision", reason="tt-vision is part of the extra compete")
    random.manual_seed(4)
    layer = vision.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, padding_mode=mode)
    x = np.random.default_rng(0).normal(size=(3, 4, 9, 8)).astype(np.float32)
    small = quantize(layer, scheme, **calibrated(scheme, [x]))
    assert isinstance(small, QuantizedConv2d)
    wanted = layer(x).array
    y = small(x).array
    assert y.shape == wanted.shape and y.dtype == np.float32
    assert np.abs(y - wanted).max() <= ERRORS.get(scheme, 5e-2)
    np.testing.assert_allclose(small(x[1]).array, y[1], atol=1e-5)
    assert "kernel_size=(3, 3)" in repr(small)
    with pytest.raises(ShapeError, match="takes 4"):
        small(x[:, :3])
    with pytest.raises(ShapeError, match=r"\(N, C, H, W\)"):
        small(x[0, 0])
    with pytest.raises(DTypeError, match="int64"):
        small(x.astype(np.int64))
    with pytest.raises(GradientError, match="is quantized"):
        small.train()


def test_rounded_activations_are_sums_of_integers() -> None:
    vision = pytest.importorskip("tt_vision", reason="tt-vision is part of the extra compete")
    layer = vision.Conv2d(3, 2, 2)
    x = np.random.default_rng(1).normal(size=(1, 3, 5, 5)).astype(np.float32)
    small = quantize(layer, "int8-static", calibration=[x])
    scale, zero = small.activation()
    codes = np.clip(np.rint(x / np.float32(scale)) + zero, 0, 255).astype(int) - zero
    q = small.weight.array.reshape(2, 3, 2, 2).astype(int)
    y = np.empty((1, 2, 4, 4))
    for o, i, j in np.ndindex(2, 4, 4):
        total = int((codes[0, :, i : i + 2, j : j + 2] * q[o]).sum())
        y[0, o, i, j] = total * float(small.scale.array[o, 0]) * scale + float(layer.bias.array[o])
    np.testing.assert_allclose(small(x).array, y, atol=1e-5)


def test_a_convolution_along_one_axis() -> None:
    vision = pytest.importorskip("tt_vision", reason="tt-vision is part of the extra compete")
    layer = vision.Conv1d(4, 6, 3, padding=1)
    x = np.random.default_rng(0).normal(size=(2, 4, 9)).astype(np.float32)
    small = quantize(layer)
    np.testing.assert_allclose(small(x).array, layer(x).array, atol=5e-2)
    assert small(x[0]).shape == (6, 9)


def test_hooks_go_on_with_the_quantized_layer() -> None:
    model, x = mlp(), data()
    model[0].register_forward_hook(lambda module, args, output: output * 2)
    small = quantize(model, "int16")
    assert np.abs(small(Tensor(x)).array - model(Tensor(x)).array).max() < 1e-3
    np.testing.assert_allclose(nn.infer(small, x), small(Tensor(x)).array, rtol=1e-6)


def test_what_is_no_model_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    small = quantize(mlp())
    save_quantized(small, tmp_path / "small.safetensors")
    for call in (
        lambda: load_quantized(tmp_path / "small.safetensors", None),  # type: ignore[type-var]
        lambda: save_quantized(3, tmp_path / "none"),  # type: ignore[arg-type]
        lambda: compare_quantized(3, small),  # type: ignore[arg-type]
        lambda: compare_quantized(mlp(), "small"),  # type: ignore[arg-type]
    ):
        with pytest.raises(DTypeError, match="a Module, not"):
            call()
    with pytest.raises(ArgumentError, match="skip is a row of names of layers, not 3"):
        quantize(mlp(), skip=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scheme", ["int8", "float16", "bfloat16"])
def test_one_token_is_embedded_as_among_others(scheme: str, dtype: str) -> None:
    text = pytest.importorskip(
        "tt_text", reason="embeddings come with tt-text: pip install 'tt-perf[compete]'"
    )
    table = quantize(text.Embedding(11, 8, dtype=dtype), scheme)
    whole = table.infer(np.arange(11))
    for shape in ((), (1,), (1, 1)):
        alone = table.infer(np.full(shape, 10))
        assert alone.dtype == whole.dtype == dtype
        np.testing.assert_array_equal(alone, np.broadcast_to(whole[10], (*shape, 8)))
    for wrong in (-1, 11):
        with pytest.raises(IndexingError):
            table.infer(np.array([wrong]))
