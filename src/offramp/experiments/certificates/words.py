"""What the study says, in words and cells; every word about who wins follows from the rows."""

from offramp.exits.guarantee import MEASURES
from offramp.exits.guarantee.bounds import least_n
from offramp.experiments.certificates.study import Beside, Row, Study
from offramp.experiments.certificates.ways import METHODS, PROMISES

INTRODUCTION = (
    "A threshold is certified on a calibration set, and the certificate says how much risk it brings at most."
    " Here calibration sets are drawn again and again from the predictions of a real network, whose risk at"
    " every threshold is therefore known exactly, and each way to a threshold is held against its promise."
)

_MEASURES = {
    "accuracy-drop": "accuracy of the tail less that of the system",
    "exited-error": "share of wrong answers among those that the exit gives",
    "disagreement": "share of samples whose answer is not the tail's",
}

TABLE = (
    "In the tables, violations are trials whose risk in the population is larger than eps, with their 95%"
    " interval (Clopper and Pearson). In the mean of the trials: exits, the share of the population that"
    " the exit answers, and the risk. None: trials in which no threshold could be certified, so that the"
    " tail answers everything."
)


def table(study: Study, measure: str) -> list[list[str]]:
    """Head and a line for each way and eps of a measure."""
    head = ["method", "bound", "eps, %", "violations, %", "95% interval, %", "exits, %", "risk, %", "none"]
    rows = [row for row in study.rows if row.way.measure == measure]
    return [
        head,
        *([row.way.method, _bound(row), f"{100 * row.way.eps:g}", *_figures(row)] for row in rows),
    ]


def peers_table(study: Study) -> list[list[str]]:
    """Head and a line for each case that the peer covers."""
    head = [
        "measure",
        "MAPIE's method",
        "ours",
        "same threshold",
        "MAPIE fewer exits",
        "MAPIE more exits",
        "MAPIE none, ours one",
        "violations of MAPIE and ours, %",
        "exits of MAPIE and ours, %",
    ]
    return [head, *map(_peer_cells, study.peers)]


def findings(study: Study) -> list[str]:
    """What holds and what does not, a sentence or two each."""
    return [
        one for one in (_kept(study), _mean(study), _empirical(study), *_best(study), *_peer(study)) if one
    ]


def method(study: Study) -> list[str]:
    """How it was measured, and how to get the same."""
    judged, delta = study.judged, 1 - study.confidence
    fewest = (f"{least_n('binomial', eps, delta=delta):,} for eps {eps:.1%}" for eps in _risks(study))
    environment = ", ".join(f"{name} {value}" for name, value in study.environment.items())
    neurons = ",".join(map(str, judged.record["neurons"]))
    return [
        f"Command: `{study.command}`; it took {study.seconds:,.0f} s.",
        f"The network: {neurons}, cut after the first junction, trained for"
        f" {judged.record['recipe']['epochs']} epochs on the training split of {judged.record['data']};"
        f" {judged.edge_parameters:,} parameters in head and exit. On the population the exit alone is right"
        f" in {judged.exit_accuracy:.2%}, the tail in {judged.tail_accuracy:.2%}.",
        f"The population: what this network says to the {judged.outcomes.n:,} samples of the calibration and"
        " test splits, none of which it was trained or chosen on, by the kernels of edge and server.",
        f"A trial: {study.n:,} samples drawn from the population with replacement, a fifth of them for the"
        " grid of thresholds and the start of sequences, the rest to certify on. All ways see the same"
        f" {study.trials:,} calibration sets (seed {study.seed}). delta is {delta:.2g}.",
        *(f"`{name}` is the {words}." for name, words in _MEASURES.items()),
        *(f"`{one.name}`: {one.meaning}. It promises: {PROMISES[one.promise]}." for one in METHODS.values()),
        "Bounds: `binomial` is exact for losses of 0 and 1, `hoeffding-bentkus` and `wsr` hold for any"
        " bounded loss. For accuracy-drop `wsr` of `ltt` counts gains (the exit is right, the tail wrong)"
        " against losses; everything else bounds it by losses alone. `by fitting samples` is the default:"
        " binomial or wsr, whichever promises more exits on the samples that are not certified on.",
        "The fewest samples on which anything can be certified at this confidence, of an exit without a"
        f" fault: {', '.join(fewest)}.",
        f"Environment: {environment}.",
    ]


def _kept(study: Study) -> str:
    rows = study.of("probability")
    over = [row for row in rows if row.share > row.delta]
    broken = [row for row in rows if not row.kept]
    worst = max(rows, key=lambda row: row.share)
    delta = f"{rows[0].delta:.0%}"
    return (
        f"Of {len(rows)} ways that promise at most {delta} violations, {len(rows) - len(over)} stayed at or"
        f" under {delta} in {study.trials:,} trials, and {_count(len(broken))} is above it by more than"
        f" chance (95% interval). The largest share is {_share(worst)} ({_named(worst)})."
    )


