"""What exits and codecs of a bundle are worth, by labelled samples. Needs SciPy, which no edge has."""

from offramp.plan.judgement.calibrated import Calibration, calibrated
from offramp.plan.judgement.codec_study import CodecRow, codec_study
from offramp.plan.judgement.judged import (
    Verdicts,
    judged,
    outcomes_of,
    rules_of,
    verdicts,
    verdicts_of,
    with_rules,
)

__all__ = [
    "Calibration",
    "CodecRow",
    "Verdicts",
    "calibrated",
    "codec_study",
    "judged",
    "outcomes_of",
    "rules_of",
    "verdicts",
    "verdicts_of",
    "with_rules",
]
