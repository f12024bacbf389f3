"""The kernels as other machines build them: without OpenMP, by another compiler, for another processor."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMON = ["dispatch.cpp", "grad_input.cpp", "isa_generic.cpp", "scratch.cpp", "threads.cpp"]
GENERIC = [str(ROOT / "native/kernels" / name) for name in COMMON]
CHECK = str(ROOT / "tests/conformance/native_check.cpp")
FLAGS = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror"]


def build(compiler: list[str], program: Path, *flags: str) -> None:
    command = [*compiler, *FLAGS, *flags, CHECK, *GENERIC, "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def found(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.skip(f"none of {', '.join(names)} is installed")


def test_without_openmp_the_kernels_run_on_one_thread(tmp_path: Path) -> None:
    build(os.environ.get("CXX", found("c++", "g++", "clang++")).split(), tmp_path / "check")
    done = subprocess.run([tmp_path / "check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "openmp=0 wrong=0\n")


def test_clang_builds_the_kernels(tmp_path: Path) -> None:
    build([found("clang++", "clang++-14", "clang++-18")], tmp_path / "check")
    done = subprocess.run([tmp_path / "check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "openmp=0 wrong=0\n")


def test_the_generic_path_compiles_for_neon(tmp_path: Path) -> None:
    build([found("aarch64-linux-gnu-g++")], tmp_path / "check", "-static")
    emulator = found("qemu-aarch64", "qemu-aarch64-static")
    done = subprocess.run([emulator, tmp_path / "check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "openmp=0 wrong=0\n")
