"""CIFAR-10 and CIFAR-100: 60,000 colour images, 32 by 32, of ten and of a hundred kinds of things."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tt_data.archive import Member, MemberStream
from tt_data.cache import Root
from tt_data.download import RemoteFile
from tt_data.download_progress import Progress
from tt_vision.datasets.cifar100_names import COARSE, FINE
from tt_vision.datasets.cifar_rows import SIDE, read_rows
from tt_vision.datasets.files import Published, read_members
from tt_vision.datasets.images import ImageDataset, Images, Transform

__all__ = ["CIFAR10", "CIFAR100"]

ROOT = "https://www.cs.toronto.edu/~kriz/"
ENDS = ("tar.gz", "tar.xz", "tar.bz2", "tar", "zip")
TERMS = "no licence stated; the page asks to cite Krizhevsky, Learning Multiple Layers of Features from Tiny Images"


class CIFAR10(ImageDataset):
    """CIFAR-10: 50,000 images to learn from, 10,000 to test on, uint8 (N, 3, 32, 32), of ten kinds of things.

    Args:
        root: a folder to look in and to download to, or an archive; by default TT_DATA_HOME, then the cache folder.
        train: the training images, or the test images.
        transform: what is done to each batch of images; see ImageDataset.
        target_transform: what is done to each batch of labels.
        download: whether the archive may be fetched if it is not here (170 MB).
        progress: whether downloading and unpacking are shown; "auto": on a terminal.

    The binary version is read: from `cifar-10-batches-bin/*.bin`, from the official `cifar-10-binary.tar.gz`, or from
    an equivalent archive of another kind (tar.xz, tar.bz2, tar, zip). Each batch file is checked by its sha256,
    wherever it came from. An archive is decoded once; then the batch files lie in the cache folder (184 MB).

    Raises DatasetError if they are not here and cannot be had, or are damaged; it says which file to put where.

    Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """

    published: ClassVar[Published] = Published(
        "CIFAR-10, binary version",
        tuple(
            Member(f"cifar-10-batches-bin/{name}.bin", 30730000, digest)
            for name, digest in (
                ("data_batch_1", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
                ("data_batch_2", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
                ("data_batch_3", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
                ("data_batch_4", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
                ("data_batch_5", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
                ("test_batch", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
            )
        ),
        ("cifar-10-batches-bin", "."),
        tuple(f"cifar-10-binary.{end}" for end in ENDS),
        (
            RemoteFile(
                "cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                170052171,
                (f"{ROOT}cifar-10-binary.tar.gz",),
                "c32a1d4ab5d03f1284b67883e8d87530",
                TERMS,
            ),
        ),
    )
    test_members: ClassVar[int] = 1
    label_bytes: ClassVar[int] = 1
    names: ClassVar[tuple[str, ...]] = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
                                        "truck")  # fmt: skip
    mean: ClassVar[tuple[float, ...]] = (0.4914, 0.4822, 0.4465)
    std: ClassVar[tuple[float, ...]] = (0.2470, 0.2435, 0.2616)

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
        images, labels = self._read(root, download, progress)
        super().__init__(images, labels[:, -1], self.names, transform, target_transform)

    def _read(self, root: Root, download: bool, progress: Progress) -> tuple[Images, Any]:
        """The images, and all label bytes of each as int64 (N, L)."""
        members = self.published.members
        wanted = members[: -self.test_members] if self.train else members[-self.test_members :]
        length = self.label_bytes + 3 * SIDE * SIDE
        ends = np.cumsum([member.size // length for member in wanted]).tolist()
        places = {
            member: slice(end - member.size // length, end) for member, end in zip(wanted, ends, strict=True)
        }
        pixels = np.empty((ends[-1], SIDE, SIDE, 3), np.uint8)
        labels = np.empty((ends[-1], self.label_bytes), np.int64)

        def take(member: Member, stream: MemberStream) -> None:
            read_rows(stream, pixels[places[member]], labels[places[member]])

        read_members(self.published, wanted, take, root, download, progress)
        return pixels.transpose(0, 3, 1, 2), labels


class CIFAR100(CIFAR10):
    """CIFAR-100: 50,000 and 10,000 images, uint8 (N, 3, 32, 32), of a hundred kinds of things in twenty groups.

    Args:
        root, train, transform, target_transform, download, progress: as for CIFAR10 (169 MB to fetch).
        coarse: whether the labels are the twenty groups instead of the hundred kinds.

    Attributes: `fine_targets` and `coarse_targets`, both labels of each image, int64 (N,); `targets` is one of them.
    Arguments, places and errors are otherwise those of CIFAR10; the names are `cifar-100-binary`, `train.bin`,
    `test.bin`.
    """

    published: ClassVar[Published] = Published(
        "CIFAR-100, binary version",
        # sha256 as other loaders of the official archive pin them; the archive itself was not at hand here.
        (
            Member(
                "cifar-100-binary/train.bin",
                153700000,
                "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
            ),
            Member(
                "cifar-100-binary/test.bin",
                30740000,
                "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
            ),
        ),
        ("cifar-100-binary", "."),
        tuple(f"cifar-100-binary.{end}" for end in ENDS),
        (
            RemoteFile(
                "cifar-100-binary.tar.gz",
                "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                168513733,
                (f"{ROOT}cifar-100-binary.tar.gz",),
                "03b5dce01913d631647c71ecec9e9cb8",
                TERMS,
            ),
        ),
    )
    label_bytes: ClassVar[int] = 2
    names: ClassVar[tuple[str, ...]] = FINE
    mean: ClassVar[tuple[float, ...]] = (0.5071, 0.4865, 0.4409)
    std: ClassVar[tuple[float, ...]] = (0.2673, 0.2564, 0.2762)

    def __init__(
        self,
        root: Root = None,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = True,
        coarse: bool = False,
        *,
        progress: Progress = "auto",
    ) -> None:
        self.train = train
        images, labels = self._read(root, download, progress)
        self.coarse_targets, self.fine_targets = labels.T.copy()
        targets, names = (self.coarse_targets, COARSE) if coarse else (self.fine_targets, FINE)
        ImageDataset.__init__(self, images, targets, names, transform, target_transform)
