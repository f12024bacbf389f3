"""One device in one mode: built, run in the emulator, its line led through a gateway to a tail."""

import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.errors import LineLostError
from offramp.export.c import chosen_program, header, source
from offramp.runtime.gateway import DeviceAnswer, Gateway, GatewayCounts, SerialLine
from offramp.targets import TARGETS, Program, Run, build

MODES = ("local", "remote", "split", "split+exit")
SOURCES = ("exit", "local", "fallback", "tail")
DEVICE = Path(__file__).with_name("device.c")
TOLD = np.dtype([("label", "<u2"), ("source", "<u2"), ("bytes_out", "<u4"), ("bytes_in", "<u4")])


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a device made of n samples.

    Args:
        labels: its answer to each.
        sources: by name in SOURCES, who said so.
        bytes_out, bytes_in: of each sample on the line, as the device saw them; the greeting not counted.
        network, framing: instructions for each sample; of head, exit, tail and codec; of the frame that was
            sent, without waiting for the line.
        told: what the gateway told of.
        counts: the gateway's.
    """

    labels: npt.NDArray[Any]
    sources: list[str]
    bytes_out: npt.NDArray[Any]
    bytes_in: npt.NDArray[Any]
    network: npt.NDArray[np.int64]
    framing: npt.NDArray[np.int64]
    told: list[DeviceAnswer]
    counts: GatewayCounts


def built(
    bundle: Bundle, mode: str, folder: Path, *, target: str = "cortex-m3", tells: bool = False
) -> Program:
    """The device's program.

    Args:
        bundle: quantised; for mode "local" with its tail.
        tells: whether it tells the gateway what it answers by itself.

    Raises:
        MissingDependencyError, ToolchainError, TooLargeError: as `targets.build`.
    """
    exported = chosen_program(bundle, "int8", target=target, prefer="speed", tail=mode == "local")
    sources = {f"{exported.prefix}.c": source(exported), f"{exported.prefix}.h": header(exported)}
    text = DEVICE.read_text(encoding="utf-8")
    sources["device.c"] = text.replace("@prefix@", exported.prefix).replace("@PREFIX@", exported.upper)
    for name in ("offramp_serial.c", "offramp_serial.h"):
        sources[name] = resources.files("offramp.wire.serial").joinpath(name).read_text(encoding="utf-8")
    folder.mkdir(parents=True)
    for name, content in sources.items():
        (folder / name).write_text(content, encoding="utf-8")
    return build(
        TARGETS[target],
        [folder / name for name in sources if name.endswith(".c")],
        folder=folder / "made",
        include=[folder],
        defines=(f"MODE={MODES.index(mode)}", *(["TELL"] if tells else [])),
    )


def lived(
    device: Program, samples: npt.NDArray[Any], gateway: Gateway | None, *, timeout_s: float = 600
) -> Outcome:
    """What the device makes of raw samples; its line leads through the gateway, or nowhere."""
    data = np.ascontiguousarray(samples).tobytes()
    if gateway is None:
        return _outcome(device.run(data, timeout_s=timeout_s), [], GatewayCounts())
    port = _free_port()
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(device.run, data, serial_port=port, timeout_s=timeout_s)
        told = _heard(gateway, f"socket://127.0.0.1:{port}", run)
    return _outcome(run.result(), told, gateway.counts)


def _heard(gateway: Gateway, url: str, run: Future[Run]) -> list[DeviceAnswer]:
    """All that the gateway tells of, until the device is gone."""
    while not run.done():
        try:
            return list(gateway.answers(SerialLine(url, once=True)))
        except LineLostError:
            time.sleep(0.05)  # the emulator is not there yet
    return []


def _outcome(run: Run, told: list[DeviceAnswer], counts: GatewayCounts) -> Outcome:
    rows = np.frombuffer(run.output, TOLD)
    intervals = np.array(run.intervals, np.int64).reshape(len(rows), 2)
    return Outcome(
        labels=rows["label"],
        sources=[SOURCES[number] for number in rows["source"]],
        bytes_out=rows["bytes_out"],
        bytes_in=rows["bytes_in"],
        network=intervals[:, 0],
        framing=intervals[:, 1],
        told=told,
        counts=counts,
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
