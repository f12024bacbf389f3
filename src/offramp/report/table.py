"""The rows of a result as one table for the terminal, and the columns it shares with the page."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich import box
from rich.markup import escape
from rich.table import Table

from offramp.report.printable import printable
from offramp.report.result import Row


class Column(NamedTuple):
    """A column of the results: short words for its head, long ones for whoever asks."""

    title: str
    unit: str  # empty for words
    meaning: str
    cell: Callable[[Row], str]


COLUMNS = (
    Column("network", "", "the network that was trained", lambda row: row.network),
    Column("mode", "", "what runs where", lambda row: row.mode),
    Column("accuracy", "%", "right answers", lambda row: f"{100 * row.accuracy:.2f}"),
    Column("exits", "%", "samples that the exit answered", lambda row: f"{100 * row.exit_rate:.1f}"),
    Column(
        "wire",
        "B/sample",
        "bytes per sample as counted by the link, both directions, framing included",
        lambda row: f"{row.wire_bytes_per_sample:,.1f}",
    ),
    Column(
        "payload",
        "B/sample",
        "bytes per sample of coded features or raw input alone",
        lambda row: f"{row.payload_bytes_per_sample:,.1f}",
    ),
    Column("p50", "ms", "half of the answers came within", lambda row: milliseconds(row.latency_p50_s)),
    Column("p99", "ms", "99 of 100 answers came within", lambda row: milliseconds(row.latency_p99_s)),
    Column("head", "params", "edges and biases of the head", lambda row: f"{row.head_parameters:,}"),
    Column("head", "bytes", "size of the head's file on disk", lambda row: f"{row.head_bytes:,}"),
    Column(
        "edge",
        "MACs",
        "multiply-adds on the edge, mean of what was executed per sample",
        lambda row: f"{row.edge_macs:,.0f}",
    ),
)


def milliseconds(seconds: float) -> str:
    """Milliseconds with the digits that matter: 0.021, 1.32, 21.3."""
    value = 1000 * seconds
    decimals = 3 if value < 1 else 2 if value < 10 else 1
    return f"{value:.{decimals}f}"


def results_table(rows: Sequence[Row], *, title: str | None = None) -> Table:
    """A rich table of all rows, one section per network."""
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for column in COLUMNS:
        header = f"{column.title}\n[dim]{column.unit}[/dim]" if column.unit else column.title
        table.add_column(header, justify="right" if column.unit else "left", vertical="top", no_wrap=True)
    above = None
    for row in rows:
        if above is not None and row.network != above:
            table.add_section()
        network, *cells = (escape(printable(column.cell(row))) for column in COLUMNS)
        table.add_row("" if row.network == above else network, *cells)
        above = row.network
    return table
