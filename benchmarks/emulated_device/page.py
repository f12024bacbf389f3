"""The four modes' table."""

from typing import Any

HEAD = (
    "mode",
    "right, %",
    "exit answers, %",
    "offloads",
    "bytes out",
    "bytes in",
    "on the line, ms",
    "instructions",
    "for frames",
    "flash, bytes",
    "unlike Python",
)

_WORDS = """\
Bytes, milliseconds and instructions are of the mean sample. Bytes are those on the line with their frames
([serial.md](../formats/serial.md)), seen from the device, without the greeting. The time is what they take
at {baud:,} baud, ten bits to a byte; what the tail takes is not in it. Instructions are of head, exit, codec
and, in mode local, the tail in float32, and of making frames; QEMU counts them. Flash is the whole program
with what stands in for an operating system; a typical chip ({chip}) has {chip_flash_bytes:,}. Unlike Python
are answers that `offramp run --int8` does not give in the same mode."""


def page(result: dict[str, Any]) -> str:
    """Markdown: the modes, and what the columns are."""
    return "\n".join(
        [
            f"# A {result['target']} on a serial line",
            "",
            f"`{result['command']}`: {result['samples']:,} test samples of {result['sample_bytes']} bytes, a",
            f"head in integers with {result['features']} features, codec `{result['codec']}`.",
            "",
            f"| {' | '.join(HEAD)} |",
            f"|{'---|' * len(HEAD)}",
            *(f"| {' | '.join(_cells(row))} |" for row in result["rows"]),
            "",
            *_WORDS.format(**result).splitlines(),
            "",
        ]
    )


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        f"`{row['mode']}`",
        f"{100 * row['accuracy']:.2f}",
        f"{100 * row['exit']:.1f}",
        f"{row['offloads']:,}",
        f"{row['bytes_out']:.1f}",
        f"{row['bytes_in']:.1f}",
        f"{row['line_ms']:.2f}",
        f"{row['network_instructions']:,.0f}",
        f"{row['framing_instructions']:,.0f}",
        f"{row['flash_bytes']:,}",
        f"{row['unlike']}",
    ]
