"""JSON that others could not read, or that would fill the stack, is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_perf.benchmarking.errors import ResultFileError
from tt_perf.benchmarking.json_files import canonical, parse, read_json, write_json

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_is_json_comes_back(value):
    assert parse(json.dumps(value), "text") == value
    assert parse(canonical(value), "text") == value


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_canonical_text_does_not_depend_on_order(value):
    assert canonical(value) == canonical(dict(reversed(value.items())))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("NaN", "it holds NaN"),
        ("[-Infinity]", "it holds -Infinity"),
        ("1e999", "a float does not hold"),
        ("1" * 41, "a number of 41 digits"),
        ("1." + "1" * 60, "a float does not hold"),
        ('{"a": 1, "a": 2}', "the name 'a' is given twice"),
        ("[" * 100_000, "more than 32 brackets"),
        ('[{"a":' * 5_000, "more than 32 brackets"),
        (b"\xff\xfe", "utf-8"),
        (b'"\xc3"', "utf-8"),
        ("[1] 2", "Extra data"),
    ],
    ids=[
        "empty",
        "open",
        "nan",
        "infinity",
        "overflow",
        "digits",
        "decimals",
        "twice",
        "deep",
        "deep-objects",
        "bytes",
        "half",
        "more",
    ],
)
def test_what_is_none(text, message):
    with pytest.raises(ResultFileError, match=f"a file is no JSON that can be taken: .*{message}"):
        parse(text, "a file")


def test_brackets_in_text_are_text():
    text = '"' + "[" * 100 + '\\"' + "{" * 100 + '"'
    assert parse(text, "text") == "[" * 100 + '"' + "{" * 100


def test_files(tmp_path):
    write_json(tmp_path / "f.json", {"é": [1, 2.5]})
    assert read_json(tmp_path / "f.json") == {"é": [1, 2.5]}
    with pytest.raises(ValueError, match=r"NaN|nan"):
        write_json(tmp_path / "f.json", float("nan"))
    assert read_json(tmp_path / "f.json") == {"é": [1, 2.5]}
    with pytest.raises(ResultFileError, match=r"cannot read .*none\.json: No such file"):
        read_json(tmp_path / "none.json")
    with pytest.raises(ResultFileError, match="cannot read"):
        read_json(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["f.json"]
