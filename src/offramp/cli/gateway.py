"""offramp gateway: microcontrollers behind a serial port."""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Annotated, Any

import typer

from offramp.bundle import read_terms
from offramp.cli.arguments import finite
from offramp.cli.console import note, notes_of, print_json_line
from offramp.cli.options import MAX_DEADLINE_S, BundleFolder, Ca, Cert, HedgeAfter, Key, TokenFile
from offramp.cli.tally import troubles
from offramp.errors import ConfigError, TailRefusedError
from offramp.runtime import ClientSecurity, LinkPolicy
from offramp.runtime.gateway import DeviceAnswer, Gateway, GatewayCounts, SerialLine

_ANSWERS = ("exit", "tail", "local", "fallback")
_OTHERS = (
    "no_answer",
    "busy",
    "tail_refused",
    "unreadable",
    "unknown",
    "late",
    "damaged",
    "strange",
)


def gateway(
    bundle: BundleFolder,
    serial: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Where the device is: /dev/ttyUSB0, COM3, or any URL of pyserial, as in socket://host:port.",
            show_default=False,
        ),
    ],
    tail: Annotated[str, typer.Option(metavar="HOST:PORT", help="Of the tail.", show_default=False)],
    baud: Annotated[int, typer.Option(min=1, help="Bits per second on the line.")] = 115_200,
    deadline_s: Annotated[
        float,
        typer.Option(
            min=0.001,
            max=MAX_DEADLINE_S,
            callback=finite,
            help="After so long without an answer of the tail the device is told to trust its exit.",
        ),
    ] = 0.5,
    hedge_after_s: HedgeAfter = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many answers.", show_default=False)
    ] = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="End when the port closes, instead of waiting until it is there again."),
    ] = False,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    token_file: TokenFile = None,
) -> None:
    """Connect a microcontroller's serial port with a tail, until Ctrl-C or SIGTERM.

    The device sends coded features of samples that its exit is not sure of, and gets
    the tail's class, or, where the tail does not answer in time, word that its own
    verdict stands. Each answer is a line of JSON on standard output, those of the
    device too if it tells them; counts follow on standard error.

    Needs only the bundle's manifest.json. A device whose head or codec is another than
    the bundle's gets no answers.

    [bold]Examples[/bold]

      offramp gateway digits.bundle --serial /dev/ttyUSB0 --tail localhost:8001
      offramp gateway digits.bundle --serial COM3 --tail server:8001 --ca ca.pem
    """
    terms = read_terms(bundle)
    security = ClientSecurity(ca, cert, key, token_file)
    policy = LinkPolicy(hedge_after_s=hedge_after_s)
    line = SerialLine(serial, baud=baud, once=once)
    with (
        notes_of("offramp.runtime"),
        Gateway(terms, tail=tail, deadline_s=deadline_s, security=security, policy=policy) as way,
    ):
        with _until_stopped():
            if not way.connect(deadline_s):
                note(f"tail {tail} is not ready; where it does not answer, the device is told so")
            with closing(way.answers(line)) as answers:
                for n_answers, answer in enumerate(answers, start=1):
                    print_json_line(_line(answer))
                    if n_answers == limit:
                        break
        note(_summary(way.counts, troubles(way.tail_counts)))
    _check(way)


@contextmanager
def _until_stopped() -> Iterator[None]:
    """Ends quietly by Ctrl-C or SIGTERM."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _line(answer: DeviceAnswer) -> dict[str, Any]:
    line = {
        "id": answer.sequence,
        "label": answer.label,
        "class": answer.name,
        "confidence": answer.confidence,
        "source": answer.source,
        "latency_s": answer.latency_s,
        "payload_bytes": answer.payload_bytes if answer.source == "tail" else None,
        "reason": answer.reason,
    }
    return {name: value for name, value in line.items() if value is not None}


def _summary(counts: GatewayCounts, tail_troubles: str) -> str:
    """One line for people."""
    parts = ["no sample answered"]
    if counts.answers:
        parts = [f"{counts.answers:,} answered"]
        parts += [f"{name} {n / counts.answers:.1%}" for name in _ANSWERS if (n := getattr(counts, name))]
    parts.append(f"bytes on the line {counts.bytes_in:,} in, {counts.bytes_out:,} out")
    parts += [f"{name.replace('_', ' ')} {n}" for name in _OTHERS if (n := getattr(counts, name))]
    if tail_troubles:
        parts.append(f"requests to the tail: {tail_troubles}")
    return ", ".join(parts)


def _check(way: Gateway) -> None:
    """Raise where a gateway that came to its end has been of no use.

    Raises:
        ConfigError: the device has another head.
        TailRefusedError: the tail is there, and took none of the questions.
    """
    counts = way.counts
    if way.stranger and not counts.answers:
        raise ConfigError(way.stranger)
    if counts.tail_refused and counts.tail_refused == counts.questions:
        raise TailRefusedError(f"all {counts.questions} questions were refused: {way.last_reason}")
