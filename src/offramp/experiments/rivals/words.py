"""What a comparison says, in words and cells; every word about who wins follows from the runs."""

from collections.abc import Callable, Iterable, Sequence

from offramp.experiments.paper import PaperRow
from offramp.experiments.rivals.baselines import RigL, fine_tuning_epochs
from offramp.experiments.rivals.contenders import ALIKE, METHODS
from offramp.experiments.rivals.evidence import REFERENCE, Comparison, outcome
from offramp.experiments.statistics import CONFIDENCE, Spread
from offramp.experiments.words import recipe_words, spread_words

_ALIKE = ", ".join(ALIKE)
RIVALS = tuple(name for name in METHODS if name != REFERENCE)
_OUTCOMES = {
    "better": "Better than `random`",
    "worse": "Worse than `random`",
    "open": "Not told apart from `random`",
}

INTRODUCTION = (
    "Sparse rows of the paper beside other networks of the same edges or parameters, all trained by the same"
    " recipe with the same seeds: `random` is the row as published. `unstructured`, `pruned` and `rigl` are"
    " baselines: dense weights under masks in plain Torch, trained to see what a pattern fixed in advance"
    " gives away, and no networks that offramp stores or computes sparsely."
)
DIFFERENCES = (
    "Points of test accuracy more than `random`, each seed with itself, and the 95% interval over the seeds;"
    " bold where that leaves out zero. The last column is the mean over the rows, for which each seed gives"
    " one value, its mean of all rows."
)
COST = (
    "Multiply-adds of a training over those of `random` in the same row, had only live edges been computed,"
    " and the seconds that it took here in the mean of rows and seeds. The baselines did compute all weights,"
    " dead ones too, and so took the seconds of dense networks."
)


def accuracy_table(comparison: Comparison) -> list[list[str]]:
    """Head and a line for each method: mean test accuracy and its 95% interval, in per cent."""
    head = ["method", "kind", *(f"row {row.number}" for row in comparison.rows)]
    return [
        head,
        *(
            [name, METHODS[name].kind]
            + [spread_words(comparison.accuracy(row, name)) for row in comparison.rows]
            for name in METHODS
        ),
    ]


def networks_table(comparison: Comparison) -> list[list[str]]:
    """Head and a line for each row and for each network that has other neurons than its row."""
    lines = [["row", "method", "neurons", "out-degrees", "parameters"]]
    for row in comparison.rows:
        for name in METHODS:
            run = comparison.runs_of(row, name)[0]
            if name == REFERENCE or run.neurons != row.neurons:
                shape = [",".join(map(str, numbers)) for numbers in (run.neurons, run.out_degrees)]
                names = _ALIKE if name == REFERENCE else name
                lines.append([str(row.number), names, *shape, f"{run.parameters:,}"])
    return lines


def differences_table(
    comparison: Comparison, *, mark: Callable[[str], str] = lambda cell: cell
) -> list[list[str]]:
    """Head and a line for each method but the reference: points above it, row by row and over all.

    Args:
        mark: what becomes of a cell whose interval leaves out zero.
    """

    def cell(difference: Spread) -> str:
        words = spread_words(difference, signed=True)
        return words if outcome(difference) == "open" else mark(words)

    lines = [["method", *(f"row {row.number}" for row in comparison.rows), "all rows"]]
    for name in RIVALS:
        by_row = [cell(comparison.difference(name, row)) for row in comparison.rows]
        lines.append([name, *by_row, cell(comparison.mean_difference(name))])
    return lines


def cost_table(comparison: Comparison) -> list[list[str]]:
    """Head and a line for each method: what its training takes."""
    lines = [["method", "multiply-adds, times those of random", "seconds"]]
    for name in METHODS:
        works = [comparison.work(row, name) for row in comparison.rows]
        seconds = f"{comparison.mean_s(name):.1f}"
        lines.append([name, _span(works), seconds])
    return lines


def findings(comparison: Comparison) -> list[str]:
    """What wins and what loses, a sentence or two each."""
    ranked = sorted(RIVALS, key=lambda name: -comparison.mean_difference(name).mean)
    found = []
    for result, title in _OUTCOMES.items():
        names = [name for name in ranked if outcome(comparison.mean_difference(name)) == result]
        if names:
            told = "; ".join(_told(comparison, name) for name in names)
            found.append(f"{title}, in the mean of {_rows(comparison.rows)}, in points: {told}.")
    found += [_best(comparison), _pooled(comparison), _pruning(comparison), _by_chance(comparison)]
    return [one for one in found if one]


