"""llama2.c's files: the layout, sizes against the file's, and the story that the 260K model tells."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_text.errors import ConfigError, PretrainedError
from tt_text.models import Llama

MOST = (1 << 31) - 1
STORY = (
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a "
    "big, red ball. She wanted to play with it, but it was too high.\nLily's mom said, \"Lily, let's go to the park.\" "
    "Lily was sad and didn't know what to do. She said, \"I want to play with your ball, but I can't find it.\"\nLily "
    "was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to do.\"\nLily didn't want to "
    "help her mom, so she"
)
"""What llama2.c's own tests (test_all.py) expect of 200 steps at temperature 0."""


def greedy(model, length):
    cache, found = model.new_cache(), [1]
    while len(found) < length:
        found.append(int(model(np.array([found[-1:]]), cache=cache, last=True).numpy()[0, 0].argmax()))
    return found


def pieces(path):
    """The tokens of tok512.bin as bytes; a minimal reader of its own."""
    data, at, found = path.read_bytes(), 4, []
    while at < len(data):
        (length,) = struct.unpack_from("<i", data, at + 4)
        found.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    return found


def test_it_tells_the_story_that_llama2c_tells(stories):
    vocabulary = pieces(stories.with_name("tok512.bin"))
    tokens = greedy(Llama.from_llama2c(stories), 201)[1:]
    text = b"".join(b"\n" if vocabulary[t] == b"<0x0A>" else vocabulary[t] for t in tokens).decode()
    assert text.lstrip() == STORY


def test_its_logits_are_those_of_the_definition_in_float64(stories, by_definition):
    model = Llama.from_llama2c(stories)
    assert model.config.groups == 4 and model.config.num_attention_heads == 8 and not model.training
    assert sum(parameter.size for parameter in model.parameters()) == 260_032
    tokens = greedy(model, 24)
    expected = by_definition(model, tokens)
    np.testing.assert_allclose(model(np.array([tokens])).numpy()[0], expected, rtol=0, atol=1e-4)
    assert expected.argmax(-1).tolist()[:-1] == tokens[1:]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_what_llama2c_writes_is_read(tiny_llama, llama2c_bytes, tmp_path, tied, groups):
    model = tiny_llama(tie_word_embeddings=tied, num_key_value_heads=groups, rope_layout="interleaved")
    (tmp_path / "model.bin").write_bytes(llama2c_bytes(model))
    again = Llama.from_llama2c(tmp_path / "model.bin")
    assert again.config == model.config
    tokens = np.arange(12)[None]
    np.testing.assert_array_equal(again(tokens).numpy(), model(tokens).numpy())


def test_the_memory_is_its_own(tiny_llama, llama2c_bytes, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(llama2c_bytes(tiny_llama(rope_layout="interleaved")))
    model = Llama.from_llama2c(path)
    model.lm_head.weight.write(0)
    path.unlink()
    assert not model(np.array([[1]])).numpy().any()


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (
            lambda data: data[:-1],
            PretrainedError,
            "its header describes a model of 15,324: it is truncated",
        ),
        (lambda data: data[:100], PretrainedError, "has 100 bytes"),
        (lambda data: data + b"\0" * 4, PretrainedError, "longer than that"),
        (lambda data: data[:27], PretrainedError, "has 27 bytes, less than a header"),
        (lambda data: b"", PretrainedError, "has 0 bytes"),
        (
            lambda data: struct.pack("<2i", 0x616B3432, 2) + data[8:],
            PretrainedError,
            "version 2 of llama2.c's format",
        ),
        (lambda data: struct.pack("<i", -5) + data[4:], ConfigError, "hidden_size must be a whole number"),
        (lambda data: struct.pack("<i", 18) + data[4:], ConfigError, "cannot be cut into"),
        (
            lambda data: data[:8] + struct.pack("<i", (1 << 31) - 1) + data[12:],
            PretrainedError,
            "its header is damaged",
        ),
        (lambda data: data[:20] + struct.pack("<i", -13) + data[24:], PretrainedError, "truncated"),
        (lambda data: data[:20] + struct.pack("<i", -(1 << 31)) + data[24:], ConfigError, "vocab_size"),
        (lambda data: data[:16] + struct.pack("<i", 3) + data[20:], ConfigError, "num_key_value_heads = 3"),
    ],
)
def test_damaged_files_are_refused(tiny_llama, llama2c_bytes, tmp_path, edit, error, message):
    path = tmp_path / "model.bin"
    path.write_bytes(edit(llama2c_bytes(tiny_llama(rope_layout="interleaved", tie_word_embeddings=True))))
    with pytest.raises(error, match=message):
        Llama.from_llama2c(path)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(PretrainedError, match="is a folder"):
        Llama.from_llama2c(tmp_path)
    with pytest.raises(PretrainedError, match="does not exist"):
        Llama.from_llama2c(tmp_path / "nowhere")


def test_any_header_is_refused_or_fits_the_file(tiny_llama, llama2c_bytes, tmp_path):
    whole = llama2c_bytes(tiny_llama(rope_layout="interleaved"))
    path = tmp_path / "model.bin"
    numbers = st.integers(-(1 << 31), MOST) | st.integers(-20, 40)

    @settings(max_examples=200, deadline=None)
    @given(changes=st.dictionaries(st.integers(0, 6), numbers, min_size=1, max_size=3))
    def check(changes):
        header = list(struct.unpack_from("<7i", whole))
        for place, number in changes.items():
            header[place] = number
        path.write_bytes(struct.pack("<7i", *header) + whole[28:])
        try:
            model = Llama.from_llama2c(path)
        except (ConfigError, PretrainedError):
            return
        held = sum(parameter.size for parameter in model.parameters())
        assert 28 + 4 * (held + model.context * model.config.width) == len(whole)

    check()
