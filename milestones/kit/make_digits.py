"""Repack scikit-learn's ``digits.csv.gz`` into ``src/milestone_kit/digits.bin.gz``.

    python make_digits.py path/to/site-packages/sklearn/datasets/data/digits.csv.gz

The source file (scikit-learn 1.9.1) is checked by its sha256. The result does not depend on the time,
the name or the machine; its last bytes may depend on the zlib version, so the sha256 printed here has
to be copied into ``digits.py`` whenever the file is made anew.

Half of the pixels are 0 and the others are 1 to 16. So: the labels, one bit a pixel that tells whether
it is not 0, then four bits (value - 1) for each that is not; all in one gzip member.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np

SOURCE_SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
TARGET = Path(__file__).parent / "src" / "milestone_kit" / "digits.bin.gz"


def main(source: Path) -> None:
    packed = source.read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != SOURCE_SHA256:
        sys.exit(f"{source} is not the file that was repacked: sha256 {found}, expected {SOURCE_SHA256}")
    table = np.loadtxt(gzip.decompress(packed).decode("ascii").splitlines(), delimiter=",").astype(np.uint8)
    pixels, labels = table[:, :64].ravel(), table[:, 64]
    inked = pixels > 0
    values = pixels[inked] - 1
    values = np.append(values, np.zeros(values.size % 2, np.uint8))
    nibbles = values[0::2] << 4 | values[1::2]
    content = labels.tobytes() + np.packbits(inked).tobytes() + nibbles.tobytes()
    data = gzip.compress(content, compresslevel=9, mtime=0)
    TARGET.write_bytes(data)
    sys.stdout.write(f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