def _mean(study: Study) -> str:
    rows = study.of("mean")
    kept = [row for row in rows if row.risk_mean <= row.way.eps]
    worst = max(rows, key=lambda row: row.share)
    means = "; ".join(
        f"{measure} {', '.join(f'{row.risk_mean:.2%} for eps {row.way.eps:.1%}' for row in of)}"
        for measure in MEASURES
        if (of := [row for row in rows if row.way.measure == measure])
    )
    return (
        f"`crc` promises a mean risk only: it is at most eps in {len(kept)} of {len(rows)} cases ({means})."
        f" Single calibration sets go over in up to {_share(worst)}."
    )


def _empirical(study: Study) -> str:
    shares = [row.share for row in study.of("none")]
    return (
        f"Without a certificate, `empirical` breaks the bound in {min(shares):.0%} to {max(shares):.0%} of"
        " the trials."
    )


def _best(study: Study) -> list[str]:
    """Who lets the most samples exit, measure by measure, among those that promise a probability."""
    found = []
    for measure in MEASURES:
        told = []
        for eps in _risks(study):
            rows = [r for r in study.of("probability") if (r.way.measure, r.way.eps) == (measure, eps)]
            most = max(row.exit_rate_mean for row in rows)
            names = [f"`{_name(row)}`" for row in rows if row.exit_rate_mean > most - 5e-4]
            never = min(row.never for row in rows if row.exit_rate_mean == most)
            none = f"; in {never:,} trials nothing could be certified" if never else ""
            told.append(f"{most:.1%} for eps {eps:.1%} ({', '.join(names)}{none})")
        found.append(f"Most exits with a guarantee on {measure}: {'; '.join(told)}.")
    return found


def _peer(study: Study) -> list[str]:
    if not study.peers:
        return ["MAPIE is not installed here, so nothing was held against it."]
    told = "; ".join(_beside(one) for one in study.peers)
    return [
        f"MAPIE's `BinaryClassificationController` on the same samples and thresholds (eps"
        f" {study.peers[0].peer.way.eps:.0%}), of {study.trials:,} trials: {told}."
        f" {_more(study)}{_giving_up(study)}"
    ]


_ROUNDING = (
    " Where it lets fewer exit, it counted up to one error more than there was: it rounds n times the mean"
    " up, and the mean had been rounded up already."
)


def _more(study: Study) -> str:
    n = sum(one.more for one in study.peers)
    told = "It never lets more samples exit than ours." if n == 0 else f"It lets more samples exit in {n:,}."
    return told + (_ROUNDING if any(one.fewer > one.gave_up for one in study.peers) else "")


def _giving_up(study: Study) -> str:
    """Of Holm's correction, where it finds less than Bonferroni's, which it should never do."""
    gave_up = {one.peer.way.method: one.gave_up for one in study.peers if one.ours.way.method != "ltt"}
    holm, bonferroni = gave_up["mapie bonferroni_holm"], gave_up["mapie bonferroni"]
    if holm <= bonferroni:
        return ""
    return (
        f" Its Holm correction takes no threshold in {holm:,} trials where ours does, its Bonferroni"
        f" correction, which is weaker, in {bonferroni:,}: where a threshold of the grid has no answers its"
        " p-value is NaN, and Holm's, which begins at the smallest p-value, stops at it."
    )


def _beside(one: Beside) -> str:
    name = one.peer.way.method.removeprefix("mapie ")
    same, fewer = f"{one.alike:,}", f"{one.fewer:,}"
    return f"`{name}` for {one.peer.way.measure} the same threshold in {same}, fewer exits in {fewer}"


def _peer_cells(one: Beside) -> list[str]:
    return [
        one.peer.way.measure,
        one.peer.way.method.removeprefix("mapie "),
        one.ours.way.name,
        *(f"{count:,}" for count in (one.alike, one.fewer, one.more, one.gave_up)),
        f"{100 * one.peer.share:.1f} and {100 * one.ours.share:.1f}",
        f"{100 * one.peer.exit_rate_mean:.1f} and {100 * one.ours.exit_rate_mean:.1f}",
    ]


def _bound(row: Row) -> str:
    if row.way.bound is None:
        return "by fitting samples" if row.way.method == "ltt" else ""
    return row.way.bound


def _figures(row: Row) -> list[str]:
    low, high = row.interval
    return [
        f"{100 * row.share:.1f}",
        f"{100 * low:.1f} to {100 * high:.1f}",
        f"{100 * row.exit_rate_mean:.1f}",
        f"{100 * row.risk_mean:.2f}",
        f"{row.never:,}",
    ]


def _name(row: Row) -> str:
    return f"{row.way.method} {_bound(row)}".strip()


def _named(row: Row) -> str:
    return f"`{_name(row)}`, {row.way.measure}, eps {row.way.eps:.1%}"


def _share(row: Row) -> str:
    low, high = row.interval
    return f"{row.share:.1%}, 95% interval {low:.1%} to {high:.1%}"


def _risks(study: Study) -> list[float]:
    return sorted({row.way.eps for row in study.rows})


def _count(n: int) -> str:
    return "none" if n == 0 else str(n)
