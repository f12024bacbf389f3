"""What the rungs need of this machine."""

import pytest

from offramp.targets import TARGETS, missing


def with_tools(name):
    if reason := missing(TARGETS[name]):
        pytest.skip(reason)
    return TARGETS[name]


@pytest.fixture
def host():
    return with_tools("host")


@pytest.fixture(params=[name for name, target in TARGETS.items() if target.emulator])
def emulated(request):
    """Every target but the host; one whose tools are absent is skipped with the reason."""
    return with_tools(request.param)
