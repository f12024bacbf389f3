"""The exit in C: a class, and whether its level reaches the threshold."""

from __future__ import annotations

import numpy as np

from offramp.export.c.functions import chain
from offramp.export.c.program import Program
from offramp.export.c.rows import piece
from offramp.export.c.text import float_number, table


def exit(program: Program) -> list[str]:
    """`PREFIX_exit`, and what it needs."""
    rule = program.rule
    p, junctions = program.prefix, program.parts["exit"]
    made: list[str] = []
    if program.numbers == "int8":
        distance = rule.distance
        made.append(
            f"#define SCORE int32_t\n#define DISTANCE_MULTIPLIER {distance.multiplier}u\n"
            f"#define DISTANCE_SHIFT {distance.shift}\n#define DISTANCE_LIFT {distance.lift}\n"
            "/* Whether a score is so near to the best that its share is not 0. */\n"
            f"#define IS_NEAR(best, score) ((uint32_t)(best) - (uint32_t)(score) < UINT32_C({rule.n_near}))\n"
        )
        made.append(piece("octaves_int"))
    else:
        made.append(
            "#define SCORE float\n#define IS_NEAR(best, score) true\n"
            f"#define DISTANCE {float_number(np.float32(rule.octaves_per_unit))}\n"
        )
        made.append(piece("octaves_float"))
    criterion = rule.rule.criterion
    if criterion != "learned":
        made.append(piece("exp2"))
    if criterion == "entropy":
        made.append(piece("log2"))
    if criterion == "learned":
        weights, constant, _ = rule.learned
        made.append(f"#define LEARNED_CONSTANT ({constant})\n")
        made.append(table("learned_weight", np.array(weights, np.int16), "weights by rank"))
    made.append(piece(f"level_{criterion}"))
    level = rule.threshold_level
    threshold = "INT32_MIN" if level == -(2**31) else f"({level})"
    scores = "int32_t" if program.numbers == "int8" else "float"
    declared, called = chain(junctions, "features", "scores")
    body = [
        f"{p}_verdict {p}_exit(const {p}_feature *features)",
        "{",
        f"    {scores} scores[N_CLASSES];",
        *declared,
        f"    {p}_verdict verdict;",
        "    uint_fast16_t i, best = 0;",
        *called,
        "    for (i = 1; i < N_CLASSES; i++) {",
        "        best = scores[i] > scores[best] ? i : best;",
        "    }",
        "    verdict.label = (uint16_t)best;",
        "    verdict.level = level_of(scores, best);",
        f"    verdict.sure = verdict.level >= {threshold};",
        "    return verdict;",
        "}",
        "",
    ]
    return [*made, "\n".join(body)]
