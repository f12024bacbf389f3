"""offramp quantise: head, exit and encoder for devices that compute with integers."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offramp.bundle import check_writable, read, write
from offramp.cli.console import cells_table, print_json, print_line, print_wide
from offramp.cli.judged_data import Judged, Source
from offramp.cli.options import BundleFolder, DataDir, JudgedData, Label, Threads
from offramp.exits import CRITERIA
from offramp.int8 import IntegerDevice

if TYPE_CHECKING:
    from offramp.plan.judgement import Evaluation, Goal, Quantised

_AS_FLOAT32 = "as the float32 exit"


def quantise(
    bundle: BundleFolder,
    risk: Annotated[
        float | None,
        typer.Option(help="The largest risk allowed, as a share.", show_default=_AS_FLOAT32),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            help="How certain the risk is to be kept, as a share; as all of these, see offramp calibrate."
            " Where one is given, the others have the defaults they have there.",
            show_default=_AS_FLOAT32,
        ),
    ] = None,
    measure: Annotated[str | None, typer.Option(help="Which risk.", show_default=_AS_FLOAT32)] = None,
    method: Annotated[str | None, typer.Option(help="Of certifying.", show_default=_AS_FLOAT32)] = None,
    bound: Annotated[str | None, typer.Option(help="Of the risk.", show_default=_AS_FLOAT32)] = None,
    criterion: Annotated[
        str | None,
        typer.Option(help=f"What makes the exit sure: {', '.join(CRITERIA)}.", show_default=_AS_FLOAT32),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Draws the fifth of the samples that temperatures are fitted to.",
            show_default=_AS_FLOAT32,
        ),
    ] = None,
    data: JudgedData = None,
    data_dir: DataDir = None,
    label: Label = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The bundle to write.", show_default="BUNDLE itself"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bundle at --output.")] = False,
    threads: Threads = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a bundle ready for devices that compute with integers.

    Grids of 8 bits are fitted to what head, exit and encoder give on samples that the
    training has not seen, and the integer exit gets a threshold of its own, certified as
    that of the float32 exit. The float32 parts stay as they are, so one tail serves both
    kinds of device.

    [bold]Examples[/bold]

      offramp quantise digits.bundle
      offramp quantise m --data-dir mnist --risk 0.01 -o m8
      offramp run digits.bundle --int8 --tail localhost:8001 --data digits
    """
    target = output or bundle
    replaces = overwrite or output is None
    check_writable(target, overwrite=replaces)
    from offramp.plan.judgement import evaluated, quantised  # SciPy, which no edge has

    goal = _goal(
        risk=risk,
        confidence=confidence,
        measure=measure,
        method=method,
        bound=bound,
        criterion=criterion,
        seed=seed,
    )
    network = read(bundle)
    source = Source(data, data_dir, label)
    samples = source.samples(network, "calibration")
    found = quantised(network, samples.x, samples.y, goal=goal, threads=threads)
    judged = samples if samples.own is None else source.samples(network, "validation")
    assert judged.y is not None, "asked for labelled ones"
    device = IntegerDevice(found.bundle)
    report = Report(
        found=found,
        device=device,
        fitted_to=samples,
        judged_on=judged,
        float32=evaluated(network, judged.x, judged.y, threads=threads),
        integers=evaluated(device.as_bundle, judged.x, judged.y, int8=True, threads=threads),
        target=target,
    )
    write(found.bundle, target, overwrite=replaces)
    if as_json:
        print_json(report.summary())
        return
    print_line(f"grids fitted to {samples.words}; judged on {judged.words}")
    for table in (report.worth(), report.sums()):
        print_wide(cells_table(table), n_keys=1)
    for line in report.lines():
        print_line(line)


def _goal(**given: Any) -> "Goal | None":
    """What was asked for; None where the float32 exit's goal stays."""
    from offramp.exits.guarantee import check_certifiable
    from offramp.exits.rule import check_criterion
    from offramp.plan.judgement import Goal

    asked = {name: value for name, value in given.items() if value is not None}
    if not asked:
        return None
    goal = Goal(**({"risk": 0.01} | asked))
    check_certifiable(goal.measure, goal.risk, goal.confidence, goal.method, goal.bound)
    check_criterion(goal.criterion)
    return goal


@dataclass(frozen=True)
class Report:
    """What people and scripts are told."""

    found: "Quantised"
    device: IntegerDevice
    fitted_to: Judged
    judged_on: Judged
    float32: "Evaluation"
    integers: "Evaluation"
    target: Path

    def summary(self) -> dict[str, Any]:
        """As JSON values."""
        rule = self.device.quantisation.rule
        return {
            "bundle": str(self.target),
            "fitted_to": self.fitted_to.words,
            "judged_on": self.judged_on.words,
            "float32": _values(self.float32),
            "integers": _values(self.integers),
            "largest_sums": self.device.largest_sums,
            "rule": {
                "criterion": rule.criterion,
                "threshold": rule.threshold,
                "temperature": rule.temperature,
                "level": self.device.rule.threshold_level,
                "evidence": dict(rule.evidence),
            },
        }

    def worth(self) -> list[list[str]]:
        """Float32 and integers side by side."""
        names = {
            "exit_accuracy": "exit right if asked",
            "tail_accuracy": "tail right if asked",
            "system_accuracy": "system right",
            "exit_rate": "exit answers",
        }
        ours, theirs = _values(self.integers), _values(self.float32)
        return [
            ["", "float32, %", "integers, %", "difference, points"],
            *(
                [
                    words,
                    f"{100 * theirs[name]:.2f}",
                    f"{100 * ours[name]:.2f}",
                    f"{100 * (ours[name] - theirs[name]):+.2f}",
                ]
                for name, words in names.items()
            ),
        ]

    def sums(self) -> list[list[str]]:
        """How large sums can become."""
        return [
            ["junction", "largest sum", "bits"],
            *(
                [f"{name} {number}", f"{largest:,}", str(largest.bit_length() + 1)]
                for name, sums in self.device.largest_sums.items()
                for number, largest in enumerate(sums, start=1)
            ),
        ]

    def lines(self) -> Iterator[str]:
        """In words."""
        rule = self.device.quantisation.rule
        if self.found.calibration is None:
            yield (
                f"the threshold is the best on {self.fitted_to.words}, as that of the float32 exit;"
                " nothing is guaranteed on others, give --risk to certify one"
            )
        else:
            yield self.found.calibration.certificate.guarantee
        yield f"it answers at {rule.criterion} {rule.threshold:.4g}, temperature {rule.temperature:.3g}"
        yield f"written to {self.target}; next: offramp export c {shlex.quote(str(self.target))}"


def _values(found: "Evaluation") -> dict[str, float]:
    (exit,) = found.exits
    return {
        "exit_accuracy": exit.accuracy.value,
        "tail_accuracy": found.tail_accuracy.value,
        "system_accuracy": found.system_accuracy.value,
        "exit_rate": found.exit_rate.value,
    }
