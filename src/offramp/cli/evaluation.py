"""What `offramp evaluate` tells people, scripts and readers of its page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from offramp.bundle import Bundle
from offramp.cli.calibration_page import RISKS
from offramp.exits.guarantee import threshold_grid
from offramp.plan.judgement import CodecRow, Evaluation, Share, sweep
from offramp.report import (
    CodecPoint,
    Picture,
    Section,
    codec_figure,
    reliability_figure,
    section_page,
    threshold_figure,
)

Cells = list[list[str]]  # the first row is the head


@dataclass(frozen=True, eq=False)
class Report:
    """An evaluation to be told.

    Args:
        rows: of codecs, the bundle's own among them; none for a device in integers.
        words: what the samples are.
        int8: whether the device computes with integers.
    """

    bundle: Bundle
    found: Evaluation
    rows: Sequence[CodecRow]
    words: str
    int8: bool = False

    def summary(self) -> dict[str, Any]:
        """As JSON values."""
        found = self.found
        return {
            "bundle": self.bundle.name,
            "data": self.words,
            "n": found.n,
            "int8": self.int8,
            "system_accuracy": found.system_accuracy._asdict(),
            "tail_accuracy": found.tail_accuracy._asdict(),
            "exit_rate": found.exit_rate._asdict(),
            "edge_exit_rate": found.edge_exit_rate._asdict(),
            "exits": [
                {
                    "name": one.name,
                    "on_edge": one.on_edge,
                    "threshold": one.rule.threshold,
                    "accuracy": one.accuracy._asdict(),
                    "answers": one.answers._asdict(),
                    "accuracy_of_answers": one.accuracy_of_answers._asdict(),
                    "ece": one.reliability.ece,
                }
                for one in found.exits
            ],
            "risks": {measure: risk._asdict() for measure, risk in found.risks.items()},
            "certified": self._certified(),
            "codecs": [_row_values(row) | {"in_bundle": self._is_own(row)} for row in self.rows],
        }

    def answers(self) -> Cells:
        """Who is right how often, and who answers."""
        found = self.found
        exits = [
            [
                one.name,
                "device" if one.on_edge else "server",
                _percent(one.accuracy),
                f"{100 * one.answers.value:.1f}",
                _percent(one.accuracy_of_answers) if one.answers.value else "",
                f"{100 * one.reliability.ece:.2f}",
            ]
            for one in found.exits
        ]
        rest = f"{100 * (1 - found.exit_rate.value):.1f}"
        return [
            ["", "where", "right if asked, %", "answers, %", "right of these, %", "ECE, points"],
            *exits,
            ["tail", "server", _percent(found.tail_accuracy), rest, "", ""],
            ["system", "", _percent(found.system_accuracy), "100.0", "", ""],
        ]

    def risks(self) -> Cells:
        """What the exits cost, beside what was certified."""
        certified = self._certified()
        rows = []
        for measure, risk in self.found.risks.items():
            limit = certified is not None and certified["measure"] == measure and certified["risk"]
            rows.append([measure, _percent(risk), f"{100 * limit:g}" if limit else ""])
        return [["risk", "on these samples, %", "certified at most, %"], *rows]

    def codecs(self) -> Cells:
        """What each costs in accuracy, and a sample in bytes."""
        head = [
            "codec",
            "tail right, %",
            "less float32, points",
            "system right, %",
            "bytes offloaded",
            "bytes a sample",
            "largest",
        ]
        return [head, *(self._codec_cells(row) for row in self.rows)]

    def notes(self) -> Iterator[str]:
        """What has to be said beside the tables."""
        bytes = (
            " Bytes are payloads; offloaded: the mean of the samples that no exit on the device answers; a"
            " sample: over all samples. * is the bundle's codec."
        )
        yield "Intervals are of 95%." + (bytes if self.rows else "")
        certified = self._certified()
        if certified is None:
            yield f"No threshold is certified; {self._command} does that."
        elif not self._codec_as_certified():
            yield f"The threshold was certified with another codec; {self._command} does it with this one."
        else:
            yield str(certified["guarantee"])

    def page(self, command: str) -> str:
        """As a page of its own.

        Raises:
            MissingDependencyError: jinja2 or matplotlib is not installed.
        """
        note, certified = self.notes()
        sections = [
            Section("Who is right, and who answers", [f"On {self.words}."], self.answers()),
            Section("Risk", [certified], self.risks()),
            *self._codec_section(note),
            Section("Accuracy and exit rate against the threshold", figures=[self._threshold_picture()]),
            Section("Can the exits' confidence be believed?", figures=list(self._reliability_pictures())),
        ]
        return section_page(f"{self.bundle.name}, evaluated", sections, command=command)

    @property
    def _command(self) -> str:
        return "offramp quantise --risk" if self.int8 else "offramp calibrate"

    def _codec_section(self, note: str) -> Iterator[Section]:
        if self.rows:
            picture = Picture(self._codec_figure(), _CODEC_CAPTION)
            yield Section("Codecs", [note], self.codecs(), [picture])

    def _certified(self) -> dict[str, Any] | None:
        """Of the exit's evidence what a certificate says; None where the threshold has none."""
        evidence = self.bundle.exit_rule.evidence
        known = evidence.get("measure") in tuple(RISKS)  # evidence may be any JSON
        if not (known and isinstance(evidence.get("risk"), float)):
            return None
        return {key: evidence.get(key) for key in ("measure", "risk", "confidence", "method", "guarantee")}

    def _codec_as_certified(self) -> bool:
        evidence, codec = self.bundle.exit_rule.evidence, self.bundle.codec
        return (evidence.get("codec"), evidence.get("codec_digest")) == (codec.name, codec.digest)

    def _is_own(self, row: CodecRow) -> bool:
        return (row.name, row.digest) == (self.bundle.codec.name, self.bundle.codec.digest)

    def _codec_cells(self, row: CodecRow) -> list[str]:
        offloaded = row.bytes_if_offloaded
        return [
            row.name + "*" * self._is_own(row),
            _percent(row.tail_accuracy),
            "" if row.name == "float32" else _points(row.against_float32),
            _percent(row.system_accuracy),
            "" if offloaded is None else f"{offloaded:,.2f}",
            f"{row.bytes_per_sample:,.2f}",
            f"{row.largest_bytes:,}",
        ]

    def _codec_figure(self) -> str:
        return codec_figure(
            [
                CodecPoint(
                    row.name,
                    row.tail_accuracy.value,
                    row.bytes_if_all,
                    row.system_accuracy.value,
                    row.bytes_per_sample,
                )
                for row in self.rows
            ]
        )

    def _threshold_picture(self) -> Picture:
        outcomes = self.found.verdicts.outcomes
        swept = sweep(outcomes, threshold_grid(outcomes))
        rates = {"on the device": swept.edge_exit_rate}
        if not outcomes.on_edge.all():
            rates["by any exit"] = swept.exit_rate
        figure = threshold_figure(
            *(swept.thresholds, swept.accuracy, rates),
            chosen=self.bundle.exit_rule.threshold,
            tail_accuracy=self.found.tail_accuracy.value,
        )
        return Picture(figure, "One threshold on all exits; the dashed line is the one in use.")

    def _reliability_pictures(self) -> Iterator[Picture]:
        for one in self.found.exits:
            svg = reliability_figure(one.name, {"on these samples": one.reliability})
            yield Picture(svg, title=one.name if len(self.found.exits) > 1 else "")


_CODEC_CAPTION = (
    "Hollow: the tail is asked about every sample. Filled: the exits answer first, and the bytes are over all"
    " samples. Differences within the intervals of the table mean little."
)


def _row_values(row: CodecRow) -> dict[str, Any]:
    return {
        key: value._asdict() if isinstance(value, Share) else value
        for key, value in ((name, getattr(row, name)) for name in row.__dataclass_fields__)
    }


def _percent(share: Share) -> str:
    return f"{100 * share.value:.2f} ({100 * share.low:.2f}..{100 * share.high:.2f})"


def _points(share: Share) -> str:
    return f"{100 * share.value:+.2f} ({100 * share.low:+.2f}..{100 * share.high:+.2f})"
