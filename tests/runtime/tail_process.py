"""A tail in a process of its own: python tail_process.py BUNDLE own|slow|hangs PORT; says "ready PORT"."""

import sys
import time

from offramp import bundle as bundles
from offramp.runtime import Network, TailSettings, serve


def main():
    path, kind, port = sys.argv[1:]
    bundle = bundles.read(path, parts=bundles.present(path))
    network = Network(bundle.tail)

    def slow(features):
        print("busy", flush=True)  # noqa: T201 (for the test that waits for it)
        time.sleep(0.7 if kind == "slow" else 60)
        return network(features)

    serve(
        bundle,
        tail=None if kind == "own" else slow,
        settings=TailSettings(port=int(port)),
        drain_s=0.3 if kind == "hangs" else 10,
        on_ready=lambda server: print("ready", server.port, flush=True),  # noqa: T201
    )
    print("drained", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
