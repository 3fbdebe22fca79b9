"""The program `tt-perf`: its subcommands, imported late."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; its exit code."""
    parser = argparse.ArgumentParser(prog="tt-perf", description="Measure and compete.")
    parser.parse_args(arguments)
    parser.print_help()
    return 2
