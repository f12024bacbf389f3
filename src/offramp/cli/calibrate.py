"""offramp calibrate: exits that keep a guarantee."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offramp.bundle import check_writable, read, write
from offramp.cli.console import check_file, print_json, print_line
from offramp.cli.judged_data import Judged, Source
from offramp.cli.options import BundleFolder, DataDir, JudgedData, Label, Page, Threads
from offramp.exits import CRITERIA, ExitRule, check_criterion

if TYPE_CHECKING:
    from offramp.plan.judgement import Calibration

DISAGREEMENT = "disagreement"


def calibrate(
    bundle: BundleFolder,
    risk: Annotated[float, typer.Option(help="The largest risk allowed, as a share.")] = 0.01,
    confidence: Annotated[float, typer.Option(help="How certain the risk is to be kept, as a share.")] = 0.95,
    measure: Annotated[
        str,
        typer.Option(
            help="Which risk: accuracy-drop against always asking the tail, exited-error among the answers of"
            " exits, or disagreement with the tail."
        ),
    ] = "accuracy-drop",
    method: Annotated[
        str | None,
        typer.Option(help="ltt, ltt-bonferroni, ltt-holm, ucb, or crc for a mean.", show_default="ltt"),
    ] = None,
    bound: Annotated[
        str | None,
        typer.Option(help="binomial, hoeffding-bentkus or wsr.", show_default="the best for the measure"),
    ] = None,
    criterion: Annotated[
        str, typer.Option(help=f"What makes an exit sure: {', '.join(CRITERIA)}.")
    ] = "max_softmax",
    data: JudgedData = None,
    data_dir: DataDir = None,
    label: Label = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Draws the fifth of the samples that temperatures are fitted to.")
    ] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The bundle to write.", show_default="BUNDLE itself"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bundle at --output.")] = False,
    html: Page = None,
    threads: Threads = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the certificate as JSON.")] = False,
) -> None:
    """Set the threshold of a bundle's exits so that it keeps a guarantee.

    A temperature is fitted to each exit, and the threshold with the largest exit
    rate is certified, on samples that the training has not seen. Data that are too
    few are refused, and it is told how many it takes.

    [bold]Examples[/bold]

      offramp calibrate digits.bundle --risk 0.05
      offramp calibrate m --data-dir mnist --html calibration.html
      offramp calibrate m --data new.npz --measure disagreement
    """
    target = output or bundle
    replaces = overwrite or output is None
    check_writable(target, overwrite=replaces)
    if html is not None:
        check_file(html)
    from offramp.exits.guarantee import check_certifiable  # SciPy, which no edge has
    from offramp.plan.judgement import calibrated

    check_certifiable(measure, risk, confidence, method, bound)
    check_criterion(criterion)
    network = read(bundle)
    source = Source(data, data_dir, label)
    samples = source.samples(network, "calibration", labelled=measure != DISAGREEMENT)
    found = calibrated(
        network,
        samples.x,
        samples.y,
        risk=risk,
        confidence=confidence,
        measure=measure,
        method=method,
        bound=bound,
        criterion=criterion,
        seed=seed,
        threads=threads,
    )
    report = Report(found, samples, target)
    text = None if html is None else report.page(_typed(bundle, found, data, seed))
    write(found.bundle, target, overwrite=replaces)
    if html is not None and text is not None:
        html.write_text(text, encoding="utf-8")
    if as_json:
        print_json(report.summary())
        return
    for line in report.lines():
        print_line(line)
    if html is not None:
        print_line(f"pictures in {html}")


@dataclass(frozen=True)
class Report:
    """What people, scripts and the page are told."""

    found: "Calibration"
    samples: Judged
    target: Path

    def summary(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "bundle": str(self.target),
            "data": self.samples.words,
            "threshold": self.found.certificate.threshold,
            **{k: v for k, v in self._evidence.items() if not k.startswith("ece_")},
            "exits": {
                name: {
                    "temperature": rule.temperature,
                    "criterion": rule.criterion,
                    "ece_before": rule.evidence["ece_before"],
                    "ece_after": rule.evidence["ece_after"],
                }
                for name, rule in self._rules.items()
            },
        }

    def lines(self) -> Iterator[str]:
        """In words."""
        certificate = self.found.certificate
        yield (
            f"certified on {certificate.n:,} of {self.samples.words}; {certificate.n_fitted:,} others fitted"
            " temperatures"
        )
        yield certificate.guarantee
        if certificate.never:
            yield "allow more --risk or less --confidence, or give more samples with --data"
        else:
            yield (
                f"threshold {certificate.threshold:.4g}: {certificate.exit_rate:.1%} of these samples exit,"
                f" {certificate.edge_exit_rate:.1%} on the device"
            )
            yield self._risk_line()
        for name, rule in self._rules.items():
            before, after = self.found.before[name].ece, self.found.after[name].ece
            yield (
                f"{name}: temperature {rule.temperature:.3g}; expected calibration error {100 * before:.2f}"
                f" points before, {100 * after:.2f} after"
            )
        yield f"written to {self.target}; next: offramp evaluate {shlex.quote(str(self.target))}"

    def page(self, command: str) -> str:
        """As a page of its own."""
        from offramp.cli.calibration_page import calibration_page

        return calibration_page(self.found, self.samples.words, command=command)

    def _risk_line(self) -> str:
        certificate = self.found.certificate
        gains = f", {certificate.n_gains:,} gained" if certificate.n_gains else ""
        bound = certificate.upper_bound
        at_most = "" if bound is None else f", {bound:.2%} at most for this threshold alone"
        return (
            f"risk on these samples {certificate.empirical_risk:.2%} ({certificate.n_losses:,} of"
            f" {certificate.n_judged:,} lost{gains}){at_most}"
        )

    @property
    def _evidence(self) -> dict[str, Any]:
        return dict(self.found.bundle.exit_rule.evidence)

    @property
    def _rules(self) -> dict[str, ExitRule]:
        from offramp.plan.judgement import rules_of

        return rules_of(self.found.bundle)


def _typed(bundle: Path, found: "Calibration", data: str | None, seed: int) -> str:
    """What to type for the same; places of data are each reader's own."""
    certificate = found.certificate
    options = {
        "--risk": f"{certificate.risk:g}",
        "--confidence": f"{certificate.confidence:g}",
        "--measure": certificate.measure,
        "--method": certificate.method,
        **({"--bound": certificate.bound} if certificate.bound else {}),
        "--criterion": found.bundle.exit_rule.criterion,
        **({"--data": Path(data).name} if data else {}),
        **({"--seed": str(seed)} if seed else {}),
    }
    return " ".join(
        ["offramp calibrate", bundle.name, *(f"{name} {value}" for name, value in options.items())]
    )
