"""``python -m milestone_xor`` is ``milestone-xor``."""

import sys

from milestone_xor.cli import main

sys.exit(main())
