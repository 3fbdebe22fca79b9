"""Handwritten digits, read by a network whose weights ship in the wheel: python read_digits.py [how many]"""

import sys

import numpy as np

from tt_nn import functional
from tt_vision.datasets import Digits
from tt_vision.models import get_card, lenet5

SHADES = " .:-=+*#%@"


def drawn(image: np.ndarray) -> str:
    """An image (H, W) of values from 0 to 16 as characters, two for each pixel."""
    shades = image.astype(int) * (len(SHADES) - 1) // 16
    return "\n".join("".join(2 * SHADES[shade] for shade in row) for row in shades)


def main(count: int = 3) -> None:
    """Read `count` digits of the test set, then all of them."""
    digits = Digits(train=False)
    card = get_card("lenet5", "digits")
    model = lenet5(weights="digits")  # in eval mode
    probabilities = functional.softmax(model(card.prepare(digits.data[:count])), 1).numpy()
    for image, label, row in zip(digits.data, digits.targets, probabilities, strict=False):
        best = row.argmax()
        print(drawn(image[0]))
        print(f"read as {card.classes[best]} ({row[best]:.1%} sure); it is {digits.classes[label]}\n")
    right = card.count(model, digits.data, digits.targets)
    print(f"{right} of {len(digits)} right; the card says {card.correct} of {card.samples}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
