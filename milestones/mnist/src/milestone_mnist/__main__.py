"""``python -m milestone_mnist`` is ``milestone-mnist``."""

import sys

from milestone_mnist.cli import main

sys.exit(main())
