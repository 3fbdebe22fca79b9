"""Weights as safetensors: what goes in comes out, PyTorch's files load, damage is noticed, nothing is half-written."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from tt_nn import Linear, Module, Parameter, Sequential, WeightsError, load, load_metadata, save
from tt_tensor import Tensor

HERE = Path(__file__).parent


def net():
    return Sequential(Linear(3, 4), Linear(4, 2))


def test_round_trip_is_bitwise(tmp_path):
    before, after = net(), net()
    save(before, tmp_path / "w.safetensors", {"epoch": "3"})
    after.load_state_dict(load(tmp_path / "w.safetensors"))
    for a, b in zip(before.parameters(), after.parameters(), strict=True):
        assert a.array.tobytes() == b.array.tobytes()
    assert load_metadata(tmp_path / "w.safetensors") == {"epoch": "3"}
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_every_dtype_and_shape(tmp_path, dtype, shape):
    x = (np.arange(np.prod(shape, dtype=int)).reshape(shape) % 2).astype(dtype)
    save({"x": x, "t": Tensor(x)}, tmp_path / "w")
    found = load(tmp_path / "w")
    for name in ("x", "t"):
        assert found[name].dtype == x.dtype and found[name].shape == shape
        np.testing.assert_array_equal(found[name].numpy(), x)


def test_views_and_fortran_order_are_saved_as_they_look(tmp_path):
    x = np.arange(12.0).reshape(3, 4)
    save({"t": x.T, "s": x[:, ::2], "b": np.broadcast_to(x[0], (2, 4))}, tmp_path / "w")
    found = load(tmp_path / "w")
    np.testing.assert_array_equal(found["t"].numpy(), x.T)
    np.testing.assert_array_equal(found["s"].numpy(), x[:, ::2])
    np.testing.assert_array_equal(found["b"].numpy(), np.broadcast_to(x[0], (2, 4)))


class Tied(Module):
    def __init__(self):
        self.a, self.b = Linear(3, 3, bias=False), Linear(3, 3, bias=False)
        self.b.weight = self.a.weight


def test_tied_weights_are_saved_once_and_load_tied(tmp_path):
    save(Tied(), tmp_path / "w")
    assert list(safetensors.numpy.load_file(tmp_path / "w")) == ["a.weight"]
    found = load(tmp_path / "w")
    assert found["a.weight"] is found["b.weight"]
    Tied().load_state_dict(found)
    Tied().load_state_dict(safetensors.numpy.load_file(tmp_path / "w"))  # one of the tied names suffices


def test_files_without_our_digest_load(tmp_path):
    safetensors.numpy.save_file({"x": np.ones(3, np.float32)}, tmp_path / "w")
    assert load(tmp_path / "w")["x"].tolist() == [1, 1, 1]


def test_bfloat16_comes_as_float32(tmp_path):
    exact = np.array([1.0, -2.5, 3.140625, np.inf], np.float32)
    halves = (exact.view(np.uint32) >> 16).astype("<u2").tobytes()
    header = json.dumps({"x": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "w").write_bytes(len(header).to_bytes(8, "little") + header + halves)
    assert load(tmp_path / "w")["x"].tolist() == exact.reshape(2, 2).tolist()


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path):
    path = tmp_path / "w"
    save({"weight": np.arange(6, dtype=np.float32)}, path)
    whole = path.read_bytes()
    good = load(path)["weight"].numpy().copy()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with pytest.raises(WeightsError):
            load(path)
    accepted = []
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            found = load(path)
        except WeightsError:
            continue
        # Only damage to the name under which the digest itself stands (or to white space) can pass, and then the
        # weights are what they were.
        assert list(found) == ["weight"]
        np.testing.assert_array_equal(found["weight"].numpy(), good)
        accepted.append(bit)
    assert len(accepted) < 8 * len("tt.sha256" + "__metadata__")


def test_missing_files_folders_and_texts_are_refused(tmp_path):
    (tmp_path / "text").write_text("hello, I am no weights file at all")
    for name, what in (("none", "does not exist"), (".", "is a folder"), ("text", "no safetensors file")):
        with pytest.raises(WeightsError, match=what):
            load(tmp_path / name)


def test_what_the_format_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    for weights, metadata, what in (
        ({3: np.ones(1)}, None, "a tensor's name is text"),
        ([1, 2], None, "expected a Module or a mapping"),
        ({"x": np.ones(1)}, {"epoch": 3}, "metadata maps text to text"),
    ):
        with pytest.raises(WeightsError, match=what):
            save(weights, tmp_path / "w", metadata)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "w"
    save({"x": np.zeros(3)}, path)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    for where in ("os.fsync", "os.replace"):
        with monkeypatch.context() as patch:
            patch.setattr(where, full)
            with pytest.raises(OSError, match="No space"):
                save({"x": np.ones(3)}, path)
        assert [item.name for item in tmp_path.iterdir()] == ["w"]
        assert load(path)["x"].tolist() == [0, 0, 0]


@pytest.mark.skipif(os.name != "posix", reason="a limit on the size of files is POSIX's")
def test_a_file_that_may_not_grow_leaves_the_old_one_whole(tmp_path):
    import resource
    import signal

    path = tmp_path / "w"
    save({"x": np.zeros(3)}, path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(OSError, match="too large"):
            save({"x": np.ones(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert [item.name for item in tmp_path.iterdir()] == ["w"]
    assert load(path)["x"].tolist() == [0, 0, 0]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_others_may_read_it_as_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    save({"x": np.zeros(3)}, tmp_path / "w")
    assert (tmp_path / "w").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_parameter_and_a_module_in_a_module(tmp_path):
    class Net(Module):
        def __init__(self):
            self.scale, self.layer = Parameter(2.0), Linear(1, 1)

    save(Net(), tmp_path / "w")
    assert sorted(load(tmp_path / "w")) == ["layer.bias", "layer.weight", "scale"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"make it first.*nowhere"):
        save({"x": np.zeros(1)}, tmp_path / "nowhere" / "w")
