"""What found networks say beside the dense rows, in words and cells; every word follows from the runs."""

from collections.abc import Sequence

from offramp.experiments.searched.evidence import OUTCOMES, Beside, RowFound
from offramp.experiments.searched.networks import FACTOR, Find, Network
from offramp.experiments.words import recipe_words, spread_words
from offramp.train.teacher import TEACHER_EPOCHS, TEACHER_HIDDEN

INTRODUCTION = (
    "The paper is arXiv:2407.11763. For each of the 20 dense networks in its Tables I and II, this is the"
    f" network with at least {FACTOR} times fewer parameters that searches found to have the best validation"
    " accuracy, and what became of it with several seeds on the test images."
)


def row_table(beside: Beside) -> list[list[str]]:
    """Head and a line for each dense row."""
    known = any(one.reproduced is not None for one in beside.rows)
    head = ["row", "table", "dense network", "parameters", "paper %"]
    head += ["ours as published %"] if known else []
    head += ["found", "parameters", "factor", "test %", "off", "verdict"]
    letters = _letters(beside)
    return [head, *(_row(one, letters.get(one.find, ""), known=known) for one in beside.rows)]


def network_table(beside: Beside) -> list[list[str]]:
    """Head and a line for each network that was found for some row."""
    head = ["found", "neurons", "out-degrees", "block", "pooling", "teacher"]
    head += ["parameters", "validation %", "test %", "for rows"]
    lines = []
    letters = _letters(beside)
    for find in beside.found:
        network, rows = find.network, [one for one in beside.rows if one.find == find]
        lines.append(
            [
                letters[find],
                ",".join(map(str, network.neurons)),
                ",".join(degrees(network)),
                network.block_name or "dense",
                f"{network.pooling}×{network.pooling}" if network.pooling > 1 else "none",
                f"{network.distill_weight:g}" if network.distill_weight else "none",
                f"{network.parameters:,}",
                f"{100 * find.validation_accuracy:.2f}",
                spread_words(rows[0].accuracy),
                ", ".join(str(one.row.number) for one in rows),
            ]
        )
    return [head, *lines]


def degrees(network: Network) -> list[str]:
    """Out-degrees, "full" for those of dense junctions."""
    pairs = zip(network.out_degrees, network.neurons[1:], strict=True)
    return ["full" if degree == n_out else str(degree) for degree, n_out in pairs]


def findings(beside: Beside) -> list[str]:
    """What is reached and what is not, a sentence or two each."""
    found = [_reached(beside.rows), *_failed(beside.rows), _reached_ours(beside.rows), _made_of(beside)]
    used = dict.fromkeys(one.outcome for one in beside.rows)
    return [one for one in found if one] + [f"{name}: {OUTCOMES[name]}." for name in used]


def method(beside: Beside) -> list[str]:
    """How it was measured, and how to get the same."""
    seeds = ", ".join(map(str, beside.seeds))
    environment = ", ".join(f"{name} {value}" for name, value in beside.environment.items())
    searches = "; ".join(
        f"`{one.command}` trained {one.n_networks:,} networks, {one.n_highest:,} of them to the highest rung"
        for one in beside.searches
    )
    hidden = " and ".join(map(str, TEACHER_HIDDEN))
    return [
        f"Searches, on training and validation images alone: {searches}. One that is stopped by the clock"
        " finds other networks on another machine.",
        f"For each row, of all networks that were trained to the highest rung and have at least {FACTOR}"
        " times fewer parameters (edges and biases), the one with the best validation accuracy. It is the"
        " best of many by one training each, so its validation accuracy is optimistic.",
        f"Command: `{beside.command}`; seeds {seeds}. A network chosen for several rows is trained once for"
        " each seed.",
        f"{recipe_words(beside.recipe)} Where the table says so they are averaged over windows first, and"
        " padded with zeros to the network's width.",
        f"Where a teacher stands, that share of what is learnt is its word: a dense network with layers of"
        f" {hidden}, trained first with the same seed for {TEACHER_EPOCHS} epochs on the same images; the"
        " labels' share is the rest.",
        "The 10,000 test images are read once for each network, after the last epoch; nothing was chosen by"
        " them.",
        "Intervals are 95%, by Student's t over the seeds; the paper gives one figure a row and no interval.",
        f"Training took {beside.train_s:,.0f} s for all networks, one after the other, without teachers; the"
        f" last call took {beside.seconds:,.0f} s, which leaves out what an earlier one had done.",
        f"Environment: {environment}.",
    ]


