"""The tables of a result, for the terminal, and the columns they share with the pages."""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from rich import box
from rich.markup import escape
from rich.table import Table

from offramp.report.printable import printable
from offramp.report.result import Candidate, Choice, Estimate, NetworkRecord, Row

T = TypeVar("T")


class Column(NamedTuple, Generic[T]):
    """A column of a table: short words for its head, long ones for whoever asks."""

    title: str
    unit: str  # empty for words
    meaning: str
    cell: Callable[[T], str]


COLUMNS: tuple[Column[Row], ...] = (
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


NETWORK_COLUMNS: tuple[Column[NetworkRecord], ...] = (
    Column("network", "", "the network that was trained", lambda network: network.name),
    Column("neurons", "", "from the inputs to the classes", lambda network: _neurons(network.neurons)),
    Column("density", "%", "edges of the head", lambda network: f"{100 * network.head_density:.0f}"),
    Column("trained", "s", "time of a training, validation included", lambda n: estimated(n.training_s, 1)),
    Column(
        "memory",
        "MB",
        "by how much a training step raises the resident memory of a process, at its highest",
        lambda network: megabytes(network.peak_training_bytes),
    ),
    Column("exit", "%", "right answers of the exit alone", lambda network: percent(network.exit_accuracy)),
    Column("tail", "%", "right answers of the tail alone", lambda network: percent(network.tail_accuracy)),
    Column(
        "system",
        "%",
        "right answers where the exit answers when it is sure, else the tail",
        lambda network: percent(network.system_accuracy),
    ),
    Column(
        "exits", "%", "samples that the exit answered", lambda network: estimated(network.exit_rate, 1, 100)
    ),
    Column(
        "wire",
        "B/sample",
        "bytes per sample on the wire in split+exit: the share sent, times an offload's bytes in mode split",
        lambda network: estimated(network.wire_bytes, 1),
    ),
)


CHOSEN = "dense, chosen"
UNKNOWN = "–"


def choice_table(choice: Choice) -> list[list[str]]:
    """Head and rows: the sparse network, and the dense ones that were held against it."""

    def cells(name: str, one: Candidate) -> list[str]:
        return [name, _neurons(one.neurons), f"{one.head_parameters:,}", percent(one.validation_accuracy)]

    rows = [
        cells(CHOSEN if index == choice.chosen else "dense", one)
        for index, one in enumerate(choice.candidates)
    ]
    head = ["network", "neurons", "head, params", "system on validation samples, %"]
    return [head, cells("sparse", choice.sparse), *rows]


def percent(estimate: Estimate) -> str:
    """A share in per cent, with its interval where there is one."""
    return estimated(estimate, 2, 100)


def estimated(estimate: Estimate, decimals: int, factor: float = 1.0) -> str:
    """The mean, and half of its 95% interval where there is one."""
    text = f"{factor * estimate.mean:,.{decimals}f}"
    return text if estimate.margin is None else f"{text} ± {factor * estimate.margin:,.{decimals}f}"


def megabytes(n_bytes: int | None) -> str:
    """Millions of bytes; a dash where they are not known."""
    return UNKNOWN if n_bytes is None else f"{n_bytes / 1e6:,.2f}"


def milliseconds(seconds: float) -> str:
    """Milliseconds with the digits that matter: 0.021, 1.32, 21.3."""
    value = 1000 * seconds
    decimals = 3 if value < 1 else 2 if value < 10 else 1
    return f"{value:.{decimals}f}"


def results_table(rows: Sequence[Row], *, title: str | None = None) -> Table:
    """A rich table of all rows, one section per network."""
    table = _table(COLUMNS, title)
    above = None
    for row in rows:
        if above is not None and row.network != above:
            table.add_section()
        network, *cells = _cells(COLUMNS, row)
        table.add_row("" if row.network == above else network, *cells)
        above = row.network
    return table


def networks_table(networks: Iterable[NetworkRecord]) -> Table:
    """A rich table with a row for each network."""
    table = _table(NETWORK_COLUMNS, None)
    for network in networks:
        table.add_row(*_cells(NETWORK_COLUMNS, network))
    return table


def _neurons(neurons: Iterable[int]) -> str:
    return ",".join(map(str, neurons))


def _table(columns: Iterable[Column[T]], title: str | None) -> Table:
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for column in columns:
        header = f"{column.title}\n[dim]{column.unit}[/dim]" if column.unit else column.title
        table.add_column(header, justify="right" if column.unit else "left", vertical="top", no_wrap=True)
    return table


def _cells(columns: Iterable[Column[T]], content: T) -> list[str]:
    return [escape(printable(column.cell(content))) for column in columns]
