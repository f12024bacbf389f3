"""What this processor can do at most on one core: `python -m benchmarks.ceiling`.

A block of 4 by 4 is bound by multiply-adds, a random edge by loads from the level of the cache that a tile of
inputs fits, a single sample by loads of its weights. Needs a C++ compiler; x86-64 with AVX2 or better.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from offramp import kernels

_WORDS = {
    "multiply_adds": "multiply-adds, float32, 1e9/s",
    "multiply_adds_bfloat16": "multiply-adds, bfloat16 pairs into float32, 1e9/s",
    "bytes_16_KiB": "loads from 16 KiB, GB/s",
    "bytes_256_KiB": "loads from 256 KiB, GB/s",
    "bytes_1_MiB": "loads from 1 MiB, GB/s",
    "bytes_16_MiB": "loads from 16 MiB, GB/s",
}


def main() -> None:
    if not {"avx2", "avx512"} & set(kernels.available_isas()):
        sys.exit("this processor has neither AVX2 nor AVX-512, for which alone the probe is written")
    source = Path(__file__).with_suffix(".cpp")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "ceiling")
        compiler = os.environ.get("CXX", "c++").split()
        subprocess.run([*compiler, "-std=c++17", "-O2", "-march=native", source, "-o", program], check=True)
        printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    for line in printed.splitlines():
        name, value = line.split()
        print(f"{_WORDS[name]:<52} {value:>8}")


if __name__ == "__main__":
    main()
