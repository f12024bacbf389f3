"""The page of `offramp calibrate`: what is certified, and what other thresholds would have given."""

from collections.abc import Sequence

from offramp.exits import Reliability
from offramp.exits.guarantee import risk_curve, threshold_grid
from offramp.plan.judgement import Calibration, sweep
from offramp.report import (
    Picture,
    Section,
    reliability_figure,
    risk_figure,
    section_page,
    threshold_figure,
)

RISKS = {
    "accuracy-drop": "accuracy lost, points",
    "exited-error": "wrong among exits' answers, %",
    "disagreement": "answers unlike the tail's, %",
}


def calibration_page(found: Calibration, words: str, *, command: str) -> str:
    """The page as HTML.

    Args:
        words: what the samples are.
        command: what to type for the same.

    Raises:
        MissingDependencyError: jinja2 or matplotlib is not installed.
    """
    sections = [_certified(found, words), _risk(found), *_thresholds(found), _believed(found)]
    return section_page(f"{found.bundle.name}, calibrated", sections, command=command)


def _certified(found: Calibration, words: str) -> Section:
    certificate = found.certificate
    facts = [
        ("threshold", "never" if certificate.never else f"{certificate.threshold:.6g}"),
        ("answered by an exit", _percent(certificate.exit_rate)),
        ("answered on the device", _percent(certificate.edge_exit_rate)),
        (f"{certificate.measure} on these samples", _percent(certificate.empirical_risk)),
        ("allowed", _percent(certificate.risk)),
        ("method, bound", ", ".join(filter(None, (certificate.method, certificate.bound)))),
        ("samples certified on", f"{certificate.n:,}"),
        ("samples fitted to", f"{certificate.n_fitted:,}"),
        ("thresholds in question", f"{certificate.n_thresholds:,}"),
    ]
    return Section(
        "What is certified",
        paragraphs=[certificate.guarantee, f"The samples: {words}."],
        table=[("", "value"), *facts],
    )


def _risk(found: Calibration) -> Section:
    certificate = found.certificate
    curve = risk_curve(
        found.certifying,
        threshold_grid(found.fitting),
        measure=certificate.measure,
        risk=certificate.risk,
        confidence=certificate.confidence,
        bound=certificate.bound,
    )
    figure = risk_figure(
        curve.exit_rate,
        curve.risk,
        curve.upper_bound,
        limit=certificate.risk,
        chosen=None if certificate.never else (certificate.exit_rate, certificate.empirical_risk),
        what=RISKS[certificate.measure],
        confidence=certificate.confidence,
    )
    caption = (
        "The risk of each threshold on the samples certified on, and its upper confidence bound. The bound is"
        f" that of a threshold by itself; {certificate.method} chooses among all of them so that the"
        " guarantee above holds."
    )
    return Section("Risk against exit rate", figures=[Picture(figure, caption)])


def _thresholds(found: Calibration) -> Sequence[Section]:
    """Nothing where nobody knows who is right."""
    outcomes = found.certifying
    if outcomes.labels is None:
        return ()
    swept = sweep(outcomes, threshold_grid(found.fitting))
    rates = {"on the device": swept.edge_exit_rate}
    if not outcomes.on_edge.all():
        rates["by any exit"] = swept.exit_rate
    figure = threshold_figure(
        swept.thresholds,
        swept.accuracy,
        rates,
        chosen=found.certificate.threshold,
        tail_accuracy=float((outcomes.tail_labels == outcomes.labels).mean()),
    )
    caption = "On the samples certified on. The dashed line is the certified threshold."
    return (Section("Accuracy and exit rate against the threshold", figures=[Picture(figure, caption)]),)


def _believed(found: Calibration) -> Section:
    names = list(found.before)
    rows = [(name, *map(_points, (found.before[name], found.after[name]))) for name in names]
    pictures = [
        Picture(
            reliability_figure(name, {"as trained": found.before[name], "fitted": found.after[name]}),
            title=name if len(names) > 1 else "",
        )
        for name in names
    ]
    return Section(
        "Can the exits' confidence be believed?",
        paragraphs=[
            "Expected calibration error (ECE): how far the probability of being right that an exit claims is"
            " from the share that is right, in points, the mean over 15 bins. As trained, and with the"
            " temperature or learned score that other samples fitted."
        ],
        table=[("exit", "ECE as trained", "ECE fitted"), *rows],
        figures=pictures,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _points(one: Reliability) -> str:
    return f"{100 * one.ece:.2f}"
