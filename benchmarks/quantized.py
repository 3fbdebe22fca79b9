"""What quantization costs and gains: accuracy, next tokens and bytes of trained networks, before and after.

    export TT_DATA_HOME=...                          # CIFAR-10, TinyShakespeare, stories260K
    milestone-cifar10 --export runs/cifar-cnn.safetensors
    milestone-tinygpt --recipe fast --out runs/tinygpt
    python benchmarks/quantized.py --cifar runs/cifar-cnn.safetensors --tinygpt runs/tinygpt

CIFAR: the share of the 10,000 test images that the network is right about. TinyGPT: how often the likeliest next
character is the float model's, at each of the 111,488 places of the validation split that fill blocks of 64, and the
loss there. stories260K: the same, on stories that the float model wrote (sampled, so of its own distribution). Bytes
are those of the files, with their headers.

"packed" are files of save_quantized(…, packed=True), loaded again before they are measured; "folded" networks had their
batch norms made part of the layers before. Beside the float32 file stands what DEFLATE makes of it, for comparison: of
the weights that milestone-cifar10 exports, which are float16 on disk, a lot, as half of their bits are zeros.

Bars, all for "int8": at most 0.5 points of accuracy lost, 99 % of next tokens of TinyGPT the same, files at most 0.27
times as large, packed ones of the CIFAR network at most 0.25 times. Exits 1 where one is missed. What is not given is
left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import numpy as np
from duel import MET, MISSED, WRONG_ARGUMENTS

import tt_nn
import tt_perf
from tt_nn import Module
from tt_tensor import manual_seed

LOST, AGREED, SIZE, PACKED = 0.005, 0.99, 0.27, 0.25
BATCH = 128
SCHEMES: dict[str, dict[str, Any]] = {
    "int8": {},
    "int8, packed": {},
    "int8, folded, packed": {},
    "int8, affine": {"symmetric": False},
    "int8, groups of 64": {"group_size": 64},
    "int8, one scale a layer": {"per": "tensor"},
    "int8-dynamic": {},
    "int8-static": {},
    "int8-static, mse": {"activation_observer": "mse"},
    "int16": {},
    "float16": {},
    "bfloat16": {},
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cifar", type=Path, help="weights of the CIFAR network, their card beside them")
    parser.add_argument("--tinygpt", type=Path, help="where milestone-tinygpt --recipe fast wrote")
    parser.add_argument("--stories", action="store_true", help="stories260K of TT_DATA_HOME")
    parser.add_argument("--schemes", help="NAME;NAME of those in the table; all by default")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    wanted = (
        list(SCHEMES) if options.schemes is None else [name.strip() for name in options.schemes.split(";")]
    )
    if unknown := [name for name in wanted if name not in SCHEMES]:
        print(f"no scheme is called {unknown[0]!r}; there are {'; '.join(SCHEMES)}", file=sys.stderr)
        return WRONG_ARGUMENTS
    tt_perf.accelerate()
    record: dict[str, Any] = {"machine": machine.describe()}
    faults: list[str] = []
    if options.cifar:
        record["cifar"] = cifar(options.cifar, wanted, faults)
    if options.tinygpt:
        record["tinygpt"] = tinygpt(options.tinygpt, wanted, faults)
    if options.stories:
        record["stories"] = stories(wanted)
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for fault in faults:
        print(f"MISSED: {fault}")
    return MISSED if faults else MET


def variants(
    model: Module, names: list[str], calibration: list[Any], evaluate: Callable[[Module], dict[str, float]]
) -> dict[str, dict[str, float]]:
    """What `evaluate` says of the model and each of its variants, with the bytes of their files."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        tt_nn.save(model, path)
        whole = path.stat().st_size
        found["float32"] = {"size": 1.0, "bytes": whole, **evaluate(model)}
        found["float32"]["size, DEFLATE"] = len(zlib.compress(path.read_bytes(), 9)) / whole
        show("float32", found["float32"])
        for name in names:
            scheme, settings = name.split(",")[0], dict(SCHEMES[name])
            if scheme == "int8-static":
                settings["calibration"] = calibration
            start = tt_perf.fold_batch_norm(model) if "folded" in name else model
            small = tt_perf.quantize(start, scheme, **settings)
            tt_perf.save_quantized(small, path, packed="packed" in name)
            small = tt_perf.load_quantized(path, start)
            size = path.stat().st_size
            found[name] = {"size": size / whole, "bytes": size, **evaluate(small)}
            show(name, found[name])
    return found


def show(name: str, figures: dict[str, float]) -> None:
    parts = (f"{key} {value:,}" if key == "bytes" else f"{key} {value:.4f}" for key, value in figures.items())
    print(f"  {name:24}" + "  ".join(parts), flush=True)


