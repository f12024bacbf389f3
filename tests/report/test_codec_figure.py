"""Accuracy against bytes, for every codec."""

from xml.etree import ElementTree

from offramp.report import CodecPoint, codec_figure

POINTS = [CodecPoint("float32", 0.96, 128.0, 0.951, 22.5), CodecPoint("int4-range", 0.957, 13.7, 0.949, 2.4)]


def texts(svg: str) -> set[str | None]:
    return {element.text for element in ElementTree.fromstring(svg).iter()}


def test_every_codec_is_in_the_legend_and_so_is_what_the_marks_mean() -> None:
    found = texts(codec_figure(POINTS))
    assert {"float32", "int4-range", "exits answer first", "every sample sent"} <= found
    assert codec_figure(POINTS) == codec_figure(POINTS)


def test_a_codec_of_which_nothing_is_sent_stands_at_zero() -> None:
    assert "0" in texts(codec_figure([CodecPoint("int8", 0.9, 32.0, 0.9, 0.0)]))


def test_many_codecs_can_be_drawn() -> None:
    assert "</svg>" in codec_figure([CodecPoint(f"codec {i}", 0.9, 10.0 + i, 0.8, 1.0) for i in range(20)])
