"""A machine that cannot build offramp gets one line that says what to install."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PREFLIGHT = Path(__file__).parents[2] / "tools" / "preflight.sh"


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with the tools that the script itself uses, and no compiler."""
    for name in ("mktemp", "rm", "head", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name) or pytest.skip(f"{name} is not installed"))
    return tmp_path


def preflight(path: Path, python: str = sys.executable, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [shutil.which("sh") or "/bin/sh", PREFLIGHT, python],
        env={"PATH": str(path), **environment},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


def test_no_compiler(bare_path: Path) -> None:
    code, line = preflight(bare_path)
    assert code == 1
    assert line == (
        "offramp cannot be built here: there is no C++ compiler; install one (Debian: apt install g++)\n"
    )


def test_a_compiler_that_cannot_build(bare_path: Path) -> None:
    compiler = bare_path / "c++"
    compiler.write_text("#!/bin/sh\necho 'vector: no such file' >&2\nexit 1\n", encoding="utf-8")
    compiler.chmod(0o755)
    code, line = preflight(bare_path)
    assert code == 1
    assert "(vector: no such file); install a complete compiler (Debian: apt install g++)" in line
    assert line.count("\n") == 1


def test_a_compiler_in_cxx_that_is_not_there(bare_path: Path) -> None:
    code, line = preflight(bare_path, CXX="abacus++ -O2")
    assert code == 1
    assert "CXX='abacus++ -O2' is not found" in line


def test_no_python(bare_path: Path) -> None:
    code, line = preflight(bare_path, python="python9")
    assert code == 1
    assert "'python9' is not found; install Python 3.11 or newer" in line


def test_an_old_python(bare_path: Path) -> None:
    old = bare_path / "python3"
    old.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'Python 3.9.2' && exit\nexit 1\n", encoding="utf-8"
    )
    old.chmod(0o755)
    code, line = preflight(bare_path, python="python3")
    assert code == 1
    assert line.startswith("offramp cannot be built here: Python 3.9.2 is too old")
