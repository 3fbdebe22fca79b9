"""Without the extra `training`, its modules cannot be imported, and so neither can their examples be."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("tt_autograd") else ["src/tt_optim/training/*"]
