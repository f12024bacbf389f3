"""Verdicts without a link, against answers over a real one."""

from pathlib import Path

import numpy as np

from offramp.bundle import read
from offramp.data import load
from offramp.plan.judgement import verdicts
from offramp.runtime import Edge

N = 120


def test_verdicts_without_a_link_are_the_answers_over_one(bundle: Path, tail: str) -> None:
    network = read(bundle)
    x, y = (array[:N] for array in load("digits", seed=1).split("test"))
    found = verdicts(network, x, y)
    with Edge(network, tail=tail, mode="split+exit", deadline_s=10) as edge:
        answers = [edge.infer(sample) for sample in x]
    with Edge(network, tail=tail, mode="split", deadline_s=10) as edge:
        from_tail = [edge.infer(sample).label for sample in x]
    assert found.exited.tolist() == [answer.source == "exit" for answer in answers]
    assert found.offloaded.tolist() == [answer.offloaded for answer in answers]
    assert found.system_right.tolist() == ([answer.label for answer in answers] == y).tolist()
    assert found.tail_right.tolist() == (from_tail == y).tolist()
    confidences = [answer.confidence for answer in answers if answer.source == "exit"]
    np.testing.assert_allclose(found.outcomes.confidence[found.at_cut][found.exited], confidences, rtol=1e-6)
