"""Curves: a PNG of what the history holds, without pyplot."""

import subprocess
import sys

import pytest

from tt_optim.training import History, draw_curves, save_curves
from tt_tensor.errors import ArgumentError


@pytest.fixture
def history():
    found = History()
    for at in range(1, 5):
        found.append({"kind": "step", "step": at, "loss": 2.0 / at, "grad_norm": 1.0})
        found.append(
            {
                "kind": "epoch",
                "step": at,
                "loss": 1.0 / at,
                "val_loss": 2.0 / at if at > 1 else None,
                "accuracy": at / 4,
                "matrix": [[1, 2], [3, 4]],
                "lr": 0.1,
                "seconds": at,
            }
        )
    return found


def test_a_panel_for_each_figure_with_training_and_validation_in_it(history):
    figure = draw_curves(history, title="all of it")
    panels = {axis.get_title(): axis for axis in figure.axes if axis.get_title()}
    assert sorted(panels) == ["accuracy", "grad norm", "loss", "lr"]
    lines = {line.get_label(): line.get_xydata().tolist() for line in panels["loss"].lines}
    assert lines["loss"] == [[1, 1.0], [2, 0.5], [3, 1 / 3], [4, 0.25]]
    assert lines["val_loss"][1:] == [[2, 1.0], [3, 2 / 3], [4, 0.5]]
    assert len(panels["loss"].lines) == 3  # the single steps, too


def test_the_file_is_a_png_and_nothing_is_left_beside_it(history, tmp_path):
    path = save_curves(history, tmp_path / "curves.png", figures=["loss"])
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert [found.name for found in tmp_path.iterdir()] == ["curves.png"]
    again = save_curves(history, tmp_path / "again.png", figures=["loss"])
    assert again.read_bytes() == path.read_bytes()


def test_what_is_not_there(history):
    with pytest.raises(ArgumentError, match="no figure 'f1'"):
        draw_curves(history, ["f1"])
    with pytest.raises(ArgumentError, match="no figures yet"):
        draw_curves(History())


def test_pyplot_stays_out_of_it():
    program = (
        "import sys; from tt_optim.training import History, draw_curves\n"
        "h = History(); h.append({'kind': 'epoch', 'step': 1, 'loss': 1.0}); draw_curves(h)\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
