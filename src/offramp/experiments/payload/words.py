"""What the study says, in words and cells; met and missed follow from the figures."""

import math
from collections.abc import Sequence

from offramp.experiments.payload.codecs import FITTED_TO, MAX_LOSS_POINTS, MIN_FITTED, UNSURE
from offramp.experiments.payload.evidence import (
    AIMED_FACTOR,
    MAX_DROP_POINTS,
    MAX_INT8_POINTS,
    MIN_FACTOR,
    WHICH,
    Budgeted,
    PayloadEvidence,
    Which,
)
from offramp.experiments.payload.judge import Standing
from offramp.experiments.payload.wire import Streamed
from offramp.experiments.statistics import Spread
from offramp.experiments.words import spread_words

INTRODUCTION = (
    "A device runs head, exit and encoder, in so many parameters at most; where the exit is sure it answers"
    " alone, else the coded features of the sample cross the wire to a tail of any size. How few bytes does"
    " that take, averaged over all samples, and what does it cost in accuracy?"
)
SYSTEM = (
    "Test accuracy in per cent: of the exit, were it to answer everything; of the tail, asked about"
    " everything, with float32 features and as coded; and of the system. Under the tail: points of the system"
    " below the tail with float32, each seed with itself. Exits: samples that an exit answers. Bytes are"
    " payload; the last column is how many times fewer they are than the raw sample's."
)
CODECS_TOLD = (
    "Every codec on all test samples: accuracy of the tail in per cent, and points above that with float32,"
    " each seed with itself. Bytes of an offloaded sample and, over all samples, with accuracy of the system:"
    " at the certified threshold, the same for all codecs. **Bold** is the codec that the validation samples"
    " chose."
)
WIRE = (
    "All bytes that passed the link, both directions, with gRPC, HTTP/2 and message framing, without TCP and"
    " IP headers; over all samples, whether they were sent or not. Remote sends the image, split always asks"
    " the tail, split+exit where the exit is not sure. In batches, what the exit leaves over of so many"
    " samples goes in one message."
)
_WORDS: dict[Which, str] = {"certified": "certified", "empirical": "not certified"}


def system_table(evidence: PayloadEvidence) -> list[list[str]]:
    """Head and two lines for each budget: the certified threshold, and the one that no certificate backs."""
    head = ["at most", "on the device", "threshold", "exit", "tail", "tail as coded", "system"]
    head += ["under the tail", "exits, %", "bytes an offload", "bytes a sample", "times fewer"]
    return [head, *(_system_line(one, which) for one in evidence.budgets for which in WHICH)]


def codec_table(one: Budgeted) -> list[list[str]]:
    """Head and a line for each codec of a budget."""
    lines = [
        ["codec", "fitted to", "tail", "against float32", "bytes an offload", "bytes a sample", "system"]
    ]
    for name in one.codec_names():
        source = one.studied.choice.kept[name]
        lines.append(
            [
                f"**{name}**" if source == one.studied.choice.chosen else name,
                source.fitted_to,
                spread_words(one.of_codec(name, lambda codec: codec.tail_percent)),
                spread_words(one.of_codec(name, lambda codec: codec.against_float32), signed=True),
                _size(one.coded_bytes(name)),
                spread_words(one.of_codec(name, lambda codec: codec.bytes_per_sample)),
                spread_words(one.of_codec(name, lambda codec: codec.system_percent)),
            ]
        )
    return lines


def wire_table(evidence: PayloadEvidence) -> list[list[str]]:
    """Head and a line for each stream."""
    head = ["at most", "mode", "batch", "accuracy, %", "exits, %", "payload bytes", "bytes on the wire"]
    streams = [stream for one in evidence.budgets for stream in evidence.streamed_of(one.budget)]
    return [[*head, "times fewer than remote"], *(_stream_line(evidence, stream) for stream in streams)]


def networks_table(evidence: PayloadEvidence) -> list[list[str]]:
    """Head and a line for each budget."""
    lines = [["at most", "neurons", "out-degrees", "cut after", "pooling", "values sent", "parameters"]]
    for one in evidence.budgets:
        design, run = one.studied.network.design, one.runs[0]
        degrees = design.out_degrees or ("auto",)
        parts = ", ".join(f"{name} {n:,}" for name, n in run.parameters.items())
        lines.append(
            [
                f"{one.budget:,}",
                ",".join(map(str, design.neurons)),
                ",".join("full" if degree is None else str(degree) for degree in degrees),
                str(design.cut or "half"),
                str(design.pool),
                str(run.n_sent),
                parts,
            ]
        )
    return lines


