"""The program ``milestone-tinygpt``: its options. What it does stands in story.py and pretrained.py, imported late."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from milestone_kit import Milestone, Options, Parser, Session, UsageError, number, whole

__all__ = ["main"]

PROMPT = {"train": "\n", "pretrained": "Once upon a time"}
NEW_TOKENS = {"train": 500, "pretrained": 200, "quick": 200}
TRAINING = ("recipe", "tokenizer", "vocab_size", "steps", "lr")
"""Options that say how to train, and their defaults are None until it is known whether it trains at all."""

RECIPE, TOKENIZER, VOCABULARY = "nanogpt", "char", 512


def add_options(parser: Parser) -> None:
    training = parser.add_argument_group("to train")
    training.add_argument(
        "--recipe",
        choices=["nanogpt", "fast"],
        help="nanogpt: nanoGPT's for CPUs, 2,000 steps (default); fast: to the same loss in less than half of the time",
    )
    training.add_argument(
        "--tokenizer",
        choices=["char", "bpe"],
        help="char: a token for each of the 65 characters (default); bpe: byte pairs, learned from the text first",
    )
    training.add_argument(
        "--vocab-size",
        type=whole(256, 100_000),
        metavar="N",
        help=f"how many tokens the byte pairs get (default {VOCABULARY})",
    )
    training.add_argument(
        "--steps",
        type=whole(1, 1_000_000),
        metavar="N",
        help="steps of the optimizer (default the recipe's; with --quick 250); the schedule stretches with them",
    )
    training.add_argument(
        "--lr",
        type=number(at_least=0.0),
        metavar="RATE",
        help="the highest learning rate (default the recipe's; with 0 nothing is learned)",
    )
    training.add_argument(
        "--accelerate",
        action="store_true",
        help="train and write on compiled kernels; the first run on a machine compiles them, which takes some seconds",
    )
    training.add_argument(
        "--resume",
        action="store_true",
        help="go on, bit for bit, where a run with the same options was interrupted",
    )
    other = parser.add_argument_group("to run a model that others trained instead")
    other.add_argument(
        "--pretrained",
        type=Path,
        metavar="PATH",
        help="a folder as Hugging Face has it (GPT-2, Llama and its like), or a file of llama2.c",
    )
    other.add_argument(
        "--tokenizer-file",
        type=Path,
        metavar="PATH",
        help="its tokenizer, where it does not lie beside the model",
    )
    writing = parser.add_argument_group("to write")
    writing.add_argument(
        "--prompt",
        metavar="TEXT",
        help="what the model goes on from (default a new line; with --pretrained 'Once upon a time')",
    )
    writing.add_argument(
        "--max-new-tokens",
        type=whole(1, 100_000),
        metavar="N",
        help=f"tokens to write at most (default {NEW_TOKENS['train']}; with --pretrained or --quick 200)",
    )
    writing.add_argument(
        "--temperature",
        type=number(at_least=0.0),
        default=0.8,
        metavar="T",
        help="below 1 likely tokens become likelier; 0 takes the likeliest (default 0.8)",
    )
    writing.add_argument(
        "--top-k", type=whole(1, None), metavar="K", help="draw from the K likeliest tokens only"
    )
    writing.add_argument(
        "--top-p",
        type=number(0.0, 1.0),
        metavar="P",
        help="draw from the likeliest tokens that sum to this probability",
    )


def check(options: Options) -> None:
    """Refuse what does not go together, and fill in what was not said."""
    if options.pretrained is None:
        if options.tokenizer_file is not None:
            raise UsageError("argument --tokenizer-file: goes with --pretrained; text to learn has its own")
        if options.vocab_size is not None and options.tokenizer != "bpe":
            raise UsageError("argument --vocab-size: goes with --tokenizer bpe; there are 65 characters")
    else:
        asked = [name for name in TRAINING if getattr(options, name) is not None]
        asked += [name for name in ("accelerate", "resume", "quick") if getattr(options, name)]
        if asked:
            raise UsageError(
                f"argument --{asked[0].replace('_', '-')}: says how to train, and --pretrained does not train"
            )
        if not options.pretrained.exists():
            raise UsageError(
                f"argument --pretrained: {str(options.pretrained)!r} does not exist; give a folder with config.json, "
                "or a file of llama2.c"
            )
    kind = "train" if options.pretrained is None else "pretrained"
    if options.prompt is None:
        options.prompt = PROMPT[kind]
    if options.max_new_tokens is None:
        options.max_new_tokens = NEW_TOKENS["quick" if options.quick else kind]
    if kind == "train":
        options.recipe = options.recipe or RECIPE
        options.tokenizer = options.tokenizer or TOKENIZER
        options.vocab_size = options.vocab_size or VOCABULARY


def run(session: Session) -> None:
    import numpy as np

    from tt_tensor.allocation import keep_freed_memory

    if keep_freed_memory():
        session.say(
            "memory that is freed stays with the process, for the next step (TT_MALLOC=0 turns that off)"
        )
    if session.options.pretrained is not None:
        from milestone_tinygpt import pretrained

        pretrained.run(session)
        return
    from contextlib import nullcontext

    from milestone_tinygpt.story import tell
    from milestone_tinygpt.training import COMPILED
    from tt_perf import accelerate, load_kernels

    compiled = accelerate(malloc=False) if session.options.accelerate else nullcontext()
    # What diverges is a missed bar, not a warning.
    with compiled, np.errstate(over="ignore", invalid="ignore"):
        if session.options.accelerate:
            load_kernels(*COMPILED)  # before the clock starts, as are all other imports
        tell(session)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``milestone-tinygpt`` with `argv` (default: the command line) and return its exit code."""
    about = (
        "a transformer learns to write like Shakespeare, character by character, on two cores in two minutes; or one "
        "that others trained runs"
    )
    milestone = Milestone("tinygpt", year=2020, about=about, run=run, add_options=add_options, check=check)
    return milestone.main(argv)
