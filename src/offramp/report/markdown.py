"""A result as a Markdown page, and its numbers as CSV beside it."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from offramp.report.findings import costs_table, findings
from offramp.report.result import Estimate, NetworkRecord, Result
from offramp.report.table import COLUMNS, NETWORK_COLUMNS, Column, T, choice_table

_OF_A_NETWORK = (  # in the CSV, after the columns of a row
    "head_density",
    "tail_parameters",
    "threshold",
    "training_s",
    "peak_training_bytes",
    "exit_accuracy",
    "tail_accuracy",
    "system_accuracy",
    "exit_rate",
    "wire_bytes",
)


def write_markdown(result: Result, path: Path) -> list[Path]:
    """Write the page, and beside it the .csv named after it; gives their paths."""
    table = path.with_suffix(".csv")
    path.write_text(markdown_page(result, table.name), encoding="utf-8")
    table.write_text(as_csv(result), encoding="utf-8")
    return [path, table]


def markdown_page(result: Result, table: str) -> str:
    """The page as text.

    Args:
        table: file name of the CSV.
    """
    title = result.title.removeprefix("offramp demo: ")
    costs, choice = costs_table(result), choice_table(result.choice)
    environment = ", ".join(f"{name} {value}" for name, value in result.environment.items())
    lines = [f"# The system as a whole: {title}", ""]
    lines += [f"Written by `{result.command}`; every number is measured by it.", ""]
    lines += ["## What wins, and what loses", "", *_list(findings(result))]
    lines += [*markdown_table(costs[0], costs[1:]), ""]
    lines += ["## The networks", "", *_columns(NETWORK_COLUMNS, result.networks)]
    lines += ["## The four modes", "", *_columns(COLUMNS, result.rows)]
    lines += ["## How the dense network was chosen", "", *markdown_table(choice[0], choice[1:]), ""]
    lines += ["## How it was measured", "", *_list([*result.method, f"Environment: {environment}."])]
    lines += [f"All of it in full digits, a line for each network and mode: [{table}]({table})."]
    return "\n".join(lines) + "\n"


def as_csv(result: Result) -> str:
    """A line for each network and mode; what belongs to a network alone stands in each of its lines."""
    networks = {network.name: _of_a_network(network) for network in result.networks}
    lines = [msgspec.to_builtins(row) | networks[row.network] for row in result.rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _of_a_network(network: NetworkRecord) -> dict[str, Any]:
    found: dict[str, Any] = {"neurons": " ".join(map(str, network.neurons))}
    for name in _OF_A_NETWORK:
        value = getattr(network, name)
        if isinstance(value, Estimate):
            found |= {f"network_{name}": value.mean, f"network_{name}_margin": value.margin}
        else:
            found[f"network_{name}"] = value
    return found


def _columns(columns: Sequence[Column[T]], contents: Iterable[T]) -> list[str]:
    """A table, and under it what its columns mean."""
    head = [f"{column.title}, {column.unit}" if column.unit else column.title for column in columns]
    meanings = "; ".join(f"{words}: {column.meaning}" for words, column in zip(head, columns, strict=True))
    rows = ([column.cell(content) for column in columns] for content in contents)
    return [*markdown_table(head, rows), "", f"{meanings}.", ""]


def _list(sentences: Iterable[str]) -> list[str]:
    return [*(f"- {sentence}" for sentence in sentences), ""]
