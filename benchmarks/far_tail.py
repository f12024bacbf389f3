"""A tail behind a bad link, for benchmarks of what an edge makes of it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from offramp import wire
from offramp.runtime import Model, TailServer

N_FEATURES, N_CLASSES = 40, 10
MODEL = "far.tail"
ROW = wire.Tensor("features", np.ones((1, N_FEATURES), np.float32))


@contextmanager
def far_tail() -> Iterator[int]:
    """The port of a tail in a thread of its own; its network takes no time."""
    loop = asyncio.new_event_loop()
    server = TailServer([_model()])
    asyncio.set_event_loop(loop)
    loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.port
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(drain_s=1), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def request(number: int) -> wire.InferRequest:
    """A row of features for it, 160 bytes."""
    return wire.InferRequest(MODEL, (ROW,), id=str(number))


def _model() -> Model:
    return Model(
        wire.ModelMetadata(
            MODEL,
            inputs=(wire.TensorSpec("features", "FP32", (-1, N_FEATURES)),),
            outputs=(wire.TensorSpec("scores", "FP32", (-1, N_CLASSES)),),
        ),
        read=lambda asked: wire.read_features(asked, n_features=N_FEATURES),
        compute=lambda rows: rows[:, :N_CLASSES],
        n_classes=N_CLASSES,
        head_digest="",
        row_bytes=4 * N_FEATURES,
    )
