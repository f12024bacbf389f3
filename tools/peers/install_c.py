"""Gets what `python -m benchmarks.microcontrollers` compiles beside our C: CMSIS-NN, onnx2c, emlearn.

    python tools/peers/install_c.py FOLDER [cmsis-nn] [onnx2c] [emlearn]

onnx2c is compiled, for which git, cmake, a C++ compiler and Debian's protobuf-compiler and
libprotobuf-dev are needed. FOLDER/CMSIS-NN may also be a checkout that is there already: then only its
VERSION is written.
"""

import argparse
import subprocess
import sys
from pathlib import Path

CHECKOUTS = {
    "cmsis-nn": (
        "CMSIS-NN",
        "https://github.com/ARM-software/CMSIS-NN",
        "99f736a63036613032f9b70de36b493bcd7802d4",
    ),
    "onnx2c": ("onnx2c", "https://github.com/kraiskil/onnx2c", "ea045cc169e9338bc8fe5b54d5109d2f2828db44"),
}
SUBMODULES = ("onnx", "aixlog", "args", "cmake_timestamp")
# Its tests, and errors of warnings that compilers newer than it give.
UNWANTED = (" -Werror", " -Wfatal-errors", "add_subdirectory(test)", "add_subdirectory(benchmark)")
EMLEARN = "emlearn==0.23.2"
NAMES = (*CHECKOUTS, "emlearn")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all by default")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; give names of {', '.join(NAMES)}")
    for name in arguments.names or NAMES:
        if name == "emlearn":
            _install_emlearn(arguments.folder / name)
        else:
            _check_out(arguments.folder, *CHECKOUTS[name])
        if name == "onnx2c":
            _compile_onnx2c(arguments.folder / "onnx2c")
        print(f"{name}: {arguments.folder}")


def _check_out(folder: Path, name: str, source: str, commit: str) -> None:
    place = folder / name
    if not place.exists():
        _call("git", "clone", "--quiet", source, place)
        _call("git", "-C", place, "checkout", "--quiet", commit)
    (place / "VERSION").write_text(f"{commit[:10]}\n", encoding="utf-8")


def _compile_onnx2c(place: Path) -> None:
    if (place / ".git").exists():
        _call("git", "-C", place, "submodule", "update", "--quiet", "--init", "--depth", "1", *SUBMODULES)
    lists = place / "CMakeLists.txt"
    text = lists.read_text(encoding="utf-8")
    for unwanted in UNWANTED:
        text = text.replace(unwanted, "")
    lists.write_text(text, encoding="utf-8")
    _call("cmake", "-S", place, "-B", place / "build", "-DCMAKE_BUILD_TYPE=Release")
    _call("cmake", "--build", place / "build", "--target", "onnx2c")


def _install_emlearn(place: Path) -> None:
    _call(sys.executable, "-m", "venv", place)
    _call(place / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", EMLEARN)


def _call(*command: str | Path) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
