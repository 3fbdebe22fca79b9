"""1998 to today: a convolutional network learns CIFAR-10 to 75 % and more in minutes, in NumPy."""