def findings(evidence: PayloadEvidence) -> list[str]:
    """Targets, met or missed, a sentence or two each."""
    budgets = evidence.budgets
    found = [_payload(one) for one in budgets]
    found += [_int8(one) for one in budgets]
    found += [_best(one) for one in budgets]
    found += [_on_the_wire(evidence, one) for one in budgets if evidence.streamed_of(one.budget)]
    n = len(evidence.plan.seeds)
    return [*found, _believed(n)] if n > 1 else [*found, "One seed: there are no intervals."]


def method(evidence: PayloadEvidence) -> list[str]:
    """How it was measured, and how to get the same."""
    plan, pledge = evidence.plan, evidence.plan.pledge
    environment = ", ".join(f"{name} {value}" for name, value in evidence.environment.items())
    train_s = sum(run.train_s for one in evidence.studied for run in one.judged)
    sizes = ", ".join(f"{n:,} {name}" for name, n in evidence.n_of.items())
    return [
        f"Command: `{evidence.command}`; seeds {', '.join(map(str, plan.seeds))}.",
        f"Data: {evidence.data}, {sizes} samples; each seed decides splits, patterns, weights and order. A"
        f" raw sample has {evidence.sample_bytes} bytes.",
        *(_training(one) for one in evidence.budgets),
        f"Codec: fewest mean bytes of an offloaded validation sample among those that lose the tail at most"
        f" {MAX_LOSS_POINTS:g} points there, both in the mean of the seeds. Codecs are fitted to training"
        f" samples; the range codecs' histograms either to {FITTED_TO['all']} or, if they are {MIN_FITTED:,}"
        f" or more, to {FITTED_TO[UNSURE]}: whichever gave fewer bytes.",
        f"Threshold: certified on calibration samples by `offramp.exits.guarantee` to cost at most"
        f" {100 * pledge.risk:g} points of accuracy against always asking the tail, with a confidence of"
        f" {100 * pledge.confidence:g}%. Beside it, not certified: the threshold with the most exits that"
        " costs the same samples no more than that.",
        "The test samples were read once for each network, after codec and threshold; nothing was chosen by"
        " them.",
        "Intervals are 95%, by Student's t over the seeds; differences are taken seed by seed. Met and missed"
        " go by the means.",
        f"Training took {train_s:,.0f} s for all networks, one after the other, teachers not counted; the"
        f" last call took {evidence.seconds:,.0f} s, which leaves out what an earlier one had trained.",
        f"Environment: {environment}.",
    ]


def _system_line(one: Budgeted, which: Which) -> list[str]:
    return [
        f"{one.budget:,}",
        f"{one.edge_parameters:,}",
        _WORDS[which],
        spread_words(one.of_runs(lambda run: run.exit_percent)),
        spread_words(one.of_runs(lambda run: run.tail_percent)),
        spread_words(one.of_runs(lambda run: run.coded_tail_percent)) if which == "certified" else "",
        spread_words(one.of_standing(which, _percent)),
        spread_words(one.drop(which), signed=True),
        spread_words(one.of_standing(which, lambda at: 100 * at.exit_rate)),
        _size(one.offload_bytes(which)),
        _fine(one.of_standing(which, lambda at: at.bytes_per_sample)),
        _times(one.factor(which)),
    ]


def _size(found: Spread | None) -> str:
    return "" if found is None else spread_words(found)


def _stream_line(evidence: PayloadEvidence, stream: Streamed) -> list[str]:
    remote = _remote(evidence, stream).wire_bytes
    return [
        f"{stream.budget:,}",
        stream.mode,
        str(stream.batch),
        f"{100 * stream.accuracy:.2f}",
        f"{100 * stream.exit_rate:.1f}",
        f"{stream.payload_bytes:.2f}",
        f"{stream.wire_bytes:.1f}",
        f"{remote / stream.wire_bytes:.1f}" if stream.wire_bytes else "",
    ]


