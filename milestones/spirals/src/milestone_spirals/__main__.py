"""``python -m milestone_spirals`` is ``milestone-spirals``."""

import sys

from milestone_spirals.cli import main

sys.exit(main())
