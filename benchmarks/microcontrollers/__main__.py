"""Sparse heads with their exits beside dense networks of the same accuracy, on microcontrollers.

    python -m benchmarks.microcontrollers --peers FOLDER [--markdown docs/results/microcontrollers.md]

FOLDER is that of tools/peers/install_c.py: CMSIS-NN, onnx2c and emlearn. Both sides are trained,
quantised and compiled here, weighed against the same program without a network, and run under emulators
on MNIST's test images.
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.microcontrollers import avr
from benchmarks.microcontrollers.contender import measured
from benchmarks.microcontrollers.contenders import IN_FLOATS, contenders
from benchmarks.microcontrollers.networks import CANDIDATES, RECIPE, SPARSE, Key, Network, train
from benchmarks.microcontrollers.page import page
from benchmarks.microcontrollers.peers import versions
from offramp.cli.equal_accuracy import choose
from offramp.data import Dataset, load
from offramp.experiments.statistics import spread
from offramp.report import Candidate, Choice, Estimate
from offramp.targets import TARGETS
from offramp.train import Trained

_LOG = logging.getLogger("benchmarks.microcontrollers")
CORTEX = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m55")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.microcontrollers", description=__doc__)
    parser.add_argument("--peers", type=Path, required=True, help="folder of tools/peers/install_c.py")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--targets", nargs="+", default=CORTEX, choices=CORTEX, metavar="TARGET")
    parser.add_argument("--images", type=int, help="of the test split; all by default")
    parser.add_argument("--checkpoints", type=Path, help="folder through which trainings are done once")
    parser.add_argument("--json", type=Path, help="where everything measured goes")
    parser.add_argument(
        "--markdown", type=Path, help="write a page of tables, such as docs/results/microcontrollers.md"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    peers = arguments.peers.resolve()
    found_versions = versions(peers)
    dataset = load("mnist")
    seeds = range(1, 1 + arguments.seeds)  # 0 was the search's
    trained = train([*SPARSE.values(), *CANDIDATES], seeds, dataset, checkpoints=arguments.checkpoints)
    levels = []
    for name, sparse in SPARSE.items():
        choice = _choice(sparse, trained, seeds, dataset)
        dense = CANDIDATES[choice.chosen]
        _LOG.info("%s: %s beside %s", name, sparse.words, dense.words)
        rows = [
            {"seed": seed} | row
            for seed in seeds
            for row in _rows(
                trained[sparse, seed],
                trained[dense, seed],
                dataset,
                peers,
                arguments.targets,
                arguments.images,
                in_floats=seed == seeds[0],
            )
        ]
        levels.append(
            {
                "name": name,
                "sparse": _described(sparse),
                "dense": _described(dense),
                "validation": _validation(choice),
                "rows": rows,
            }
        )
    images, labels = (values[: arguments.images] for values in dataset.split("test"))
    smallest, dense = next(iter(SPARSE.values())), CANDIDATES[levels[0]["validation"]["chosen"]]
    on_avr = avr.rows(
        [trained[smallest, seed] for seed in seeds],
        trained[dense, seeds[0]],
        peers,
        dataset,
        images,
        labels,
    )
    on_avr |= {"network": smallest.words, "dense_network": dense.words}
    result = {
        "command": f"python -m benchmarks.microcontrollers --peers FOLDER --seeds {arguments.seeds}",
        "machine": machine.describe(),
        "versions": found_versions,
        "recipe": RECIPE.to_dict(),
        "seeds": list(seeds),
        "images": len(images),
        "levels": levels,
        "avr": on_avr,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    text = page(result)
    if arguments.markdown:
        arguments.markdown.write_text(text, encoding="utf-8")
    print(text)


def _described(network: Network) -> dict[str, Any]:
    return asdict(network) | {"words": network.words, "edges": network.edges}


def _choice(sparse: Network, trained: dict[Key, Trained], seeds: Sequence[int], dataset: Dataset) -> Choice:
    """The smallest dense network that is as accurate on validation images."""
    n = len(dataset.splits["validation"])
    sparse_one, *dense = (_candidate(network, trained, seeds) for network in (sparse, *CANDIDATES))
    return choose(sparse_one, dense, n_samples=n)


def _candidate(network: Network, trained: dict[Key, Trained], seeds: Sequence[int]) -> Candidate:
    values = [trained[network, seed].history.epochs[-1].tail_accuracy for seed in seeds]
    found = spread(values)
    accuracy = Estimate(mean=found.mean, margin=found.margin, values=values)
    return Candidate(
        neurons=list(network.neurons), head_parameters=network.edges, validation_accuracy=accuracy
    )


def _validation(choice: Choice) -> dict[str, Any]:
    candidates = [
        {"words": network.words, "edges": network.edges, "accuracy": one.validation_accuracy.mean}
        for network, one in zip(CANDIDATES, choice.candidates, strict=True)
    ]
    return {
        "sparse": choice.sparse.validation_accuracy.mean,
        "least": choice.least_accuracy,
        "chosen": choice.chosen,
        "n_samples": choice.n_samples,
        "candidates": candidates,
    }


def _rows(
    sparse: Trained,
    dense: Trained,
    dataset: Dataset,
    peers: Path,
    targets: Sequence[str],
    n: int | None,
    *,
    in_floats: bool,
) -> Iterator[dict[str, Any]]:
    """Every contender's builds for every target, for one seed; slow ones in floats only where asked for."""
    images, labels = (values[:n] for values in dataset.split("test"))
    with tempfile.TemporaryDirectory(prefix="offramp-") as name:
        for contender, forms, expected in contenders(
            sparse, dense, dataset, images, peers, Path(name), targets
        ):
            if contender in IN_FLOATS and not in_floats:
                continue
            for target, (form, sources) in product(targets, forms.items()):
                if sources.target not in ("", target):
                    continue
                for build in measured(TARGETS[target], sources, images):
                    row = {
                        "contender": contender,
                        "form": form,
                        "target": target,
                        "optimise": build.optimise,
                        "flash_bytes": build.flash_bytes,
                        "ram_bytes": build.ram_bytes,
                        "instructions": build.instructions,
                        "most_instructions": build.most_instructions,
                        "accuracy": float((build.classes == labels).mean()),
                        "differ": int((build.classes != expected).sum()),
                    }
                    _LOG.info("  %s", " ".join(map(str, row.values())))
                    yield row


if __name__ == "__main__":
    main()
