"""10,000 damaged tokenizer files: a TokenizerError each, or a tokenizer that works; with little memory.

encoder.json with vocab.bpe, tokenizer.json (byte-level and ▁), tok512.bin, files of our own: damaged as bytes (bits,
cuts, blocks moved, numbers) and as JSON (a node replaced by junk, taken out, doubled, or nested without end). For each:

- TokenizerError and nothing else; or a tokenizer, with which encode and decode give a result or a TokenizerError;
- the peak of memory, traced, is within 100 times the file's size + 16 MB: what a header or an id promises takes none.

Exits 1 if one misses the bar.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import struct
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from duel import MET, MISSED
from mutations import JUNK, NUMBERS, flipped_bits, grown, nodes, spliced, swapped_blocks, truncated, zeroed

from tt_text.errors import TokenizerError
from tt_text.tokenizers import BPETokenizer, CharTokenizer, Llama2cTokenizer, load_tokenizer
from tt_text.tokenizers.json_files import digest

MB = 1 << 20
TEXT = "low <s> 12 é世 " * 3
Damage = Callable[[random.Random, bytes, bytes], bytes]


def number(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """32 bits somewhere replaced by a number that promises much."""
    at = chance.randrange(max(1, len(whole) - 4))
    return whole[:at] + struct.pack("<I", chance.choice(NUMBERS) % 2**32) + whole[at + 4 :]


def structure(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """A node of the JSON replaced, taken out, doubled, or moved; sealed with a new digest where there was one."""
    tree = json.loads(whole)
    for _ in range(chance.choice((1, 1, 2))):
        found = nodes(tree)
        small = [place for place in found if isinstance(place[0], dict) and len(place[0]) < 40]
        container, key = chance.choice(small if small and chance.random() < 0.7 else found)
        match chance.randrange(4):
            case 0:
                container[key] = copy.deepcopy(chance.choice((*JUNK, *NUMBERS)))
            case 1:
                del container[key]
            case 2 if isinstance(container, list):
                container.insert(key, container[key])
            case 2:
                container[f"{key}'"] = container[key]
            case _:
                there = chance.choice(found)
                container[key] = copy.deepcopy(there[0][there[1]]) if _is_there(there) else None
    return sealed(tree)


def _is_there(place: tuple[Any, Any]) -> bool:
    container, key = place
    return key in container if isinstance(container, dict) else key < len(container)


def sealed(tree: Any) -> bytes:
    if isinstance(tree, dict) and "sha256" in tree:
        tree.pop("sha256")
        tree["sha256"] = digest(tree)
    return json.dumps(tree).encode()


def nested(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """Something nested without end."""
    levels = chance.choice((33, 100, 990, 100_000))
    left, right = chance.choice((("[", "]"), ('{"type":"Sequence","pretokenizers":[', "]}"), ('{"a":', "}")))
    text = (left * levels + "1" + right * levels).encode()
    at = chance.choice([at for at in range(len(whole)) if whole[at : at + 1] == b":"]) + 1
    return whole[:at] + text + b"," + whole[at:]


BYTES: tuple[Damage, ...] = (flipped_bits, truncated, grown, spliced, swapped_blocks, zeroed, number)
TREES: tuple[Damage, ...] = (structure, structure, structure, nested)


def originals(data: Path, home: Path) -> dict[str, dict[str, bytes]]:
    """The files of each kind, small ones, so that damage meets every part."""
    corpus = (data / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")[:30_000]
    special = ["<s>", "</s>"]
    made = BPETokenizer.train(corpus, 400, special_tokens=special, prefix=["<s>"], eos_token="</s>")
    made.save(home / "bpe.json")
    made.save_tokenizer_json(home / "hf.json")
    CharTokenizer.from_text(corpus, special_tokens=special, unk_token="<unk>", prefix=["<s>"]).save(
        home / "char.json"
    )
    goldens = Path(__file__).parents[1] / "packages/tt-text/tests/tokenizers/goldens.json"
    files = json.loads(goldens.read_text(encoding="ascii"))["files"]
    state = made._state()
    pairs = "\n".join(" ".join(pair) for pair in state["merges"])
    found = {
        "encoder.json and vocab.bpe": {
            "encoder.json": json.dumps(state["vocab"] | {"<|endoftext|>": 400}).encode(),
            "vocab.bpe": f"#version: 0.2\n{pairs}\n".encode(),
        },
        "tok512.bin": {"tokenizer.bin": (data / "stories260K" / "tok512.bin").read_bytes()},
    }
    for name in ("char.json", "bpe.json", "hf.json"):
        found[name] = {"tokenizer.json": (home / name).read_bytes()}
    for name in ("roberta", "llama3", "llama", "metaspace first"):
        found[f"tokenizer.json, {name}"] = {"tokenizer.json": json.dumps(files[name]["document"]).encode()}
    return found


def outcome(folder: Path) -> str:
    try:
        tokenizer = load_tokenizer(folder)
    except TokenizerError:
        return "refused"
    told = "loaded"
    for call in (lambda: tokenizer.encode(TEXT), lambda: tokenizer.encode(TEXT, allowed_special="all"),
                 lambda: tokenizer.decode(list(tokenizer._names)[:500]), lambda: repr(tokenizer),
                 lambda: tokenizer.encode_batch(["low", "l"], pad_id=0)):  # fmt: skip
        try:
            call()
        except TokenizerError:
            told = "loaded; some texts are refused"
    return told


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="tinyshakespeare, stories260K")
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    wrong = worst = 0
    with tempfile.TemporaryDirectory() as home:
        files = originals(options.data, Path(home))
        Llama2cTokenizer.from_file(
            options.data / "stories260K" / "tok512.bin"
        )  # imports are no mutant's memory
        tracemalloc.start()
        for at in range(options.mutants):
            chance = random.Random(f"{options.seed} {at}")
            kind = list(files)[at % len(files)]
            folder = Path(home) / "mutant"
            folder.mkdir(exist_ok=True)
            for old in folder.iterdir():
                old.unlink()
            damaged = chance.choice(list(files[kind]))
            whole = files[kind][damaged]
            other = chance.choice(list(files[chance.choice(list(files))].values()))
            is_json = damaged.endswith(".json")
            way = chance.choice(TREES if is_json and chance.random() < 0.6 else BYTES)
            mutant = way(chance, whole, other)
            for name, content in files[kind].items():
                (folder / name).write_bytes(mutant if name == damaged else content)
            size = sum(path.stat().st_size for path in folder.iterdir())
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                told = outcome(folder)
            except Exception as error:  # what must not be
                told = f"WRONG {type(error).__name__}"
                wrong += 1
                print(
                    f"mutant {at} of {kind}, {damaged}, {way.__name__}: {type(error).__name__}: {error!s:.200}"
                )
            taken = tracemalloc.get_traced_memory()[1] - before
            worst = max(worst, taken)
            if taken > 100 * size + 16 * MB:
                wrong += 1
                print(
                    f"mutant {at} of {kind}, {way.__name__}: {taken / MB:.0f} MB for a file of {size:,} bytes"
                )
            counts.setdefault(kind, Counter())[told] += 1
    for kind, found in counts.items():
        print(f"{kind}: " + ", ".join(f"{count:,} {told}" for told, count in sorted(found.items())))
    print(f"{options.mutants:,} mutants, {wrong} wrong; at most {worst / MB:.1f} MB for one")
    return MISSED if wrong else MET


if __name__ == "__main__":
    sys.exit(main())
