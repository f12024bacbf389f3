"""What a search found, as values for files."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from offramp.search.candidate import Candidate, spelled
from offramp.search.figure import margin
from offramp.search.record import Entry
from offramp.search.rounds import Found


def network_record(entry: Entry, n_validation: int) -> dict[str, Any]:
    """One network, its costs and its longest training, as JSON values."""
    candidate, last = entry.candidate, entry.last
    return {
        "trial": entry.trial,
        "neurons": list(candidate.neurons),
        "out_degrees": list(candidate.out_degrees),
        "block": list(candidate.block),
        "blocks": [None if block is None else list(block) for block in candidate.blocks],
        "pool": candidate.pool,
        "distill_weight": candidate.distill_weight,
        "parameters": candidate.n_params,
        "bytes": candidate.n_bytes,
        "macs": candidate.n_macs,
        "epochs": last.epochs,
        "validation_accuracy": last.accuracy,
        "margin": margin(last.accuracy, n_validation),
        "train_s": last.seconds,
    }


def records(found: Found) -> list[dict[str, Any]]:
    """All networks that were trained; `front` says which no other beats."""
    front = {entry.trial for entry in found.front}
    return [
        network_record(entry, found.n_validation) | {"front": entry.trial in front} for entry in found.entries
    ]


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """The records as CSV; lists as options take them, blocks of dense junctions as "full"."""
    rows = list(rows)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow([_cell(key, value) for key, value in row.items()])
    return buffer.getvalue()


def _cell(key: str, value: Any) -> Any:
    if key == "blocks":
        return ",".join("full" if block is None else "x".join(map(str, block)) for block in value)
    if key == "block":
        return "x".join(map(str, value))
    return spelled(value) if isinstance(value, list) else value


def train_options(entry: Entry, *, temperature: float) -> dict[str, str | int | float]:
    """The network, and how it learns, as options of `offramp train`."""
    candidate = entry.candidate
    weight = candidate.distill_weight
    return {
        "neurons": spelled(candidate.neurons),
        "out-degrees": degrees_words(candidate),
        "pattern": "block",
        "block": "x".join(map(str, candidate.block)),
        "pool": candidate.pool,
        **({"distill": True, "distill-weight": weight, "temperature": temperature} if weight else {}),
    }


def degrees_words(candidate: Candidate) -> str:
    """The out-degrees, "full" for those of dense junctions."""
    degrees = zip(candidate.out_degrees, candidate.neurons[1:], strict=True)
    return ",".join("full" if degree == n_out else str(degree) for degree, n_out in degrees)
