"""``milestone-tinygpt`` from the outside: arguments, exit codes, files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

import tt_perf
from milestone_tinygpt import main, story, training
from milestone_tinygpt.corpus import Corpus
from milestone_tinygpt.recipes import bits
from tt_tensor import tensor

LOSS = "validation loss, whole split"
PICTURES = {"curves.png", "attention.png", "embedding.png"}

posix_signals = pytest.mark.skipif(os.name == "nt", reason="Windows delivers Ctrl-C to a whole console")


def of_time(figure):
    return figure["unit"] in ("s", "tokens/s")


def test_a_run_meets_its_bars_and_says_what_it_reached(finished):
    code, _, document, _ = finished
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert code == 0
    assert document["met"] is True
    assert [document["milestone"], document["year"], document["seed"]] == ["tinygpt", 2020, 3]
    assert (document["options"]["recipe"], document["options"]["tokenizer"]) == ("nanogpt", "char")
    assert figures[LOSS]["value"] <= figures[LOSS]["at_most"] == 3.4
    assert figures["parameters"]["at_most"] == 850_000
    assert abs(figures["bits per character"]["value"] - bits(figures[LOSS]["value"])) < 1e-9
    for name in ("learns", "writes, one by one", "training time"):
        assert figures[name]["value"] > 0
    assert abs(figures["validation loss, estimated"]["value"] - figures[LOSS]["value"]) < 0.2


def test_it_tells_its_story_with_samples(finished):
    said = finished[3]
    assert "tiny Shakespeare: 1,003,854 tokens to learn from, 111,540 to judge by, 65 different ones" in said
    assert "guesses evenly has a loss of 4.17" in said
    assert [f"step {step}: loss" in said for step in (10, 20, 30, 40)] == [True] * 4
    assert said.count("│ ROMEO:") == 5


def test_the_sample_is_written(finished):
    _, out, _, said = finished
    text = (out / "sample.txt").read_text(encoding="utf-8")
    assert text.startswith("ROMEO:")
    assert len(text) == len("ROMEO:") + 80 + 1
    assert "\n".join(f"  │ {line}" for line in text[:-1].splitlines()) in said


def test_the_pictures_show_something(finished):
    _, out, document, _ = finished
    assert {path.rsplit("/", 1)[-1] for path in document["pictures"]} == PICTURES
    assert {path.name for path in out.iterdir()} == PICTURES | {"figures.json", "sample.txt", "checkpoints"}
    for name in PICTURES:
        picture = imread(out / name)[..., :3]
        assert picture.std() > 0.02
        assert len({tuple(pixel) for pixel in picture.reshape(-1, 3)[::97].round(2).tolist()}) > 10


def test_a_run_that_is_over_is_gone_on_with_without_a_step(finished, run, tmp_path):
    _, out, before, _ = finished
    shutil.copytree(out / "checkpoints", tmp_path / "checkpoints")
    _, figures = run("--seed", "3", "--resume")
    for figure in before["figures"]:
        if not of_time(figure):
            assert figures[figure["name"]] == figure
    assert "learns" not in figures


@pytest.mark.skipif(tt_perf.accelerated(), reason="here all runs are on compiled kernels")
def test_compiled_kernels_learn_the_same(run, tmp_path):
    code, figures = run("--seed", "3", out=tmp_path / "plain")
    compiled_code, compiled = run("--seed", "3", "--accelerate", out=tmp_path / "compiled")
    assert code == compiled_code == 0
    assert abs(compiled[LOSS]["value"] - figures[LOSS]["value"]) < 0.02
    assert compiled["operations on compiled kernels"]["value"] > 5
    assert "operations on compiled kernels" not in figures
    assert not tt_perf.accelerated()


def test_nothing_learned_is_a_missed_bar(run):
    code, figures = run("--lr", "0", "--steps", "5")
    assert code == 1
    assert figures[LOSS]["met"] is False
    assert figures[LOSS]["value"] > 4


def test_too_little_training_is_a_missed_bar(run):
    code, figures = run("--steps", "2")
    assert code == 1
    assert figures[LOSS]["met"] is False


def test_what_diverges_is_a_missed_bar_and_strict_json(run, tmp_path):
    code, figures = run("--lr", "1e30")
    assert code == 1
    assert figures[LOSS]["value"] is None
    text = (tmp_path / "figures.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    assert not (tmp_path / "sample.txt").exists()


def test_text_without_order_misses(run, monkeypatch):
    real = story.shakespeare

    def dice(tokenizer, vocab_size):
        found = real(tokenizer, vocab_size)
        train = np.random.default_rng(0).integers(0, 65, len(found.train))
        return Corpus(found.tokenizer, train, found.val, found.characters, found.lines)

    monkeypatch.setattr(story, "shakespeare", dice)
    code, figures = run()
    assert code == 1
    assert figures[LOSS]["value"] > 3.8


def test_a_quick_run_has_a_band(run):
    _, figures = run("--quick")
    assert (figures[LOSS]["at_least"], figures[LOSS]["at_most"]) == (2.5, 3.8)
    assert figures[LOSS]["met"] is True


def test_what_has_seen_what_comes_is_below_the_band(run, monkeypatch):
    """Blocks in which each token is its own target: what an attention that looks ahead would make of it."""
    real = training.batches

    def ahead(corpus, recipe, seed):
        return real(replace(corpus, train=np.repeat(corpus.train, 2)[:100_000]), recipe, seed)

    monkeypatch.setattr(training, "batches", ahead)
    monkeypatch.setattr(training, "whole", lambda tokens, block: [(tensor(tokens[None, :32]),) * 2])
    monkeypatch.setattr(training, "estimate", lambda tokens, block: [(tensor(tokens[None, :32]),) * 2])
    code, figures = run("--quick", "--steps", "150")
    assert code == 1
    assert figures[LOSS]["value"] < 2.5
    assert figures[LOSS]["met"] is False


def test_too_many_parameters_miss(run, monkeypatch):
    monkeypatch.setattr(story, "MOST_PARAMETERS", 1000)
    code, figures = run("--steps", "2")
    assert code == 1
    assert figures["parameters"]["met"] is False


def test_byte_pairs_are_judged_by_bits_per_character(run, tmp_path, capsys):
    code, figures = run("--tokenizer", "bpe", "--vocab-size", "300", "--prompt", "ROMEO:")
    assert figures[LOSS]["met"] is None
    assert figures["parameters"]["met"] is None
    judged = figures["bits per character"]
    assert abs(judged["at_most"] - bits(3.4)) < 1e-9
    assert code == (0 if judged["met"] else 1)
    assert 2.5 < judged["value"] < 5
    assert judged["value"] < bits(figures[LOSS]["value"])
    assert (tmp_path / "sample.txt").read_text(encoding="utf-8").startswith("ROMEO:")
    assert (tmp_path / "checkpoints/nanogpt-bpe-seed-0").is_dir()


def test_it_says_what_the_table_of_byte_pairs_costs(run, tmp_path, capsys):
    main(["--tokenizer", "bpe", "--vocab-size", "300", "--steps", "1", "--out", str(tmp_path)])
    out, _ = capsys.readouterr()
    assert f"the table of 300 tokens has {235 * 32:,} numbers more than one of 65 characters" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--recipe", "slow"], "argument --recipe: invalid choice: 'slow'"),
        (["--tokenizer", "words"], "argument --tokenizer: invalid choice: 'words'"),
        (["--steps", "0"], "argument --steps: must be a whole number from 1"),
        (["--lr", "nan"], "argument --lr: must be a finite number"),
        (["--vocab-size", "300"], "argument --vocab-size: goes with --tokenizer bpe"),
        (
            ["--tokenizer", "bpe", "--vocab-size", "255"],
            "argument --vocab-size: must be a whole number from 256",
        ),
        (["--seed", "-1"], "argument --seed: must be a whole number from 0"),
        (["--temperature", "-1"], "argument --temperature: must be a finite number, 0"),
        (["--top-k", "0"], "argument --top-k: must be a whole number, 1 or more"),
        (["--top-p", "1.5"], "argument --top-p: must be a finite number from 0"),
        (["--max-new-tokens", "0"], "argument --max-new-tokens"),
        (["--resume", "yes"], "unrecognized arguments: yes"),
        (["--prompt", "ROMÉO:"], "argument --prompt: encode: 'É'"),
        (["--prompt", ""], "argument --prompt: must have at least one character"),
        (["--tokenizer-file", "x"], "argument --tokenizer-file: goes with --pretrained"),
        (["--pretrained", "nowhere"], "argument --pretrained: 'nowhere' does not exist"),
        (["--pretrained", ".", "--recipe", "fast"], "argument --recipe: says how to train"),
        (["--pretrained", ".", "--steps", "3"], "argument --steps: says how to train"),
        (["--pretrained", ".", "--resume"], "argument --resume: says how to train"),
        (["--pretrained", ".", "--quick"], "argument --quick: says how to train"),
    ],
)
def test_wrong_arguments_exit_2_with_the_reason(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--quiet", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert not any(tmp_path.iterdir())


def test_to_go_on_with_another_run_exits_2_and_changes_nothing(run, tmp_path, capsys):
    run()
    before = (tmp_path / "figures.json").read_bytes()
    assert main(["--steps", "30", "--resume", "--out", str(tmp_path), "--quiet"]) == 2
    assert "argument --resume: cannot go on from" in capsys.readouterr().err
    assert (tmp_path / "figures.json").read_bytes() == before


def test_json_on_stdout_is_only_json(run, tmp_path, capsys):
    assert main(["--steps", "2", "--json", "-", "--out", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["milestone"] == "tinygpt"
    assert "it has learned to write:" in err


def test_quiet_is_silent(run, capfd):
    run("--steps", "2")
    assert capfd.readouterr() == ("", "")


def test_a_terminal_gets_lines_above_the_bar(run, tmp_path, monkeypatch):
    import io

    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert main(["--steps", "5", "--out", str(tmp_path), "--prompt", "ROMEO:"]) == 1
    said = sys.stdout.getvalue()
    assert "step 5: loss" in said
    assert "│ ROMEO:" in said
    assert "\x1b[" in said


@posix_signals
def test_ctrl_c_exits_130_and_the_run_goes_on_to_the_same_end(start, tmp_path):
    """All three in processes of their own, as a person has it; only what is measured in seconds may differ."""

    def figures(out):
        found = json.loads((out / "figures.json").read_text(encoding="utf-8"))["figures"]
        return [figure for figure in found if not of_time(figure)]

    steps = ["--steps", "150", "--quiet"]
    child = start(*steps, "--out", str(tmp_path / "parts"))
    history = tmp_path / "parts/checkpoints/nanogpt-char-seed-0/history.jsonl"
    until = time.monotonic() + 120
    while not (history.exists() and history.read_bytes().count(b"\n") >= 3):
        assert child.poll() is None and time.monotonic() < until
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    assert err.startswith("milestone-tinygpt: interrupted after step ")
    assert err.endswith("; go on with --resume\n")
    assert not (tmp_path / "parts/figures.json").exists()
    for arguments in (["--resume", "--out", str(tmp_path / "parts")], ["--out", str(tmp_path / "whole")]):
        child = start(*steps, *arguments)
        _, err = child.communicate(timeout=240)
        assert child.returncode == 0, err
    assert figures(tmp_path / "parts") == figures(tmp_path / "whole")
    samples = [(tmp_path / name / "sample.txt").read_bytes() for name in ("parts", "whole")]
    assert samples[0] == samples[1]


def test_help_needs_nothing_heavy():
    program = """
import sys
from milestone_tinygpt import main
code = main(["--help"])
heavy = {"numpy", "rich", "matplotlib", "regex", "tt_tensor", "tt_nn", "tt_optim", "tt_data", "tt_text"}
found = heavy & set(sys.modules)
sys.exit(f"imported {found}" if found else code)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert "--pretrained" in done.stdout


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "milestone_tinygpt", "--version"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "milestone-tinygpt 0.1.0")
