"""4,000 damaged and forged files of pretrained models: each is refused by its name, or is a model all the same.

config.json, the index of shards, model.safetensors (with tt_nn's digest and without, as others write it) and llama2.c's
files are mutated: bits, blocks and ends of files, and values inside: sizes without end, names that lead out of the
folder, other dtypes, shapes and offsets. The bar, for each:

- ConfigError or PretrainedError and nothing else, or a model that computes logits of the right shape;
- a model holds no more numbers than the files have;
- where the weights' file has a digest, a model that comes out of a mutated file is the very one that was written;
- nothing is made, changed or removed on the disk;
- the peak of memory, traced (Python and NumPy) and resident, is within the files' size + 64 MB.

--control has the loader believe what it reads: the shapes are not checked, and the digest is not; harm must be seen.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import struct
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import machine
import numpy as np
from dataset_mutants import DAMAGE, MB
from dataset_mutations import damaged, peak_bytes, reset_peak, snapshot
from duel import MET, MISSED

from tt_nn import load
from tt_tensor import manual_seed
from tt_text import GPT, GPTConfig, Llama, LlamaConfig
from tt_text.errors import ConfigError, PretrainedError
from tt_text.models.safetensors_folder import SafetensorsFolder

ALLOWED = 64 * MB
Files = dict[str, bytes]
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
JUNK: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 13, 255, 2**31 - 1, 2**31, 2**40, 2**63, 10**30, 10**400, 0.0, 0.5, -0.5,
    12.0, 1e-300, 1e300, float("inf"), float("nan"), "", "12", "gelu", "relu", "x" * 3000, "\ud800", [], [1], {},
    {"a": 1}, {"rope_type": "linear", "factor": 1e300}, {"rope_type": "default"}, [[[[[[1]]]]]], "gpt2", "llama",
)  # fmt: skip
NAMES: tuple[Any, ...] = (
    "../model.safetensors", "/etc/passwd", "..", ".", "", "model.safetensors", "../../outside/victim.safetensors", 3,
    None, "C:\\x.safetensors", "one.safetensors\0", "two.safetensors", "one.safetensors", "nowhere.safetensors", ["a"],
    "/dev/zero", "x" * 5000 + ".safetensors", "outside.safetensors/..",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 3, 5, 8, 13, 16, 64, 255, 2**16, 2**24, 2**31 - 1, -(2**31), -13, -512)


# --- whole files ----------------------------------------------------------------------------------------------


def packed(tensors: dict[str, Any]) -> bytes:
    """safetensors without a digest, as the transformers library writes it."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, array in tensors.items():
        dtype = {"f4": "F32", "f2": "F16"}[array.dtype.str[1:]]
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + array.nbytes],
        }
        body += array.tobytes()
    return with_header(header, body)


