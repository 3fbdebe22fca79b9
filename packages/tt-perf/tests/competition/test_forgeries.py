"""Submissions that somebody has tampered with, each refused by its own error."""

import json
import os
import shutil
import sys

import numpy as np
import pytest

import tt_nn
from tt_perf.competition import (
    FiguresError,
    JudgeError,
    SealError,
    SubmissionError,
    TestSetError,
    UnsafeSubmissionError,
    verify_submission,
)

OTHER = "0" * 64


def refused(folder, error, message, **options):
    """By exactly this error, which says so."""
    with pytest.raises(error, match=message) as caught:
        verify_submission(folder, **options)
    assert type(caught.value) is error


def test_the_honest_one_stands(folder, figures):
    """By the real judge, in a process of its own."""
    found = verify_submission(folder)
    assert found.submission.name == "small" and found.claimed == figures
    assert found.measured.quality == figures.quality and found.measured.size == figures.size


# Figures.


def test_figures_edited(folder, edit):
    edit("figures.json", quality=1.2)
    refused(folder, SealError, "figures.json: the figures are not those that were sealed")


def test_the_seal_edited(folder, edit):
    edit("figures.json", seal=OTHER)
    refused(folder, SealError, "not those that were sealed")


def test_a_seal_that_is_no_text(folder, edit):
    edit("figures.json", seal=None)
    refused(folder, SealError, "not those that were sealed")


BETTER = {
    "quality": 1.2,
    "samples": 100,
    "batch": 1,
    "size": 1000,
    "parameters": 10,
    "reference_size": 10**9,
    "peak_memory": 70_000,
    "reference_peak_memory": 10**10,
    "latency_one": 1e-7,
    "latency_batch": 1e-6,
    "reference_latency_one": 10.0,
    "reference_latency_batch": 100.0,
}


@pytest.mark.parametrize("name", BETTER)
def test_figures_edited_and_sealed_again(folder, reseal, remembered, name):
    remembered()
    reseal(**{name: BETTER[name]})
    said = {"quality": "a loss of 1.2 is claimed", "reference_latency_one": "latency_one ÷ the reference's"}
    said["reference_latency_batch"] = "latency_batch ÷ the reference's"
    refused(folder, FiguresError, f"the figures do not stand: .*{said.get(name, name)}")


def test_latency_and_the_reference_edited_alike(folder, reseal, remembered, figures):
    """The ratio stays, the time itself is none that this machine has."""
    remembered()
    reseal(latency_one=figures.latency_one / 100, reference_latency_one=figures.reference_latency_one / 100)
    refused(folder, FiguresError, "latency_one .* s is claimed, .* s measured")


def test_a_loss_a_little_better(folder, reseal, remembered, figures):
    remembered()
    reseal(quality=figures.quality * (1 - 1e-5))
    refused(folder, FiguresError, "a loss of")


