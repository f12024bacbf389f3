"""What the evidence says, in words and cells: shared by the page and the Markdown file."""

from collections import Counter
from itertools import combinations

from offramp.experiments.evidence import Evidence, RowEvidence, Saving, misprint_words
from offramp.experiments.statistics import TOLERANCE_POINTS, VERDICTS, Spread
from offramp.train import Recipe

COLUMNS = (
    ("row", "number through both tables"),
    ("table", "of the paper"),
    ("type", "deep and shallow are dense"),
    ("neurons", "widths of the layers"),
    ("out-degrees", "edges leaving a neuron, by junction"),
    ("parameters", "edges and biases"),
    ("paper %", "test accuracy as printed"),
    ("ours %", "mean test accuracy and its 95% interval"),
    ("deviation", "sample standard deviation over the seeds, in points"),
    ("off", "our mean less the paper's figure, in points"),
    ("verdict", "see above"),
)

_AGAINST = "Test accuracy against parameters, Table {}: ours filled, with 95% intervals; the paper's hollow."

INTRODUCTION = (
    "The paper is Capogrosso et al., Enhancing Split Computing and Early Exit Applications through Predefined"
    " Sparsity, FDL 2024, arXiv:2407.11763. Its Tables I and II have 30 networks for MNIST: deep and shallow"
    " dense ones, and sparse ones of about the same parameters."
)

SAVINGS = (
    "For each sparse network, the smallest dense one among the rows with at least its accuracy,"
    " and how many times its parameters that one has: by our means, and by the paper's own figures."
    " The dense rows are few, so a factor is an upper bound: a dense network between two rows may do."
)


def cells(one: RowEvidence) -> list[str]:
    """A row of the table, in the order of COLUMNS."""
    row, ours = one.row, one.accuracy
    return [
        str(row.number),
        "I" * row.table,
        row.kind,
        ",".join(map(str, row.neurons)),
        ",".join(map(str, row.out_degrees)),
        f"{row.parameters:,}",
        f"{row.accuracy_percent:.2f}",
        accuracy_cell(one),
        "" if ours.deviation is None else f"{ours.deviation:.2f}",
        f"{off(one):+.2f}",
        one.verdict,
    ]


def captions(evidence: Evidence) -> dict[str, str]:
    """A sentence or two for each figure."""
    found = {"figure4": _AGAINST.format("I"), "figure5": _AGAINST.format("II")}
    if (histogrammed := evidence.histogrammed()) is not None:
        row, run = histogrammed
        found["figure3"] = (
            f"Weights of a trained dense network, row {row.number} {list(row.neurons)} with seed {run.seed},"
            " junction by junction on one scale. In the first, weights on pixels that are zero in every"
            " image never change."
        )
    return found


def off(one: RowEvidence) -> float:
    """Our mean less the paper's figure, in points."""
    return one.accuracy.mean - one.row.accuracy_percent


def accuracy_cell(one: RowEvidence) -> str:
    """Mean and half the interval, in per cent."""
    return spread_words(one.accuracy)


def spread_words(one: Spread, *, signed: bool = False) -> str:
    """Mean and half its 95% interval, as in "93.94 ± 0.13"; `signed` for differences."""
    return f"{one.mean:{'+' if signed else ''}.2f}" + ("" if one.margin is None else f" ± {one.margin:.2f}")


def findings(evidence: Evidence) -> list[str]:
    """What holds and what does not, one sentence or two each."""
    found = [_agreement(evidence, sparse=sparse) for sparse in (True, False)]
    used = Counter(one.verdict for one in evidence.rows)
    found += [f"{name}: {words}." for name, words in VERDICTS.items() if used[name]]
    factors = [factor for one in evidence.savings() if (factor := Saving.factor(one.sparse, one.ours))]
    if factors:
        found.append(
            f"The claim of more than 4 times less storage: by our means {sum(f > 4 for f in factors)} of"
            f" {len(evidence.savings())} sparse rows have more than 4 times fewer parameters than the"
            f" smallest dense row as good; the factors go from {min(factors):.1f} to {max(factors):.1f},"
            f" and {len(evidence.savings()) - len(factors)} rows are better than every dense row."
        )
    if (histogrammed := evidence.histogrammed()) is not None:
        row, run = histogrammed
        shares = ", ".join(f"{100 * one.near_zero:.0f}%" for one in run.histograms)
        found.append(
            f"Figure 3: of the weights of row {row.number} {list(row.neurons)}, {shares} are within a tenth"
            " of the largest, from the first junction to the last."
        )
    found.append(_twice(evidence))
    if evidence.misprints:
        words = misprint_words(evidence.misprints)
        found.append(words[0].upper() + words[1:] + ".")
    return [one for one in found if one]


