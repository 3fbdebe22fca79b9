"""What a submission may be built as: constructors of tt_vision.models and tt_text, by name, with JSON arguments.

Nothing of a submission is ever executed. A constructor is taken from this list, its arguments are numbers, texts
and rows of them, and none of them names a file.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tt_nn import Module, init
from tt_perf.competition.errors import SubmissionError
from tt_perf.competition.extra import needed
from tt_perf.competition.tasks import ALPHABET, BLOCK, Task
from tt_tensor.errors import TTError

__all__ = ["ARGUMENTS", "build", "check_arguments", "described"]

_RESNET = ("num_classes", "stem", "shortcut", "zero_init_residual", "in_channels")
_VGG = ("num_classes", "dropout", "in_channels")

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "mlp": ("in_features", "hidden", "num_classes", "activation", "dropout"),
    "lenet5": ("num_classes", "in_channels", "image_size", "padding", "style"),
    "cifar_cnn": ("num_classes", "stem", "blocks", "in_channels"),
    "resnet18": _RESNET,
    "resnet34": _RESNET,
    "resnet20": ("num_classes", "shortcut", "zero_init_residual", "in_channels"),
    "vgg11": _VGG,
    "vgg11_bn": _VGG,
    "gpt": (
        "vocab_size", "block_size", "n_layer", "n_head", "n_embd", "dropout", "bias", "activation", "n_inner",
        "layer_norm_epsilon", "tie_word_embeddings",
    ),
    "llama": (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "max_position_embeddings", "rope_theta", "rope_layout", "rms_norm_eps",
        "hidden_act", "attention_bias", "mlp_bias", "tie_word_embeddings", "sliding_window", "attention_dropout",
    ),
}  # fmt: skip
"""Each architecture's arguments. None of them loads weights: those come from the submission."""

GREATEST = 65_536
MOST_PARTS = 64
LONGEST = 64


def check_arguments(task: Task, architecture: Any, arguments: Any) -> None:
    """Is this an architecture of the task, with arguments of the kinds that constructors take?

    Raises SubmissionError that names what is not.
    """
    if not isinstance(architecture, str) or architecture not in task.architectures:
        raise SubmissionError(
            f"architecture {architecture!r} is none of those for {task.name}: {', '.join(task.architectures)}"
        )
    if not isinstance(arguments, dict):
        raise SubmissionError(f"arguments are an object of names and values, not {type(arguments).__name__}")
    for name, value in arguments.items():
        if name not in ARGUMENTS[architecture]:
            raise SubmissionError(
                f"{architecture} has no argument {name!r} here; there are {', '.join(ARGUMENTS[architecture])}"
            )
        _check_value(f"argument {name!r}", value, 0)


def build(task: Task, architecture: str, arguments: dict[str, Any]) -> Module:
    """The network with zeros for weights, in eval mode.

    Raises SubmissionError where the arguments do not build one for the task, MissingWheelError without `compete`.
    """
    check_arguments(task, architecture, arguments)
    with init.without_init():
        try:
            model: Module = _constructed(task, architecture, arguments)
        except (TTError, TypeError, ValueError, OverflowError, ArithmeticError) as error:
            raise SubmissionError(f"{architecture}(**{arguments}) cannot be built: {error}") from error
    return model.eval()


def described(task: Task, model: Module) -> tuple[str, dict[str, Any]]:
    """Architecture and arguments of a model, where they can be told from it: a GPT, a Llama, or a network that an
    architecture's usual arguments build.

    Raises SubmissionError where they cannot.
    """
    config = getattr(model, "config", None)
    kind = type(model).__name__.lower()
    if task.by_loss and kind in task.architectures and dataclasses.is_dataclass(config):
        fields = dataclasses.asdict(config)  # type: ignore[arg-type]
        return kind, {name: value for name, value in fields.items() if name in ARGUMENTS[kind]}
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    for architecture in () if task.by_loss else task.architectures:
        usual = _usual(task, architecture)
        if usual is None or type(usual) is not type(model):
            continue
        if {name: tensor.shape for name, tensor in usual.state_dict().items()} == shapes:
            return architecture, {}
    raise SubmissionError(
        f"how a {type(model).__name__} is built cannot be told from it: give architecture= (one of "
        f"{', '.join(task.architectures)}) and arguments= as they were given when it was built"
    )


def _usual(task: Task, architecture: str) -> Module | None:
    if architecture == "mlp" or architecture.startswith("vgg"):  # no usual widths; 0.5 GB
        return None
    try:
        return build(task, architecture, {})
    except SubmissionError:
        return None


def _constructed(task: Task, architecture: str, arguments: dict[str, Any]) -> Module:
    if not task.by_loss:
        models = needed("tt_vision.models")
        sizes: dict[str, Any] = {"num_classes": 10}
        if architecture == "mlp":
            sizes["in_features"] = task.shape[0] * task.shape[1] * task.shape[2]
        else:
            sizes["in_channels"] = task.shape[0]
        if architecture == "lenet5":
            sizes["image_size"] = task.shape[1]
        if architecture in ("resnet18", "resnet34"):
            sizes["stem"] = "cifar"
        network: Module = models.BUILDERS[architecture](**{**sizes, **arguments})
        return network
    text = needed("tt_text")
    kind, config = (text.GPT, text.GPTConfig) if architecture == "gpt" else (text.Llama, text.LlamaConfig)
    model = kind(config.from_dict(arguments))
    if model.vocab_size != len(ALPHABET):
        raise SubmissionError(
            f"{task.name} has {len(ALPHABET)} characters, each a token, not {model.vocab_size}"
        )
    if model.context < BLOCK:
        raise SubmissionError(
            f"{task.name} is read in blocks of {BLOCK}, more than the {model.context} of the model"
        )
    built: Module = model
    return built


def _check_value(where: str, value: Any, depth: int) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, int | float) and abs(value) <= GREATEST:  # not NaN
        return
    if isinstance(value, str) and len(value) <= LONGEST and value.replace("_", "").isalnum():
        return
    if isinstance(value, list | tuple) and depth < 3 and len(value) <= MOST_PARTS:
        for part in value:
            _check_value(where, part, depth + 1)
        return
    raise SubmissionError(
        f"{where} is {str(value)[:80]!r}; numbers up to {GREATEST:,}, words of letters and digits, and rows of up to "
        f"{MOST_PARTS} of them are taken"
    )
