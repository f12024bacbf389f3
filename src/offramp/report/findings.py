"""What a result says in words, by its numbers: where the sparse network wins, and where it loses."""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import NamedTuple

from offramp.report.result import Choice, Estimate, NetworkRecord, Result, Row
from offramp.report.table import UNKNOWN, megabytes, percent

SAME = 0.05  # figures this near to each other, as a share, are called the same

Rows = dict[str, Row]  # of one network, by mode


class _Cost(NamedTuple):
    """Something of which less is better."""

    words: str
    of: Callable[[NetworkRecord, Rows], float | None]
    text: Callable[[float], str]


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _tenths(value: float) -> str:
    return f"{value:,.1f}"


_COSTS = (
    _Cost("head on disk, bytes", lambda _, rows: rows["split+exit"].head_bytes, _whole),
    _Cost("multiply-adds on the device in local", lambda _, rows: rows["local"].edge_macs, _whole),
    _Cost("multiply-adds on the device in split+exit", lambda _, rows: rows["split+exit"].edge_macs, _whole),
    _Cost("training time, s", lambda network, _: network.training_s.mean, _tenths),
    _Cost(
        "peak of training memory, MB",
        lambda network, _: network.peak_training_bytes,
        lambda value: megabytes(round(value)),
    ),
    _Cost("samples sent in split+exit, %", lambda network, _: 100 * (1 - network.exit_rate.mean), _tenths),
    _Cost("wire in split+exit, bytes a sample", lambda network, _: network.wire_bytes.mean, _tenths),
    _Cost("wire in split, bytes a sample", lambda _, rows: rows["split"].wire_bytes_per_sample, _tenths),
    _Cost("parameters of the tail", lambda network, _: network.tail_parameters, _whole),
)


def findings(result: Result) -> list[str]:
    """Sentences about the sparse network and each of the others; none where no network is sparse."""
    sparse = next((network for network in result.networks if network.head_density < 1), None)
    if sparse is None:
        return []
    found = [_chosen(result.choice)]
    for rival in result.networks:
        if rival is not sparse:
            found += [_accuracies(sparse, rival, result), *_costs(sparse, rival, result)]
    return found


def _chosen(choice: Choice) -> str:
    dense = choice.candidates[choice.chosen]
    width = dense.neurons[1]
    least = f"{100 * choice.least_accuracy:.2f}%"
    accuracies = (
        f"{percent(dense.validation_accuracy)}% of validation samples right, sparse"
        f" {percent(choice.sparse.validation_accuracy)}%"
    )
    if dense.validation_accuracy.mean < choice.least_accuracy:
        return (
            f"None of the dense heads that were tried is as accurate as the sparse one: the best, of {width}"
            f" neurons, has {accuracies}; {least} were needed. So dense has the lower accuracy here."
        )
    return (
        f"Dense is the narrowest dense head that was tried with the sparse one's accuracy, {width} neurons:"
        f" {accuracies}; {least}, one standard error less, were needed."
    )


def _accuracies(sparse: NetworkRecord, rival: NetworkRecord, result: Result) -> str:
    ours, theirs = sparse.system_accuracy, rival.system_accuracy
    difference = 100 * (ours.mean - theirs.mean)
    noise = 100 * sqrt(sum(_margin(one, result.n_test) ** 2 for one in (ours, theirs)))
    verdict = (
        "which is equal within the noise"
        if abs(difference) <= noise
        else f"so {sparse.name} is {'better' if difference > 0 else 'worse'}"
    )
    n_seeds = len(ours.values)
    seeds = f", mean of {n_seeds} seeds" if n_seeds > 1 else ""
    return (
        f"Against {rival.name}, accuracy of the system on all {result.n_test:,} test samples{seeds}:"
        f" {sparse.name} {percent(ours)}%, {rival.name} {percent(theirs)}%, a difference of"
        f" {difference:+.2f} points with ±{noise:.2f} of noise, {verdict}."
    )


def _margin(estimate: Estimate, n_samples: int) -> float:
    """Half of a 95% interval: over the seeds, or for a single one by the number of samples alone."""
    if estimate.margin is not None:
        return estimate.margin
    return 1.96 * sqrt(estimate.mean * (1 - estimate.mean) / n_samples)


def _costs(sparse: NetworkRecord, rival: NetworkRecord, result: Result) -> list[str]:
    """Where the sparse network has less than the rival, where more, and where about the same."""
    wins: list[str] = []
    losses: list[str] = []
    same: list[str] = []
    for cost in _COSTS:
        ours, theirs = (cost.of(network, _rows(result.rows, network)) for network in (sparse, rival))
        if ours is None or theirs is None:
            continue
        name = cost.words.partition(",")[0]
        low, high = sorted((ours, theirs))
        if high <= low * (1 + SAME):
            same.append(name)
        else:
            times = f" ({high / low:.1f} times)" if low > 0 else ""
            (wins if ours < theirs else losses).append(name + times)
    sentences = (("wins in", wins), ("loses in", losses), (f"is within {SAME:.0%} in", same))
    return [
        f"Against {rival.name}, {sparse.name} {verb}: {', '.join(them)}." for verb, them in sentences if them
    ]


def costs_table(result: Result) -> list[list[str]]:
    """Head and rows: everything of which less is better, for each network."""
    rows = [
        [cost.words, *(_cost(cost, network, _rows(result.rows, network)) for network in result.networks)]
        for cost in _COSTS
    ]
    return [["less is better", *(network.name for network in result.networks)], *rows]


def _cost(cost: _Cost, network: NetworkRecord, rows: Rows) -> str:
    value = cost.of(network, rows)
    return UNKNOWN if value is None else cost.text(value)


def _rows(rows: Sequence[Row], network: NetworkRecord) -> Rows:
    return {row.mode: row for row in rows if row.network == network.name}