def test_another_machine_is_no_excuse_for_a_loss(folder, reseal, remembered, figures):
    remembered()
    reseal(machine={"processor": "mine"}, quality=figures.quality - 0.01)
    refused(folder, FiguresError, "a loss of")
    reseal(
        machine={"processor": "mine"}, quality=figures.quality * (1 + 1e-5), latency_one=figures.latency_one
    )
    verify_submission(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"quality": -1.0}, "quality is a number from 0 up"),
        ({"quality": "good"}, "quality is a number from 0 up"),
        ({"samples": 0}, "samples is a whole number"),
        ({"samples": True}, "samples is a whole number"),
        ({"size": 10**20}, "size is a whole number"),
        ({"latency_one": 0.0}, "latencies are above 0"),
        ({"latency_one": None}, "latency_one is a number"),
        ({"weights_sha256": "x"}, "weights_sha256 is 64 hexadecimal digits"),
        ({"machine": "fast"}, "machine is an object"),
        ({"kernels": "\x1b[2J"}, "kernels is printable text"),
        ({"task": "imagenet"}, "there is no task 'imagenet'"),
        ({"format": "tt-perf figures 9"}, "holds no figures"),
        ({"more": 1}, "other fields than figures: .*more"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_figures_that_are_none(folder, edit, fields, message):
    edit("figures.json", **fields)
    refused(folder, SubmissionError, message)


def test_an_accuracy_above_1(figures):
    from dataclasses import replace

    with pytest.raises(SubmissionError, match="an accuracy is at most 1"):
        replace(figures, task="mnist", quality=1.5)


# The test set.


def test_another_test_set(folder, reseal):
    reseal(test_set_sha256=OTHER)
    refused(folder, TestSetError, f"measured on another test set, with sha256 {OTHER}")


def test_figures_of_another_task(folder, reseal, figures):
    reseal(task="mnist", quality=0.5)
    refused(folder, SealError, "the figures are of mnist, the submission is for tinygpt")


def test_a_judge_that_saw_another_test_set(folder, remembered):
    remembered(test_set_sha256=OTHER)
    refused(folder, TestSetError, "the judge found another test set")


def test_another_test_set_under_the_true_name(monkeypatch):
    """The text that ships is not what the task knows: whoever changed it, it is not taken."""
    import dataclasses

    from tt_perf.competition.tasks import TASKS, load_test_set

    pytest.importorskip("tt_text", reason="tt-perf[compete] is not installed")
    with pytest.raises(TestSetError, match="the test set that is here is another one"):
        load_test_set(dataclasses.replace(TASKS["tinygpt"], sha256=OTHER))


# Weights.


def other_weights(small_gpt, path):
    state = {name: tensor.array + np.float32(0.05) for name, tensor in small_gpt.state_dict().items()}
    state["lm_head.weight"] = state["transformer.wte.weight"]  # tied
    tt_nn.save(state, path)


def test_weights_swapped(folder, small_gpt):
    other_weights(small_gpt, folder / "weights.safetensors")
    refused(folder, SealError, "weights.safetensors is not the file that the figures were measured on")


def test_weights_swapped_and_sealed_again(folder, small_gpt, reseal):
    """By the real judge: the figures are those of the better weights."""
    other_weights(small_gpt, folder / "weights.safetensors")
    reseal()
    refused(folder, FiguresError, "a loss of .* is claimed")


def test_one_bit_of_the_weights(folder, reseal):
    path = folder / "weights.safetensors"
    contents = bytearray(path.read_bytes())
    contents[-2] ^= 1
    path.write_bytes(contents)
    refused(folder, SealError, "weights.safetensors is not the file")
    reseal()
    refused(folder, SealError, "do not match their digest")


def test_weights_without_a_digest(folder, small_gpt, reseal):
    from safetensors.numpy import save_file

    state = {name: np.ascontiguousarray(tensor.array) for name, tensor in small_gpt.state_dict().items()}
    save_file(state, folder / "weights.safetensors")
    reseal()
    refused(folder, SubmissionError, "the file has no digest; write it with tt_nn.save")


def test_weights_of_another_network(folder, reseal):
    tt_nn.save({"weight": np.zeros((3, 3), np.float32)}, folder / "weights.safetensors")
    reseal()
    refused(folder, SubmissionError, "the weights are not those of gpt")


def test_weights_that_say_they_are_quantized(folder, reseal, small_gpt):
    schemes = json.dumps([{"scheme": {"weights": "int8"}, "layers": ["lm_head"]}])
    tt_nn.save(small_gpt, folder / "weights.safetensors", {"tt.quantized": schemes})
    reseal()
    refused(folder, SubmissionError, "the weights are quantized as int8, the submission says nothing")
    tt_nn.save(small_gpt, folder / "weights.safetensors", {"tt.quantized": "[[["})
    reseal()
    refused(folder, SubmissionError, "the schemes in the header cannot be read")


# submission.json.


def test_submission_edited(folder, edit):
    edit("submission.json", author="Eve")
    refused(folder, SealError, "submission.json is not the file that the figures were measured on")


def test_kernels_edited(folder, edit, reseal):
    edit("submission.json", kernels="numba")
    reseal(kernels="numpy")
    refused(folder, SealError, "kernels 'numpy', not of 'numba'")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"architecture": "os.system"}, "architecture 'os.system' is none of those for tinygpt: gpt, llama"),
        ({"architecture": "lenet5"}, "architecture 'lenet5' is none of those"),
        ({"architecture": ["gpt"]}, "is none of those"),
        ({"task": "mnist"}, "architecture 'gpt' is none of those for mnist"),
        ({"task": None}, "there is no task None"),
        ({"arguments": {"weights": "mnist"}}, "gpt has no argument 'weights' here"),
        ({"arguments": {"__class__": 1}}, "no argument '__class__'"),
        ({"arguments": []}, "arguments are an object"),
        ({"arguments": {"n_layer": 10**9}}, "argument 'n_layer' is '1000000000'"),
        ({"arguments": {"n_layer": {}}}, "argument 'n_layer' is"),
        ({"arguments": {"n_layer": [[[[1]]]]}}, "argument 'n_layer' is"),
        ({"arguments": {"activation": "../../etc/passwd"}}, "argument 'activation' is"),
        ({"arguments": {"activation": "a" * 65}}, "argument 'activation' is"),
        ({"name": "\x1b[31mred"}, "name is printable text"),
        ({"name": " "}, "name is printable text"),
        ({"name": "n" * 81}, "name is printable text"),
        ({"author": 5}, "author is printable text"),
        ({"author": "a\u202eb"}, "author is printable text"),
        ({"kernels": "cuda"}, "kernels is one of numpy, numba"),
        ({"quantization": 8}, "quantization is a scheme's name or null"),
        ({"quantization": "int8"}, "quantized as nothing, the submission says int8"),
        ({"mean": [0.5]}, "mean is a row of 0 numbers"),
        ({"code": "print()"}, "other fields than a submission: .*code"),
        ({"format": 1}, "is no submission"),
    ],
    ids=lambda value: "-".join(f"{k}-{str(v)[:24]!a}" for k, v in value.items()) if isinstance(value, dict) else "",
)  # fmt: skip
def test_submissions_that_are_none(folder, edit, reseal, fields, message):
    edit("submission.json", **fields)
    reseal()
    refused(folder, SubmissionError, message)


