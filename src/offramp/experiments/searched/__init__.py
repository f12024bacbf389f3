"""Networks that searches found against the paper's dense rows. Imports Torch."""

from offramp.experiments.searched.evidence import (
    OUTCOMES,
    Beside,
    RowFound,
    SearchTold,
    gather_found,
    read_reproduced,
)
from offramp.experiments.searched.files import write_found, write_found_page
from offramp.experiments.searched.networks import FACTOR, Find, Network, choose
from offramp.experiments.searched.train import FoundRun, train_found
from offramp.experiments.searched.words import findings, network_table, row_table, told

__all__ = [
    "FACTOR",
    "OUTCOMES",
    "Beside",
    "Find",
    "FoundRun",
    "Network",
    "RowFound",
    "SearchTold",
    "choose",
    "findings",
    "gather_found",
    "network_table",
    "read_reproduced",
    "row_table",
    "told",
    "train_found",
    "write_found",
    "write_found_page",
]
