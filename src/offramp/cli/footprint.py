"""A footprint for people: tables, and lines below them."""

from collections.abc import Iterator

from rich import box
from rich.table import Table

from offramp.cli.console import print_line, print_wide
from offramp.plan.footprint import Footprint, JunctionFootprint

_RAM = {"static": "static", "sample": "sample", "stream": "sample under way"}


def print_footprint(weighed: Footprint) -> None:
    """All of it."""
    for table in footprint_tables(weighed):
        print_wide(table)
    for line in footprint_facts(weighed):
        print_line(line)


def footprint_tables(weighed: Footprint) -> list[Table]:
    """Memory by what it is for; then the junctions, each with its way of being written and the next best."""
    return [_memory(weighed), _junctions(weighed)]


def footprint_facts(weighed: Footprint) -> Iterator[str]:
    """What no table has, a line each."""
    counts = ", ".join(f"{step} {count:,}" for step, count in weighed.counts.items())
    stack = ", ".join(f"{name} {n_bytes:,}" for name, n_bytes in weighed.stack.items())
    unknown = f"; without {', '.join(weighed.stack_unknown)}" if weighed.stack_unknown else ""
    yield f"{'target':<14} {weighed.target}, {weighed.numbers}"
    yield f"{weighed.unit:<14} {counts}; {weighed.count:,} for a sample that is sent"
    if weighed.pushed is not None:
        yield f"{'streaming':<14} head {weighed.pushed:,}, value by value, without a buffer for the sample"
    yield f"{'stack':<14} {stack}{unknown}"
    yield f"{'index':<14} {weighed.index_share:.1%} of the flash"
    yield f"{'measured by':<14} {weighed.measured_by}"


def _memory(weighed: Footprint) -> Table:
    table = _table("memory", "of", right=("bytes",))
    _section(table, "flash", dict(weighed.flash), weighed.flash_bytes)
    ram = {_RAM.get(name, name): n_bytes for name, n_bytes in weighed.ram.items()}
    _section(table, "RAM", ram | {"stack": weighed.stack_bytes}, weighed.ram_bytes)
    return table


def _section(table: Table, name: str, parts: dict[str, int], total: int) -> None:
    for number, (part, n_bytes) in enumerate((part, n) for part, n in parts.items() if n):
        table.add_row("" if number else name, part, f"{n_bytes:,}")
    table.add_row("", "in all", f"{total:,}", style="bold", end_section=True)


def _junctions(weighed: Footprint) -> Table:
    right = ("in → out", "in-degree", "block", "index", "rows", "tables", weighed.unit)
    table = _table("junction", right=right, left=("other ways: flash, " + weighed.unit,))
    for one in weighed.junctions:
        table.add_row(
            one.name,
            f"{one.n_in:,} → {one.n_out:,}",
            f"{one.in_degree:,}",
            "×".join(map(str, one.block)),
            one.encoding,
            f"{one.together}",
            f"{sum(one.flash.values()):,}",
            f"{one.count:,}",
            _others(one),
        )
    return table


def _others(one: JunctionFootprint) -> str:
    """The best of every other kind."""
    best = {each.encoding: each for each in reversed(one.candidates) if each.encoding != one.encoding}
    ordered = sorted(best.values(), key=lambda each: each.flash_bytes)
    return "; ".join(f"{each.encoding} {each.flash_bytes:,}, {each.count:,}" for each in ordered)


def _table(*names: str, right: tuple[str, ...], left: tuple[str, ...] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    for name in left:
        table.add_column(name)
    return table
