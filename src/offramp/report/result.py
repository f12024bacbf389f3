"""What a measurement hands to its report, and the JSON file in between."""

import os
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import msgspec

from offramp.errors import DataError


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network in one mode. Means are over the `n_samples` samples streamed in that mode."""

    network: str
    mode: str  # local, remote, split or split+exit
    accuracy: float  # share of right answers
    exit_rate: float  # share of samples that the exit answered
    wire_bytes_per_sample: float  # both directions, framing included, as counted by the link
    payload_bytes_per_sample: float  # the coded features or the raw sample alone
    latency_p50_s: float
    latency_p99_s: float
    head_parameters: int
    exit_parameters: int
    head_bytes: int  # on disk
    edge_macs: float  # multiply-adds on the edge, mean of what was executed
    n_samples: int
    fallbacks: int  # samples for which the tail did not answer in time


class Estimate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One figure of several trainings of a network, one for each seed."""

    mean: float
    margin: float | None  # half of the 95% interval of the mean; None for a single training
    values: list[float]  # in the order of the seeds


class NetworkRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network: what its trainings gave, and the first one's exit on the streamed samples.

    Accuracies and exit rate are shares of the whole test split, the tail from coded features; the lists have
    one entry for each streamed sample.
    """

    name: str
    neurons: list[int]
    structure: dict[str, str]  # "head", "exit" and "tail" in words
    head_density: float
    tail_parameters: int
    training_s: Estimate
    peak_training_bytes: int | None  # of a training step; None where the system does not tell
    exit_accuracy: Estimate  # of the exit alone
    tail_accuracy: Estimate  # of the tail alone
    system_accuracy: Estimate  # the exit where it is sure, else the tail
    exit_rate: Estimate
    wire_bytes: Estimate  # a sample in split+exit: the share sent, times an offload's bytes in mode split
    threshold: float
    confidence: list[float]
    exit_correct: list[bool]
    tail_correct: list[bool]

    def __post_init__(self) -> None:
        if not len(self.confidence) == len(self.exit_correct) == len(self.tail_correct):
            raise ValueError("confidence, exit_correct and tail_correct differ in length")


class Candidate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network that was trained so that one could be chosen, and how often its system is right."""

    neurons: list[int]
    head_parameters: int
    validation_accuracy: Estimate


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the dense network of the sparse one's accuracy was found, by validation samples alone."""

    sparse: Candidate
    least_accuracy: float  # the sparse network's less one standard error
    candidates: list[Candidate]  # dense, from narrow to wide
    chosen: int  # position among the candidates
    n_samples: int  # validation samples of each training


class Result(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole measurement: rows, networks, and all that is needed to judge and repeat it."""

    title: str
    command: str  # gives the same again
    rows: list[Row]
    networks: list[NetworkRecord]
    choice: Choice
    n_test: int  # samples of the test split
    method: list[str]  # how it was measured, one sentence or two per entry
    settings: dict[str, Any]
    environment: dict[str, Any]


def accuracy_margin(rows: Sequence[Row]) -> float:
    """Half the width of the 95% interval of the least certain accuracy among the rows, as a share.

    By the normal approximation: a warning against reading much into small differences, no test.
    """
    return max((1.96 * sqrt(row.accuracy * (1 - row.accuracy) / row.n_samples) for row in rows), default=0.0)


def to_json(result: Result) -> bytes:
    """The result as indented JSON, with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"


def read_result(path: str | os.PathLike[str]) -> Result:
    """The result in a JSON file.

    Raises:
        DataError: the file cannot be read or is not such a result.
    """
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Result)
    except OSError as error:
        raise DataError(f"cannot read the result {path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise DataError(f"{path} is not a result of offramp demo: {error}") from error
