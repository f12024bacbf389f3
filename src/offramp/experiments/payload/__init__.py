"""How few bytes a sample a split network needs, and what they cost. Imports Torch and SciPy."""

from offramp.experiments.payload.codecs import Choice, Pledge, Source, Trial
from offramp.experiments.payload.evidence import Budgeted, PayloadEvidence
from offramp.experiments.payload.files import write_payload, write_payload_page
from offramp.experiments.payload.judge import CodecFigures, Judged, Standing
from offramp.experiments.payload.networks import NETWORKS, PayloadNetwork, network_of
from offramp.experiments.payload.study import Plan, Studied, study
from offramp.experiments.payload.wire import BATCHES, MODES, Streamed, streamed
from offramp.experiments.payload.words import codec_table, findings, marked, system_table, wire_table

__all__ = [
    "BATCHES",
    "MODES",
    "NETWORKS",
    "Budgeted",
    "Choice",
    "CodecFigures",
    "Judged",
    "PayloadEvidence",
    "PayloadNetwork",
    "Plan",
    "Pledge",
    "Source",
    "Standing",
    "Streamed",
    "Studied",
    "Trial",
    "codec_table",
    "findings",
    "marked",
    "network_of",
    "streamed",
    "study",
    "system_table",
    "wire_table",
    "write_payload",
    "write_payload_page",
]
