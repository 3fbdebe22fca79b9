"""For every test of the workspace: documents are tests too, and hypothesis has time.

The ``python`` blocks of each README and of docs/ run, and so do the ``>>>`` examples in docstrings. With a
package's tests its own README and docstrings run, so each example must get by with that package alone.
"""

import os
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE

from hypothesis import settings
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

FLAGS = ELLIPSIS | NORMALIZE_WHITESPACE

prose = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=FLAGS), SkipParser()],
    patterns=["*.md", "docs/**/*.md", "packages/*/*.md", "milestones/*/*.md"],
)
docstrings = Sybil(
    parsers=[DocTestParser(FLAGS)],
    patterns=["packages/*/src/**/*.py", "milestones/*/src/**/*.py"],
    document_types={".py": PythonDocStringDocument},
)
pytest_collect_file = (prose + docstrings).pytest()

# A slow machine is not a bug. On CI the examples are the same each time, so that a red run can be repeated.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
