"""The ladder as files: JSON, and a Markdown page."""

from pathlib import Path

from offramp.experiments.pages import json_text, page, table_lines, write_texts
from offramp.experiments.verified.study import Verified
from offramp.experiments.verified.words import INTRODUCTION, findings, forms_table, main_table

TITLE = "Exported C, bit for bit"


def write_verified(verified: Verified, path: Path) -> list[Path]:
    """Write all figures as JSON; gives its path."""
    return write_texts({path: json_text(verified.to_dict())})


def write_verified_page(verified: Verified, path: Path) -> list[Path]:
    """Write the page; gives its path."""
    main = verified.held[0].form
    sections = {
        "What holds": [f"- {one}" for one in findings(verified)],
        f"`{main.name}` on {verified.samples}": [
            f"{main.words}; {main.optimise}, samples {'value by value' if main.pushed else 'whole'}.",
            "",
            *table_lines(main_table(verified)),
            "",
            "Flash and RAM are those of the exported code, RAM with the caller's arrays and the stack. QEMU"
            " counts instructions, simavr cycles, from the sample to the verdict.",
        ],
    }
    if len(verified.held) > 1:
        sections["Other forms, and a table of cases"] = table_lines(forms_table(verified))
    told = ", ".join(f"{name} {value}" for name, value in verified.environment.items())
    sections["How it was measured"] = [f"- Environment: {told}."]
    written = f"Written by `{verified.command}`; every number is measured by it."
    return write_texts({path: page(TITLE, written, INTRODUCTION, sections)})
