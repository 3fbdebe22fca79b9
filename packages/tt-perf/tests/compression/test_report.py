"""The report: what it says of each variant is so."""

import json
import math
import time

import numpy as np
import pytest

import tt_nn
from tt_perf.compression import cluster, compare_variants, prune_channels, prune_magnitude
from tt_perf.compression.report import Variant, VariantsReport
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError


@pytest.fixture
def data(mlp, rng):
    x = rng.normal(size=(50, 4)).astype(np.float32)
    return x, mlp()(x).array.argmax(axis=1)


class Slow(tt_nn.Module):
    """Takes its time, and memory."""

    def __init__(self, inner, seconds=0.0, mib=0):
        self.inner, self.seconds, self.mib = inner, seconds, mib

    def forward(self, x):
        time.sleep(self.seconds)
        held = np.ones(self.mib << 17)
        return self.inner(x) if held is not None else None


def test_the_figures(mlp, data, tmp_path):
    sparse = mlp()
    prune_magnitude(sparse, 0.5)
    small = prune_channels(mlp(), 0.5)
    report = compare_variants({"whole": mlp(), "sparse": sparse, "small": small}, data, rounds=3)
    assert [v.name for v in report.variants] == ["whole", "sparse", "small"]
    whole = report["whole"]
    tt_nn.save(mlp(), tmp_path / "w.safetensors")
    assert whole.bytes == (tmp_path / "w.safetensors").stat().st_size
    assert (whole.parameters, whole.nonzeros, whole.score) == (137, 137, 1.0)
    assert report["sparse"].nonzeros == 137 - 59
    assert report["small"].parameters == sum(p.size for p in small.parameters())
    for v in report.variants:
        assert 0 < v.latency_low <= v.latency <= v.latency_high
    right = (sparse(data[0]).array.argmax(axis=1) == data[1]).mean()
    assert report["sparse"].score == pytest.approx(right)
    assert report.batch == 50


def test_latency_and_memory_are_those_of_a_call(mlp, data):
    variants = {"quick": mlp(), "slow": Slow(mlp(), 0.02), "large": Slow(mlp(), mib=8)}
    report = compare_variants(variants, data, rounds=3)
    assert report["slow"].latency > 0.02 > report["quick"].latency
    assert 8 <= report["large"].peak_bytes / 2**20 < 8.5
    assert report["quick"].peak_bytes < 2**20


def test_a_codebook_counts_what_it_stands_for(mlp, data):
    report = compare_variants({"whole": mlp(), "clustered": cluster(mlp(), 4)}, data, rounds=1)
    assert report["clustered"].parameters == 137
    assert report["clustered"].nonzeros == 137


def test_integers_of_two_axes_are_weights(data):
    class Quantized(tt_nn.Module):
        def __init__(self):
            self.register_buffer("weight_q", Tensor(np.array([[1, 0, 2, 0]] * 3, np.int8)))
            self.register_buffer("scale", Tensor(np.ones(3, np.float32)))
            self.register_buffer("bias", Tensor(np.ones(3, np.float32)))
            self.register_buffer("batches", Tensor(np.array(3)))

        def forward(self, x):
            return x @ self.weight_q.astype(np.float32).T + self.bias

    report = compare_variants({"int8": Quantized()}, data, rounds=1)
    assert (report["int8"].parameters, report["int8"].nonzeros) == (15, 9)


@pytest.mark.parametrize("kind", ["pair", "batches", "tensors", "inputs", "rows"])
def test_kinds_of_data(mlp, data, kind):
    x, y = data
    given = {
        "pair": (x, y),
        "batches": [(x[:20], y[:20]), (x[20:], y[20:])],
        "tensors": (Tensor(x), Tensor(y)),
        "inputs": x,
        "rows": [x[:20], x[20:]],
    }[kind]
    report = compare_variants({"m": mlp()}, given, rounds=1)
    assert math.isnan(report["m"].score) if kind in ("inputs", "rows") else report["m"].score == 1.0
    assert report.batch == (20 if kind in ("batches", "rows") else 50)
    assert str(report) and json.loads(report.to_json())


def test_limit_batch_and_a_score_of_ones_own(mlp, data):
    seen = []

    def score(outputs, targets):
        seen.append((outputs.shape, targets.shape))
        return 0.25

    report = compare_variants(
        {"m": mlp()}, data, score=score, score_name="quarter", limit=30, batch=7, rounds=1
    )
    assert seen == [((30, 3), (30,))] and report.batch == 7 and report["m"].score == 0.25
    assert "quarter" in str(report)


def test_modes_come_back(mlp, data):
    model = mlp()
    model[1].eval()
    compare_variants({"m": model}, data, rounds=1)
    assert model.training and not model[1].training


def made(**rows):
    return VariantsReport(
        [
            Variant(n, size, 10, 10, ms / 1e3, ms / 1e3, ms / 1e3, 0, score)
            for n, (size, ms, score) in rows.items()
        ],
        5,
    )


def test_the_front_table_and_json(tmp_path):
    report = made(a=(4000, 4.0, 0.9), b=(1000, 2.0, 0.8), c=(1000, 3.0, 0.8))
    assert report.pareto_front() == ["a", "b"]
    assert report.pareto_front(minimize=("bytes",)) == ["a", "b", "c"]
    text = str(report)
    assert "a *" in text and "c *" not in text and "4.00×" in text and "2.00×" in text
    report.save(tmp_path / "v.json")
    found = json.loads((tmp_path / "v.json").read_text())
    assert found["pareto_front"] == ["a", "b"] and found["variants"][1]["bytes"] == 1000
    assert [path.name for path in tmp_path.iterdir()] == ["v.json"]


def test_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    made(a=(4000, 4.0, 0.9), b=(1000, 2.0, 0.8)).draw(tmp_path / "v.png", "two")
    assert (tmp_path / "v.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ArgumentError, match="no score"):
        made(a=(4000, 4.0, math.nan)).draw(tmp_path / "w.png")


def test_bad_arguments(mlp, data):
    with pytest.raises(ArgumentError, match="one variant"):
        compare_variants({}, data)
    with pytest.raises(DTypeError, match="a Module"):
        compare_variants({"m": 3}, data)
    with pytest.raises(ShapeError, match="one target for each"):
        compare_variants({"m": mlp()}, (data[0], data[1][:3]))
    for empty in ([], (data[0][:0], data[1][:0])):
        with pytest.raises(ArgumentError, match="no inputs"):
            compare_variants({"m": mlp()}, empty)
    with pytest.raises(ArgumentError, match="data is"):
        compare_variants({"m": mlp()}, 3)
    for options in ({"rounds": 0}, {"batch": 0}, {"limit": 1.5}):
        with pytest.raises(ArgumentError, match="whole number"):
            compare_variants({"m": mlp()}, data, **options)
    with pytest.raises(ArgumentError, match="no variant 'x'"):
        made(a=(1, 1, 1))["x"]
    with pytest.raises(ArgumentError, match="no figure 'size'"):
        made(a=(1, 1, 1)).pareto_front(minimize=("size",))
