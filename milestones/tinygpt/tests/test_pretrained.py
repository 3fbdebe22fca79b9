"""Models that others trained: found, loaded, told apart, and written with."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from milestone_kit import UsageError
from milestone_tinygpt import main
from milestone_tinygpt.pretrained import load
from tt_tensor import manual_seed
from tt_text import GPT, BPETokenizer, CharTokenizer, GPTConfig, Llama, LlamaConfig, generate

STORY = (
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a "
    "big, red ball. She wanted to play with it, but it was too high."
)


@pytest.fixture(scope="module")
def stories() -> Path:
    """llama2.c's file with 260,032 parameters."""
    if "TT_DATA_HOME" not in os.environ:
        pytest.skip("set TT_DATA_HOME to a folder with stories260K/stories260K.bin and tok512.bin")
    path = Path(os.environ["TT_DATA_HOME"]) / "stories260K" / "stories260K.bin"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path


@pytest.fixture(scope="module")
def tokenizer():
    return BPETokenizer.train("the cat sat on the mat, and that was that. " * 20, 280)


@pytest.fixture
def folder(request, tmp_path, tokenizer):
    """A Hugging Face folder with a small model of random weights."""

    def make(kind: str, more: int = 0) -> Path:
        manual_seed(0)
        size = tokenizer.vocab_size + more
        if kind == "gpt2":
            model = GPT(GPTConfig(size, 32, 2, 2, 16))
        else:
            model = Llama(LlamaConfig(size, 16, 32, 2, 4, 2, max_position_embeddings=32))
        model.save_pretrained(tmp_path, tokenizer)
        return tmp_path

    return make


def test_stories_are_told_as_llama2c_tells_them(stories, tmp_path, capsys):
    code = main(["--pretrained", str(stories), "--temperature", "0", "--out", str(tmp_path)])
    out, _ = capsys.readouterr()
    assert code == 0
    assert STORY in out.replace("\n", " ")
    assert "Llama with 260,032 parameters and 512 tokens, loaded in " in out
    document = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert figures["tokens written"]["value"] == 200
    assert figures["writes"]["value"] > 0
    assert (tmp_path / "attention.png").is_file()


def test_options_of_writing_count(stories, tmp_path, capsys):
    texts = []
    for seed in ("1", "1", "2"):
        more = ["--seed", seed, "--top-p", "0.9", "--max-new-tokens", "30", "--prompt", "The dog"]
        assert main(["--pretrained", str(stories), "--out", str(tmp_path), *more]) == 0
        out = capsys.readouterr().out
        texts.append(out[out.index("The dog") : out.index("╭")])
    assert texts[0] == texts[1] != texts[2]
    assert 30 < len(texts[0]) < 200


def test_a_tokenizer_that_lies_elsewhere_has_to_be_named(stories, tmp_path, capsys):
    copied = tmp_path / "model.bin"
    copied.write_bytes(stories.read_bytes())
    assert main(["--pretrained", str(copied), "--out", str(tmp_path / "out"), "--quiet"]) == 2
    assert "there is no tokenizer beside" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    found = load(copied, stories.with_name("tok512.bin"))
    assert found.ends == (1, 2)
    copied.with_name("tok512.bin").write_bytes(stories.with_name("tok512.bin").read_bytes())
    assert load(copied).tokenizer.vocab_size == 512


@pytest.mark.parametrize(("kind", "cls"), [("gpt2", GPT), ("llama", Llama)])
def test_a_folder_is_what_its_config_says(kind, cls, folder, tokenizer, tmp_path, capsys):
    place = folder(kind)
    found = load(place)
    assert type(found.model) is cls
    assert not found.model.training
    out = tmp_path / "out"
    arguments = ["--pretrained", str(place), "--prompt", "the cat", "--max-new-tokens", "12"]
    assert main([*arguments, "--temperature", "0", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    expected = generate(found.model, "the cat", 12, temperature=0.0, tokenizer=tokenizer)
    assert expected in said
    assert (out / "attention.png").is_file()


def test_tokens_without_text_are_counted_and_not_written(folder, tmp_path, capsys):
    """Tables are filled up to a round number of rows; a model of random weights draws such a token at once."""
    out = tmp_path / "out"
    arguments = [
        "--pretrained",
        str(folder("gpt2", more=2000)),
        "--prompt",
        "the cat",
        "--max-new-tokens",
        "20",
    ]
    assert main([*arguments, "--out", str(out)]) == 0
    document = json.loads((out / "figures.json").read_text(encoding="utf-8"))
    assert {figure["name"]: figure["value"] for figure in document["figures"]}["tokens written"] == 20
    assert "the cat" in capsys.readouterr().out


def test_architectures_tell_where_there_is_no_model_type(folder):
    place = folder("gpt2")
    config = json.loads((place / "config.json").read_text(encoding="utf-8"))
    del config["model_type"]
    (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert type(load(place).model) is GPT


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda at: (at / "config.json").unlink(), "config.json"),
        (lambda at: (at / "config.json").write_text('{"model_type": "bert"}'), "model_type is 'bert'"),
        (lambda at: (at / "config.json").write_text("{"), "cannot be read as JSON"),
        (lambda at: (at / "model.safetensors").unlink(), "model.safetensors"),
        (lambda at: (at / "model.safetensors").write_bytes(b"\0" * 64), "model.safetensors"),
        (lambda at: (at / "tokenizer.json").unlink(), "has no tokenizer"),
        (lambda at: (at / "tokenizer.json").write_text("[]"), "tokenizer.json"),
    ],
)
def test_what_is_missing_or_damaged_exits_2_and_is_named(spoil, said, folder, tmp_path, capsys):
    place = folder("gpt2")
    spoil(place)
    out = tmp_path / "out"
    assert main(["--pretrained", str(place), "--out", str(out), "--quiet"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("milestone-tinygpt: error: argument --pretrained: ")
    assert said in err
    assert not out.exists()


def test_a_file_that_is_no_model_exits_2(tmp_path, capsys):
    place = tmp_path / "model.bin"
    place.write_bytes(b"\0" * 100)
    assert main(["--pretrained", str(place), "--out", str(tmp_path / "out"), "--quiet"]) == 2
    assert "argument --pretrained: " in capsys.readouterr().err


def test_a_tokenizer_of_another_model_is_refused(folder, tmp_path):
    place = folder("gpt2")
    other = tmp_path / "other.json"
    CharTokenizer("".join(map(chr, range(100, 500)))).save(other)
    with pytest.raises(UsageError, match=r"the tokenizer has 400 tokens, but the model in .* knows 275"):
        load(place, other)
    with pytest.raises(UsageError, match="argument --tokenizer-file: "):
        load(place, tmp_path / "nowhere.json")


def test_an_empty_prompt_exits_2(folder, tmp_path, capsys):
    arguments = [
        "--pretrained",
        str(folder("gpt2")),
        "--prompt",
        "",
        "--out",
        str(tmp_path / "out"),
        "--quiet",
    ]
    assert main(arguments) == 2
    assert "argument --prompt: must have at least one character" in capsys.readouterr().err


def test_quiet_writes_nothing_but_files(folder, tmp_path, capfd):
    place = folder("llama")
    more = ["--max-new-tokens", "3", "--prompt", "the", "--out", str(tmp_path / "out"), "--quiet"]
    assert main(["--pretrained", str(place), *more]) == 0
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "out/figures.json").is_file()