def test_arguments_that_build_nothing(small_gpt):
    from tt_perf.competition.architectures import build
    from tt_perf.competition.tasks import TASKS

    task = TASKS["tinygpt"]
    sizes = {"vocab_size": 65, "block_size": 64, "n_layer": 1, "n_head": 2, "n_embd": 16}
    for change, message in (
        ({"n_head": 3}, "cannot be built: GPTConfig: n_embd = 16 cannot be cut"),
        ({"n_layer": "two"}, "n_layer must be a whole number"),
        ({"vocab_size": 64}, "has 65 characters, each a token, not 64"),
        ({"block_size": 32}, "blocks of 64, more than the 32"),
        ({"n_layer": None}, "n_layer must be a whole number"),
    ):
        with pytest.raises(SubmissionError, match=message):
            build(task, "gpt", sizes | change)


# Files.


def test_a_file_is_missing(folder):
    for name in ("submission.json", "weights.safetensors", "figures.json"):
        (folder / name).rename(folder.parent / name)
        refused(folder, SubmissionError, f"{name} is missing")
        (folder.parent / name).rename(folder / name)


@pytest.mark.parametrize("name", ["numpy.py", "model.pkl", ".hidden", "weights.safetensors.bak"])
def test_a_file_too_many(folder, name):
    (folder / name).write_text("raise SystemExit('executed')", encoding="utf-8")
    refused(folder, UnsafeSubmissionError, f"'{name}' does not belong in a submission")


@pytest.mark.parametrize("name", ["submission.json", "weights.safetensors", "figures.json"])
def test_a_file_is_a_link(folder, name):
    (folder / name).rename(folder.parent / name)
    (folder / name).symlink_to(folder.parent / name)
    refused(folder, UnsafeSubmissionError, f"{name} is a link")


