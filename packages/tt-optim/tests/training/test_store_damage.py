"""No damaged, edited or foreign file is taken for a checkpoint, whatever it claims, and the message says why."""

import errno
import hashlib
import json
import os
import re
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_nn
import tt_tensor as tt
from tt_optim.training.errors import CheckpointError, CheckpointWarning
from tt_optim.training.store import CheckpointStore

MB = 2**20

STATE = {
    "model": {"w": tt.tensor([[1.0, 2.0], [3.0, 4.0]]), "b": tt.tensor([5.0, 6.0])},
    "rng": {"state": 2**100, "order": np.array([2, 0, 1])},
    7: (1.5, float("nan"), np.float32(2)),
}


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(tmp_path / "run")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return CheckpointStore(tmp_path_factory.mktemp("whole")).save(STATE, 12, 0.5).read_bytes()


def resealed(contents):
    """With the digest that belongs to the contents, as somebody would who edits a file on purpose."""
    return contents[:-32] + hashlib.sha256(contents[:-32]).digest()


def rebuilt(whole, edit):
    """With the header that `edit` makes of the text of the header, its length and the digest made right."""
    length = int.from_bytes(whole[:8], "little")
    header = edit(whole[8 : 8 + length].decode()).encode()
    return resealed(len(header).to_bytes(8, "little") + header + whole[8 + length :])


def refused(store, contents, match="."):
    path = store.folder / "step-00000099.safetensors"
    path.write_bytes(contents)
    with pytest.raises(CheckpointError, match=match) as caught:
        store.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_the_whole_file_is_accepted(store, whole):
    path = store.folder / "step-00000012.safetensors"
    path.write_bytes(whole)
    assert store.load(path)["rng"]["state"] == 2**100
    assert resealed(whole) == whole


def test_every_flipped_bit_is_refused(store, whole):
    path = store.folder / "step-00000099.safetensors"
    path.write_bytes(whole)
    with open(path, "r+b", buffering=0) as file:
        for position in range(len(whole)):
            for bit in range(8):
                file.seek(position)
                file.write(bytes([whole[position] ^ 1 << bit]))
                with pytest.raises(CheckpointError):
                    store.load(path)
            file.seek(position)
            file.write(whole[position : position + 1])
    store.load(path)


def test_every_truncation_and_every_longer_file_is_refused(store, whole):
    for length in range(len(whole)):
        refused(store, whole[:length], "empty" if length == 0 else "truncated")
    for more in range(1, 70):
        refused(store, whole + bytes(more), "digest")


def test_every_truncation_with_a_new_digest_is_refused(store, whole):
    for length in range(32, len(whole)):
        refused(store, resealed(whole[:length]))


def test_every_byte_of_the_header_matters_with_a_new_digest_too(store, whole):
    """Either it is refused, or it is the one encoding of another state: a 6 for a 5 in a number, say."""
    length = int.from_bytes(whole[:8], "little")
    in_document = range(whole.index(b'"tt.document":"') + 15, whole.index(b'}"},'))
    path = store.folder / "step-00000099.safetensors"
    accepted = 0
    for position in range(8 + length):
        for new in set(b'07z"< ') - {whole[position]}:
            edited = resealed(whole[:position] + bytes([new]) + whole[position + 1 :])
            path.unlink(missing_ok=True)
            path.write_bytes(edited)
            try:
                found = store.load(path)
            except CheckpointError:
                continue
            accepted += 1
            assert position in in_document
            document = json.loads(json.loads(edited[8 : 8 + length])["__metadata__"]["tt.document"])
            again = store.save(found, document["step"], document["score"])
            assert again.read_bytes() == edited
            again.unlink()
    assert 0 < accepted < 300


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_blocks_that_moved_are_refused(tmp_path_factory, whole, data):
    store = CheckpointStore(tmp_path_factory.mktemp("run"))
    start, end, to = (data.draw(st.integers(0, len(whole))) for _ in range(3))
    block = whole[min(start, end) : max(start, end)]
    for spliced in (whole[:to] + block + whole[to:], whole[:to] + block + whole[to + len(block) :]):
        if spliced != whole:
            refused(store, spliced)


