"""The checks that read the source without running it: ruff, mypy, import-linter, deptry.

All of them run, so that one run shows everything; any of them fails it.
"""

from __future__ import annotations

import subprocess
import sys

from build import ROOT, members


def main() -> None:
    commands = [
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy"],
        ["lint-imports", "--no-logo"],
    ]
    for folder in members().values():
        commands.append(["deptry", "--config", str(folder / "pyproject.toml"), str(folder / "src")])
    failed = []
    for command in commands:
        print("+", *command, flush=True)
        if subprocess.run(command, cwd=ROOT).returncode:
            failed.append(" ".join(command))
    if failed:
        sys.exit("failed: " + "; ".join(failed))


if __name__ == "__main__":
    main()
