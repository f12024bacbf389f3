"""A dense network by CMSIS-NN: one call of `arm_fully_connected_s8` a layer."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.microcontrollers.c_text import table
from benchmarks.microcontrollers.contender import Sources
from benchmarks.microcontrollers.dense import ZERO, Dense, Int8Layer

FOLDER = "CMSIS-NN"
_NEEDED = (
    "Source/FullyConnectedFunctions/arm_fully_connected_s8.c",
    "Source/NNSupportFunctions/arm_nn_vec_mat_mult_t_s8.c",
)


def write(dense: Dense, layers: Sequence[Int8Layer], folder: Path, peers: Path) -> Sources:
    """The network's C in `folder`, and what it is compiled with."""
    widest = max(dense.neurons[1:-1])
    tables = [
        table("int8_t", f"weight_{number}", layer.weight)
        + f"#ifdef ARM_MATH_MVEI\n{table('int32_t', f'sums_{number}', layer.sums)}#else\n"
        + f"{table('int32_t', f'bias_{number}', layer.bias)}#endif\n"
        for number, layer in enumerate(layers, start=1)
    ]
    buffers = ["input", *(f"hidden[{number % 2}]" for number in range(len(layers) - 1)), "scores"]
    calls = [
        f"    layer({layer.weight.shape[1]}, {len(layer.weight)}, weight_{number}, BIAS({number}),"
        f" {layer.multiplier}, {layer.shift}, {layer.zero}, {buffers[number - 1]}, {buffers[number]});"
        for number, layer in enumerate(layers, start=1)
    ]
    n_in, n_classes = dense.neurons[0], dense.neurons[-1]
    text = _TEMPLATE.format(
        tables="\n".join(tables),
        zero=-ZERO,
        n_in=n_in,
        n_classes=n_classes,
        widest=widest,
        pool=dense.pool,
        calls="\n".join(calls),
    )
    source = folder / "network.c"
    source.write_text(text, encoding="utf-8")
    options = folder / "options.h"
    options.write_text(_OPTIONS, encoding="utf-8")
    library = peers / FOLDER
    return Sources(
        (source, *(library / name for name in _NEEDED)),
        (library / "Include",),
        flags=("-include", str(options)),
    )


# Smaller and faster than its C, with the same results; it needs Thumb-2.
_OPTIONS = """\
#if __ARM_ARCH_ISA_THUMB >= 2
#define CMSIS_NN_USE_REQUANTIZE_INLINE_ASSEMBLY
#endif
"""


_TEMPLATE = """\
#include "network.h"
#include "pool.h"

#include "arm_nnfunctions.h"

{tables}
#ifdef ARM_MATH_MVEI
#define BIAS(number) sums_##number /* the inputs' zero point is in it */
#else
#define BIAS(number) bias_##number
#endif

static void layer(int32_t n_in, int32_t n_out, const int8_t *weight, const int32_t *bias, int32_t multiplier,
                  int32_t shift, int32_t zero, const int8_t *x, int8_t *y)
{{
    const cmsis_nn_context context = {{(void *)(uintptr_t)bias, 4 * n_out}};
    const cmsis_nn_fc_params params = {{{zero}, 0, zero, {{-128, 127}}}};
    const cmsis_nn_per_tensor_quant_params scaling = {{multiplier, shift}};
    const cmsis_nn_dims input = {{1, 1, 1, n_in}}, filter = {{n_in, 1, 1, n_out}};
    const cmsis_nn_dims output = {{1, 1, 1, n_out}};
    arm_fully_connected_s8(&context, &params, &scaling, &input, x, &filter, weight, &output, bias, &output,
                           y);
}}

uint8_t classify(const uint8_t *pixels)
{{
    int8_t input[{n_in}], hidden[2][{widest}], scores[{n_classes}], *put = input;
#define PUT(mean) (*put++ = (int8_t)((int32_t)(mean) - {zero}))
    POOL_{pool}(pixels, PUT);
{calls}
    uint8_t best = 0;
    for (uint8_t class = 1; class < {n_classes}; class++) {{
        if (scores[class] > scores[best]) {{
            best = class;
        }}
    }}
    return best;
}}
"""
