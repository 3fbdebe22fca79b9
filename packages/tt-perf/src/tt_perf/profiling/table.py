"""The tables of a profile, by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tt_perf.words import amount, in_bytes, in_seconds

if TYPE_CHECKING:
    from rich.table import Table

    from tt_perf.profiling.ceilings import Ceilings
    from tt_perf.profiling.profile import Profile
    from tt_perf.profiling.rows import OpRow

__all__ = ["as_text", "module_table", "op_table"]


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table()
    for name in columns:
        table.add_column(
            name, justify="left" if name in ("op", "module", "bound by") else "right", no_wrap=True
        )
    return table


def op_table(profile: Profile) -> Table:
    """A row for each op and span, then what is left; less what other threads did meanwhile, that is the wall clock."""
    table = _table(
        "op", "calls", "forward", "backward", "%", "FLOPs", "GFLOP/s", "GB/s", "of roof", "bound by"
    )
    wall, ceilings = profile.seconds, profile.ceilings
    for row in profile.ops:
        table.add_row(
            row.op if row.counted else f"{row.op} *",
            str(row.calls or row.backward_calls),
            in_seconds(row.forward_seconds) if row.calls else "",
            in_seconds(row.backward_seconds) if row.backward_calls else "",
            _share(row.seconds, wall),
            amount(row.flops) if row.flops else "",
            f"{row.flops_per_second / 1e9:.2f}" if row.flops else "",
            f"{row.bytes_per_second / 1e9:.2f}" if row.bytes else "",
            *_roof(row, ceilings),
        )
    table.add_section()
    for span in profile.spans:
        table.add_row(span.name, str(span.calls), in_seconds(span.seconds), "", _share(span.seconds, wall))
    inside = profile.to_dict()["module_seconds"]
    if inside:
        table.add_row("Python in modules", "", in_seconds(inside), "", _share(inside, wall))
    table.add_row(
        "other: Python, data, waits", "", in_seconds(profile.other), "", _share(profile.other, wall)
    )
    for name, busy in profile.threads.items():
        if name != "main":
            table.add_row(
                f"less: at the same time, in {name}", "", f"-{in_seconds(busy)}", "", _share(-busy, wall)
            )
    table.add_section()
    table.add_row("wall clock", "", in_seconds(wall), "", "100.0", amount(profile.flops))
    return table


def _share(part: float, wall: float) -> str:
    return f"{100 * part / wall:.1f}" if wall else ""


def _roof(row: OpRow, ceilings: Ceilings) -> tuple[str, str]:
    """How much of what the roof allows was reached, and which side of it is the limit."""
    if not row.bytes or not row.seconds:
        return "", ""
    if not row.flops:
        return f"{100 * row.bytes_per_second / ceilings.bandwidth:.0f} %", "memory"
    bound = "arithmetic" if row.intensity > ceilings.ridge else "memory"
    return f"{100 * row.flops_per_second / ceilings.reachable(row.intensity):.0f} %", bound


def module_table(profile: Profile) -> Table:
    """A row for each module, parts included."""
    table = _table("module", "calls", "forward", "in ops", "backward", "FLOPs")
    for row in profile.modules:
        depth = row.path.count(".")
        name = row.path.rpartition(".")[2]
        table.add_row(
            "  " * depth + (name if name == row.kind else f"{name}: {row.kind}"),
            str(row.calls),
            in_seconds(row.forward_seconds),
            in_seconds(row.op_seconds),
            in_seconds(row.backward_seconds),
            amount(row.forward_flops + row.backward_flops),
        )
    return table


def as_text(profile: Profile) -> str:
    """The table of ops, and below it memory and ceilings."""
    lines = [rendered(op_table(profile))]
    peak = profile.memory
    if peak.op is not None:
        held = ", ".join(f"{op} {in_bytes(held)}" for op, held in list(peak.by_op.items())[:3])
        lines.append(f"peak memory of the arrays of ops: {in_bytes(peak.bytes)}, held by {held}")
    if peak.traced is not None:
        lines.append(f"peak memory of all that was allocated: {in_bytes(peak.traced)}")
    roof = profile.ceilings
    lines.append(
        f"this machine: {roof.flops / 1e9:.0f} GFLOP/s, {roof.bandwidth / 1e9:.1f} GB/s; "
        f"arithmetic is the limit from {roof.ridge:.1f} FLOPs a byte on"
    )
    if any(not row.counted for row in profile.ops):
        lines.append("* no formula is known: one operation an element")
    if profile.lost:
        lines.append(f"{profile.lost} events found no room; profile(most=...) makes some")
    return "\n".join(lines)


def rendered(table: Any, width: int = 140) -> str:
    """A rich table as plain text."""
    from rich.console import Console

    console = Console(width=width, no_color=True, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())
