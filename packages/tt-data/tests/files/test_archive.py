"""Archives: the members come out right, and whatever else an archive does is refused with little memory."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import random
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections import namedtuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_data.archive import EXTRA, Member, iter_members, open_member
from tt_data.archive_compression import XzFile
from tt_data.download_errors import ArchiveError
from tt_tensor.errors import ArgumentError

MB = 1 << 20
Entry = namedtuple("Entry", "name content kind target", defaults=(b"", tarfile.REGTYPE, ""))
PACK = {"": bytes, "gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}
FILES = {"set/a.bin": bytes(range(256)) * 40, "set/b.bin": b"b" * 1000, "set/empty.bin": b""}


def member(name, content, algorithm="sha256"):
    return Member(name, len(content), f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")


MEMBERS = [member(name, content) for name, content in FILES.items()]
ENTRIES = [Entry("set", kind=tarfile.DIRTYPE), *(Entry(*item) for item in FILES.items())]


def tar(entries, form=tarfile.PAX_FORMAT, **headers):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form, pax_headers=headers) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.size, info.type, info.linkname = len(entry.content), entry.kind, entry.target
            archive.addfile(info, io.BytesIO(entry.content))
    return made.getvalue()


def zipped(entries, method=zipfile.ZIP_DEFLATED, mode=stat.S_IFREG | 0o644):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name + "/" * (entry.kind == tarfile.DIRTYPE))
            info.external_attr = (stat.S_IFDIR | 0o755 if entry.kind == tarfile.DIRTYPE else mode) << 16
            info.compress_type = method
            archive.writestr(info, entry.content)
    return made.getvalue()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive"


def read(path, members=MEMBERS):
    return {found.name: stream.read() for found, stream in iter_members(path, members)}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("packing", PACK)
def test_tar_gives_its_members(packing, form, path):
    path.write_bytes(PACK[packing](tar(ENTRIES, form)))
    assert read(path) == FILES


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_gives_its_members(method, path):
    path.write_bytes(zipped(ENTRIES, method))
    assert read(path) == FILES


@pytest.mark.parametrize("folder", ["", "./", "another/folder/", "ünïcode/", "long/" * 40])
@pytest.mark.parametrize("make", [tar, zipped, lambda entries: tar(entries, tarfile.GNU_FORMAT)])
def test_members_are_found_in_any_folder_among_other_files(make, folder, path):
    more = [Entry(f"{folder}readme.html", b"x" * 3000), Entry(f"{folder}._a.bin", b"x")]
    path.write_bytes(make([*more, *(Entry(folder + name[4:], content) for name, content in FILES.items())]))
    assert read(path) == FILES


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_each_kind_of_checksum_is_checked(algorithm, path):
    content = FILES["set/a.bin"]
    path.write_bytes(tar([Entry("a.bin", content)]))
    assert read(path, [member("a.bin", content, algorithm)]) == {"a.bin": content}
    other = member("a.bin", content[::-1], algorithm)
    with pytest.raises(ArchiveError, match=other.checksum.split(":")[1]):
        read(path, [other])


def test_what_is_not_read_is_checked_all_the_same(path):
    path.write_bytes(tar(ENTRIES))
    assert [found.name for found, _ in iter_members(path, MEMBERS)] == list(FILES)
    path.write_bytes(tar([Entry("a.bin", b"other"), *ENTRIES[2:]]))
    wrong = [Member("a.bin", 5, "sha256:" + "0" * 64), *MEMBERS[1:]]
    with pytest.raises(ArchiveError, match="damaged or another file"):
        for _ in iter_members(path, wrong):
            pass


def test_a_member_without_a_checksum_has_its_size_checked(path):
    path.write_bytes(tar([Entry("a.bin", b"12345")]))
    assert read(path, [Member("a.bin", 5)]) == {"a.bin": b"12345"}
    with pytest.raises(ArchiveError, match="5 bytes, 4 were published"):
        read(path, [Member("a.bin", 4)])


def hostile():
    """Entries that no archive of data needs, each with what the message says."""
    a, b, empty = ENTRIES[1:]
    whole = [a, b, empty]
    return {
        "missing": ([a, b], "does not hold empty.bin"),
        "twice": ([*whole, a], "twice"),
        "twice, in another folder": ([*whole, Entry("x/a.bin", a.content)], "twice"),
        "larger": ([Entry("a.bin", a.content + b"\0"), b, empty], "10,241 bytes, 10,240 were published"),
        "smaller": ([Entry("a.bin", a.content[:-1]), b, empty], "10,239 bytes, 10,240 were published"),
        "another content": ([Entry("a.bin", a.content[::-1]), b, empty], "damaged or another file"),
        "absolute": ([*whole, Entry("/etc/passwd", b"x")], "leads out"),
        "absolute member": ([Entry("/a.bin", a.content), b, empty], "leads out"),
        "up": ([*whole, Entry("../x", b"x")], "leads out"),
        "up in the middle": ([*whole, Entry("set/../../x", b"x")], "leads out"),
        "up by backslash": ([*whole, Entry("set\\..\\x", b"x")], "leads out"),
        "a drive": ([*whole, Entry("C:x", b"x")], "leads out"),
        "a folder that leads up": ([*whole, Entry("../x", kind=tarfile.DIRTYPE)], "leads out"),
        "much else": ([*whole, Entry("x", bytes(EXTRA + 1))], "more than"),
    }


def links():
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    return {kind: Entry("x", kind=kind, target="/etc/passwd") for kind in kinds}


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("what", hostile())
def test_a_hostile_tar_is_refused(what, packing, path):
    entries, says = hostile()[what]
    path.write_bytes(PACK[packing](tar(entries)))
    with pytest.raises(ArchiveError, match=says) as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", links())
@pytest.mark.parametrize("place", [0, 4])
def test_a_link_or_a_device_is_refused_wherever_it_is(kind, place, path):
    entries = [*ENTRIES[:place], links()[kind], *ENTRIES[place:]]
    path.write_bytes(tar(entries))
    with pytest.raises(ArchiveError, match="a link, a device"):
        read(path)
    as_member = [Entry("a.bin", kind=kind, target="b.bin"), *ENTRIES[2:]]
    path.write_bytes(tar(as_member))
    with pytest.raises(ArchiveError, match="a link, a device"):
        read(path)


@pytest.mark.parametrize("what", [what for what in hostile() if what != "much else"])
def test_a_hostile_zip_is_refused(what, path):
    entries, says = hostile()[what]
    with pytest.warns(UserWarning, match="Duplicate") if what == "twice" else contextlib.nullcontext():
        path.write_bytes(zipped(entries))
    with pytest.raises(ArchiveError, match=says):
        read(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_link_in_a_zip_is_refused(kind, path):
    path.write_bytes(zipped(ENTRIES, mode=kind | 0o777))
    with pytest.raises(ArchiveError, match="a link or a device"):
        read(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_method_is_not_bounded_is_refused(method, path):
    path.write_bytes(zipped(ENTRIES, method))
    with pytest.raises(ArchiveError, match="method other than deflate"):
        read(path)


def test_an_encrypted_zip_is_refused(path):
    data = bytearray(zipped(ENTRIES[1:]))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = -1
        while (place := data.find(signature, place + 1)) >= 0:
            data[place + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="encrypted"):
        read(path)


def test_a_zip_with_a_huge_table_of_contents_is_refused_unread(path):
    data = bytearray(zipped(ENTRIES))
    place = data.rfind(b"PK\5\6")
    struct.pack_into("<I", data, place + 12, 2 * MB)
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="2,097,152"):
        read(path)


def memory_of(call):
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError) as caught:
            call()
        return tracemalloc.get_traced_memory()[1], str(caught.value)
    finally:
        tracemalloc.stop()


def huge_entry(kind):
    header = tarfile.TarInfo("x")
    header.size, header.type = 1 << 30, kind
    return gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(16 * MB))


def exabytes():
    header = tarfile.TarInfo("x")
    header.size = 1 << 62
    return header.tobuf(tarfile.GNU_FORMAT)


# Files of a few kilobytes that would unpack to much more, or ask for it.
BOMBS = {
    **{f"zeros behind, {p}": lambda p=p: PACK[p](tar(ENTRIES)) + PACK[p](bytes(16 * MB)) for p in ("gz", "xz", "bz2")},
    **{f"a gigabyte of {kind!r}": lambda kind=kind: huge_entry(kind)
       for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
                    tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE)},
    "four exabytes": exabytes,
    "xz that asks for four gigabytes": lambda: with_dictionary(bytearray(lzma.compress(tar(ENTRIES), preset=0))),
}  # fmt: skip


def with_dictionary(data):
    """An xz file whose block header claims the largest dictionary there is, with its CRC made right."""
    length = (data[12] + 1) * 4
    place = data.index(b"\x21\x01", 12, 12 + length) + 2
    data[place] = 40
    data[12 + length - 4 : 12 + length] = struct.pack("<I", zlib.crc32(data[12 : 12 + length - 4]))
    return bytes(data)


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_does_not_go_off(what, path):
    path.write_bytes(BOMBS[what]())
    peak, _ = memory_of(lambda: read(path))
    assert peak < 12 * MB  # of which the dictionary of a usual xz file takes 8


def test_a_compressed_file_that_is_a_bomb_does_not_go_off(path):
    path.write_bytes(gzip.compress(bytes(64 * MB)))
    wanted = Member("a.bin", 1000)

    def call():
        with open_member(path, wanted) as stream:
            stream.read()

    peak, says = memory_of(call)
    assert "holds more than the 1,000 bytes" in says
    assert peak < 4 * MB


@pytest.mark.parametrize("packing", PACK)
def test_a_file_is_a_member_as_it_is_or_packed(packing, path):
    content = FILES["set/a.bin"]
    path.write_bytes(PACK[packing](content))
    with open_member(path, MEMBERS[0]) as stream:
        filled = bytearray(100)
        stream.fill(filled)
        assert filled == content[:100]
        assert not stream.verified
        assert stream.read() == content[100:]
        assert stream.verified
        assert stream.read() == b""


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("damage", ["longer", "shorter", "another", "cut"])
def test_a_file_that_is_not_the_member_is_refused(damage, packing, path):
    content = FILES["set/a.bin"]
    other = {"longer": content + b"\0", "shorter": content[:-1], "another": content[::-1], "cut": content}[
        damage
    ]
    data = PACK[packing](other)
    path.write_bytes(data[: len(data) // 2] if damage == "cut" else data)
    with pytest.raises(ArchiveError, match=str(path)), open_member(path, MEMBERS[0]) as stream:
        stream.read()


def test_a_tee_gets_what_was_read(path):
    path.write_bytes(FILES["set/a.bin"])
    got = bytearray()
    with open_member(path, MEMBERS[0]) as stream:
        stream.tee = got.extend
        stream.drain()
    assert got == FILES["set/a.bin"]


def test_more_than_there_is_cannot_be_filled(path):
    path.write_bytes(FILES["set/b.bin"])
    with (
        open_member(path, MEMBERS[1]) as stream,
        pytest.raises(ArchiveError, match="1,000 bytes left, not 1,001"),
    ):
        stream.fill(bytearray(1001))


def test_what_is_no_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ArchiveError, match=str(path)):
            read(path)
        with pytest.raises(ArchiveError, match=str(path)), open_member(path, MEMBERS[0]):
            pass


def test_an_error_of_the_reader_is_its_own(path):
    path.write_bytes(FILES["set/a.bin"])
    with pytest.raises(OSError, match="mine") as caught, open_member(path, MEMBERS[0]):
        raise OSError("mine")
    assert not isinstance(caught.value, ArchiveError)


@pytest.mark.parametrize(
    "wrong", [("", 1, ""), ("a", -1, ""), ("a", 1, "md5:12"), ("a", 1, "crc:12345678"), ("a", 1, "xyz")]
)
def test_an_impossible_member_is_refused(wrong):
    with pytest.raises(ArgumentError, match="Member"):
        Member(*wrong)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.binary(max_size=3000), st.integers(0, 3)), max_size=4), st.integers(1, 5000))
def test_xz_streams_in_a_row_are_one_after_the_other(parts, size):
    data = b"".join(lzma.compress(content) + b"\0" * 4 * padding for content, padding in parts)
    stream = XzFile(io.BytesIO(data))
    if not parts:
        with pytest.raises(EOFError):
            stream.read(1)
        return
    wanted = b"".join(content for content, _ in parts)
    found = b""
    while piece := stream.read(size):
        found += piece
    assert found == wanted


@settings(max_examples=150)
@given(st.sampled_from([("tar", ""), ("tar", "gz"), ("tar", "xz"), ("tar", "bz2"), ("zip", "")]),
       st.randoms(use_true_random=False))  # fmt: skip
def test_damage_is_an_archive_error_or_does_no_harm(tmp_path_factory, kind, chance):
    make, packing = kind
    data = bytearray(PACK[packing](tar(ENTRIES)) if make == "tar" else zipped(ENTRIES))
    damage(data, chance)
    path = tmp_path_factory.mktemp("damage") / "archive"
    path.write_bytes(data)
    try:
        found = read(path)
    except ArchiveError:
        return
    assert found == FILES


def damage(data, chance: random.Random):
    match chance.randrange(3):
        case 0:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case 1:
            del data[chance.randrange(len(data)) :]
        case _:
            place = chance.randrange(len(data))
            data[place : place + 16] = chance.randbytes(16)
