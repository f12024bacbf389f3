"""A tail server in a process of its own, as a server elsewhere would be."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import msgspec

from offramp.errors import PeerError

START_S = 60.0
STOP_S = 10.0


@contextmanager
def tail_process(bundle: Path, *, threads: int = 1) -> Iterator[tuple[str, int]]:
    """Host and port of `offramp serve BUNDLE`, running on a free port of this machine until the block ends.

    Raises:
        PeerError: it did not start; with what it said.
    """
    command = [sys.executable, "-m", "offramp", "serve", str(bundle), "--port", "0", "--json"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [*command, "--threads", str(threads)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        assert process.stdout is not None
        impatience = Timer(START_S, process.kill)
        impatience.start()
        try:
            announcement = process.stdout.readline()
            impatience.cancel()
            if not announcement:
                errors.seek(0)
                said = errors.read().decode(errors="replace").strip() or f"nothing within {START_S:g} s"
                raise PeerError(f"the tail of {bundle} did not start; it said: {said}")
            started = msgspec.json.decode(announcement)
            yield started["host"], started["port"]
        finally:
            impatience.cancel()
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
