"""The table of cases covers what exported C can be."""

from offramp.codec import CODECS
from offramp.exits import CRITERIA
from offramp.experiments.verified import CASES, LARGEST, program_of
from offramp.export.c import KINDS

PROGRAMS = [program_of(case) for case in CASES]


def junctions(numbers):
    for program in PROGRAMS:
        if program.numbers == numbers:
            named = [one for part in program.parts.values() for one in part]
            yield from named[1:] if program.streamed else named


def test_all_encodings_codecs_and_criteria_in_both_forms():
    for numbers in ("int8", "float32"):
        written = [program for program in PROGRAMS if program.numbers == numbers]
        assert {junction.encoding.kind for junction in junctions(numbers)} == set(KINDS)
        assert {program.rule.rule.criterion for program in written} == set(CRITERIA)
        assert any(program.streamed for program in written)
        assert any("encoder" in program.parts for program in written)
        assert any("tail" in program.parts for program in written)
    assert {program.bundle.codec.name for program in PROGRAMS} == set(CODECS)


def test_rows_are_added_alone_and_several_at_once():
    assert {1, 2, 4, 5} <= {junction.encoding.together for junction in junctions("int8")}


def test_sums_are_lifted_somewhere_and_come_near_31_bits():
    scalings = [one.integer.scaling for one in junctions("int8") if one.integer and one.integer.scaling]
    assert max(scaling.lift for scaling in scalings) > 0
    (junction,) = program_of(LARGEST).device.head
    assert 0.98 * 2**31 < junction.largest_sum(255) < 2**31
