"""Do models that the transformers library made compute the same here?

The peer (`pretrained_peer.py`) makes GPT-2, Llama, Mistral and Qwen2 models with random weights and saves them to
folders. Each is loaded here with `from_pretrained`, and the bar is, for each:

- logits of 2 × 100 tokens within 1e-4, also token by token with a cache, and of padded sequences where they are real;
- the same 100 tokens from greedy decoding, with a cache;
- written by `save_pretrained` and read by the library, its logits within 1e-4, and the same 100 tokens.

The last columns tell how far both are from the same model in float64: float32 itself is no nearer than that.

With the 260K-parameter Llama of llama2.c in TT_DATA_HOME, that one is written for the library, too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import machine
import numpy as np
from duel import MET, MISSED

from tt_text import GPT, Llama

BAR = 1e-4
KINDS = ("logits", "cached", "padded", "written")


def logits_of(model: Any, tokens: Any, **more: Any) -> Any:
    return model(tokens, **more).numpy()


def with_a_cache(model: Any, tokens: Any) -> Any:
    """The logits of all positions, 30 tokens at once and the others one by one."""
    cache = model.new_cache()
    parts = [logits_of(model, tokens[:, :30], cache=cache)]
    parts += [logits_of(model, tokens[:, i : i + 1], cache=cache) for i in range(30, tokens.shape[1])]
    return np.concatenate(parts, axis=1)


def greedy(model: Any, prompt: Any, length: int) -> list[int]:
    """The prompt and the most likely tokens after it, until there are `length`."""
    cache, found = model.new_cache(), list(map(int, prompt))
    new = found
    while len(found) < length:
        new = [int(logits_of(model, np.array([new]), cache=cache, last=True)[0, -1].argmax())]
        found += new
    return found


def difference(ours: Any, theirs: Any) -> float:
    return float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else float("inf")


def judge(folder: Path) -> dict[str, Any]:
    """Load the model of a folder, compare, and write it to folder/ours."""
    told = json.loads((folder / "name.json").read_text(encoding="utf-8"))
    model = (GPT if told["kind"] == "gpt2" else Llama).from_pretrained(folder)
    expected = dict(np.load(folder / "expected.npz"))
    tokens, real = expected["tokens"], expected["mask"].astype(bool)
    padded = logits_of(model, tokens[:, : real.shape[1]], attention_mask=expected["mask"])
    model.save_pretrained(folder / "ours")
    logits = logits_of(model, tokens)
    row = {
        "name": told["name"],
        "logits": difference(logits, expected["logits"]),
        "cached": difference(with_a_cache(model, tokens), expected["logits"]),
        "padded": difference(padded[real], expected["padded"][real]),
        "greedy": greedy(model, expected["greedy"][:12], len(expected["greedy"]))
        == expected["greedy"].tolist(),
        "largest": float(np.abs(expected["logits"]).max()),
    }
    exact = logits_of(model.double(), tokens)
    return {**row, "ours": difference(logits, exact), "theirs": difference(expected["logits"], exact)}


def stories(home: Path) -> dict[str, Any] | None:
    """llama2.c's model, which the library reads only as we write it: what it computes then is what we compare with."""
    path = Path(os.environ.get("TT_DATA_HOME", "")) / "stories260K" / "stories260K.bin"
    if not path.is_file():
        return None
    folder = home / "99"
    folder.mkdir()
    model = Llama.from_llama2c(path)
    tokens = np.random.default_rng(0).integers(0, 512, (2, 100))
    logits = logits_of(model, tokens)
    story = np.array(greedy(model, tokens[0, :12], 112))
    np.savez(folder / "expected.npz", tokens=tokens, logits=logits, greedy=story)
    model.save_pretrained(folder / "ours")
    return {
        "name": "stories260K of llama2.c",
        "ours": difference(logits, logits_of(Llama.from_llama2c(path).double(), tokens)),
        "cached": difference(with_a_cache(model, tokens), logits),
        "greedy": True,
        "largest": float(np.abs(logits).max()),
    }


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--peer-python", default=os.environ.get("TT_PEER_PYTHON", sys.executable),
                   help="an interpreter with torch and transformers (default TT_PEER_PYTHON, or this one)")  # fmt: skip
    p.add_argument("--json", metavar="FILE", help="write the record here")
    options = p.parse_args()
    peer = [options.peer_python, str(Path(__file__).with_name("pretrained_peer.py"))]
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "models"
        subprocess.run([*peer, "make", str(home)], check=True)
        rows = [judge(folder) for folder in sorted(home.iterdir())]
        rows += [row for row in [stories(home)] if row]
        subprocess.run([*peer, "read", str(home)], check=True)
        for row, folder in zip(rows, sorted(home.iterdir()), strict=True):
            expected, again = np.load(folder / "expected.npz"), np.load(folder / "again.npz")
            row["written"] = difference(again["logits"], expected["logits"])
            row["greedy"] &= again["greedy"].tolist() == expected["greedy"].tolist()
    print(
        f"{'model':34}{'logits':>10}{'cached':>10}{'padded':>10}{'written':>10}   greedy  largest     ours   theirs"
    )
    for row in rows:
        numbers = "".join(f"{row[kind]:10.1e}" if kind in row else f"{'-':>10}" for kind in KINDS)
        print(
            f"{row['name']:34}{numbers}   {'same' if row['greedy'] else 'OTHER':8}{row['largest']:7.2f}"
            f"{row['ours']:9.1e}{row.get('theirs', float('nan')):9.1e}"
        )
    worst = max(row[kind] for row in rows for kind in KINDS if kind in row)
    same = sum(row["greedy"] for row in rows)
    met = worst <= BAR and same == len(rows)
    print(
        f"{len(rows)} models: largest difference {worst:.1e} (bar {BAR:.0e}), the same 100 tokens in {same}: "
        f"bar {'met' if met else 'MISSED'}"
    )
    if options.json:
        record = {"models": rows, "worst": worst, "met": met, "machine": machine.describe()}
        Path(options.json).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return MET if met else MISSED


if __name__ == "__main__":
    sys.exit(main())
