"""Where the numbers come from: processor, memory, versions, and how busy the machine was."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import torch

from offramp import kernels

PACKAGES = ("offramp", "torch", "numpy", "scipy", "sparselab")


def describe() -> dict[str, Any]:
    return {
        "processor": _from("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "caches": _caches(),
        "memory": _from("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()}",
        "load_average": load_average(),
        "isas": list(kernels.available_isas()),
        "openmp": kernels.has_openmp(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def load_average() -> float:
    """Of the last minute; a run of its own has one of about 1."""
    return round(os.getloadavg()[0], 2)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _from(path: str, key: str) -> str | None:
    """The value after the key's first appearance in a file of `key : value` lines."""
    file = Path(path)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), None)


def _caches() -> str:
    """The caches that the first core sees, such as "L1 48K, L2 1024K, L3 32768K"; empty off Linux."""
    found = {}
    for cache in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        kind, level, size = ((cache / name).read_text("ascii").strip() for name in ("type", "level", "size"))
        if kind != "Instruction":
            found[level] = size
    return ", ".join(f"L{level} {found[level]}" for level in sorted(found))