EDITS = {
    "another dtype in the table": lambda h: h.replace('"dtype":"F32"', '"dtype":"I32"', 1),
    "another dtype in both": lambda h: h.replace('"dtype":"F32"', '"dtype":"I32"').replace("<f4", "<i4", 1),
    "another shape in the table": lambda h: h.replace('"shape":[2,2]', '"shape":[4]'),
    "another shape in the document": lambda h: h.replace("[2,2]]", "[4]]"),
    "swapped places": lambda h: (
        h.replace("[24,40]", "[@]").replace("[40,48]", "[24,40]").replace("[@]", "[40,48]")
    ),
    "overlapping places": lambda h: h.replace("[40,48]", "[32,40]"),
    "a place outside": lambda h: h.replace("[40,48]", "[1000000040,1000000048]"),
    "an array renamed in the table": lambda h: h.replace('"model/b"', '"model/c"'),
    "an array twice in the document": lambda h: h.replace("model/b", "model/w"),
    "an array less in the table": lambda h: re.sub(r'"model/b":\{[^}]*\},', "", h),
    "an array less in the document": lambda h: re.sub(r',\\"b\\":\{[^}]*\}', "", h),
    "a huge array": lambda h: h.replace("[2,2]", "[1099511627776,1099511627776]"),
    "a huge empty array": lambda h: h.replace("[2,2]", "[0,99999999999999999999999999]"),
    "70 axes": lambda h: h.replace("[2,2]", str([1] * 70).replace(" ", "")),
    "a negative shape": lambda h: h.replace("[2,2]", "[-2,-2]"),
    "a true shape": lambda h: h.replace("[2,2]", "[true,4]"),
    "a shape that is text": lambda h: h.replace("[2,2]", '\\"22\\"'),
    "a shape that is no list": lambda h: h.replace("[2,2]", "4"),
    "a dtype that a Tensor does not hold": lambda h: h.replace("<f4", "<c8"),
    "a dtype that nothing holds": lambda h: h.replace("<f4", "O"),
    "a dtype that is a number": lambda h: h.replace('\\"<f4\\"', "4"),
    "another byte order": lambda h: h.replace("<f4", ">f4"),
    "space in the document": lambda h: h.replace('\\"step\\":', '\\"step\\": '),
    "a key twice": lambda h: h.replace('\\"step\\":12', '\\"step\\":11,\\"step\\":12'),
    "a key more": lambda h: h.replace('\\"step\\":12', '\\"step\\":12,\\"x\\":1'),
    "no step": lambda h: h.replace('\\"step\\":12,', ""),
    "a step that is text": lambda h: h.replace('\\"step\\":12', '\\"step\\":\\"12\\"'),
    "a step that is a float": lambda h: h.replace('\\"step\\":12', '\\"step\\":12.0'),
    "a step that is true": lambda h: h.replace('\\"step\\":12', '\\"step\\":true'),
    "a negative step": lambda h: h.replace('\\"step\\":12', '\\"step\\":-12'),
    "a score that is an integer": lambda h: h.replace('\\"score\\":0.5', '\\"score\\":1'),
    "a score that is a list": lambda h: h.replace('\\"score\\":0.5', '\\"score\\":[]'),
    "a state that is a list": lambda h: re.sub(r'\\"state\\":.*?\}"\}', '\\"state\\":[]}"}', h),
    "no document": lambda h: h.replace("tt.document", "tt.documents"),
    "a document that is a list": lambda h: re.sub(r'"tt.document":".*?[^\\]"', '"tt.document":["x"]', h),
    "a document that is no JSON": lambda h: re.sub(r'"tt.document":".*?[^\\]"', '"tt.document":"{"', h),
    "a document that is a number": lambda h: re.sub(r'"tt.document":".*?[^\\]"', '"tt.document":"1"', h),
    "NaN in the document": lambda h: h.replace("1.5", "NaN"),
    "a number that overflows": lambda h: h.replace("1.5", "1e999"),
    "a number of 5000 digits": lambda h: h.replace("1.5", "1" * 5000),
    "an integer that is no hex": lambda h: h.replace("0x1", "0xz"),
    "an integer as a short one": lambda h: h.replace("0x10000000000000000000000000", "0x1"),
    "an integer that is a list": lambda h: re.sub(r'\{\\"\$int\\":[^}]*\}', '{\\"$int\\":[]}', h),
    "a float of 4 bytes": lambda h: h.replace("7ff8000000000000", "7ff80000"),
    "a finite float in hex": lambda h: h.replace("7ff8000000000000", "3ff8000000000000"),
    "a scalar of two": lambda h: h.replace("00000040", "0000004000000040"),
    "a scalar without bytes": lambda h: h.replace("00000040", ""),
    "an unknown tag": lambda h: h.replace("$tuple", "$set"),
    "a tuple of a number": lambda h: re.sub(r'\{\\"\$tuple\\":.*?\]\}\]\}', '{\\"$tuple\\":3}', h),
    "a dict with a list for a key": lambda h: h.replace("[7,", "[[7],"),
    "a dict of triples": lambda h: h.replace("[7,", "[7,7,"),
    "a dict with an array for a key": lambda h: h.replace("[7,", '[{\\"$array\\":[\\"k\\",\\"<f4\\",[]]},'),
    "endless nesting": lambda h: h.replace("1.5", "[" * 50_000 + "]" * 50_000),
    "nesting that just parses": lambda h: h.replace("1.5", "[" * 70 + "]" * 70),
    "half a surrogate": lambda h: h.replace("model", "\\\\ud800"),
    "spaces at the end": lambda h: h + " " * 8,
    "a longer file claimed": lambda h: re.sub(r'"tt.bytes":"0', '"tt.bytes":"1', h),
    "more metadata": lambda h: h.replace('"tt.document"', '"extra":"1","tt.document"'),
    "no table": lambda h: h[: h.index('},"') + 1] + "}",
    "nothing": lambda h: "",
    "not ours": lambda h: "{}" + " " * 200,
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_with_a_new_digest_is_refused(store, whole, name):
    edited = rebuilt(whole, EDITS[name])
    assert edited != whole, "the edit does not find its place"
    tracemalloc.start()
    message = refused(store, edited)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(edited) + 16 * MB
    assert len(message) < 2000


@pytest.mark.parametrize("claimed", [0, 1, 7, 100, 10**6, 10**8, 2**31, 2**40, 2**63 - 1, 2**64 - 1])
def test_a_length_of_the_header_that_is_not_so(store, whole, claimed):
    for contents in (whole, resealed(whole)):
        tracemalloc.start()
        lying = claimed.to_bytes(8, "little") + contents[8:]
        refused(store, lying, "digest")
        refused(store, resealed(lying), "header|document")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4 * MB


def test_memory_is_the_state_and_little_more(store):
    size = 48 * MB
    state = {
        "a": np.ones(size // 8, np.float32),
        "b": tt.from_numpy(np.ones(size // 16)),
        "t": np.ones((3, 2)).T,
    }
    for damaged, bound in ((False, size + 4 * MB), (True, 4 * MB)):
        path = store.save(state, 1)
        if damaged:
            with open(path, "r+b") as file:
                file.seek(size // 2)
                file.write(b"damage")
        tracemalloc.start()
        if damaged:
            with pytest.raises(CheckpointError, match="damaged"):
                store.load(path)
        else:
            store.load(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < bound


def test_saving_takes_no_second_copy_of_the_state(store):
    state = {"a": np.ones(8 * MB, np.float32)}
    tracemalloc.start()
    store.save(state, 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MB


def test_foreign_files_are_told_from_damaged_ones(store, tmp_path):
    safetensors.numpy.save_file({"x": np.ones(30)}, tmp_path / "theirs", {"digest": "0" * 64})
    tt_nn.save({"x": np.ones(30)}, tmp_path / "weights")
    foreign = [(tmp_path / name).read_bytes() for name in ("theirs", "weights")]
    for contents in (*foreign, b"PK" + bytes(500), b"\x80\x04K\x01." * 50, resealed(foreign[0] + bytes(32))):
        assert "tt_nn.load" in refused(store, contents, "does not begin as a checkpoint does")


def test_another_version_is_told(store, whole):
    other = whole.replace(b'"tt.checkpoint":"1"', b'"tt.checkpoint":"2"')
    refused(store, other, "version '2', and this tt_optim reads version 1")
    refused(store, resealed(other), "version '2', and this tt_optim reads version 1")


def test_what_is_no_file(store, tmp_path):
    for path, match in [
        (tmp_path, "is a folder"),
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path / "nowhere" / "deeper", "does not exist"),
        (tmp_path / "nul\0l", "null"),
        (tmp_path / ("x" * 300), "cannot be opened"),
    ]:
        with pytest.raises(CheckpointError, match=match):
            store.load(path)


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are POSIX's")
def test_pipes_and_devices_are_not_waited_for(store, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", "/dev/null"):
        with pytest.raises(CheckpointError, match="no regular file"):
            store.load(path)


@pytest.mark.parametrize(("number", "match"), [(errno.EACCES, "Permission denied"), (errno.EIO, "error")])
def test_what_the_system_refuses_is_told(store, monkeypatch, number, match):
    path = store.save(STATE, 1)

    def refuse(*args):
        raise OSError(number, os.strerror(number))

    for place in ("io.FileIO", "os.fstat", "os.stat"):
        with monkeypatch.context() as patch:
            patch.setattr(f"tt_optim.training.checkpoint_file.{place}", refuse)
            with pytest.raises(CheckpointError, match=rf"step-00000001.*{match}"):
                store.load(path)
    assert store.load(path)["rng"]["state"] == 2**100


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(store):
    path = store.save(STATE, 1)
    path.chmod(0)
    with pytest.raises(CheckpointError, match="Permission denied"):
        store.load(path)


def test_a_file_that_is_cut_while_it_is_read(store, monkeypatch):
    from tt_optim.training import checkpoint_file

    path = store.save({"x": np.ones(10_000)}, 1)
    confirmed = checkpoint_file._confirmed

    def then_cut(*args):
        found = confirmed(*args)
        os.truncate(path, 30_000)
        return found

    monkeypatch.setattr(checkpoint_file, "_confirmed", then_cut)
    with pytest.raises(CheckpointError, match="shorter while it was read"):
        store.load(path)


def damage(path):
    contents = bytearray(path.read_bytes())
    contents[-40] ^= 1
    path.write_bytes(contents)


def test_a_bad_file_comes_with_the_newest_good_one(store):
    paths = [store.save({"step": step}, step) for step in (1, 2, 3)]
    damage(paths[2])
    with pytest.raises(
        CheckpointError, match=r"step-00000003.*digest.*newest good.*step-00000002\.safetensors$"
    ):
        store.load(paths[2])
    damage(paths[1])
    for asked in (paths[2], store.folder / "nothing"):
        with pytest.raises(CheckpointError, match=r"newest good.*step-00000001\.safetensors$"):
            store.load(asked)
    damage(paths[0])
    with pytest.raises(CheckpointError, match="there is no good checkpoint beside it"):
        store.load(paths[2])


def test_the_newest_good_one_is_loaded_and_what_was_passed_over_is_told(store):
    paths = [store.save({"step": step}, step) for step in (1, 2, 3)]
    assert store.newest() == paths[2]
    damage(paths[2])
    paths[1].write_bytes(paths[1].read_bytes()[:-1])
    assert store.newest() == paths[0]
    with pytest.warns(
        CheckpointWarning, match=r"went back to step-00000001.*00003.*digest.*00002.*truncated"
    ) as told:
        assert store.load() == {"step": 1}
    assert told[0].filename == __file__
    paths[0].write_bytes(b"")
    assert store.newest() is None and store.best() is None
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* is good.*00003.*00002.*00001.*empty"):
        store.load()


def test_an_empty_folder(store):
    assert store.newest() is None and store.best() is None and store.checkpoints() == []
    with pytest.raises(CheckpointError, match="there is no checkpoint in"):
        store.load()


def test_one_that_is_pruned_while_it_is_loaded_is_no_bad_one(store, monkeypatch):
    from tt_optim.training import store as module

    paths = [store.save({"step": step}, step) for step in (1, 2)]

    def meanwhile(path, read=module.read):
        if path == paths[1] and paths[1].exists():
            paths[1].unlink()
            CheckpointStore(store.folder).save({"step": 3}, 3)
        return read(path)

    monkeypatch.setattr(module, "read", meanwhile)
    assert store.load() == {"step": 3}
