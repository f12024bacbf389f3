"""Certified thresholds held against their promises, on calibration sets drawn anew. Imports Torch."""

from offramp.experiments.certificates.files import write_study, write_study_page
from offramp.experiments.certificates.network import Judged
from offramp.experiments.certificates.run import Settings, study_certificates
from offramp.experiments.certificates.study import Beside, Interval, Row, Study
from offramp.experiments.certificates.ways import Way
from offramp.experiments.certificates.words import findings, peers_table, table

__all__ = [
    "Beside",
    "Interval",
    "Judged",
    "Row",
    "Settings",
    "Study",
    "Way",
    "findings",
    "peers_table",
    "study_certificates",
    "table",
    "write_study",
    "write_study_page",
]
