"""All files of an export to C."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from offramp.export.c.header import header
from offramp.export.c.program import Program
from offramp.export.c.source import source

SERIAL = ("offramp_serial.h", "offramp_serial.c")

_MAIN = """\
/* An example: reads raw samples from standard input, as {p}_input in C order, and says what becomes of each.

   On a device a sample comes from a sensor, an answer goes to whoever acts on it, and bytes go to the tail by
   radio or wire; all else stays as it is here. */
#include "{p}.h"

#include <stdio.h>

int main(void)
{{
    static union {{
        {p}_input values[{u}_N_INPUTS];
        uint32_t aligned;
    }} sample;
    {p}_feature features[{u}_N_FEATURES];
    uint8_t coded[{u}_MAX_CODED_BYTES];

    while (fread(sample.values, sizeof *sample.values, {u}_N_RAW, stdin) == {u}_N_RAW) {{
        {p}_verdict verdict;
        {p}_head(sample.values, features);
        verdict = {p}_exit(features);
        if (verdict.sure) {{
            printf("class %u\\n", (unsigned)verdict.label);
        }} else {{
            uint16_t i, n = {p}_encode(features, coded);
            printf("to the tail (perhaps class %u): ", (unsigned)verdict.label);
            for (i = 0; i < n; i++) {{
                printf("%02x", (unsigned)coded[i]);
            }}
            printf("\\n");
        }}
    }}
    return 0;
}}
"""

_CMAKE = """\
cmake_minimum_required(VERSION 3.13)
project({p} C)

add_library({p} STATIC {sources})
target_include_directories({p} PUBLIC ${{CMAKE_CURRENT_SOURCE_DIR}})
set_target_properties({p} PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON)
if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
  # A fused multiply-add would give float32 other last places than everywhere else.
  target_compile_options({p} PRIVATE -ffp-contract=off)
endif()

add_executable({p}_example main.c)
set_target_properties({p}_example PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON)
target_link_libraries({p}_example PRIVATE {p})
"""


def write_code(program: Program, folder: Path) -> Path:
    """Put NAME.h and NAME.c into a folder that is there; gives the latter's path."""
    code = folder / f"{program.prefix}.c"
    code.write_text(source(program), encoding="utf-8")
    code.with_suffix(".h").write_text(header(program), encoding="utf-8")
    return code


def files(program: Program, report: Mapping[str, Any], *, serial: bool = False) -> dict[str, bytes]:
    """Name -> content: NAME.h, NAME.c, main.c, CMakeLists.txt and report.json.

    Args:
        report: JSON values.
        serial: whether the C of a serial line to a gateway is among them.
    """
    line = (
        {name: resources.files("offramp.wire.serial").joinpath(name).read_text() for name in SERIAL}
        if serial
        else {}
    )
    sources = " ".join([f"{program.prefix}.c", *(name for name in line if name.endswith(".c"))])
    names = {"p": program.prefix, "u": program.upper, "sources": sources}
    texts = {
        f"{program.prefix}.h": header(program),
        f"{program.prefix}.c": source(program),
        "main.c": _MAIN.format(**names),
        "CMakeLists.txt": _CMAKE.format(**names),
        "report.json": json.dumps(report, indent=1) + "\n",
        **line,
    }
    return {name: text.encode() for name, text in texts.items()}
