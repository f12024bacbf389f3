"""Many rungs, a few at a time."""

import threading

import pytest

from offramp.errors import MissingDependencyError, TooLargeError, ToolchainError
from offramp.verification import Rung, Skipped, Step, climb


def rung(name):
    return Rung(name=name, images=1, activations_compared=1, mismatches=0)


def refusal(error):
    def work():
        raise error

    return work


def test_results_come_in_the_order_of_the_steps_and_the_longest_begins_first():
    begun = []

    def work(name):
        return lambda: begun.append(name) or rung(name)

    steps = [Step(name, work(name), cost) for name, cost in (("a", 1), ("b", 9), ("c", 4))]
    assert [found.name for found in climb(steps, workers=1)] == ["a", "b", "c"]
    assert begun == ["b", "c", "a"]


def test_two_are_under_way_at_once():
    both = threading.Barrier(2)

    def work():
        both.wait(timeout=20)  # or raises
        return rung("x")

    assert len(climb([Step("x", work), Step("x", work)], workers=2)) == 2


def test_what_is_not_installed_or_does_not_fit_is_skipped_with_the_reason():
    told = []
    steps = [
        Step("rv32", refusal(MissingDependencyError("no compiler"))),
        Step("avr", refusal(TooLargeError("9 bytes too many"))),
        Step("m0", lambda: rung("m0")),
    ]
    found = climb(steps, done=told.append)
    assert found[:2] == [Skipped("rv32", "no compiler"), Skipped("avr", "9 bytes too many")]
    assert found[2] == rung("m0")
    assert {step.name for step in told} == {"rv32", "avr", "m0"}


def test_a_program_that_cannot_be_built_ends_the_climb():
    with pytest.raises(ToolchainError, match="no such opcode"):
        climb([Step("m0", refusal(ToolchainError("no such opcode"))), Step("m3", lambda: rung("m3"))])
