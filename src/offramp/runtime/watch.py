"""The drift watch of an edge: shared by its threads, and telling a person."""

from __future__ import annotations

import logging
from threading import Lock

import numpy as np
import numpy.typing as npt

from offramp.exits import DriftWatch, Profile

logger = logging.getLogger(__name__)


class Watch:
    """Counts drift alarms at one exit, and logs the first of them.

    Args:
        exit: its name.
        profile: of its confidences in calibration.
        alarm_every: samples to a false alarm, on average.
    """

    def __init__(self, exit: str, profile: Profile, *, alarm_every: int) -> None:
        self._exit = exit
        self._watch = DriftWatch(profile, false_alarm_every=alarm_every)
        self._lock = Lock()

    @property
    def n_alarms(self) -> int:
        return self._watch.n_alarms

    def see(self, confidences: npt.NDArray[np.float64]) -> None:
        """The exit's confidences (n,) in the next samples."""
        with self._lock:
            for confidence in confidences.tolist():
                if self._watch.see(confidence):
                    self._tell()
                    self._watch.reset()

    def _tell(self) -> None:
        if self._watch.n_alarms > 1:
            return
        logger.warning(
            "drift: after %s samples the confidences of %s no longer look like those of its calibration"
            " (a false alarm once in %s samples); what is known of its threshold may not hold for samples"
            " like these, so calibrate on such",
            f"{self._watch.n_seen:,}",
            self._exit,
            f"{self._watch.false_alarm_every:,}",
        )
