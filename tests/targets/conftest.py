import functools
from pathlib import Path

import pytest

from offramp.targets import TARGETS, build, compile_object, missing

PROGRAMS = Path(__file__).parent / "programs"


reason_against = functools.cache(lambda name: missing(TARGETS[name]))


def with_tools(name):
    if reason := reason_against(name):
        pytest.skip(reason)
    return TARGETS[name]


@pytest.fixture(params=TARGETS)
def target(request):
    """Every target; one whose tools are absent is skipped with the reason."""
    return with_tools(request.param)


@pytest.fixture(params=[name for name, target in TARGETS.items() if target.emulator])
def emulated(request):
    """Every target but the host, which counts nothing and has room for everything."""
    return with_tools(request.param)


@pytest.fixture(params=["host", "cortex-m3", "rv32", "atmega328p"])
def by_compiler(request):
    """One target of each compiler, for what does not depend on the processor."""
    return with_tools(request.param)


@pytest.fixture(scope="session")
def programs():
    return PROGRAMS


@pytest.fixture(scope="session")
def built():
    """Programs of the folder by name, each built once for a target."""
    return functools.cache(lambda target, name: build(target, [PROGRAMS / f"{name}.c"]))


@pytest.fixture(scope="session")
def compiled():
    """Their objects, likewise."""
    return functools.cache(lambda target, name: compile_object(target, PROGRAMS / f"{name}.c"))
