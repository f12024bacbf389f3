"""The .c file."""

from __future__ import annotations

from collections.abc import Sequence

from offramp.export.c.behind import encode, tail
from offramp.export.c.exit import exit
from offramp.export.c.head import head
from offramp.export.c.junctions import CJunction
from offramp.export.c.program import Program
from offramp.export.c.rows import piece

_PRELUDE = """\
#include "{prefix}.h"

#include <string.h>

/* Tables lie in flash, which an AVR reads by instructions of its own. */
#if defined(__AVR__)
#include <avr/pgmspace.h>
#define ROM PROGMEM
#define READ_I8(p) ((int8_t)pgm_read_byte(p))
#define READ_U8(p) pgm_read_byte(p)
#define READ_I16(p) ((int16_t)pgm_read_word(p))
#define READ_U16(p) pgm_read_word(p)
#define READ_I32(p) ((int32_t)pgm_read_dword(p))
#define READ_F32(p) pgm_read_float(p)
#else
#define ROM
#define READ_I8(p) (*(p))
#define READ_U8(p) (*(p))
#define READ_I16(p) (*(p))
#define READ_U16(p) (*(p))
#define READ_I32(p) (*(p))
#define READ_F32(p) (*(p))
#endif

/* Several products at once, where a processor can; -DOFFRAMP_SCALAR does without. Results are the same. */
#if defined(__ARM_FEATURE_MVE) && !defined(__ARM_BIG_ENDIAN) && !defined(OFFRAMP_SCALAR)
#define DO_MVE 1
#include <arm_mve.h>
#endif
#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN) && !defined(OFFRAMP_SCALAR)
#define DO_DSP 1
#include <arm_acle.h>
#endif
#if defined(__ARM_FEATURE_SAT) && !defined(OFFRAMP_SCALAR)
#define DO_SATURATE 1
#include <arm_acle.h>
#endif
#ifndef DO_MVE
#define DO_MVE 0
#endif
#ifndef DO_DSP
#define DO_DSP 0
#endif
#ifndef DO_SATURATE
#define DO_SATURATE 0
#endif

/* Small functions are worth a copy at each call where there are registers enough. */
#if defined(__ARM_ARCH_6M__) || defined(__AVR__)
#define FEW_REGISTERS 1
#define COPIED
#else
#define FEW_REGISTERS 0
#define COPIED inline
#endif

/* For loops that would run out of registers within another one; vectors have registers of their own. */
#if defined(__GNUC__) && !DO_MVE
#define NOT_INLINED __attribute__((noinline))
#else
#define NOT_INLINED
#endif

/* With -DOFFRAMP_TRACE everything that is computed is shown to this function, layer by layer. */
#ifdef OFFRAMP_TRACE
extern void offramp_trace(const void *from, uint32_t n_bytes);
#define TRACE(from, n) offramp_trace(from, (uint32_t)((n) * sizeof *(from)))
#else
#define TRACE(from, n)
#endif

#define N_CLASSES {n_classes}
#define N_SENT {n_sent}
"""


def source(program: Program) -> str:
    """Its text."""
    sections = [
        f"/* {program.bundle.name}: see {program.prefix}.h. Written by offramp export c. */",
        prelude(program.prefix, n_classes=len(program.bundle.classes), n_sent=program.n_sent),
        *_junctions(program),
        *program.inputs.tables(),
        head(program),
        *exit(program),
        *encode(program),
        *tail(program),
    ]
    return "\n".join(sections)


def prelude(prefix: str, *, n_classes: int, n_sent: int) -> str:
    """What stands before everything else: how tables are read, what the processor can do."""
    return _PRELUDE.format(prefix=prefix, n_classes=n_classes, n_sent=n_sent)


def _junctions(program: Program) -> list[str]:
    tables, by_output, functions = [], [], []
    for name, junctions in program.parts.items():
        for number, junction in enumerate(junctions):
            if name == "head" and number == 0 and program.streamed is not None:
                tables.append(program.streamed.tables())
                functions.append(program.streamed.functions())
            else:
                tables.append(junction.tables())
                by_output.append(junction)
                functions.append(junction.function())
    shared = [piece("integers")] if program.numbers == "int8" else []
    return [*tables, *shared, *rows_of(by_output), *functions]


def rows_of(junctions: Sequence[CJunction]) -> list[str]:
    """The functions that junctions share, each once."""
    rows = {junction.rows.name: junction.rows.function() for junction in junctions}
    pairs = [piece("pairs")] if any("odd_weights(" in row for row in rows.values()) else []
    return [*pairs, *rows.values()]
