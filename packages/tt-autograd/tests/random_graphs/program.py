"""A program: leaves, steps on earlier values, outputs. As JSON, as Python source, and as a function to call.

    def program(x0, x1):
        v0 = x0 * x1
        v1 = v0[1:]
        v1.add_(0.5)
        return v0, v1

The source is what runs, with the names of tt_tensor or with PyTorch's (on_pytorch.py) under it, so what a failing
test prints is what failed. It needs nothing but the standard library.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

NAME = re.compile(r"[xv]\d+")

# What is not written as a call `op(inputs, key=word)`, or as a method `input.op_(…)` for the writes in place.
TEMPLATES = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "pow": "{0} ** {1}",
    "remainder": "{0} % {1}",
    "neg": "-{0}",
    "greater": "{0} > {1}",
    "less_equal": "{0} <= {1}",
    "topk": "topk({0}, {k}, axis={axis}, largest={largest}).values",
    "getitem": "{0}[{key}]",
    "setitem": "{0}[{key}] = {1}",
    "iadd": "{0} += {1}",
    "isub": "{0} -= {1}",
    "imul": "{0} *= {1}",
    "itruediv": "{0} /= {1}",
    "iadd at": "{0}[{key}] += {1}",
    "imul at": "{0}[{key}] *= {1}",
    "no_grad mul_": "with no_grad(): {0}.mul_({1})",
}
WRITES = {"setitem", "iadd", "isub", "imul", "itruediv", "iadd at", "imul at", "no_grad mul_"}


@dataclass(frozen=True)
class Step:
    """One line. Inputs are names of values, or plain numbers, tuples and strings; lists stand for tuples."""

    op: str
    inputs: tuple
    words: dict = field(default_factory=dict)
    results: tuple = ()

    @property
    def writes(self):
        """Does it write into its first input?"""
        return self.op in WRITES or self.op.endswith("_")

    def names(self):
        """The values that it takes."""
        return set(_names(self.inputs))

    def source(self):
        inputs = [_literal(x) for x in self.inputs]
        words = {name: _key(word) if name == "key" else _literal(word) for name, word in self.words.items()}
        if self.op in TEMPLATES:
            text = TEMPLATES[self.op].format(*inputs, **words)
        else:
            named = [f"{name}={word}" for name, word in words.items()]
            if self.writes:
                text = f"{inputs[0]}.{self.op}({', '.join(inputs[1:] + named)})"
            else:
                text = f"{self.op}({', '.join(inputs + named)})"
        return f"{', '.join(self.results)} = {text}" if self.results else text


@dataclass(frozen=True)
class Program:
    """`leaves`: name to nested lists of float64 values. `outputs`: names of values."""

    leaves: dict
    steps: tuple
    outputs: tuple

    def source(self, before_write=None):
        lines = []
        for step in self.steps:
            if before_write and step.writes:
                lines.append(before_write.format(step.inputs[0]))
            lines.append(step.source())
        lines.append(f"return {', '.join(self.outputs)},")
        return f"def program({', '.join(self.leaves)}):\n" + "".join(f"    {line}\n" for line in lines)

    def compiled(self, namespace, before_write=None):
        """The function of the leaves that gives the tuple of outputs, in the words of `namespace`.

        `before_write`: a line to run before each write, with {0} for what is written.
        """
        scope = dict(namespace)
        exec(compile(self.source(before_write), "<program>", "exec"), scope)
        return scope["program"]

    def __repr__(self):
        leaves = [
            f"{name} = tensor({values!r}, dtype='float64', requires_grad=True)"
            for name, values in self.leaves.items()
        ]
        return "\n" + "\n".join(leaves) + "\n" + self.source()

    def _repr_pretty_(self, printer, cycle):
        printer.text(repr(self))  # what hypothesis prints

    def to_json(self):
        """One line."""
        return json.dumps(
            {
                "leaves": self.leaves,
                "steps": [[step.op, step.inputs, step.words, step.results] for step in self.steps],
                "outputs": self.outputs,
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text):
        found = json.loads(text) if isinstance(text, str) else text
        steps = [
            Step(op, tuple(inputs), words, tuple(results)) for op, inputs, words, results in found["steps"]
        ]
        return cls(found["leaves"], tuple(steps), tuple(found["outputs"]))


def _names(inputs):
    for x in inputs:
        if isinstance(x, list | tuple):
            yield from _names(x)
        elif isinstance(x, str) and NAME.fullmatch(x):
            yield x


def _literal(x: Any) -> str:
    if isinstance(x, str):
        return x if NAME.fullmatch(x) else repr(x)
    if isinstance(x, list | tuple):
        return f"({', '.join(map(_literal, x))}{',' if len(x) == 1 else ''})"
    return f"array({x['array']})" if isinstance(x, dict) else repr(x)


def _key(parts: Any) -> str:
    """What stands between the brackets: integers, None, "...", {"slice": […]}, {"array": […]}."""
    return ", ".join(
        _slice(part["slice"]) if isinstance(part, dict) and "slice" in part else _part(part) for part in parts
    )


def _part(part: Any) -> str:
    return "..." if part == "..." else _literal(part)


def _slice(bounds: Any) -> str:
    start, stop, step = ["" if bound is None else str(bound) for bound in bounds]
    return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"
