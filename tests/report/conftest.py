import numpy as np
import pytest

from offramp.report import Candidate, Choice, Estimate, NetworkRecord, Result, Row

MODES = ("local", "remote", "split", "split+exit")
NAMES = ("dense", "small-dense", "sparse <script>alert(1)</script>")


@pytest.fixture
def result() -> Result:
    """A result with traps: a script in a name, points at the same place, modes that send nothing."""
    rng = np.random.default_rng(0)
    return Result(
        title="offramp demo: digits & more",
        command="offramp demo",
        rows=[_row(name, mode) for name in NAMES for mode in MODES],
        networks=[_network(name, rng) for name in NAMES],
        choice=Choice(
            sparse=_candidate(32, 544, 0.96),
            least_accuracy=0.95,
            candidates=[_candidate(16, 1040, 0.94), _candidate(24, 1560, 0.955)],
            chosen=1,
            n_samples=176,
        ),
        n_test=400,
        method=["One sample <at> a time."],
        settings={"rate_bits_per_s": 1e6, "neurons": [64, 40, 10]},
        environment={"python": "3.11.7"},
    )


def estimate(mean: float, margin: float | None) -> Estimate:
    """Of two seeds, or of one where there is no margin."""
    return Estimate(mean=mean, margin=margin, values=[mean] * (1 if margin is None else 2))


def _candidate(width: int, head_parameters: int, accuracy: float) -> Candidate:
    return Candidate(
        neurons=[64, width, 10],
        head_parameters=head_parameters,
        validation_accuracy=estimate(accuracy, 0.01),
    )


def _row(name: str, mode: str) -> Row:
    wire = {"local": 0.0, "remote": 912.4, "split": 478.1, "split+exit": 44.5}[mode]
    return Row(
        network=name,
        mode=mode,
        accuracy=0.975,
        exit_rate=0.87 if mode == "split+exit" else 0.0,
        wire_bytes_per_sample=wire,
        payload_bytes_per_sample=wire / 2,
        latency_p50_s=0.0132,
        latency_p99_s=0.00002,
        head_parameters=4160,
        exit_parameters=410,
        head_bytes=16_940,
        edge_macs=1234.5,
        n_samples=400,
        fallbacks=0,
    )


def _network(name: str, rng: np.random.Generator) -> NetworkRecord:
    confidence = np.round(1 - rng.beta(0.5, 4, 200), 6)
    return NetworkRecord(
        name=name,
        neurons=[64, 40, 10],
        structure={"head": "64→40, dense", "exit": "40→10", "tail": "40→10"},
        head_density=0.25 if name.startswith("sparse") else 1.0,
        tail_parameters=410,
        training_s=estimate(1.25, None),
        peak_training_bytes=1_230_000,
        exit_accuracy=estimate(0.91, 0.01),
        tail_accuracy=estimate(0.98, 0.01),
        system_accuracy=estimate(0.97, 0.01),
        exit_rate=estimate(0.87, 0.02),
        wire_bytes=estimate(62.2, 9.6),
        threshold=0.8,
        confidence=confidence.tolist(),
        exit_correct=(rng.random(200) < confidence).tolist(),
        tail_correct=(rng.random(200) < 0.97).tolist(),
    )
