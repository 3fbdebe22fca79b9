"""The law of every Function: found automatically, and one without 20 cases fails.

The cases stand in `rules/`, one file for each family, as `CASES: dict[type[Function], list[Case]]`.
"""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip(
    "numba", reason="Functions are looked for in all modules, those with compiled kernels too"
)

import tt_perf
from tt_tensor.testing import check_dtypes, check_on_tensors, check_rule, functions_of

CASES = {}
for path in sorted((Path(__file__).parent / "rules").glob("*.py")):
    spec = importlib.util.spec_from_file_location(f"rules_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    CASES.update(module.CASES)

EACH = [
    pytest.param(case, id=f"{function.__name__} {case}")
    for function, cases in CASES.items()
    for case in cases
]


@pytest.mark.parametrize("function", functions_of(tt_perf), ids=lambda function: function.__name__)
def test_every_function_has_twenty_cases(function):
    assert len(CASES.get(function, ())) >= 20, f"write cases for {function.__name__} in tests/rules/"


@pytest.mark.parametrize("case", EACH)
def test_rule_equals_central_differences(case):
    check_rule(case.make, *case.inputs)


@pytest.mark.parametrize("case", EACH)
def test_rule_gives_the_same_for_tensors(case):
    check_on_tensors(case.make, *case.inputs)


@pytest.mark.parametrize("case", EACH)
def test_float32_stays_float32(case):
    check_dtypes(case.make, *case.inputs)
