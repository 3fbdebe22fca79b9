"""Every error is a TTError and what a NumPy or PyTorch user would catch."""

import pickle

import pytest

import tt_tensor as tt
from tt_tensor import errors

BASES = {
    "TTError": (Exception,),
    "ShapeError": (ValueError,),
    "ScalarError": (ValueError, TypeError),
    "AxisError": (ValueError, IndexError),
    "IndexingError": (IndexError,),
    "DTypeError": (TypeError,),
    "ArgumentError": (ValueError,),
    "GradientError": (RuntimeError,),
    "InPlaceError": (RuntimeError,),
    "DLPackError": (BufferError,),
    "MissingWheelError": (ImportError,),
}


def test_every_error_is_listed_here():
    assert set(BASES) == set(errors.__all__)


@pytest.mark.parametrize("name", BASES)
def test_bases_and_pickle(name):
    error = getattr(errors, name)
    assert getattr(tt, name) is error
    assert issubclass(error, (errors.TTError, *BASES[name])[0])
    assert all(issubclass(error, base) for base in BASES[name])
    again = pickle.loads(pickle.dumps(error("why")))  # as a worker process hands it back
    assert type(again) is error
    assert str(again) == "why"
    assert error.__doc__
