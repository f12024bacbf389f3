"""A worker of the pool: a process that does one piece of work after another and reports to its parent.

It listens on one line. When the parent closes it, on purpose or by dying, the work in hand is stopped between
two steps, after its checkpoint was saved, and the worker ends.
"""

import logging
import os
import pickle
import runpy
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from multiprocessing.connection import Connection
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from offramp.errors import ConfigError
from offramp.train.history import Epoch
from offramp.train.progress import Watch

_REPORT_S = 0.1


@dataclass(frozen=True)
class Progress:
    """Share of the steps that is done, in 0..1; `begins` when the run starts there."""

    share: float
    begins: bool = False
    accuracy: float | None = None


@dataclass(frozen=True)
class Log:
    """What one of offramp's loggers was told."""

    logger: str
    level: int
    text: str


@dataclass(frozen=True)
class Done:
    """What the work gave, packed."""

    result: bytes


@dataclass(frozen=True)
class Failed:
    """What the work raised, and its traceback as text."""

    error: Exception
    trace: str


Message = Progress | Log | Done | Failed


@dataclass(frozen=True)
class Script:
    """The program that runs in the parent, in case the work needs its classes; "" where it has no such."""

    module: str = ""
    path: str = ""


def pack(content: Any) -> memoryview:
    """The content as it travels: by Torch, since a plain pickle cannot hold tensors of all dtypes."""
    buffer = BytesIO()
    torch.save(content, buffer, pickle_protocol=pickle.HIGHEST_PROTOCOL)
    return buffer.getbuffer()


def unpack(packed: bytes, script: Script | None = None) -> Any:
    """What was packed; classes of the script come from running it when the first is asked for."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if script is not None and module == "__main__" and not _ran_script:
                _run_script(script, name)
            return super().find_class(module, name)

    way_to_unpickle = SimpleNamespace(__name__="pickle", Unpickler=Unpickler)
    return torch.load(BytesIO(packed), weights_only=False, pickle_module=way_to_unpickle)


class Reporter(Watch):
    """Tells of a run's steps, ten times a second at most."""

    def __init__(self, tell: Callable[[Message], None]) -> None:
        self._tell = tell
        self._next_s = 0.0
        self._accuracy: float | None = None

    def begin(self, *, n_done: int, n_steps: int, fused: bool) -> None:
        self._n_steps = n_steps
        self._tell(Progress(n_done / n_steps, begins=True))

    def step(self, n_done: int, loss: float) -> None:
        if (now := time.monotonic()) >= self._next_s:
            self._next_s = now + _REPORT_S
            self._tell(Progress(n_done / self._n_steps, accuracy=self._accuracy))

    def epoch(self, epoch: Epoch) -> None:
        self._accuracy = epoch.tail_accuracy


def main(fd: int) -> None:
    """Be a worker on the line with this file descriptor until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and hangs up
    os.set_inheritable(fd, False)
    with suppress(_HungUp):
        _serve(_Line(Connection(fd)))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # taking Torch apart lasts a second, and all that was to be kept is saved


class _HungUp(BaseException):  # no Exception, which the work might catch
    """The parent has closed the line."""


class _Line:
    """The way to the parent and back."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def hear(self) -> bytes:
        try:
            return self._connection.recv_bytes()
        except (EOFError, ConnectionError):
            raise _HungUp from None

    def tell(self, message: Message) -> None:
        content = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        try:
            self._connection.send_bytes(content)
        except ConnectionError:
            raise _HungUp from None


class _Forwarder(logging.Handler):
    def __init__(self, line: _Line) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        self._line.tell(Log(record.name, record.levelno, record.getMessage()))


def _serve(line: _Line) -> None:
    logger = logging.getLogger("offramp")
    logger.setLevel(logging.INFO)
    logger.addHandler(_Forwarder(line))
    threads, script = pickle.loads(line.hear())
    torch.set_num_threads(threads)
    packed, shared = line.hear(), None
    while True:
        parcel = line.hear()
        try:
            if packed:  # here, so that a class which is not found fails like the work itself
                shared, packed = unpack(packed, script), b""
            result = unpack(parcel, script)(shared, Reporter(line.tell))
            line.tell(Done(bytes(pack(result))))
        except (Exception, SystemExit) as error:  # noqa: BLE001 (the parent raises it)
            line.tell(Failed(_portable(error), traceback.format_exc()))


def _portable(error: BaseException) -> Exception:
    """The error itself if it survives the way to the parent, else its words."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 (whatever its class has against it)
        copy = None
    if isinstance(error, Exception) and str(copy) == str(error):
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")


# --- Classes of the script that runs in the parent --------------------------------------------------------

_running_script = False
_ran_script = False


def check_not_in_script() -> None:
    """Raise ConfigError where a worker, which only looks for classes, would start workers of its own."""
    if _running_script:
        raise ConfigError(
            "the script was run again by a worker, which looks for a class or function of it, and would train"
            ' once more; put the call under `if __name__ == "__main__":`, or the class into a module'
        )


def _run_script(script: Script, name: str) -> None:
    """Run the parent's script as multiprocessing does: under another name than __main__, for its guard."""
    global _running_script, _ran_script
    if not script.module and not script.path:
        raise ConfigError(
            f"{name} is defined in a notebook or an interactive session, where no worker finds it; put it"
            " into a module, or use workers=1"
        )
    _running_script = True
    try:
        if script.module:
            content = runpy.run_module(script.module, run_name="__mp_main__", alter_sys=True)
        else:
            content = runpy.run_path(script.path, run_name="__mp_main__")
    finally:
        _running_script = False
    module = ModuleType("__mp_main__")
    module.__dict__.update(content)
    sys.modules["__main__"] = sys.modules["__mp_main__"] = module  # multiprocessing makes them one in parents
    _ran_script = True
