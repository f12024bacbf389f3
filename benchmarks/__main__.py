"""`make bench`: ratios against Torch in the same run, as a table and as bench.json."""

import argparse
import json
import platform
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import junctions, memory
from offramp import kernels


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the rows go")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=21, help="interleaved measurements of each row")
    arguments = parser.parse_args()

    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table(
        "work", "junction", "density", "pattern", "ratio (min..max)", "x density", "ours ms", "dense ms"
    )
    how = {"threads": arguments.threads, "pairs": arguments.pairs}
    rows = []
    with console.status("measuring") as status:
        for row in (*junctions.rows(junctions.CASES, **how), *junctions.step_rows(**how)):
            rows.append(row)
            status.update(f"measured {len(rows)} rows")
            table.add_row(*_cells(row))
        status.update("measuring memory")
        peak = memory.row()
    console.print(table)
    console.print(
        f"peak memory of a training step of {peak['neurons']}, out-degrees {peak['out_degrees']}, "
        f"batch {peak['batch']}: {peak['sparse_peak_bytes'] / 2**20:.0f} MiB sparse, "
        f"{peak['dense_peak_bytes'] / 2**20:.0f} MiB dense, ratio {peak['ratio']:.2f}"
    )
    machine = {
        "processor": platform.machine(),
        "isas": list(kernels.available_isas()),
        "openmp": kernels.has_openmp(),
        "torch": torch.__version__,
    }
    result = {"rows": rows, "memory": peak, "machine": machine}
    arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    console.print(f"{len(rows)} rows written to {arguments.json}")


def _cells(row: dict) -> list[str]:
    name = " ".join(map(str, row["neurons"])) if "neurons" in row else f"{row['n_in']} -> {row['n_out']}"
    return [
        row["work"],
        name,
        f"{row['density']:.3f}",
        row["pattern"]
        if row["pattern"] == "random"
        else ("up to " if "neurons" in row else "") + "{}x{} blocks".format(*row["block"]),
        f"{row['ratio_median']:.2f} ({row['ratio_min']:.2f}..{row['ratio_max']:.2f})",
        f"{row['ratio_median'] * row['density']:.2f}",
        f"{row['ours_s'] * 1e3:.3f}",
        f"{row['peer_s'] * 1e3:.3f}",
    ]


if __name__ == "__main__":
    main()
