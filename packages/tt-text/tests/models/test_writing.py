"""What save_pretrained leaves on the disk."""

import json

import numpy as np
import pytest

from tt_nn import load_metadata
from tt_text.errors import PretrainedError
from tt_text.models import GPT
from tt_text.tokenizers import BPETokenizer, load_tokenizer


@pytest.fixture
def tokenizer():
    return BPETokenizer.train(["a little girl named Lily"], 258, special_tokens=["<s>", "</s>"])


def test_a_folder_has_three_files_and_no_others(tiny_gpt, tmp_path, tokenizer):
    tokenizer.bos_token, tokenizer.eos_token = "<s>", "</s>"
    model = tiny_gpt(vocab_size=270)
    model.save_pretrained(tmp_path / "model", tokenizer)
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json"}
    fields = json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf-8"))
    assert (fields["bos_token_id"], fields["eos_token_id"], fields["pad_token_id"]) == (
        tokenizer.bos_id,
        tokenizer.eos_id,
        None,
    )
    assert tokenizer.bos_id != tokenizer.eos_id
    text = "Lily named a girl"
    again = load_tokenizer(tmp_path / "model")
    assert again.encode(text) == tokenizer.encode(text)
    assert fields["dtype"] == "float32" and fields["architectures"] == ["GPT2LMHeadModel"]
    assert load_metadata(tmp_path / "model" / "model.safetensors") == {"format": "pt"}


def test_without_a_tokenizer_and_over_an_older_one(tiny_gpt, tmp_path):
    tiny_gpt().save_pretrained(tmp_path)
    tiny_gpt(seed=1).double().save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    assert json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["dtype"] == "float64"
    again = GPT.from_pretrained(tmp_path)
    np.testing.assert_array_equal(again.lm_head.weight.numpy(), tiny_gpt(seed=1).lm_head.weight.numpy())


def test_what_cannot_be_written_leaves_nothing(tiny_gpt, tmp_path, tokenizer):
    with pytest.raises(PretrainedError, match=r"int is none that tokenizer.json can hold"):
        tiny_gpt().save_pretrained(tmp_path / "model", 3)
    with pytest.raises(
        PretrainedError, match=r"the tokenizer has 258 tokens, the model 13; they do not belong"
    ):
        tiny_gpt().save_pretrained(tmp_path / "model", tokenizer)
    with pytest.raises(FileNotFoundError, match="make it first"):
        tiny_gpt().save_pretrained(tmp_path / "no" / "model")
    assert not list(tmp_path.iterdir())
