"""What exits and codecs of a bundle are worth, by labelled samples. Needs SciPy, which no edge has."""

from offramp.plan.judgement.calibrated import Calibration, calibrated
from offramp.plan.judgement.codec_study import CodecRow, codec_rows, codec_study
from offramp.plan.judgement.evaluated import Evaluation, ExitWorth, evaluated
from offramp.plan.judgement.judged import (
    Verdicts,
    judged,
    outcomes_of,
    rules_of,
    verdicts,
    verdicts_of,
    with_rules,
)
from offramp.plan.judgement.quantised import Goal, Quantised, quantised, settled
from offramp.plan.judgement.shares import Share, difference, share
from offramp.plan.judgement.sweep import Sweep, sweep

__all__ = [
    "Calibration",
    "CodecRow",
    "Evaluation",
    "ExitWorth",
    "Goal",
    "Quantised",
    "Share",
    "Sweep",
    "Verdicts",
    "calibrated",
    "codec_rows",
    "codec_study",
    "difference",
    "evaluated",
    "judged",
    "outcomes_of",
    "quantised",
    "rules_of",
    "settled",
    "share",
    "sweep",
    "verdicts",
    "verdicts_of",
    "with_rules",
]
