"""Image grids: the right pixels under the right labels, in a PNG that is whole."""

import subprocess
import sys

import numpy as np
import pytest

from tt_data import DataLoader, TensorDataset, show_batch
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, MissingWheelError, ShapeError

grid = pytest.importorskip("tt_data.grid")
pytest.importorskip("matplotlib")
rng = np.random.default_rng(0)
colour = rng.integers(0, 256, (5, 3, 6, 4), np.uint8)


def shown(figure):
    """(pixels, title) of each picture in a figure."""
    return [(np.asarray(a.images[0].get_array()), a.get_title()) for a in figure.axes if a.images]


def test_pixels_and_labels():
    found = shown(grid.draw_batch((Tensor(colour), Tensor([3, 1, 4, 1, 5])), columns=3))
    assert [title for _, title in found] == ["3", "1", "4", "1", "5"]
    for (pixels, _), image in zip(found, colour, strict=True):
        np.testing.assert_allclose(pixels, image.transpose(1, 2, 0) / 255)


@pytest.mark.parametrize("images", [colour[:, :1], colour[:, 0], colour[:, :1] / np.float32(255)])
def test_grey(images):
    found = shown(grid.draw_batch(images))
    np.testing.assert_allclose(found[2][0], colour[2, 0] / 255, rtol=1e-6)
    assert found[2][1] == ""


def test_normalisation_is_undone():
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
    images = (colour / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    found = shown(grid.draw_batch(images.astype(np.float32), mean=mean, std=std))
    np.testing.assert_allclose(found[4][0], colour[4].transpose(1, 2, 0) / 255, atol=1e-6)
    found = shown(grid.draw_batch(colour[:, :1] / 255 - 0.5, mean=0.5))
    np.testing.assert_allclose(found[0][0], colour[0, 0] / 255, atol=1e-6)


def test_floats_out_of_range_are_stretched():
    images = rng.normal(size=(2, 1, 3, 3))
    low, high = images.min(), images.max()
    np.testing.assert_allclose(shown(grid.draw_batch(images))[1][0], (images[1, 0] - low) / (high - low))
    with_nan = images.copy()
    with_nan[0, 0, 0, 0] = np.nan
    assert np.isfinite(shown(grid.draw_batch(with_nan))[0][0]).all()


def test_names_limit_and_columns():
    figure = grid.draw_batch((colour, np.array([0, 1, 1, 0, 1])), classes=["cat", "dog"], limit=4, columns=3)
    assert [title for _, title in shown(figure)] == ["cat", "dog", "dog", "cat"]
    assert len(figure.axes) == 6
    assert [t for _, t in shown(grid.draw_batch((colour, np.arange(5) / 3)))][1] == "0.333"


def test_all_forms_of_a_batch():
    labels = np.arange(5)
    loader = DataLoader(TensorDataset(colour, labels), 4)
    wanted = shown(grid.draw_batch((colour[:4], labels[:4])))
    for same in (loader, {"inputs": Tensor(colour[:4]), "targets": labels[:4]}, [colour[:4], [0, 1, 2, 3]]):
        found = shown(grid.draw_batch(same))
        assert [title for _, title in found] == [title for _, title in wanted]
        np.testing.assert_array_equal([pixels for pixels, _ in found], [pixels for pixels, _ in wanted])
    for alone in ((colour[:1],), Tensor(colour[:1]), DataLoader(TensorDataset(colour[:1]))):
        assert [title for _, title in shown(grid.draw_batch(alone))] == [""]


def test_a_file_and_its_bytes(tmp_path):
    wanted = show_batch(colour[:2])
    assert wanted[:8] == b"\x89PNG\r\n\x1a\n"
    path = tmp_path / "batch.png"
    path.write_bytes(b"old")
    assert show_batch(colour[:2], path) == path
    assert path.read_bytes() == wanted and list(tmp_path.iterdir()) == [path]


def test_a_picture_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError):
        show_batch(colour, tmp_path / "no" / "folder.png")


@pytest.mark.parametrize(
    ("batch", "arguments", "error"),
    [
        (np.zeros((2, 4, 5, 5)), {}, ShapeError),
        (np.zeros((5, 5)), {}, ShapeError),
        (np.zeros((0, 1, 5, 5)), {}, ShapeError),
        ((colour, [1, 2]), {}, ShapeError),
        ((colour, [0, 1, 2, 3, 4]), {"classes": ["a"]}, ArgumentError),
        (colour, {"mean": [1, 2]}, ShapeError),
        (colour, {"columns": 0}, ArgumentError),
        (colour, {"limit": 0}, ArgumentError),
        (np.full((2, 1, 3, 3), "a"), {}, DTypeError),
        ({"image": colour}, {}, DTypeError),
        ("text", {}, DTypeError),
        ((1, 2, 3), {}, DTypeError),
        (DataLoader([], 2), {}, ArgumentError),
    ],
)
def test_what_is_no_batch_of_images(batch, arguments, error):
    with pytest.raises(error, match="show_batch"):
        show_batch(batch, **arguments)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingWheelError, match=r"tt-data\[pictures\]"):
        show_batch(colour)


def test_importing_does_not_import_matplotlib():
    program = "import sys, tt_data; sys.exit(bool({'matplotlib', 'pooch', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_pyplot_is_never_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # an import of it would fail
    assert show_batch(colour[:1])
