"""The accuracy is of images that were really held out."""

from __future__ import annotations

import numpy as np
import pytest

from milestone_kit.digits import load_digits
from milestone_perceptron import main, story


@pytest.mark.parametrize("rule", ["by_rosenblatt", "by_gradient"])
def test_no_unit_has_seen_the_images_it_is_asked_about(rule, tmp_path, monkeypatch):
    trained, asked = [], []
    train, fires = getattr(story, rule), story.Unit.fires

    def note_training(images, *rest):
        unit = train(images, *rest)
        trained.append((unit, {row.tobytes() for row in images.numpy()}))
        return unit

    def note_asking(unit, images):
        asked.append((unit, [row.tobytes() for row in images.numpy()]))
        return fires(unit, images)

    monkeypatch.setattr(story, rule, note_training)
    monkeypatch.setattr(story.Unit, "fires", note_asking)
    main(["--steps", "2", "--epochs", "2", "--out", str(tmp_path), "--quiet"])
    images, labels = load_digits()
    chosen = images[np.isin(labels, [3, 6])]
    assert len({image.tobytes() for image in chosen}) == len(chosen)  # no image is there twice
    everything = []
    for unit, seen in trained:
        (held,) = [rows for other, rows in asked if other is unit]
        assert not seen & set(held)
        assert len(seen) + len(held) == len(chosen)
        everything += held
    assert len(set(everything)) == len(chosen)
