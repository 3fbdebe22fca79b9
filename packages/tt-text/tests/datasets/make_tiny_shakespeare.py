"""Pack tiny shakespeare into src/tt_text/datasets/tiny_shakespeare.txt.xz.

    python make_tiny_shakespeare.py path/to/tinyshakespeare/input.txt

The source is checked by its sha256. The result does not depend on the time or the machine, but its bytes may depend on
the version of liblzma, so the sha256 printed here has to be copied into tiny_shakespeare.py whenever it is made anew.
"""

from __future__ import annotations

import hashlib
import lzma
import sys
from pathlib import Path

SOURCE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
TARGET = Path(__file__).parents[2] / "src" / "tt_text" / "datasets" / "tiny_shakespeare.txt.xz"
# Text: positions mean nothing (pb), the character before means much (lc).
FILTERS = [
    {
        "id": lzma.FILTER_LZMA2,
        "preset": 9 | lzma.PRESET_EXTREME,
        "lc": 4,
        "lp": 0,
        "pb": 0,
        "nice_len": 273,
        "dict_size": 1 << 21,
    }
]

if __name__ == "__main__":
    text = Path(sys.argv[1]).read_bytes()
    if (found := hashlib.sha256(text).hexdigest()) != SOURCE_SHA256:
        sys.exit(f"{sys.argv[1]} is another file: sha256 {found}, expected {SOURCE_SHA256}")
    packed = lzma.compress(text, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=FILTERS)
    TARGET.write_bytes(packed)
    print(f"{len(packed)} bytes, sha256 {hashlib.sha256(packed).hexdigest()}")
