"""Results in files: all comes back, and no other file is taken for one."""

import json

import pytest

from tt_perf import BenchmarkResult, ResultFileError, benchmark
from tt_tensor.errors import ArgumentError


@pytest.fixture
def result(clock):
    contenders = {"a": clock.work(0.001, 0.05), "b [x]": clock.work(0.002, 0.05)}
    return benchmark(contenders, timer=clock, title="a [bold] title")


def test_there_and_back(result, tmp_path):
    result.save(tmp_path / "r.json")
    again = BenchmarkResult.load(tmp_path / "r.json")
    assert again.to_dict() == result.to_dict()
    assert again.ratios == result.ratios and again.timings == result.timings
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_the_table_shows_names_as_they_are(result):
    table = result.table()
    assert "b [x]" in table and "a [bold] title" in table and "reference" in table


def test_the_machine_is_described_without_telling_whose_it_is(result):
    import getpass
    import platform

    machine = result.machine
    assert {"system", "processor", "logical_cpus", "python", "numpy", "blas", "wheels"} <= machine.keys()
    assert machine["wheels"]["tt-perf"]
    text = json.dumps(dict(machine))
    assert platform.node() not in text
    assert f'"{getpass.getuser()}"' not in text


def test_what_follows_from_measurements_is_not_believed(result, tmp_path):
    found = result.to_dict()
    found["contenders"]["b [x]"]["ratio"] = {"value": 0.1, "low": 0.1, "high": 0.1}
    found["contenders"]["b [x]"]["median"]["value"] = 1e-9
    again = BenchmarkResult.from_dict(json.loads(json.dumps(found)))
    assert again.ratios == result.ratios


def test_a_file_that_cannot_be_written_leaves_nothing(result, tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        result.save(tmp_path / "nowhere" / "r.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        result.save(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def put(*path_and_value):
    *path, last, value = path_and_value

    def change(found):
        for part in path:
            found = found[part]
        found[last] = value

    return change


CHANGES = {
    "format": (put("format", "tt-perf benchmark 9"), "is no result of tt_perf.benchmark"),
    "contenders": (put("contenders", []), "contenders are an object"),
    "nobody": (put("contenders", {}), "contenders are an object"),
    "reference": (put("reference", "z"), "the reference 'z' is not among"),
    "reference-kind": (put("reference", None), "the reference None is not among"),
    "calls": (put("contenders", "a", "calls", 0), "contender 'a': calls is a whole number"),
    "calls-bool": (put("contenders", "a", "calls", True), "contender 'a': calls is a whole number"),
    "seconds": (put("contenders", "a", "seconds", [1.0]), "rows of turns"),
    "no-turns": (put("contenders", "a", "seconds", [[]]), "rows of turns"),
    "negative": (put("contenders", "a", "seconds", 0, 0, -1.0), "a turn took -1.0"),
    "text": (put("contenders", "a", "seconds", 0, 0, "1"), "a turn took '1'"),
    "bool": (put("contenders", "a", "seconds", 0, 0, True), "a turn took True"),
    "ragged": (put("contenders", "a", "seconds", [[1.0], [1.0, 1.0]]), "different numbers of turns"),
    "unequal": (put("contenders", "a", "seconds", [[1.0]]), "different numbers of turns"),
    "contender": (put("contenders", "a", 5), "contender 'a'"),
    "settings": (put("settings", []), "settings and machine are objects"),
    "machine": (put("machine", "mine"), "settings and machine are objects"),
    "title": (put("title", 1), "title and when are text"),
    "level": (put("settings", "level", 2.0), "level 2.0"),
    "seed": (put("settings", "seed", "x"), "seed 'x'"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_files_that_are_no_results(result, tmp_path, change):
    found = json.loads(json.dumps(result.to_dict()))
    edit, message = CHANGES[change]
    edit(found)
    path = tmp_path / "r.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(ResultFileError, match=message):
        BenchmarkResult.load(path)


def test_ratios_of_those_who_are_there(result):
    with pytest.raises(ArgumentError, match=r"no contender 'z'; there are a, b \[x\]"):
        result.ratio("z")
