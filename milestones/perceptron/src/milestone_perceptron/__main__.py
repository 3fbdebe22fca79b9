"""``python -m milestone_perceptron`` is ``milestone-perceptron``."""

import sys

from milestone_perceptron.cli import main

sys.exit(main())