def cifar(weights: Path, names: list[str], faults: list[str]) -> dict[str, Any]:
    """The CIFAR network on the test images."""
    from tt_vision.datasets import CIFAR10
    from tt_vision.models.cards import Card
    from tt_vision.models.weights import load_pretrained

    model = load_pretrained(weights)
    card = Card.from_json(weights.with_suffix(".json").read_text(encoding="utf-8"))
    test, train = CIFAR10(train=False, download=False), CIFAR10(train=True, download=False)
    images, targets = np.asarray(test.data), np.asarray(test.targets)
    some = [card.prepare(np.asarray(train.data[at : at + 250])) for at in range(0, 1000, 250)]
    print(f"CIFAR network, {len(images):,} test images")
    found = variants(
        model, names, some, lambda each: {"accuracy": card.count(each, images, targets) / len(images)}
    )
    for name, most in (("int8", SIZE), ("int8, packed", PACKED), ("int8, folded, packed", PACKED)):
        if name in found:
            size, lost = found[name]["size"], found["float32"]["accuracy"] - found[name]["accuracy"]
            check(faults, f"CIFAR {name} loses {100 * lost:.2f} points", lost <= LOST)
            check(faults, f"CIFAR {name} is {size:.4f} × as large, {1 / size:.2f} × smaller", size <= most)
    return found


def next_tokens(model: Module, tokens: Any) -> Callable[[Module], dict[str, float]]:
    """How often another model's likeliest next token is `model`'s, and the loss, over tokens (N, T)."""

    def run(each: Module) -> tuple[Any, float]:
        best, total = [], 0.0
        for start in range(0, len(tokens), BATCH):
            some = tokens[start : start + BATCH]
            logits = each(some).array
            best.append(logits.argmax(axis=2))
            rows = logits[:, :-1].astype(np.float64)
            rows -= rows.max(axis=2, keepdims=True)
            right = np.take_along_axis(rows, some[:, 1:, None], axis=2)[..., 0]
            total += float((np.log(np.exp(rows).sum(axis=2)) - right).sum())
        return np.concatenate(best), total / tokens[:, 1:].size

    wanted, _ = run(model)

    def evaluate(each: Module) -> dict[str, float]:
        found, loss = run(each)
        return {"same": float((found == wanted).mean()), "loss": loss}

    return evaluate


def tinygpt(folder: Path, names: list[str], faults: list[str]) -> dict[str, Any]:
    """The Llama of milestone-tinygpt's fast recipe on the validation split."""
    from milestone_tinygpt.networks import network
    from milestone_tinygpt.recipes import RECIPES
    from tt_text.datasets import TinyShakespeare

    newest = sorted(folder.glob("checkpoints/fast-char-*/step-*.safetensors"))[-1]
    state = {name[6:]: value for name, value in tt_nn.load(newest).items() if name.startswith("model/")}
    text = TinyShakespeare("all").text
    ids = {char: number for number, char in enumerate(sorted(set(text)))}
    model: Any = network(RECIPES["fast"], len(ids), 0)
    model.load_state_dict(state)
    model.eval()
    tokens = np.array([ids[char] for char in text])
    start = int(0.9 * len(tokens))
    blocks = tokens[start : start + (len(tokens) - start) // 64 * 64].reshape(-1, 64)
    before = tokens[:6400].reshape(-1, 64)  # of the training split
    print(f"TinyGPT, {blocks.size:,} characters of the validation split")
    found = variants(model, names, [before], next_tokens(model, blocks))
    if "int8" in found:
        same = found["int8"]["same"]
        check(faults, f"TinyGPT int8: {100 * same:.2f} % of next characters are the same", same >= AGREED)
        check(
            faults, f"TinyGPT int8 is {found['int8']['size']:.4f} × as large", found["int8"]["size"] <= SIZE
        )
    return found


def stories(names: list[str]) -> dict[str, Any]:
    """stories260K on stories of its own; no bar."""
    import os

    from tt_text import Llama, generate

    model = Llama.from_llama2c(Path(os.environ["TT_DATA_HOME"]) / "stories260K" / "stories260K.bin")
    manual_seed(0)
    written = generate(model, [[1]] * 64, max_new_tokens=255, temperature=1.0)
    tokens = np.array([list(row) for row in written])
    print(f"stories260K, {tokens.size:,} tokens of its own stories")
    return variants(model, names, [tokens[:8]], next_tokens(model, tokens))


def check(faults: list[str], text: str, met: bool) -> None:
    print(f"  bar: {text}: {'met' if met else 'MISSED'}")
    if not met:
        faults.append(text)


if __name__ == "__main__":
    sys.exit(main())
