"""``python -m milestone_cifar10`` is ``milestone-cifar10``."""

import sys

from milestone_cifar10.cli import main

sys.exit(main())
