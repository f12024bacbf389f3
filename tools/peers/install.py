"""Makes a virtual environment for each server that tests/peers and `python -m benchmarks.serving` run.

    python tools/peers/install.py FOLDER [mlserver] [kserve] [triton]

Each has one of its own, since they ask for packages that exclude one another. Triton is that of
nvidia-pytriton, which wants the system's Python: name another one with --python.
"""

import argparse
import subprocess
import sys
from pathlib import Path

PACKAGES = {"mlserver": "mlserver==1.7.1", "kserve": "kserve==0.21.0", "triton": "nvidia-pytriton==0.7.0"}
ONNX = "onnxruntime==1.32.0"
SYSTEM_PYTHON = Path("/usr/bin/python3")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PACKAGES)}; all by default")
    parser.add_argument("--python", type=Path, help="for all of them")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - PACKAGES.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; give names of {', '.join(PACKAGES)}")
    for name in arguments.names or PACKAGES:
        own = SYSTEM_PYTHON if name == "triton" and SYSTEM_PYTHON.exists() else Path(sys.executable)
        _install(arguments.folder / name, PACKAGES[name], arguments.python or own)
        print(f"{name}: {arguments.folder / name}")


def _install(folder: Path, package: str, python: Path) -> None:
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, package, ONNX], check=True)


if __name__ == "__main__":
    main()
