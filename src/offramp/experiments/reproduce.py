"""The paper's networks trained, several at once; what is done is not done again."""

import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from offramp.data import Dataset, preprocessing_for
from offramp.errors import ConfigError
from offramp.experiments.paper import PaperRow
from offramp.experiments.records import RecordFolder
from offramp.experiments.runs import Run, Settings, expected_fields, histograms, run_name
from offramp.train import Job, Trained, evaluate, fit_each

Key = tuple[PaperRow, int]  # row and seed


def reproduce(
    rows: Sequence[PaperRow],
    seeds: Sequence[int],
    settings: Settings,
    dataset: Dataset,
    folder: Path,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> Generator[Run, None, None]:
    """Train every row with every seed and give the runs as they are done, those of earlier calls first.

    The test split is read once for each network, after its last epoch. Patterns, first weights and the order
    of samples all derive from the seed.

    Args:
        folder: for the records and for the checkpoints of what is not finished; the same call goes on there.
        workers: as in `fit_each`.

    Raises:
        ConfigError: data or settings that do not fit the rows; records of other settings in the folder.
        and what `fit_each` raises.
    """
    records = RecordFolder(folder / "runs", Run)
    digest = dataset.digest("train") + dataset.digest("test")
    pending: dict[str, Key] = {}
    for seed in seeds:  # outside: half of the time gives every row half of its seeds
        for row in rows:
            name = run_name(row, settings, seed)
            run = records.read(name, expected_fields(row, settings, seed, digest))
            if run is None:
                pending[name] = (row, seed)
            else:
                yield run
    if pending:
        yield from _train(pending, settings, dataset, folder, digest, workers=workers, progress=progress)


def _train(
    pending: Mapping[str, Key],
    settings: Settings,
    dataset: Dataset,
    folder: Path,
    digest: str,
    *,
    workers: int | None,
    progress: bool,
) -> Generator[Run, None, None]:
    checkpoints, records = folder / "checkpoints", RecordFolder(folder / "runs", Run)
    rows = [row for row, _ in pending.values()]
    check_rows_fit(dataset, rows)
    preprocessing = preprocessing_for(dataset, pad_to=rows[0].neurons[0])
    jobs = [
        Job(
            name=name,
            model=settings.model(row, seed),
            recipe=settings.recipe,
            preprocessing=preprocessing,
            seed=seed,
            checkpoint=checkpoints / name,
        )
        for name, (row, seed) in pending.items()
    ]
    raw, labels = dataset.split("test")
    features = preprocessing(raw)
    with closing(fit_each(jobs, dataset, workers=workers, progress=progress)) as trainings:
        for trained in trainings:
            name = trained.job.name
            accuracy = evaluate(trained.model, features, labels).tail
            run = _record(trained, pending[name], settings, digest, accuracy)
            records.write(name, run)
            shutil.rmtree(checkpoints / name, ignore_errors=True)  # nobody needs it, so it may stay as well
            yield run
    with suppress(OSError):  # not empty: other calls have unfinished runs there
        checkpoints.rmdir()


def _record(trained: Trained, key: Key, settings: Settings, digest: str, accuracy: float) -> Run:
    row, seed = key
    return Run(
        **expected_fields(row, settings, seed, digest),
        parameters=sum(parameter.numel() for parameter in trained.model.parameters()),
        accuracy_percent=round(100 * accuracy, 4),
        train_s=trained.history.seconds,
        fused=trained.history.fused,
        histograms=histograms(trained.model) if row.kind == "deep" else [],
    )


def check_rows_fit(dataset: Dataset, rows: Sequence[PaperRow]) -> None:
    """Raise ConfigError for rows of different inputs and classes, or of other classes than the data."""
    widths = {(row.neurons[0], row.neurons[-1]) for row in rows}
    if len(widths) > 1:
        raise ConfigError(f"rows of different inputs and classes {sorted(widths)}; give rows of one")
    _, n_classes = widths.pop()
    if n_classes != len(dataset.classes):
        raise ConfigError(
            f"{dataset.name} has {len(dataset.classes)} classes, the rows {n_classes};"
            " use the data they are for"
        )
