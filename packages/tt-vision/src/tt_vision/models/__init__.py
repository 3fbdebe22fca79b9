"""tt_vision.models: networks for images, built by functions, with torchvision's names where it has the model.

    from tt_vision.models import lenet5, resnet18
    model = resnet18(num_classes=10, stem="cifar")
    model = lenet5(weights="mnist")     # trained, in eval mode
    get_card("lenet5", "mnist").accuracy

A model that is built with weights is in eval mode, as one wants it for what they are good for; `train()` or a
Trainer switches it back. Without weights it is in train mode, as PyTorch's.
"""

from collections.abc import Callable

from tt_nn import Module
from tt_vision.models.cards import Card
from tt_vision.models.cifar_cnn import CifarCNN, cifar_cnn, whitening
from tt_vision.models.lenet import LeNet5, lenet5
from tt_vision.models.mlp import MLP, mlp
from tt_vision.models.resnet import BasicBlock, ResNet, resnet18, resnet20, resnet34
from tt_vision.models.vgg import VGG, vgg11, vgg11_bn
from tt_vision.models.weights import get_card, list_cards, load_pretrained, save_pretrained

__all__ = [
    "BUILDERS",
    "MLP",
    "VGG",
    "BasicBlock",
    "Card",
    "CifarCNN",
    "LeNet5",
    "ResNet",
    "cifar_cnn",
    "get_card",
    "lenet5",
    "list_cards",
    "load_pretrained",
    "mlp",
    "resnet18",
    "resnet20",
    "resnet34",
    "save_pretrained",
    "vgg11",
    "vgg11_bn",
    "whitening",
]

BUILDERS: dict[str, Callable[..., Module]] = {
    builder.__name__: builder
    for builder in (mlp, lenet5, cifar_cnn, resnet18, resnet20, resnet34, vgg11, vgg11_bn)
}
"""Every function that builds a model, by its name."""
