"""Image datasets: the official files, verified, as one array of uint8 each.

    CIFAR10(train=False)[0]   →   (uint8 Tensor of shape (3, 32, 32), 3)

| dataset | images | classes |
|---|---|---|
| `Digits` | 1,797 of 1 × 8 × 8, in the package | 10 |
| `MNIST`, `FashionMNIST` | 70,000 of 1 × 28 × 28 | 10 |
| `CIFAR10`, `CIFAR100` | 60,000 of 3 × 32 × 32 | 10, 100 (or 20) |

All take `root, train, transform, target_transform, download` as torchvision does. Files are looked for in TT_DATA_HOME
and in the platform's cache folder and, if they are not there, downloaded.
"""

from tt_data.errors import DatasetError
from tt_vision.datasets.cifar import CIFAR10, CIFAR100
from tt_vision.datasets.digits import Digits
from tt_vision.datasets.idx import read_idx
from tt_vision.datasets.images import ImageDataset
from tt_vision.datasets.mnist import MNIST, FashionMNIST

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "DatasetError",
    "Digits",
    "FashionMNIST",
    "ImageDataset",
    "read_idx",
]