def _agreement(evidence: Evidence, *, sparse: bool) -> str:
    rows = [one for one in evidence.rows if one.row.is_sparse == sparse]
    if not rows:
        return ""
    n = Counter(one.verdict for one in rows)
    sentence = (
        f"{'Sparse' if sparse else 'Dense'} rows: {n['holds']} of {len(rows)} within"
        f" {TOLERANCE_POINTS} points of the paper"
    )
    rest = [f"{n[name]} {name}" for name in VERDICTS if name != "holds" and n[name]]
    others = [
        f"row {one.row.number} {one.verdict} by {abs(off(one)):.2f} points{_where(one)}"
        for one in rows
        if one.verdict in ("above", "below")
    ]
    return "; ".join([", ".join([sentence, *rest]), *others]) + "."


def _where(one: RowEvidence) -> str:
    """Where the paper's figure lies, seen from ours; the verdict on a sparse row leaves that out."""
    margin = one.accuracy.margin
    if margin is None:
        return ""
    return f" ({'inside' if abs(off(one)) <= margin else 'outside'} the 95% interval)"


def _twice(evidence: Evidence) -> str:
    """Networks that are in both tables, with the two figures that the paper has for each."""
    rows = [one.row for one in evidence.rows]
    pairs = [
        f"rows {a.number} and {b.number} ({a.accuracy_percent:.2f} and {b.accuracy_percent:.2f})"
        for a, b in combinations(rows, 2)
        if (a.neurons, a.out_degrees) == (b.neurons, b.out_degrees)
    ]
    if not pairs:
        return ""
    return (
        f"Both tables have the same network in {', '.join(pairs)}: how far these are apart is how much"
        " two runs of the paper differ. Ours are equal there: pattern, weights and order follow from the"
        " seed."
    )


def savings_table(evidence: Evidence) -> list[list[str]]:
    """Head and rows: each sparse network and the smallest dense row that is as good."""
    head = ["sparse row", "parameters", "ours %", "dense row as good", "factor"]
    head += ["paper %", "dense row as good in the paper", "factor in the paper"]
    return [head, *([*_half(one, ours=True), *_half(one, ours=False)] for one in evidence.savings())]


def _half(saving: Saving, *, ours: bool) -> list[str]:
    sparse, dense = saving.sparse, saving.ours if ours else saving.paper
    factor = Saving.factor(sparse, dense)
    accuracy = sparse.accuracy.mean if ours else sparse.row.accuracy_percent
    named = (
        "none of the tables"
        if dense is None
        else f"{dense.row.number}, {dense.row.parameters:,} parameters:"
        f" {dense.accuracy.mean if ours else dense.row.accuracy_percent:.2f}"
    )
    first = [str(sparse.row.number), f"{sparse.row.parameters:,}"] if ours else []
    return [*first, f"{accuracy:.2f}", named, "" if factor is None else f"{factor:.1f}"]


def method(evidence: Evidence) -> list[str]:
    """How it was measured, and how to get the same."""
    settings = evidence.settings
    block = "" if settings.block is None else f" with blocks up to {settings.block[0]}×{settings.block[1]}"
    seeds = ", ".join(map(str, evidence.seeds))
    environment = ", ".join(f"{name} {value}" for name, value in evidence.environment.items())
    return [
        f"Command: `{evidence.command}`; seeds {seeds}.",
        recipe_words(settings.recipe),
        f"Sparse rows: pattern {settings.pattern}{block} with exact degrees. Patterns, first weights and the"
        " order of samples derive from the seed.",
        "The 10,000 test images are read once for each network, after the last epoch; nothing was chosen by"
        " them.",
        "Intervals are 95%, by Student's t over the seeds; the paper gives one figure a row and no interval.",
        f"Training took {evidence.train_s:,.0f} s for all networks, one after the other; the last call took"
        f" {evidence.seconds:,.0f} s, which leaves out what an earlier one had done.",
        f"Environment: {environment}.",
    ]


def recipe_words(recipe: Recipe) -> str:
    """How networks are trained on MNIST, in a sentence."""
    schedule = (
        f"learning rate {recipe.learning_rate:g} / (1 + {recipe.decay:g}·step)"
        if recipe.schedule == "inverse_time"
        else f"learning rate {recipe.learning_rate:g} after {recipe.warmup_steps} steps, then along a cosine"
    )
    return (
        f"Recipe {recipe.name}: Adam, {schedule}, batch {recipe.batch_size}, {recipe.epochs} epochs,"
        f" He-normal by {'the dense fan-in' if recipe.init == 'dense_fan_in' else 'the in-degree'}, biases"
        f" {recipe.initial_bias:g}, ReLU, softmax cross-entropy, no weight decay; all 60,000 training images,"
        " pixels in [0, 1], padded with zeros to 800."
    )
