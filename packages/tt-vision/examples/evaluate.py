"""Count again how often shipped weights are right: python evaluate.py [model weights], such as lenet5 mnist

Without arguments, it lists what ships. MNIST and CIFAR-10 are looked for in TT_DATA_HOME and in the cache.
"""

import sys

import numpy as np

from tt_vision import datasets
from tt_vision.models import BUILDERS, get_card, list_cards


def main(model: str, weights: str) -> None:
    """Print the share of right answers in the test set, and for each class what it is mistaken for most."""
    card = get_card(model, weights)
    network = BUILDERS[model](weights=weights)  # in eval mode
    test = getattr(datasets, card.dataset)(train=False)
    parts = [card.prepare(test.data[start : start + 250]) for start in range(0, len(test), 250)]
    found = np.concatenate([network(part).numpy().argmax(axis=1) for part in parts])
    for label, name in enumerate(card.classes):
        mistakes = np.bincount(found[test.targets == label], minlength=len(card.classes))
        right, mistakes[label] = mistakes[label], 0
        worst = (
            f", taken for {card.classes[mistakes.argmax()]} {mistakes.max()} times" if mistakes.any() else ""
        )
        print(f"{name}: {right} of {np.count_nonzero(test.targets == label)}{worst}")
    right = np.count_nonzero(found == test.targets)
    print(f"{right / len(test):.2%} of {len(test)}; the card says {card.accuracy:.2%}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(*sys.argv[1:])
    for card in list_cards() if len(sys.argv) != 3 else ():
        print(
            f"{card.model} {card.name}: {card.accuracy:.2%} on {card.dataset}, {card.parameters:,} parameters"
        )
