"""A line of the log for each request, at level debug."""

from __future__ import annotations

import logging

from offramp.runtime.passage import Passage

logger = logging.getLogger(__name__)


def log_request(passage: Passage) -> None:
    """An `Observer` that logs what a request came to; its fields are in `record.fields` too."""
    if not logger.isEnabledFor(logging.DEBUG):
        return
    fields = {
        "model": passage.tally.model,
        "version": passage.tally.version,
        "id": passage.id,
        "rows": passage.n_rows,
        "request_bytes": passage.request_bytes,
        "response_bytes": passage.response_bytes,
        "status": passage.status,
        "milliseconds": round(1000 * passage.duration_s, 3),
    }
    logger.debug("request", extra={"fields": fields})
