"""``python -m milestone_speedup`` is ``milestone-speedup``."""

import sys

from milestone_speedup.cli import main

sys.exit(main())
