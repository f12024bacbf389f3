"""The head in C: from a raw sample to features."""

from __future__ import annotations

from offramp.export.c.functions import chain, function
from offramp.export.c.program import Program
from offramp.export.c.streaming import StreamedJunction


def head(program: Program) -> str:
    """`PREFIX_head`, and what takes a sample value by value, where its first junction goes by inputs."""
    p, junctions, inputs = program.prefix, program.parts["head"], program.inputs
    signature = f"void {p}_head(const {p}_input *sample, {p}_feature *features)"
    if program.streamed is not None:
        return _streamed_head(program, program.streamed, signature)
    if inputs.as_they_are:
        return function(signature, *chain(junctions, "sample", "features"))
    declared, called = chain(junctions, "input", "features")
    declared.insert(0, f"    {inputs.type} input[{program.n_inputs}];")
    return inputs.array() + "\n" + function(signature, declared, ["    inputs_of(sample, input);", *called])


def _streamed_head(program: Program, streamed: StreamedJunction, signature: str) -> str:
    """The head over a whole sample, and value by value."""
    p, (first, *rest), inputs = program.prefix, program.parts["head"], program.inputs
    kind, n_sums = "int32_t" if program.numbers == "int8" else "float", first.shape.n_out
    to = "hidden_0" if rest else "features"
    declared, called = chain(rest, to, "features")
    if rest:
        declared.insert(0, f"    {first.gives} hidden_0[{n_sums}];")
    called = [f"    {first.name}_finish(sums, {to});", f"    TRACE({to}, {n_sums});", *called]
    behind = function(f"static void {p}_behind(const {kind} *sums, {p}_feature *features)", declared, called)
    whole = [f"    {kind} sums[{n_sums}];", f"    {first.name}_clear(sums);"]
    whole += [f"    {line}" for line in inputs.each(f"{first.name}_add", in_pairs=streamed.in_pairs)]
    return "\n".join(
        [
            "/* What follows the first junction's sums. */",
            behind,
            function(signature, whole, [f"    {p}_behind(sums, features);"]),
            function(
                f"void {p}_begin({p}_stream *stream)",
                [],
                ["    memset(stream, 0, sizeof *stream);", f"    {first.name}_clear(stream->sums);"],
            ),
            function(
                f"void {p}_push({p}_stream *stream, {p}_input value)",
                [],
                [f"    {line}" for line in inputs.pushed(f"{first.name}_add")],
            ),
            function(
                f"void {p}_end(const {p}_stream *stream, {p}_feature *features)",
                [],
                [f"    {p}_behind(stream->sums, features);"],
            ),
        ]
    )
