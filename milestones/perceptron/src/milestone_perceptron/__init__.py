"""1958: Rosenblatt's perceptron on handwritten digits."""
