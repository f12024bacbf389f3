"""Exported code on every processor, beside its reference: the study of `offramp verify`."""

from offramp.experiments.verified.cases import CASES, LARGEST
from offramp.experiments.verified.files import write_verified, write_verified_page
from offramp.experiments.verified.networks import Case, Junction, chance_samples, network, program_of
from offramp.experiments.verified.study import (
    Form,
    Held,
    Verified,
    forms_of,
    forms_of_cases,
    tools_of,
    verified,
)
from offramp.experiments.verified.words import findings, forms_table, main_table

__all__ = [
    "CASES",
    "LARGEST",
    "Case",
    "Form",
    "Held",
    "Junction",
    "Verified",
    "chance_samples",
    "findings",
    "forms_of",
    "forms_of_cases",
    "forms_table",
    "main_table",
    "network",
    "program_of",
    "tools_of",
    "verified",
    "write_verified",
    "write_verified_page",
]
