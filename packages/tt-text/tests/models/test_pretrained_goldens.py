"""Tiny models of the transformers library (see goldens/make_pretrained.py) give its logits here."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tt_text.models import GPT, Llama

GOLDENS = Path(__file__).parent / "goldens"
NAMES = sorted(path.name for path in GOLDENS.iterdir() if path.is_dir() and not path.name.startswith("_"))


def kind_of(name):
    return GPT if name.startswith("gpt2") else Llama


def test_they_are_all_here_and_small():
    assert len(NAMES) == 9
    assert sum(path.stat().st_size for path in GOLDENS.rglob("*") if path.is_file()) < 136_000


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_the_peers(name):
    model = kind_of(name).from_pretrained(GOLDENS / name)
    expected = json.loads((GOLDENS / name / "expected.json").read_text(encoding="utf-8"))
    logits = model(np.array(expected["tokens"]))
    assert logits.dtype == np.float32 and not model.training
    np.testing.assert_allclose(logits.numpy(), expected["logits"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_written_and_read_again_they_are_the_same(name, tmp_path):
    model = kind_of(name).from_pretrained(GOLDENS / name)
    model.save_pretrained(tmp_path / "again")
    again = kind_of(name).from_pretrained(tmp_path / "again")
    if name in ("qwen2_shards", "phi3_longrope"):  # say nothing of head_dim, which is written
        assert again.config == replace(model.config, head_dim=4)
    else:
        assert again.config == model.config
    tokens = np.arange(20)[None]
    np.testing.assert_array_equal(again(tokens).numpy(), model(tokens).numpy())
    theirs = json.loads((GOLDENS / name / "config.json").read_text(encoding="utf-8"))
    ours = json.loads((tmp_path / "again" / "config.json").read_text(encoding="utf-8"))
    # What both say, both say alike; as a Llama, a Qwen2 without window has the bias of o_proj, too.
    same = theirs.keys() & ours.keys() - {"dtype", "architectures", "model_type"}
    if name == "phi3_longrope":  # what it leaves out is written
        same.remove("rope_parameters")
    assert len(same) > 9
    assert {key: ours[key] for key in same if theirs[key] is not None} == {
        key: theirs[key] for key in same if theirs[key] is not None
    }
