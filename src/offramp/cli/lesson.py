"""Whom a network is to learn from, as the options of a command say it. Imports Torch."""

from pathlib import Path
from typing import Any

from offramp.cli import arguments
from offramp.errors import ConfigError
from offramp.system.lesson import Lesson
from offramp.train.distil import TEMPERATURE, WEIGHT


def lesson_of(
    wanted: bool, *, weight: float | None, temperature: float | None, teacher: Path | None
) -> Lesson | None:
    """The lesson that the options of a command ask for.

    Raises:
        ConfigError: options of a lesson without a lesson.
    """
    if wanted:
        return Lesson(
            weight=arguments.finite(WEIGHT if weight is None else weight),
            temperature=arguments.finite(TEMPERATURE if temperature is None else temperature),
            teacher=teacher,
        )
    given = {"--distill-weight": weight, "--temperature": temperature, "--teacher": teacher}
    if idle := [name for name, value in given.items() if value is not None]:
        raise ConfigError(f"{idle[0]} is for learning from a teacher; add --distill, or leave it out")
    return None


def taught_words(record: dict[str, Any] | None) -> str:
    """A line about whom a network learnt from; empty for nobody."""
    if record is None:
        return ""
    teacher = record["teacher"]
    if "bundle" in teacher:
        who = f"the bundle {teacher['bundle']}"
    else:
        who = (
            f"a dense network with layers of {' and '.join(map(str, teacher['hidden']))}, trained in"
            f" {teacher['seconds']:.1f} s, validation accuracy {teacher['validation_accuracy']:.2%}"
        )
    return f"taught by {who}; weight {record['weight']:g}, temperature {record['temperature']:g}"