def told(one: RowFound) -> str:
    """A row and what was found for it, in a line."""
    row = one.row
    dense = f"row {row.number}, {row.parameters:,} parameters, paper {row.accuracy_percent:.2f}"
    if one.find is None:
        return f"{dense}: no network found"
    return (
        f"{dense}: {one.find.network.parameters:,} parameters, {spread_words(one.accuracy)} %, {one.outcome}"
    )


def _row(one: RowFound, letter: str, *, known: bool) -> list[str]:
    row = one.row
    cells = [
        str(row.number),
        "I" * row.table,
        ",".join(map(str, row.neurons)),
        f"{row.parameters:,}",
        f"{row.accuracy_percent:.2f}",
    ]
    if known:
        cells.append("" if one.reproduced is None else spread_words(one.reproduced))
    if one.find is None:
        return [*cells, "none", "", "", "", "", one.outcome]
    network = one.find.network
    numbers = [f"{network.parameters:,}", f"{one.factor:.1f}", spread_words(one.accuracy), f"{one.off:+.2f}"]
    return [*cells, letter, *numbers, one.outcome]


def _reached(rows: Sequence[RowFound]) -> str:
    reached = [one for one in rows if one.reached]
    sure = [one for one in reached if one.outcome == "better"]
    factors = [one.factor for one in reached if one.factor is not None]
    if not reached:
        return f"For none of the {len(rows)} dense rows a network {FACTOR} times smaller is as good."
    span = " to ".join(dict.fromkeys(f"{factor:.1f}" for factor in (min(factors), max(factors))))
    return (
        f"For {len(reached)} of the {len(rows)} dense rows a network with {span} times fewer parameters has"
        f" at least the paper's accuracy in the mean of the seeds; in {len(sure)} of these the 95% interval"
        " leaves the paper's figure out."
    )


def _failed(rows: Sequence[RowFound]) -> list[str]:
    short = [one for one in rows if one.find is not None and not one.reached]
    none = [one for one in rows if one.find is None]
    lines = []
    if short:
        named = "; ".join(
            f"row {one.row.number} ({one.row.parameters:,} parameters, {one.row.accuracy_percent:.2f}):"
            f" {spread_words(one.accuracy)} with {one.find.network.parameters:,}, {one.off:+.2f} points"
            for one in short
            if one.find is not None
        )
        lines.append(f"Not reached: {named}.")
    if none:
        numbers = ", ".join(str(one.row.number) for one in none)
        lines.append(f"The searches have no network small enough for row{'s' * (len(none) > 1)} {numbers}.")
    return lines


def _reached_ours(rows: Sequence[RowFound]) -> str:
    known = [one for one in rows if one.reproduced is not None]
    if not known:
        return ""
    short = [str(one.row.number) for one in known if not one.reached_ours]
    but = f"; not row{'s' * (len(short) > 1)} {', '.join(short)}" if short else ""
    return (
        f"Against the same dense rows trained by us as published, {len(known) - len(short)} of {len(known)}"
        f" are reached{but}."
    )


def _made_of(beside: Beside) -> str:
    networks = [find.network for find in beside.found]
    if not networks:
        return ""
    n = len(networks)
    pooled, taught = sum(one.pooling > 1 for one in networks), sum(one.distill_weight > 0 for one in networks)
    dense = sum(one.is_dense for one in networks)
    return (
        f"Sparsity is not all that these {n} networks have: {pooled} of them average the image over windows"
        f" first, {taught} learn from a teacher, {dense} are dense in every junction, and all are trained by"
        " another recipe than the paper's rows. Pooling helps dense networks too: `offramp compare` shows"
        " pooled ones of both kinds side by side."
    )


def _letters(beside: Beside) -> dict[Find | None, str]:
    """What the tables call the networks that were found, smallest first; at most one for each dense row."""
    return dict(zip(beside.found, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", strict=False))
