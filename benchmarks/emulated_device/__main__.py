"""The four modes, a microcontroller being the device: `python -m benchmarks.emulated_device --data mnist`.

The head in integers, its exit and, for mode local, the tail in float32 are exported as C, built for a
Cortex-M3 and run under QEMU. The device gets its samples as input, and its serial port leads through a
gateway to a tail server in a process of its own. Counted are answers, bytes on the line and instructions; the
time on the line follows from the bytes. Every answer is held against that of `offramp run --int8` in the same
mode.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.emulated_device.device import MODES, Outcome, built, lived
from benchmarks.emulated_device.page import page
from offramp.bundle import read, read_terms
from offramp.cli.tail_process import tail_process
from offramp.data import load
from offramp.runtime import Edge
from offramp.runtime.gateway import Gateway
from offramp.targets import TARGETS, sizes

BAUD = 115_200
BITS_A_BYTE = 10  # with start and stop
NETWORKS = {  # of the command `offramp train`
    "digits": ("--neurons", "64,16,64,10", "--out-degrees", "4,full,full"),
    "mnist": ("--neurons", "800,40,256,10", "--out-degrees", "8,full,full"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.emulated_device", description=__doc__)
    parser.add_argument("--data", default="digits", choices=NETWORKS)
    parser.add_argument("--data-dir", type=Path, help="where the MNIST files lie")
    parser.add_argument("--bundle", type=Path, help="a quantised one; trained first by default")
    parser.add_argument("--codec", default="int8", help="of the network that is trained")
    parser.add_argument("--target", default="cortex-m3", help="with a serial port in the emulator")
    parser.add_argument("--samples", type=int, help="of the test set; all of them by default")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--markdown", type=Path, help="write a page here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="emulated-") as made:
        result = measured(options, Path(made))
    print(page(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(page(result), encoding="utf-8")
    return int(any(row["unlike"] for row in result["rows"]))


def measured(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All modes, one after the other, on the same samples."""
    path = options.bundle or trained(options, folder / "network")
    bundle = read(path)
    x, y = load(options.data, data_dir=options.data_dir).split("test")
    x, y = x[: options.samples], y[: options.samples]
    rows = []
    with tail_process(path) as (host, port):
        tail = f"{host}:{port}"
        for mode in MODES:
            began = time.monotonic()
            device = built(bundle, mode, folder / mode, target=options.target)
            with Gateway(read_terms(path), tail=tail, deadline_s=5.0) as gateway:
                gateway.connect()
                outcome = lived(device, x, None if mode == "local" else gateway)
            with Edge(bundle, tail=tail, mode=mode, int8=True, deadline_s=5.0) as edge:
                wanted = np.array([answer.label for answer in edge.infer_many(x)])
            row = {"mode": mode, "flash_bytes": sizes(device).flash_bytes} | figures(outcome, y, wanted)
            rows.append(row | {"seconds": round(time.monotonic() - began, 1)})
    command = f"python -m benchmarks.emulated_device --data {options.data}"
    return {
        "command": command + (f" --samples {options.samples}" if options.samples else ""),
        "data": options.data,
        "samples": len(x),
        "target": options.target,
        "chip": TARGETS[options.target].chip,
        "chip_flash_bytes": TARGETS[options.target].flash_bytes,
        "sample_bytes": x[0].nbytes,
        "codec": bundle.codec.name,
        "features": bundle.n_sent,
        "baud": BAUD,
        "rows": rows,
    }


def trained(options: argparse.Namespace, path: Path) -> Path:
    """A network for the data, quantised."""
    folder = ("--data-dir", str(options.data_dir)) if options.data_dir else ()
    data = ("--data", options.data, *folder)
    network = (*NETWORKS[options.data], "--codec", options.codec)
    for command in (("train", "-o", str(path), *data, *network), ("quantise", str(path), *folder)):
        subprocess.run([sys.executable, "-m", "offramp", *command], check=True, stdout=subprocess.DEVNULL)
    return path


def figures(outcome: Outcome, truth: Any, wanted: Any) -> dict[str, Any]:
    """A mode in numbers, of the mean sample where nothing else is said."""
    n = len(truth)
    assert len(outcome.labels) == n, "the device has answered every sample"
    line_bytes = outcome.bytes_out + outcome.bytes_in
    return {
        "accuracy": float((outcome.labels == truth).mean()),
        "exit": outcome.sources.count("exit") / n,
        "offloads": int(outcome.counts.questions),
        "fallbacks": outcome.sources.count("fallback"),
        "bytes_out": float(outcome.bytes_out.mean()),
        "bytes_in": float(outcome.bytes_in.mean()),
        "line_ms": float(line_bytes.mean()) * BITS_A_BYTE * 1e3 / BAUD,
        "line_ms_of_an_offload": float(line_bytes.max()) * BITS_A_BYTE * 1e3 / BAUD,
        "network_instructions": float(outcome.network.mean()),
        "framing_instructions": float(outcome.framing.mean()),
        "unlike": int((outcome.labels != wanted).sum()),
        "damaged": outcome.counts.damaged,
    }


if __name__ == "__main__":
    sys.exit(main())
