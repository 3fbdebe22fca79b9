"""MNIST and Fashion-MNIST: 70,000 grey images, 28 by 28, of digits and of clothes, in idx files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from tt_data.archive import Member, MemberStream
from tt_data.cache import Root
from tt_data.download import RemoteFile
from tt_data.download_progress import Progress
from tt_data.errors import DatasetError
from tt_vision.datasets.files import Published, read_members
from tt_vision.datasets.idx import parse_idx
from tt_vision.datasets.images import ImageDataset, Transform

__all__ = ["MNIST", "FashionMNIST"]

SIDE = 28
SIZES = {"train-images-idx3-ubyte": 47040016, "train-labels-idx1-ubyte": 60008,
         "t10k-images-idx3-ubyte": 7840016, "t10k-labels-idx1-ubyte": 10008}  # fmt: skip


def _published(
    title: str,
    folder: str,
    others: tuple[str, ...],
    mirrors: tuple[str, ...],
    licence: str,
    unpacked: tuple[str, ...],
    packed: tuple[tuple[int, str, str], ...],
) -> Published:
    """Four files; `unpacked` has their sha256, `packed` size, sha256 and md5 of the official .gz, in that order."""
    members = [
        Member(name, size, digest) for (name, size), digest in zip(SIZES.items(), unpacked, strict=True)
    ]
    downloads = [
        RemoteFile(
            f"{folder}/{name}.gz", sha256, size, tuple(f"{url}{name}.gz" for url in mirrors), md5, licence
        )
        for name, (size, sha256, md5) in zip(SIZES, packed, strict=True)
    ]
    archives = tuple(f"{folder}.{end}" for end in ("tar.gz", "tar.xz", "tar.bz2", "tar", "zip"))
    return Published(title, tuple(members), (folder, *others, "."), archives, tuple(downloads))


class MNIST(ImageDataset):
    """The handwritten digits of MNIST: 60,000 images to learn from, 10,000 to test on, uint8 (N, 1, 28, 28).

    Args:
        root: a folder to look in and to download to, or an archive; by default TT_DATA_HOME, then the cache folder.
        train: the training images, or the test images.
        transform: what is done to each batch of images; see ImageDataset.
        target_transform: what is done to each batch of labels.
        download: whether files that are not here may be fetched (11 MB).
        progress: whether a download is shown; "auto": on a terminal.

    The official files are found packed or unpacked, in `mnist`, in `MNIST/raw` as torchvision leaves them, or in the
    folder itself; also in an archive such as `mnist.zip`. Each is checked by the sha256 of its content.

    Raises DatasetError if they are not here and cannot be had, or are damaged; it says which file to put where.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE
    86 (11), 1998.
    """

    published: ClassVar[Published] = _published(
        "MNIST",
        "mnist",
        ("MNIST/raw", "MNIST"),
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        "LeCun, Cortes and Burges; commonly given as CC BY-SA 3.0",
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        (
            (
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            ),
            (
                28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "d53e105ee54ea40749a09fcbcd1e9432",
            ),
            (
                1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "9fb629c4189551a2d022fa330f9573f3",
            ),
            (
                4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                "ec29112dd5afa0611ce80d1b7f02629c",
            ),
        ),
    )
    names: ClassVar[tuple[str, ...]] = ("0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five",
                                        "6 - six", "7 - seven", "8 - eight", "9 - nine")  # fmt: skip
    mean: ClassVar[tuple[float, ...]] = (0.1307,)
    std: ClassVar[tuple[float, ...]] = (0.3081,)

    def __init__(
        self,
        root: Root = None,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = True,
        *,
        progress: Progress = "auto",
    ) -> None:
        self.train = train
        wanted = self.published.members[:2] if train else self.published.members[2:]
        found: dict[str, np.ndarray] = {}

        def take(member: Member, stream: MemberStream) -> None:
            found[member.name] = parse_idx(stream, Path(stream.where), member.size, exact=True)

        read_members(self.published, wanted, take, root, download, progress)
        images, labels = (found[member.name] for member in wanted)
        if images.shape[1:] != (SIDE, SIDE):
            raise DatasetError(
                f"{type(self).__name__}: images have the shape {images.shape}, not (N, {SIDE}, {SIDE})"
            )
        super().__init__(images[:, None], labels, self.names, transform, target_transform)


class FashionMNIST(MNIST):
    """Fashion-MNIST: clothes in the format of MNIST, 60,000 and 10,000 images, uint8 (N, 1, 28, 28); 31 MB to fetch.

    Arguments and errors as for MNIST; the folders are `fashion-mnist` (as Debian's package dataset-fashion-mnist has
    in /usr/share/datasets, which may be given as root) and `FashionMNIST/raw`.

    Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms",
    arXiv:1708.07747, 2017.
    """

    published: ClassVar[Published] = _published(
        "Fashion-MNIST",
        "fashion-mnist",
        ("FashionMNIST/raw", "FashionMNIST", "fashion_mnist"),
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
        "MIT, Zalando SE",
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        (
            (
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            ),
            (
                29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "25c81989df183df01b3e8a0aad5dffbe",
            ),
            (
                4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "bef4ecab320f06d8554ea6380940ec79",
            ),
            (
                5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                "bb300cfdad3c16e7a12a480ee83cd310",
            ),
        ),
    )
    names: ClassVar[tuple[str, ...]] = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                                        "Sneaker", "Bag", "Ankle boot")  # fmt: skip
    mean: ClassVar[tuple[float, ...]] = (0.2860,)
    std: ClassVar[tuple[float, ...]] = (0.3530,)
