"""What the project set out to reach: a table of rules, each with the rows of `bench.json` it judges."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MEMORY = 1.3  # times 16 bytes an edge plus activations, at most


@dataclass(frozen=True)
class Target:
    """At least `ratio(row)` for every row that `applies`."""

    name: str
    goal: str
    applies: Callable[[dict[str, Any]], bool]
    ratio: Callable[[dict[str, Any]], float]


def target(row: dict[str, Any]) -> float | None:
    """The ratio to reach, or None where the project has set none."""
    rule = rule_of(row)
    return rule.ratio(row) if rule else None


def rule_of(row: dict[str, Any]) -> Target | None:
    return next((rule for rule in TARGETS if rule.applies(row)), None)


def _square(row: dict[str, Any], *, densities: tuple[float, ...]) -> bool:
    return (
        (row["n_in"], row["n_out"]) in ((1024, 1024), (4096, 4096))
        and row["work"] in ("forward", "grad_input", "grad_weight")
        and (row["batch"], row["threads"]) == (256, 1)
        and row["density"] in densities
    )


def _blocks(row: dict[str, Any]) -> bool:
    return row["pattern"] == "block" and min(row["block"]) >= 4


def _random(row: dict[str, Any]) -> bool:
    return bool(row["pattern"] == "random")


def _per_density(usual: float, at_three_percent: float) -> Callable[[dict[str, Any]], float]:
    return lambda row: (at_three_percent if row["density"] < 0.1 else usual) / row["density"]


LOW, USED = 0.03125, (0.03125, 0.125, 0.25)

TARGETS = (
    Target(
        "forward, blocks",
        "0.85/density over dense, 0.65/density at 0.03",
        lambda row: (
            row["peer"] == "torch dense"
            and row["work"] == "forward"
            and _square(row, densities=USED)
            and _blocks(row)
        ),
        _per_density(0.85, 0.65),
    ),
    Target(
        "gradients, blocks",
        "0.75/density over dense, 0.55/density at 0.03",
        lambda row: row["peer"] == "torch dense" and _square(row, densities=USED) and _blocks(row),
        _per_density(0.75, 0.55),
    ),
    Target(
        "forward and gradients, random",
        "0.4/density over dense",
        lambda row: row["peer"] == "torch dense" and _square(row, densities=(LOW, 0.125)) and _random(row),
        _per_density(0.4, 0.4),
    ),
    Target(
        "forward and gradients, random, against sparse peers",
        "2x Torch CSR and SparseLab",
        lambda row: (
            row["peer"] in ("torch csr", "sparselab")
            and _square(row, densities=(LOW, 0.125))
            and _random(row)
        ),
        lambda row: 2.0,
    ),
    Target(
        "one sample, 4096 → 4096, 0.125",
        "5x over dense with blocks, 3x with a random pattern",
        lambda row: row["work"] == "forward" and row["peer"] == "torch dense" and row["batch"] == 1,
        lambda row: 3.0 if _random(row) else 5.0,
    ),
    Target(
        "800 → 40, out-degree 2",
        "3x over dense",
        lambda row: (
            row["peer"] == "torch dense"
            and row["work"] != "step"
            and (row["n_in"], row["n_out"], row["density"]) == (800, 40, 0.05)
        ),
        lambda row: 3.0,
    ),
    Target(
        "training step, [800, 40, 40, 10]",
        "8x the dense twin, 4x the equal-parameter dense network",
        lambda row: (
            row["work"] == "step" and row["n_in"] == 800 and row["peer"] in ("torch dense", "small dense")
        ),
        lambda row: 8.0 if row["peer"] == "torch dense" else 4.0,
    ),
    Target(
        "density 0.5 and above, auto",
        "at most 10% slower than dense",
        lambda row: row["peer"] == "torch dense" and row["pattern"] == "auto" and row["density"] >= 0.5,
        lambda row: 1 / 1.1,
    ),
    Target(
        "two threads, 4096 → 4096",
        "1.7x one thread",
        lambda row: row["peer"] == "ours, one thread",
        lambda row: 1.7,
    ),
)