def with_header(header: Any, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def llama2c(model: Llama) -> bytes:
    c, state = model.config, {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    layers = range(c.num_hidden_layers)
    parts = ["input_layernorm", *(f"self_attn.{n}_proj" for n in "qkvo"), "post_attention_layernorm"]
    parts += [f"mlp.{n}_proj" for n in ("gate", "down", "up")]
    arrays = [state["model.embed_tokens.weight"]]
    arrays += [state[f"model.layers.{i}.{part}.weight"] for part in parts for i in layers]
    arrays += [state["model.norm.weight"], np.ones((c.max_position_embeddings, c.width), np.float32)]
    arrays += [state["lm_head.weight"]]
    sizes = (c.hidden_size, c.intermediate_size, len(layers), c.num_attention_heads, c.groups, -c.vocab_size)
    return struct.pack("<7i", *sizes, c.max_position_embeddings) + b"".join(
        array.tobytes() for array in arrays
    )


def whole_folders(box: Path) -> dict[str, Files]:
    """The files of each model before they are damaged."""
    manual_seed(0)
    gpt = GPT(GPTConfig(vocab_size=31, block_size=16, n_layer=2, n_head=3, n_embd=12))
    llama = Llama(
        LlamaConfig(
            vocab_size=31, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=16, rope_layout="half",
        )
    )  # fmt: skip
    found: dict[str, Files] = {}
    for name, model in (("gpt", gpt), ("llama", llama)):
        model.save_pretrained(box / name)
        files = {path.name: path.read_bytes() for path in sorted((box / name).iterdir())}
        found[name] = files
        tensors = {key: tensor.numpy() for key, tensor in load(box / name / SINGLE).items()}
        found[f"{name}, no digest"] = {**files, SINGLE: packed(tensors)}
        keys = list(tensors)
        halves = {"one.safetensors": keys[: len(keys) // 2], "two.safetensors": keys[len(keys) // 2 :]}
        shards = {
            shard: packed({key: tensors[key].astype("f2") for key in part}) for shard, part in halves.items()
        }
        where = {key: shard for shard, part in halves.items() for key in part}
        index = json.dumps({"metadata": {}, "weight_map": where}).encode()
        found[f"{name}, shards"] = {"config.json": files["config.json"], INDEX: index, **shards}
    found["llama2.c"] = {"model.bin": llama2c(llama)}
    stories = Path(os.environ.get("TT_DATA_HOME", "")) / "stories260K" / "stories260K.bin"
    if stories.is_file():
        found["stories260K"] = {"model.bin": stories.read_bytes()}
    return found


# --- damage to values -----------------------------------------------------------------------------------------


def junk_field(chance: random.Random, whole: bytes) -> bytes:
    """Some fields of config.json with other values, names or none."""
    fields = json.loads(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        name = chance.choice(list(fields) or ["a"])
        match chance.randrange(8):
            case 0:
                fields.pop(name, None)
            case 1:
                fields[chance.choice(("a", "", name.upper(), "n_ctx", "head_dim", "rope_scaling"))] = (
                    fields.get(name)
                )
            case 2:
                fields[name] = fields.get(chance.choice(list(fields) or ["a"]))
            case _:
                fields[name] = chance.choice(JUNK)
    return json.dumps(fields).encode()


def junk_index(chance: random.Random, whole: bytes) -> bytes:
    index = json.loads(whole)
    where = index["weight_map"]
    for _ in range(chance.choice((1, 1, 2, 5))):
        name = chance.choice(list(where))
        match chance.randrange(5):
            case 0:
                where[name + chance.choice("x. \0")] = where.pop(name)
            case 1:
                index["weight_map"] = chance.choice((where, where, *JUNK))
            case _:
                where[name] = chance.choice(NAMES)
    return json.dumps(index).encode()


def junk_header(chance: random.Random, whole: bytes) -> bytes:
    """Names, dtypes, shapes and offsets in a safetensors header."""
    length = int.from_bytes(whole[:8], "little")
    header, body = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    names = [name for name in header if name != "__metadata__"]
    for _ in range(chance.choice((1, 1, 2, 4))):
        name = chance.choice(names)
        entry = header.get(name)
        match chance.randrange(8):
            case 0:
                header.pop(name, None)
            case 1:
                header[name + chance.choice("x.\0")] = header.pop(name, None)
            case 2:
                header[name] = chance.choice(JUNK)
            case 3:
                header[name] = header.get(chance.choice(names))
            case 4 if isinstance(entry, dict):
                entry["dtype"] = chance.choice(
                    ("F16", "BF16", "F64", "I64", "BOOL", "F8_E4M3", "U8", 4, None, "F128")
                )
            case 5 if isinstance(entry, dict):
                entry["data_offsets"] = [chance.choice((0, 4, -4, len(body), 2**40, 2**64)) for _ in range(2)]
            case 6:
                header["__metadata__"] = chance.choice(JUNK)
            case _ if isinstance(entry, dict):
                entry["shape"] = chance.choice(
                    ([], [0], [2**62, 2**62], [2**40], [-1], ["1"], [1] * 40, entry.get("shape"))
                )
    return with_header(header, body)


def junk_length(chance: random.Random, whole: bytes) -> bytes:
    """Another length of the header of safetensors."""
    return (
        struct.pack(
            "<Q", chance.choice((0, 1, 2, 7, len(whole), len(whole) - 8, 2**24, 2**31, 2**63, 2**64 - 1))
        )
        + whole[8:]
    )


def junk_sizes(chance: random.Random, whole: bytes) -> bytes:
    """Other numbers in the header of llama2.c."""
    header = list(struct.unpack_from("<7i", whole))
    for _ in range(chance.choice((1, 1, 2, 3))):
        place = chance.randrange(7)
        header[place] = chance.choice((*NUMBERS, header[place] * 2, header[place] + 1, -header[place]))
    return struct.pack("<7i", *(min(max(n, -(2**31)), 2**31 - 1) for n in header)) + whole[28:]


VALUES: dict[str, tuple[Callable[[random.Random, bytes], bytes], ...]] = {
    "config.json": (junk_field, junk_field, junk_field),
    INDEX: (junk_index, junk_index),
    ".safetensors": (junk_header, junk_header, junk_length),
    ".bin": (junk_sizes, junk_sizes),
}


class Trial:
    """A box with the folder that is loaded and what may not be touched; counts and peaks by kind of mutation."""

    def __init__(self, box: Path) -> None:
        self.box, self.folder = box, box / "model"
        self.whole = whole_folders(box / "made")
        self.folder.mkdir()
        (box / "outside").mkdir()
        (box / "outside" / "victim.safetensors").write_bytes(self.whole["gpt"][SINGLE])
        self.written = {
            name: {key: tensor.numpy() for key, tensor in load(box / "made" / name / SINGLE).items()}
            for name in ("gpt", "llama")
        }
        self.refused: Counter[str] = Counter()
        self.valid: Counter[str] = Counter()
        self.traced: Counter[str] = Counter()
        self.resident: Counter[str] = Counter()
        self.misses: list[str] = []
        self.watched = reset_peak() is not None

    def draw(self, chance: random.Random) -> tuple[str, str, str, Files]:
        """The kind of mutation, the model, the file that is mutated, and all files."""
        model = chance.choice(list(self.whole))
        files = dict(self.whole[model])
        name = chance.choice(list(files))
        values = next(ways for end, ways in VALUES.items() if name.endswith(end))
        other = chance.choice(list(self.whole[chance.choice(list(self.whole))].values()))
        while files[name] == self.whole[model][name]:
            if chance.random() < 0.6:
                way = chance.choice(values)
                files[name] = way(chance, files[name])
                how = way.__name__
            else:
                how = chance.choice(list(DAMAGE))
                files[name] = damaged(chance, DAMAGE[how], files[name], other)
        kind = "weights" if name.endswith(".safetensors") else name.replace(INDEX, "index")
        return f"{kind}: {how}", model, name, files

    def judge(self, kind: str, model: str, mutated: str, files: Files) -> None:
        for path in self.folder.iterdir():
            path.unlink()
        for name, data in files.items():
            (self.folder / name).write_bytes(data)
        size = sum(map(len, files.values()))
        if "model.bin" in files:
            make = lambda: Llama.from_llama2c(self.folder / "model.bin")  # noqa: E731
        else:
            make = lambda: (GPT if model.startswith("gpt") else Llama).from_pretrained(self.folder)  # noqa: E731
        before = snapshot(self.box, self.box / "none")
        found, error = self._measured(kind, make, size)
        if snapshot(self.box, self.box / "none") != before:
            self.misses.append(f"{kind}: something on the disk changed")
        elif isinstance(error, ConfigError | PretrainedError):
            self.refused[kind] += 1
            if not str(error).startswith(str(self.folder)) and str(self.folder) not in str(error):
                self.misses.append(f"{kind}: the error names no file: {error}")
        elif error is not None:
            self.misses.append(f"{kind}: {error!r}")
        else:
            fault = self._fault(found, model, mutated, size)
            if fault:
                self.misses.append(f"{kind}: {fault}")
            self.valid[kind] += 1

    def _measured(self, kind: str, load: Any, size: int) -> tuple[Any, BaseException | None]:
        resident = reset_peak()
        tracemalloc.reset_peak()
        start = tracemalloc.get_traced_memory()[0]
        found: Any = None
        error: BaseException | None = None
        try:
            found = load()
        except Exception as raised:
            error = raised
        self.traced[kind] = max(self.traced[kind], tracemalloc.get_traced_memory()[1] - start - size)
        if resident is not None:
            self.resident[kind] = max(self.resident[kind], peak_bytes() - resident - size)
        return found, error

    def _fault(self, found: Any, model: str, mutated: str, size: int) -> str:
        """What is wrong with a model that was loaded."""
        held = sum(parameter.size for parameter in found.parameters())
        # Two bytes a number in float16; biases that the format lacks are few.
        if held > size // 2:
            return f"{held} numbers from {size} bytes"
        try:
            with np.errstate(all="ignore"):
                shape = found(np.zeros((1, min(3, found.context)), np.int64)).shape
        except Exception as error:
            return f"loaded, but it does not compute: {error!r}"
        if shape != (1, min(3, found.context), found.vocab_size):
            return f"loaded, but its logits are {shape}"
        if mutated == SINGLE and model in self.written:
            state = found.state_dict()
            right = self.written[model]
            turn = {
                key: value.T
                for key, value in right.items()
                if model == "gpt" and "c_" in key and value.ndim == 2
            }
            if any(
                not np.array_equal(state[key].numpy(), turn.get(key, value)) for key, value in right.items()
            ):
                return "loaded other numbers than were written, past the digest"
        return ""


def believe() -> None:
    """For --control: what a loader without care does."""
    SafetensorsFolder.check = lambda *_, **__: None  # type: ignore[method-assign]
    import tt_nn.weights

    tt_nn.weights.DIGEST = "nobody.looks"


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--count", type=int, default=4_000, help="mutants (default 4000)")
    p.add_argument("--seed", type=int, default=0, help="of the mutations (default 0)")
    p.add_argument("--control", action="store_true", help="without the checks")
    p.add_argument("--json", metavar="FILE", help="write the record here")
    options = p.parse_args()
    if options.count < 1:
        p.error("--count must be positive")
    start = perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        box = Path(temporary).resolve()
        (box / "made").mkdir()
        trial = Trial(box)
        if options.control:
            believe()
        chance = random.Random(options.seed)
        tracemalloc.start()
        for _ in range(options.count):
            trial.judge(*trial.draw(chance))
        tracemalloc.stop()
    return report(options, trial, perf_counter() - start)


def report(options: argparse.Namespace, trial: Trial, seconds: float) -> int:
    print(f"{'kind':30}{'refused':>9}{'valid':>8}   peak beyond the files' size, MB: traced, resident")
    for kind in sorted(trial.traced):
        resident = f"{trial.resident[kind] / MB:9.2f}" if trial.watched else "        ?"
        traced = trial.traced[kind] / MB
        print(f"{kind:30}{trial.refused[kind]:9,}{trial.valid[kind]:8,}{traced:12.2f}{resident}")
    peak = max(*trial.traced.values(), *trial.resident.values(), 0)
    for miss in trial.misses[:20]:
        print("MISS", miss[:500])
    met = not trial.misses and peak <= ALLOWED
    print(
        f"{options.count:,} mutants: {trial.refused.total():,} refused, {trial.valid.total():,} models all the same, "
        f"{len(trial.misses):,} misses; highest peak {peak / MB:.1f} MB beyond the files' size (bar {ALLOWED // MB}); "
        f"{seconds:.0f} s: bar {'met' if met else 'MISSED'}"
    )
    if options.json:
        record = {"count": options.count, "refused": trial.refused.total(), "valid": trial.valid.total(), "peak": peak,
                  "misses": trial.misses[:100], "met": met, "machine": machine.describe()}  # fmt: skip
        Path(options.json).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return MET if met else MISSED


if __name__ == "__main__":
    sys.exit(main())
