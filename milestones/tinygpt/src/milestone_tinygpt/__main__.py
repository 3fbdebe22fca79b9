"""``python -m milestone_tinygpt`` is ``milestone-tinygpt``."""

import sys

from milestone_tinygpt.cli import main

sys.exit(main())
