"""Ways to damage dataset files, and to forge archives that do harm: for dataset_mutations.py.

`DAMAGE` takes a random generator, a whole file and another one to take pieces from. `IDX` edits the header of an idx
file. `FORGED` makes an archive anew, with the right members (or nearly) and something that no archive of data needs.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import stat
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

MB = 1 << 20
Files = dict[str, bytes]
TarEntry = tuple[tarfile.TarInfo, bytes]
ZipEntry = tuple[zipfile.ZipInfo, bytes]
Damage = Callable[[random.Random, bytes, bytes], bytes]
Forgery = Callable[[random.Random, Files, Path], bytes]

PACK = {"": bytes, "gz": lambda data: gzip.compress(data, 1), "xz": lambda data: lzma.compress(data, preset=0),
        "bz2": bz2.compress}  # fmt: skip
NUMBERS = (0, 1, 2, 255, 2**16, 2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 1)


# --- damage ---------------------------------------------------------------------------------------------------


def flipped_bits(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    damaged = bytearray(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def truncated(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    ends = (chance.randrange(len(whole)), len(whole) - chance.randrange(1, 64), chance.randrange(64))
    return whole[: chance.choice(ends)]


def grown(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    return whole + chance.randbytes(chance.randrange(1, 2000))


def spliced(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """A block of this file or another over, into, or out of a place in it."""
    source = chance.choice((whole, other))
    start = chance.randrange(len(source))
    block = source[start : start + chance.choice((1, 8, 64, 512, 4096))]
    to = chance.randrange(len(whole))
    match chance.randrange(3):
        case 0:
            return whole[:to] + block + whole[to + len(block) :]
        case 1:
            return whole[:to] + block + whole[to:]
        case _:
            return whole[:to] + whole[to + len(block) :]


def zeroed(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """A block that never reached the disk, as after a power cut."""
    start = chance.randrange(0, len(whole), 512)
    hole = whole[start : start + chance.choice((512, 4096))]
    return whole[:start] + bytes(len(hole)) + whole[start + len(hole) :]


def wrong_magic(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    magic = chance.choice((b"\x1f\x8b\x08\0", b"BZh9", b"\xfd7zXZ\0", b"PK\3\4", b"PK\5\6", b"\0\0\x08\x01", b"\x89PNG",
                           b"\x80\x04\x95\0", chance.randbytes(4)))  # fmt: skip
    return magic + whole[len(magic) :]


DAMAGE: dict[str, Damage] = {
    function.__name__: function for function in (flipped_bits, truncated, grown, spliced, zeroed, wrong_magic)
}


# --- the header of an idx file ----------------------------------------------------------------------------------


def idx_sizes(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """Other sizes of the axes, absurd ones and such as have the same product."""
    rank = whole[3]
    sizes = list(struct.unpack_from(f">{rank}I", whole, 4))
    match chance.randrange(3):
        case 0:
            sizes[chance.randrange(rank)] = chance.choice(NUMBERS)
        case 1:
            sizes = [chance.choice(NUMBERS) for _ in sizes]
        case _:
            sizes[chance.randrange(rank)] += chance.choice((-1, 1))
    return whole[:4] + struct.pack(f">{rank}I", *sizes) + whole[4 + 4 * rank :]


def idx_rank(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    return whole[:3] + bytes([chance.choice((0, 1, 2, 4, 5, 8, 9, 100, 255))]) + whole[4:]


def idx_type(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """Not int8, with which the file would be another good one."""
    return whole[:2] + bytes([chance.choice((0, 7, 10, 11, 12, 13, 14, 15, 255))]) + whole[3:]


def idx_magic(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    return chance.randbytes(2) + whole[2:]


IDX: dict[str, Damage] = {
    function.__name__: function for function in (idx_sizes, idx_rank, idx_type, idx_magic, truncated, grown)
}


# --- archives that are forged -------------------------------------------------------------------------------------


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "") -> TarEntry:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, target
    return info, content


def tar(chance: random.Random, entries: list[TarEntry]) -> bytes:
    made = io.BytesIO()
    form = chance.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def packed(chance: random.Random, data: bytes) -> bytes:
    return PACK[chance.choice(("", "gz", "gz", "xz", "bz2"))](data)


def zipped(entries: list[ZipEntry]) -> bytes:
    made = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of duplicates, which are meant
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for info, content in entries:
                archive.writestr(info, content)
    return made.getvalue()


def zip_entry(name: str, content: bytes = b"", mode: int = stat.S_IFREG | 0o644) -> ZipEntry:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
    return info, content


def among(chance: random.Random, files: Files, *extra: TarEntry) -> bytes:
    """The right members with something else among them."""
    entries = [entry(name, content) for name, content in files.items()]
    for added in extra:
        entries.insert(chance.randrange(len(entries) + 1), added)
    return packed(chance, tar(chance, entries))


def zip_among(chance: random.Random, files: Files, *extra: ZipEntry) -> bytes:
    entries = [zip_entry(name, content) for name, content in files.items()]
    for added in extra:
        entries.insert(chance.randrange(len(entries) + 1), added)
    return zipped(entries)


def outward(chance: random.Random, outside: Path) -> str:
    """A name that leads out of any folder, to the one that is watched where a name can."""
    up = "../" * chance.randrange(1, 6)
    names = (f"{outside}/absolute{chance.randrange(9)}", f"{up}outside/up", f"a/b/../../../{up}outside/up",
             "..\\..\\outside\\up", "C:\\outside\\up", "C:up", "\\up", "a/..", "..", f"./{up}up")  # fmt: skip
    return chance.choice(names)


def tar_leading_out(chance: random.Random, files: Files, outside: Path) -> bytes:
    name = outward(chance, outside)
    return among(
        chance, files, entry(name, b"out", chance.choice((tarfile.REGTYPE, tarfile.REGTYPE, tarfile.DIRTYPE)))
    )


def member_leading_out(chance: random.Random, files: Files, outside: Path) -> bytes:
    """A member itself, in a folder that leads out."""
    moved = chance.choice(list(files))
    folder = chance.choice((str(outside), "../outside", "a/../.."))
    renamed = {
        f"{folder}/{name.rpartition('/')[2]}" if name == moved else name: content
        for name, content in files.items()
    }
    return among(chance, renamed)


def zip_leading_out(chance: random.Random, files: Files, outside: Path) -> bytes:
    return zip_among(chance, files, zip_entry(outward(chance, outside), b"out"))


def tar_link(chance: random.Random, files: Files, outside: Path) -> bytes:
    kind = chance.choice((tarfile.SYMTYPE, tarfile.LNKTYPE))
    name = chance.choice(("link", *files))
    target = chance.choice((str(outside / "victim"), "../outside/victim", *files))
    return among(chance, files, entry(name, b"", kind, target))


def link_then_file(chance: random.Random, files: Files, outside: Path) -> bytes:
    """A folder that is a link, and members in it."""
    entries = [entry("way", b"", tarfile.SYMTYPE, str(outside))]
    entries += [entry(f"way/{name.rpartition('/')[2]}", content) for name, content in files.items()]
    return packed(chance, tar(chance, entries))


def tar_device(chance: random.Random, files: Files, outside: Path) -> bytes:
    kind = chance.choice(
        (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE, b"9", b"V", b"M")
    )
    return among(chance, files, entry(chance.choice(("device", *files)), b"", kind))


def zip_link(chance: random.Random, files: Files, outside: Path) -> bytes:
    mode = chance.choice((stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK))
    return zip_among(chance, files, zip_entry("link", str(outside / "victim").encode(), mode | 0o777))


def twice(chance: random.Random, files: Files, outside: Path) -> bytes:
    name, content = chance.choice(list(files.items()))
    again = name if chance.random() < 0.5 else f"other/{name.rpartition('/')[2]}"
    content = chance.choice((content, content[::-1], b""))
    if chance.random() < 0.5:
        return zip_among(chance, files, zip_entry(again, content))
    return among(chance, files, entry(again, content))


def other_members(chance: random.Random, files: Files, outside: Path) -> bytes:
    """A member that is missing, longer, shorter, swapped with another, or of other bytes."""
    changed = dict(files)
    name, second = chance.sample(list(files), 2)
    content = files[name]
    match chance.randrange(5):
        case 0:
            del changed[name]
        case 1:
            changed[name] = content + chance.randbytes(chance.randrange(1, 2000))
        case 2:
            changed[name] = content[: chance.randrange(len(content))]
        case 3:
            changed[name], changed[second] = files[second], content
        case _:
            changed[name] = flipped_bits(chance, content, content)
    return zip_among(chance, changed) if chance.random() < 0.4 else among(chance, changed)


ZEROS: dict[str, bytes] = {}


def bomb_behind(chance: random.Random, files: Files, outside: Path) -> bytes:
    """64 MB behind the members, in a few kilobytes."""
    if not ZEROS:
        ZEROS.update({packing: PACK[packing](bytes(64 * MB)) for packing in ("gz", "xz", "bz2")})
    packing = chance.choice(list(ZEROS))
    data = tar(chance, [entry(name, content) for name, content in files.items()])
    whole = PACK[packing](data[: -2 * 512] if chance.random() < 0.5 else data)
    return whole + ZEROS[packing]


def bomb_header(chance: random.Random, files: Files, outside: Path) -> bytes:
    """An entry, or an extended header, that claims (and may bring) far too much."""
    info = tarfile.TarInfo(chance.choice(("bomb", *files)))
    info.type = chance.choice((tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
                               tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE))  # fmt: skip
    info.size = chance.choice((70_000, 8 * MB, 2**30, 2**33 - 1, 2**40, 2**62))
    block = info.tobuf(tarfile.GNU_FORMAT)
    brought = bytes(min(info.size, chance.choice((0, 512, 8 * MB))))
    data = tar(chance, [entry(name, content) for name, content in files.items()])
    return packed(chance, block + brought + data)


def bomb_dictionary(chance: random.Random, files: Files, outside: Path) -> bytes:
    """xz whose header asks for 16 MiB to 4 GiB, with its checksum made right; cut where that much is allowed."""
    data = bytearray(lzma.compress(tar(chance, [entry(*item) for item in files.items()]), preset=0))
    length = (data[12] + 1) * 4
    place = data.index(b"\x21\x01", 12, 12 + length) + 2
    data[place] = chance.randrange(24, 41)
    data[8 + length : 12 + length] = struct.pack("<I", zlib.crc32(data[12 : 8 + length]))
    return truncated(chance, bytes(data), b"") if data[place] < 29 else bytes(data)


def zip_lies(chance: random.Random, files: Files, outside: Path) -> bytes:
    """Sizes, methods, flags or offsets in the table of contents that are not those of what follows."""
    data = bytearray(zip_among(chance, files))
    places = [at for at in range(len(data) - 4) if data[at : at + 4] == b"PK\1\2"]
    place, end = chance.choice(places), data.rfind(b"PK\5\6")
    match chance.randrange(6):
        case 0:
            struct.pack_into("<I", data, place + 24, chance.choice(NUMBERS))  # unpacked size
        case 1:
            struct.pack_into("<I", data, place + 20, chance.choice(NUMBERS))  # packed size
        case 2:
            struct.pack_into("<H", data, place + 10, chance.choice((1, 6, 9, 12, 14, 93, 99)))  # method
        case 3:
            struct.pack_into("<H", data, place + 8, 1)  # encrypted
        case 4:
            struct.pack_into("<I", data, place + 42, chance.choice(NUMBERS[1:]))  # where it is
        case _:
            struct.pack_into(
                "<I", data, end + chance.choice((12, 16)), chance.choice(NUMBERS)
            )  # the table itself
    return bytes(data)


FORGED: dict[str, Forgery] = {
    function.__name__: function
    for function in (tar_leading_out, member_leading_out, zip_leading_out, tar_link, link_then_file, tar_device,
                     zip_link, twice, other_members, bomb_behind, bomb_header, bomb_dictionary, zip_lies)
}  # fmt: skip