def method(comparison: Comparison) -> list[str]:
    """How it was measured, and how to get the same."""
    rigl, more = RigL(), fine_tuning_epochs(comparison.recipe)
    environment = ", ".join(f"{name} {value}" for name, value in comparison.environment.items())
    train_s = sum(run.train_s for run in comparison.runs)
    return [
        f"Command: `{comparison.command}`; seeds {', '.join(map(str, comparison.seeds))}.",
        recipe_words(comparison.recipe),
        "Pooled networks read images averaged over 2×2 windows, 196 values padded with zeros to 200.",
        *(f"`{name}` ({one.kind}): {one.meaning}." for name, one in METHODS.items()),
        f"Baselines have as many edges in each junction as the row; `pruned` trains {more} epochs more than"
        " the others, through the whole schedule again with Adam begun anew; `rigl` moves"
        f" {rigl.fraction:.0%} of the edges at first, falling along half a cosine, every {rigl.every} steps"
        f" until {rigl.until:.0%} of training, and moved edges begin at zero with Adam's moments at zero.",
        "`pruned` and `rigl` judge edges by their magnitude alone, and the recipe has no weight decay:"
        " weights on pixels that are zero in every image keep their first values, and under Adam those on"
        " rarely lit pixels grow as large as others. Pruning that weighs how often a pixel is lit may do"
        " better; it was not tried.",
        "First weights and the order of samples derive from the seed, which all methods share; the order is"
        " the same for all.",
        "The 10,000 test images are read once for each network, after the last epoch; nothing was chosen by"
        " them.",
        "Intervals are 95%, by Student's t over the seeds.",
        f"Training took {train_s:,.0f} s for all networks, one after the other; the last call took"
        f" {comparison.seconds:,.0f} s, which leaves out what an earlier one had done.",
        f"Environment: {environment}.",
    ]


def _told(comparison: Comparison, name: str, *, against: str = REFERENCE) -> str:
    """The mean difference from another method, and in how many rows it is one."""
    results = [outcome(comparison.difference(name, row, against=against)) for row in comparison.rows]
    mean = spread_words(comparison.mean_difference(name, against=against), signed=True)
    n = len(results)
    return f"`{name}` {mean} (better in {results.count('better')} of {n}, worse in {results.count('worse')})"


def _best(comparison: Comparison) -> str:
    """The highest mean of every row, among all and without pooling."""
    sentences = []
    for title, names in (
        ("The highest mean", list(METHODS)),
        ("Without pooled inputs", [name for name in METHODS if not name.startswith("pooled")]),
        ("Without pooled inputs and baselines", [n for n in METHODS if _is_plain(n)]),
    ):
        winners: dict[str, list[PaperRow]] = {}
        for row in comparison.rows:
            best = max(names, key=lambda name: comparison.accuracy(row, name).mean)
            winners.setdefault(best, []).append(row)
        told = ", ".join(f"`{name}` in {_rows(rows)}" for name, rows in winners.items())
        sentences.append(f"{title}: {told}.")
    return " ".join(sentences)


def _is_plain(name: str) -> bool:
    return not name.startswith("pooled") and METHODS[name].kind != "baseline"


def _pooled(comparison: Comparison) -> str:
    """Sparse beside dense where both read pooled images."""
    told = _told(comparison, "pooled_sparse", against="pooled_dense")
    return f"Pooling helps dense networks too. Less `pooled_dense`, in points: {told}."


def _pruning(comparison: Comparison) -> str:
    works = [comparison.work(row, "pruned") for row in comparison.rows]
    return f"Pruning trains the dense network first: {_span(works)} times the multiply-adds of `random`."


def _by_chance(comparison: Comparison) -> str:
    if len(comparison.seeds) < 2:
        return "With one seed there are no intervals, and nothing can be told apart."
    n = len(RIVALS) * len(comparison.rows)
    return (
        f"Of the {n} intervals by row, {n * (1 - CONFIDENCE):.1f} would leave out zero by chance alone, were"
        " there no differences."
    )


def _span(values: Sequence[float]) -> str:
    low, high = (f"{value:.2g}" if value < 10 else f"{value:.0f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _rows(rows: Iterable[PaperRow]) -> str:
    numbers = [str(row.number) for row in rows]
    return f"row{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"
