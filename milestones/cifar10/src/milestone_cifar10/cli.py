"""The program ``milestone-cifar10``: its options. What it does stands in story.py, imported late."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from milestone_kit import Milestone, Options, Parser, Session, UsageError, number, whole

__all__ = ["main"]


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--long",
        action="store_true",
        help="a larger network for about an hour, as high as it gets (bar: 90 %%)",
    )
    parser.add_argument(
        "--epochs",
        type=whole(1, 1000),
        metavar="N",
        help="how often to go through the 50,000 images (default 3, with --long 16)",
    )
    parser.add_argument(
        "--lr",
        type=number(at_least=0.0),
        metavar="RATE",
        help="the highest learning rate of SGD (default 0.1; with 0 nothing is learned)",
    )
    parser.add_argument(
        "--accelerate",
        action="store_true",
        help="train on compiled kernels; the first run on a machine compiles them, which takes some seconds",
    )
    parser.add_argument(
        "--root",
        metavar="FOLDER",
        help="where the data are, or an archive (default: TT_DATA_HOME, then the cache folder, then a download)",
    )
    parser.add_argument(
        "--no-download", action="store_true", help="do not fetch the data (170 MB) if they are not here"
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        help="write the network's weights to FILE, which ends in .safetensors, and a card beside it, if it meets its "
        "bar; tt_vision.models.load_pretrained(FILE) reads them",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on, bit for bit, where a run with the same options was interrupted",
    )


def check(options: Options) -> None:
    target = options.export
    if target is None:
        return
    if options.quick:
        raise UsageError("argument --export: a quick run trains too little to be shipped; leave --quick out")
    if target.suffix != ".safetensors" or not target.parent.is_dir():
        raise UsageError(
            f"argument --export: must name a file *.safetensors in a folder that is there, not {str(target)!r}"
        )


def run(session: Session) -> None:
    from contextlib import nullcontext

    import numpy as np

    from milestone_cifar10.images import load
    from milestone_cifar10.recipe import LONG, SHORT
    from milestone_cifar10.story import tell
    from tt_perf import accelerate
    from tt_tensor.allocation import keep_freed_memory

    options = session.options
    keep_freed_memory()  # a step makes and frees the same arrays each time; TT_MALLOC=0 leaves that to the system
    recipe = (LONG if options.long else SHORT).changed(options.epochs, options.lr)
    images = load(options.root, not options.no_download)
    compiled = accelerate(malloc=False) if options.accelerate else nullcontext()
    # What diverges is a missed bar, not a warning.
    with compiled, np.errstate(over="ignore", invalid="ignore"):
        tell(session, images, recipe, options.resume)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``milestone-cifar10`` with `argv` (default: the command line) and return its exit code."""
    about = (
        "60,000 small colour images of ten kinds of things. An MLP ends below 60 %; a convolutional network, "
        "trained in NumPy, reaches 75 % within a minute or two"
    )
    milestone = Milestone("cifar10", year=1998, about=about, run=run, add_options=add_options, check=check)
    return milestone.main(argv)
