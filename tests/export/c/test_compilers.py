"""The written C under other compilers: no warning from any of them."""

import shutil
import subprocess

import pytest

from offramp.experiments.verified import CASES, program_of
from offramp.export.c import write_code

WARNINGS = ("-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-pedantic")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The .c and .h files of all cases."""
    folder = tmp_path_factory.mktemp("written")
    for case in CASES:
        write_code(program_of(case), folder)
    return folder


def accepted(compiler, *arguments):
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    done = subprocess.run([compiler, *WARNINGS, *map(str, arguments)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("standard", ["c99", "c17"])
def test_sources_are_iso_c(compiler, standard, written):
    accepted(compiler, f"-std={standard}", *sorted(written.glob("*.c")))


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_headers_are_included_from_cplusplus(compiler, written):
    lines = [f'#include "{path.name}"\n' for path in sorted(written.glob("*.h"))]
    (written / "all.cpp").write_text("".join(lines))
    accepted(compiler, "-std=c++11", written / "all.cpp")
