"""The program ``milestone-mnist``: its options. What it does stands in story.py, imported late."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from milestone_kit import Milestone, Options, Parser, Session, UsageError, number, whole

__all__ = ["main"]

EPOCHS = {"digits": 30, "mnist": 12}
QUICK_EPOCHS = {"digits": 30, "mnist": 8}
LR = {"digits": 0.01, "mnist": 0.003}
BATCH = {"digits": 64, "mnist": 128}
SMOOTHING = {"digits": 0.1, "mnist": 0.0}


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--data",
        choices=["digits", "mnist"],
        default="digits",
        help="digits: 1,797 images of 8×8 that come along (default); mnist: 70,000 of 28×28, from TT_DATA_HOME, "
        "the cache, or downloaded (11 MB)",
    )
    parser.add_argument(
        "--epochs",
        type=whole(1, 100_000),
        metavar="N",
        help=f"how often to go through the images (default {EPOCHS['digits']}, for mnist {EPOCHS['mnist']}; "
        f"with --quick {QUICK_EPOCHS['digits']} and {QUICK_EPOCHS['mnist']})",
    )
    parser.add_argument(
        "--lr",
        type=number(at_least=0.0),
        metavar="RATE",
        help=f"the highest learning rate of AdamW (default {LR['digits']}, for mnist {LR['mnist']}; with 0 nothing "
        "is learned)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on, bit for bit, where a run with the same options was interrupted",
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        help="write the CNN's weights to FILE, which ends in .safetensors, and a card beside it, if it meets its bar; "
        "tt_vision.models.load_pretrained(FILE) reads them (with --data mnist)",
    )


def check(options: Options) -> None:
    if options.export is None:
        return
    if options.data != "mnist":
        raise UsageError(
            "argument --export: goes with --data mnist; the CNN for the digits is no model of tt_vision"
        )
    if options.export.suffix != ".safetensors" or not options.export.parent.is_dir():
        raise UsageError(
            f"argument --export: must name a file *.safetensors in a folder that is there, not {str(options.export)!r}"
        )


def run(session: Session) -> None:
    import numpy as np

    from milestone_mnist import images
    from milestone_mnist.story import tell
    from milestone_mnist.training import Plan
    from tt_tensor.allocation import keep_freed_memory

    if keep_freed_memory():
        session.say(
            "memory that is freed stays with the process, for the next step (TT_MALLOC=0 turns that off)"
        )
    options = session.options
    if options.epochs is None:
        options.epochs = (QUICK_EPOCHS if options.quick else EPOCHS)[options.data]
    if options.lr is None:
        options.lr = LR[options.data]
    problem = {"digits": images.digits, "mnist": images.mnist}[options.data](options.seed)
    with np.errstate(over="ignore", invalid="ignore"):  # what diverges is a missed bar, not a warning
        tell(session, problem, Plan(options.epochs, options.lr, BATCH[options.data], SMOOTHING[options.data]))


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``milestone-mnist`` with `argv` (default: the command line) and return its exit code."""
    about = (
        "handwritten digits. First one image at a time, then batches; first a multi-layer perceptron (1986), then a "
        "convolutional network (1998) with the very same training code"
    )
    milestone = Milestone("mnist", year=1998, about=about, run=run, add_options=add_options, check=check)
    return milestone.main(argv)
