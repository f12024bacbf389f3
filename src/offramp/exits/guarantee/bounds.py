"""Evidence from counted losses that a risk is small: p-values and upper bounds, valid for every n.

A loss is 1, 0 or, where gains are counted, -1. `binomial` and `hoeffding-bentkus` take gains as 0, which can
only make a risk look larger; `wsr` uses them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincc, xlogy  # type: ignore[import-untyped]

from offramp.errors import ConfigError

BINOMIAL, HOEFFDING_BENTKUS, WSR = BOUNDS = ("binomial", "hoeffding-bentkus", "wsr")

MOST = 2**40  # samples; more is no calibration set
_LARGEST_BET = 0.95  # of what one loss may take; all of it would end the game at the first loss
_HALVINGS = 50

Floats = npt.NDArray[np.float64]


def p_values(
    bound: str,
    n: npt.ArrayLike,
    losses: npt.ArrayLike,
    gains: npt.ArrayLike,
    risk: npt.ArrayLike,
    *,
    delta: float,
    planned_for: float | None = None,
) -> Floats:
    """P-values for "the true risk is larger than `risk`", element by element; a small one speaks against it.

    If the true risk is larger, the probability of a value of at most u is at most u, for independent samples
    of one distribution.

    Args:
        bound: one of BOUNDS.
        n, losses, gains: samples that count, and how many of them have loss 1 and -1.
        risk: in (0, 1).
        delta: the level at which it will be tested; wsr's bet is planned for it. Every value is valid.
        planned_for: the risk for which wsr's bet is planned; `risk` itself if None.

    Sources:
        binomial: P(Bin(n, risk) <= losses), the exact tail.
        hoeffding-bentkus: arXiv:2101.02703 (Bates et al.), section 3.1, and arXiv:2110.01052: the smaller of
        exp(-n h(min(r, risk), risk)) and e P(Bin(n, risk) <= ceil(n r)), where r = losses / n and h is the
        relative entropy of two coins.
        wsr: arXiv:2010.09686 (Waudby-Smith and Ramdas), section 4: one over the capital of a gambler who bets
        against the hypothesis, see `_wsr`.
    """
    arrays = np.broadcast_arrays(n, losses, gains, risk)
    counted, lost, gained, level = (np.asarray(one, dtype=np.float64) for one in arrays)
    if bound == BINOMIAL:
        return _binomial_tail(lost, counted, level)
    if bound == HOEFFDING_BENTKUS:
        return _hoeffding_bentkus(counted, lost, level)
    if bound == WSR:
        plan = level if planned_for is None else np.full_like(level, planned_for)
        return _wsr(counted, lost, gained, level, plan, delta)
    raise ConfigError(f"unknown bound {bound!r}; use one of {', '.join(BOUNDS)}")


def upper_bounds(
    bound: str,
    n: npt.ArrayLike,
    losses: npt.ArrayLike,
    gains: npt.ArrayLike,
    *,
    delta: float,
    planned_for: float,
) -> Floats:
    """The largest risk in [0, 1] that is not rejected at level `delta`, element by element.

    With probability 1 - delta or more the true risk is at most this, for each element alone. Every p-value
    falls as the risk rises, so it is found by halving; the upper end of the last interval is given.

    Args:
        planned_for: the risk that is of interest; it plans wsr's bet, which must be one for all risks.
    """
    low = np.zeros(np.broadcast_shapes(np.shape(n), np.shape(losses), np.shape(gains)))
    high = np.ones_like(low)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rejected = p_values(bound, n, losses, gains, middle, delta=delta, planned_for=planned_for) <= delta
        low, high = np.where(rejected, low, middle), np.where(rejected, middle, high)
    return high


def least_n(bound: str, risk: float, *, delta: float) -> int:
    """The fewest samples that can show a risk of at most `risk` at level `delta`: none of them a loss.

    Raises:
        ConfigError: not even MOST samples can.
    """
    enough = 1
    while _faultless(bound, enough, risk, delta) > delta:
        enough *= 2
        if enough > MOST:
            raise ConfigError(
                f"risk {risk} with an error probability of {delta:.3g} would take more than {MOST:,} samples;"
                " allow more risk, or less confidence"
            )
    short = enough // 2
    while enough - short > 1:
        middle = (short + enough) // 2
        if _faultless(bound, middle, risk, delta) > delta:
            short = middle
        else:
            enough = middle
    return enough


def _faultless(bound: str, n: int, risk: float, delta: float) -> float:
    return float(p_values(bound, n, 0, 0, risk, delta=delta))


def _binomial_tail(k: Floats, n: Floats, p: Floats) -> Floats:
    """P(Bin(n, p) <= k), by the incomplete beta function."""
    return _floats(np.where(k < n, betaincc(k + 1, np.maximum(n - k, 1), p), 1.0))


def _hoeffding_bentkus(n: Floats, losses: Floats, risk: Floats) -> Floats:
    r = np.minimum(losses / np.maximum(n, 1), risk)
    relative_entropy = xlogy(r, r / risk) + xlogy(1 - r, (1 - r) / (1 - risk))
    bentkus = math.e * _binomial_tail(np.ceil(losses), n, risk)
    return _floats(np.minimum(1, np.minimum(np.exp(-n * relative_entropy), bentkus)))


def _wsr(n: Floats, losses: Floats, gains: Floats, risk: Floats, plan: Floats, delta: float) -> Floats:
    """One over the capital after n bets, prod(1 + bet * (risk - loss)), which begins at 1.

    If the expected loss is `risk` or more, no bet gains in expectation, so the capital's expectation is at
    most 1 and, by Markov, it reaches 1/u with probability u at most. The bet is one for all samples: then
    the capital depends on counts alone and not on an order. Its size is the paper's for n samples,
    sqrt(2 log(1/delta) / (n variance)), with the variance that losses have at the edge of what is to be
    shown, about `risk`; so it is fixed before any sample is seen.
    """
    with np.errstate(divide="ignore"):
        bet = np.minimum(np.sqrt(2 * math.log(1 / delta) / (n * plan)), _LARGEST_BET)
    nothing = n - losses - gains
    capital_log = (
        losses * np.log1p(bet * (risk - 1))
        + gains * np.log1p(bet * (risk + 1))
        + nothing * np.log1p(bet * risk)
    )
    return _floats(np.exp(-np.maximum(capital_log, 0)))


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)
