"""offramp quantise: head, exit and encoder for devices that compute with integers."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offramp.bundle import Bundle, check_writable, read, write
from offramp.cli.console import cells_table, print_json, print_line, print_wide
from offramp.cli.judged_data import Judged, Source
from offramp.cli.options import BundleFolder, DataDir, JudgedData, Label, Threads
from offramp.errors import ConfigError
from offramp.exits import CRITERIA
from offramp.int8 import IntegerDevice

if TYPE_CHECKING:
    from offramp.plan.judgement import Goal

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
    fine_tune: Annotated[
        bool | None,
        typer.Option(
            "--fine-tune/--no-fine-tune",
            help="Train on with rounded weights and activations; all parts are then new.",
            show_default="where integers cost exit or tail more than 0.2 points",
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
    kinds of device; only fine-tuning makes new ones. It needs the training data and Torch.

    [bold]Examples[/bold]

      offramp quantise digits.bundle
      offramp quantise m --data-dir mnist --risk 0.01 -o m8
      offramp run digits.bundle --int8 --tail localhost:8001 --data digits
    """
    target = output or bundle
    replaces = overwrite or output is None
    check_writable(target, overwrite=replaces)
    from offramp.cli.quantisation import Measured, Report  # SciPy, which no edge has
    from offramp.plan.judgement import evaluated, quantised

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
    judged_on = samples if samples.own is None else source.samples(network, "validation")
    if fine_tune and samples.own is None:
        raise ConfigError(
            f"--fine-tune takes the samples that bundle {network.name!r} was trained on; {samples.words} are"
            " others"
        )

    def measured(network: Bundle) -> Measured:
        found = quantised(network, samples.x, samples.y, goal=goal, threads=threads)
        labels = judged_on.y
        assert labels is not None, "asked for labelled ones"
        return Measured(
            found,
            float32=evaluated(network, judged_on.x, labels, threads=threads),
            integers=evaluated(
                IntegerDevice(found.bundle).as_bundle, judged_on.x, labels, int8=True, threads=threads
            ),
        )

    report = Report(measured(network), samples, judged_on, target)
    if fine_tune or (fine_tune is None and report.wants_fine_tuning):
        if fine_tune is None and (hindrance := _hindrance(samples)):
            report = replace(report, hindrance=hindrance)
        else:
            from offramp.system.quantising import finetuned

            assert samples.own is not None, "seen to above"
            tuned = finetuned(network, samples.own, goal=goal, threads=threads)
            report = replace(report, tuned=measured(tuned), forced=bool(fine_tune))
    write(report.chosen.found.bundle, target, overwrite=replaces)
    if as_json:
        print_json(report.summary())
        return
    print_line(f"grids fitted to {samples.words}; judged on {judged_on.words}")
    for table in (report.worth(), report.sums()):
        print_wide(cells_table(table), n_keys=1)
    for line in report.lines():
        print_line(line)


def _hindrance(samples: Judged) -> str:
    """Why nothing is fine-tuned, where it would help; empty where nothing is in the way."""
    if samples.own is None:
        return "the samples of the training are not at hand"
    return "" if find_spec("torch") else "it takes pip install 'offramp[train]'"


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