def _payload(one: Budgeted) -> str:
    drop, factor = one.drop("certified"), one.factor("certified")
    small, few = one.meets("certified")
    within = [run for run in one.runs if run.drop_points(run.certified) <= MAX_DROP_POINTS + 1e-9]
    verdicts = [
        _verdict(small, f"at most {MAX_DROP_POINTS:g} points"),
        _verdict(few, f"at least {MIN_FACTOR}x"),
        _verdict(factor >= AIMED_FACTOR, f"the aim of {AIMED_FACTOR:,}x"),
    ]
    return (
        f"{one.edge_parameters:,} parameters on the device (at most {one.budget:,}): at the certified"
        f" threshold the system is right on {spread_words(one.of_standing('certified', _percent))}% of the"
        f" test samples, {spread_words(drop)} points under always asking the tail (in {len(within)} of"
        f" {len(one.runs)} seeds within {MAX_DROP_POINTS:g}); the exit answers"
        f" {spread_words(one.of_standing('certified', lambda at: 100 * at.exit_rate))}%, and a sample takes"
        f" {_fine(one.of_standing('certified', lambda at: at.bytes_per_sample))} payload bytes in the mean of"
        f" all, {_times(factor)}x fewer than the {one.sample_bytes} of the raw sample. {'; '.join(verdicts)}."
        f" With the threshold that is not certified: {spread_words(one.drop('empirical'))} points under,"
        f" {_times(one.factor('empirical'))}x fewer."
    )


def _int8(one: Budgeted) -> str:
    off = one.of_codec("int8", lambda codec: codec.against_float32)
    verdict = _verdict(abs(off.mean) <= MAX_INT8_POINTS + 1e-9, f"within {MAX_INT8_POINTS:g} points")
    return (
        f"int8 features, {one.budget:,}: {spread_words(off, signed=True)} points against float32. {verdict}."
    )


def _best(one: Budgeted) -> str:
    chosen = one.studied.choice.chosen
    off = one.of_codec(chosen.codec, lambda codec: codec.against_float32)
    size, plain = one.coded_bytes(chosen.codec), one.coded_bytes("float32")
    verdict = _verdict(-off.mean <= MAX_LOSS_POINTS + 1e-9, f"at most {MAX_LOSS_POINTS:g} points lost")
    factor = f", {plain.mean / size.mean:.1f}x fewer than float32" if size and plain else ""
    return (
        f"Best codec, {one.budget:,}: {chosen.codec} with {_size(size) or 'no'} bytes an offloaded sample"
        f"{factor}; {spread_words(off, signed=True)} points against float32. {verdict}."
    )


def _on_the_wire(evidence: PayloadEvidence, one: Budgeted) -> str:
    ours = [stream for stream in evidence.streamed_of(one.budget) if stream.mode == "split+exit"]
    told = "; ".join(
        f"{'one by one' if stream.batch == 1 else f'in batches of {stream.batch}'}"
        f" {stream.wire_bytes:.1f} bytes a sample ({_remote(evidence, stream).wire_bytes:,.1f} for images)"
        for stream in ours
    )
    late = sum(stream.fallbacks for stream in evidence.streamed_of(one.budget))
    lost = f" {late} samples were not answered by the tail, and fell back on the exit." if late else ""
    return f"Really on the wire, framing included, {one.budget:,}, {ours[0].n:,} test samples: {told}.{lost}"


def _training(one: Budgeted) -> str:
    network = one.studied.network
    recipe, design = network.recipe, network.design
    taught = "no teacher" if network.lesson is None else f"a teacher with weight {network.lesson.weight:g}"
    tuned = f", fine-tuned for {design.codec}" if design.quantise_epochs else ""
    return (
        f"{one.budget:,} parameters: recipe {recipe.name}, {recipe.epochs} epochs, batch"
        f" {recipe.batch_size}, exits trained {recipe.exits}, self-distillation"
        f" {recipe.self_distillation:g}, {taught}{tuned}; pattern {design.pattern}."
    )


def _remote(evidence: PayloadEvidence, stream: Streamed) -> Streamed:
    """What images take in the same batches."""
    return next(
        one
        for one in evidence.streamed_of(stream.budget)
        if one.mode == "remote" and one.batch == stream.batch
    )


def _verdict(met: bool, target: str) -> str:
    return f"{'Met' if met else 'Missed'}: {target}"


def _percent(at: Standing) -> float:
    return 100 * at.accuracy


def _times(factor: float) -> str:
    """How many times fewer; where nothing is sent it has no bound."""
    return f"{factor:,.0f}" if math.isfinite(factor) else "∞"


def _fine(one: Spread) -> str:
    """Small numbers, with three places."""
    return f"{one.mean:.3f}" + ("" if one.margin is None else f" ± {one.margin:.3f}")


def _believed(n: int) -> str:
    return f"All of it in the mean of {n} seeds, with 95% intervals."


def marked(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """A table for a terminal, where bold is no sign."""
    return [[cell.replace("**", "") for cell in line] for line in lines]
