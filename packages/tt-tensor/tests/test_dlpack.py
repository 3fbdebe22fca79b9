"""DLPack: memory shared with other libraries. NumPy stands for them here; PyTorch where it is installed."""

import importlib.util

import numpy as np
import pytest

import tt_tensor as tt
from tt_tensor.errors import DLPackError, DTypeError

DTYPES = [
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
]
both_ways = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.1.0",
    reason="NumPy 2.0 speaks the DLPack before 1.0, which cannot say what may be written: imports are read-only",
)

LAYOUTS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.T,
    "strided": lambda x: x[:, ::2],
    "reversed": lambda x: x[::-1],
    "row": lambda x: x[1],
    "element": lambda x: x[1, 2],
    "empty": lambda x: x[:0],
}


def grid(dtype="float32"):
    return tt.arange(12).reshape(3, 4).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_there_and_back_without_a_copy(dtype, layout):
    t = LAYOUTS[layout](grid(dtype))
    for again in (np.from_dlpack(t), tt.from_dlpack(t), tt.from_dlpack(t.numpy())):
        np.testing.assert_array_equal(np.asarray(again), t.numpy(), strict=True)
        assert again.strides == t.strides or t.size <= 1 or 0 in t.shape
        if t.size:
            assert np.shares_memory(np.asarray(again), t.numpy())


@both_ways
def test_writing_on_one_side_is_seen_on_the_other():
    t = grid()
    array = np.from_dlpack(t)
    t[0, 0] = 99.0
    assert array[0, 0] == 99
    u = tt.from_dlpack(t)
    u[1, 1] = -1.0
    assert t[1, 1].item() == -1


def test_copy_is_a_copy():
    t = grid()
    u = tt.from_dlpack(t, copy=True)
    assert not u.shares_memory(t)
    assert tt.from_dlpack(t, copy=False).shares_memory(t)


def test_device():
    assert grid().__dlpack_device__() == (1, 0)


@both_ways
def test_read_only_memory_stays_read_only():
    frozen = tt.ones(3).broadcast_to((2, 3))
    assert not tt.from_dlpack(frozen).numpy().flags.writeable
    assert tt.from_dlpack(frozen, copy=True).numpy().flags.writeable
    with pytest.raises(BufferError, match=r"__dlpack__ of float32 \(2, 3\).*readonly"):
        frozen.__dlpack__()  # the old protocol cannot say so


@both_ways
def test_what_the_processor_does_not_have():
    with pytest.raises(DLPackError, match="stream"):
        grid().__dlpack__(stream=1)
    with pytest.raises(DLPackError, match="device"):
        grid().__dlpack__(dl_device=(2, 0))


class Other:
    """Another library's tensor."""

    def __init__(self, array, device=(1, 0), error=None):
        self.array, self.device, self.error = array, device, error

    def __dlpack__(self, **arguments):
        if self.error is not None:
            raise self.error
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self.device


def test_errors_of_the_other_side():
    assert tt.from_dlpack(Other(np.ones(3))).tolist() == [1, 1, 1]
    with pytest.raises(DLPackError, match=r".*Other lies on a CUDA device .*CPU first"):
        tt.from_dlpack(Other(np.ones(3), device=(2, 0)))
    with pytest.raises(DLPackError, match="foreign device"):
        tt.from_dlpack(Other(np.ones(3), device=(99, 0)))
    with pytest.raises(DLPackError, match="detach it"):
        tt.from_dlpack(Other(np.ones(3), error=BufferError("it requires a gradient: detach it")))
    with pytest.raises(DTypeError, match="complex128 is not supported"):
        tt.from_dlpack(np.ones(3, complex))
    with pytest.raises(DTypeError, match="list does not offer __dlpack__"):
        tt.from_dlpack([1.0])


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is a peer, not a dependency: not installed"
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_pytorch_both_ways(dtype):
    import torch

    t = grid(dtype).T
    p = torch.from_dlpack(t)
    assert p.data_ptr() == t.numpy().ctypes.data
    assert p.shape == t.shape
    assert p.stride() == tuple(step // t.itemsize for step in t.strides)
    p[0, 0] = 1
    assert t[0, 0].item() == 1
    u = tt.from_dlpack(p)
    assert u.shares_memory(t)
    u[0, 1] = 0
    assert p[0, 1].item() == 0
    with pytest.raises(DLPackError, match="require gradient"):
        tt.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises((DLPackError, DTypeError)):
        tt.from_dlpack(torch.ones(2, dtype=torch.bfloat16))