def test_the_folder_is_a_link(folder):
    (folder.parent / "link").symlink_to(folder, target_is_directory=True)
    refused(folder.parent / "link", UnsafeSubmissionError, "is a link; give the folder itself")


def test_a_link_to_nowhere(folder):
    (folder / "figures.json").unlink()
    (folder / "figures.json").symlink_to("/nowhere/at/all")
    refused(folder, UnsafeSubmissionError, "figures.json is a link")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
def test_a_pipe_is_not_waited_for(folder):
    (folder / "figures.json").unlink()
    os.mkfifo(folder / "figures.json")
    refused(folder, UnsafeSubmissionError, "figures.json is no plain file")


def test_a_folder_in_the_place_of_a_file(folder):
    (folder / "figures.json").unlink()
    (folder / "figures.json").mkdir()
    refused(folder, UnsafeSubmissionError, "figures.json is no plain file")


def test_no_folder(folder):
    refused(folder / "nowhere", SubmissionError, "there is none")
    refused(folder / "figures.json", SubmissionError, "is no folder; a submission is one")
    refused("a\0b", SubmissionError, "there is none")


@pytest.mark.parametrize("name", ["submission.json", "weights.safetensors", "figures.json"])
def test_files_that_are_too_large(folder, name):
    os.truncate(folder / name, 1 << 40)  # takes no room on the disk
    refused(folder, UnsafeSubmissionError, f"{name} has 1,099,511,627,776 bytes, more than")


@pytest.mark.parametrize("name", ["submission.json", "figures.json"])
@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "[" * 30_000, '{"format": NaN}', '{"a": 1, "a": 2}', "\udcff", '{"format": 1e999}'],
    ids=["empty", "list", "null", "deep", "nan", "twice", "bytes", "overflow"],
)
def test_json_that_is_none(folder, name, text):
    (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(folder, SubmissionError, name)


# The judge.


def test_it_takes_too_long(folder):
    refused(folder, JudgeError, "it took more than 0.01 seconds", seconds=0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not limit memory")
def test_a_network_of_50_gigabytes(folder, edit, reseal):
    """The file of weights is small: what is large is what its arguments would build."""
    sizes = {"vocab_size": 65, "block_size": 64, "n_layer": 1, "n_head": 2, "n_embd": 65536}
    edit("submission.json", arguments=sizes)
    reseal()
    refused(folder, JudgeError, "it could not be run: it needs more memory than it is given")


def test_what_lies_about_is_not_imported(folder, tmp_path, monkeypatch):
    """Neither PYTHONPATH, nor the working directory, nor the folder of a submission say what numpy is."""
    from tt_perf.competition.judging import judged

    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("numpy.py", "json.py", "sitecustomize.py", "tt_perf.py"):
        (evil / name).write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(evil))
    monkeypatch.chdir(evil)
    with pytest.raises(SubmissionError, match=r"submission\.json"):
        judged({"submission.json": b"{}", "numpy.py": (evil / "numpy.py").read_bytes()})
    assert not (tmp_path / "executed").exists()


def test_a_busy_machine_gets_more_attempts(folder, reseal, figures, monkeypatch):
    from dataclasses import asdict, replace

    answers = [5.0, 5.0, 1.0]

    def judged(files, **limits):
        found = asdict(replace(figures, latency_one=figures.latency_one * answers.pop(0)))
        drop = ("task", "size", "kernels", "how", "when", "weights_sha256", "submission_sha256")
        return {name: value for name, value in found.items() if name not in drop}

    monkeypatch.setattr("tt_perf.competition.verification.judged", judged)
    verify_submission(folder)
    assert not answers
    answers[:] = [5.0, 5.0, 5.0]
    refused(folder, FiguresError, "latency_one")


def test_a_folder_that_changes_meanwhile(folder, remembered, small_gpt):
    """What was read once is what is entered."""
    remembered()
    found = verify_submission(folder)
    shutil.rmtree(folder)
    assert set(found.files) == {"submission.json", "weights.safetensors", "figures.json"}
