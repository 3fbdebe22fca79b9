"""What is handed to the wrong function is named by a typed error, not by an attribute that it lacks."""

import pytest

import tt_nn
import tt_perf
from tt_tensor.errors import ArgumentError, DTypeError


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: tt_perf.compare("old.json", "new.json"), DTypeError, "BenchmarkResult.load"),
        (lambda: tt_perf.compare_variants(tt_nn.Linear(2, 2), [[1.0, 2.0]]), ArgumentError, "name: model"),
        (lambda: tt_perf.KeepMasks(0.5), DTypeError, "not float"),
        (lambda: tt_perf.Ceilings(None, 1.0), ArgumentError, "flops must be a number above 0, not None"),
        (
            lambda: tt_perf.prepare_submission(None, "mnist", "nowhere", name="a", author="b"),
            DTypeError,
            "a Module, not NoneType",
        ),
    ],
    ids=["compare", "compare_variants", "KeepMasks", "Ceilings", "prepare_submission"],
)
def test_it_is_named(call, kind, said):
    with pytest.raises(kind, match=said):
        call()
