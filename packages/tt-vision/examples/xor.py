"""The answer of a network with one hidden layer to a question that no single layer can answer: python xor.py"""

from tt_nn import functional
from tt_vision.models import get_card, mlp

QUESTIONS = [(0, 0), (0, 1), (1, 0), (1, 1)]


def main() -> None:
    """Ask the four questions and print the answers."""
    card = get_card("mlp", "xor")
    model = mlp(weights="xor")  # in eval mode
    answers = functional.sigmoid(model(card.prepare(QUESTIONS))).numpy()[:, 0]
    for (a, b), answer in zip(QUESTIONS, answers, strict=True):
        print(f"{a} xor {b}: {'yes' if answer > 0.5 else 'no':3} ({answer:.3f})")
    print(f"{card.parameters} parameters; {card.trained}")


if __name__ == "__main__":
    main()
