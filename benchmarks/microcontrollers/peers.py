"""Which peers there are, and of what version."""

import subprocess
from pathlib import Path

from benchmarks.microcontrollers import cmsis_nn, emlearn, onnx2c

VERSION_FILE = "VERSION"  # where the installer notes the commit


def versions(peers: Path) -> dict[str, str]:
    """By name; what is missing is told with the command that installs it.

    Raises:
        SystemExit: a peer is not in the folder.
    """
    needed = {
        "CMSIS-NN": peers / cmsis_nn.FOLDER / "Include",
        "onnx2c": peers / onnx2c.COMMAND,
        "emlearn": peers / emlearn.PYTHON,
    }
    for name, path in needed.items():
        if not path.exists():
            raise SystemExit(f"no {name} at {path}; install it: python tools/peers/install_c.py {peers}")
    say = "import importlib.metadata as m; print(m.version('emlearn'))"
    command = [peers / emlearn.PYTHON, "-I", "-c", say]
    return {
        "CMSIS-NN": (peers / cmsis_nn.FOLDER / VERSION_FILE).read_text().strip(),
        "onnx2c": (peers / "onnx2c" / VERSION_FILE).read_text().strip(),
        "emlearn": subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip(),
    }
