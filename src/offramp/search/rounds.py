"""The search: rounds of new networks trained briefly and of good ones trained for longer."""

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from offramp.bundle import Preprocessing
from offramp.data import Dataset, preprocessing_for
from offramp.errors import ConfigError, DataError
from offramp.search.budget import Budget
from offramp.search.lines import Lines
from offramp.search.proposals import MOST_REJECTED, Proposals
from offramp.search.record import Entry, Training
from offramp.search.rungs import KEEP, best, promotions
from offramp.search.settings import Settings
from offramp.search.space import Space
from offramp.search.teaching import Teaching
from offramp.train import RECIPES, Job, Recipe, Teacher, Trainers

_NEW_UNTIL = 0.88  # of the time; the rest is for those that are to be trained for longer
STUDY, TRAININGS, TEACHER = "study.journal", "trainings.jsonl", "teacher"


@dataclass(frozen=True)
class Standing:
    """How far a search has come.

    Args:
        n_networks, n_trainings: done.
        share: of the whole, in 0..1, by time or by epochs.
        left_s: seconds to go, roughly.
        best_accuracy: the highest on the validation split so far.
    """

    n_networks: int
    n_trainings: int
    share: float
    left_s: float
    best_accuracy: float


@dataclass(frozen=True, eq=False)
class Found:
    """What a search ended with.

    Args:
        front: the networks that no other beats, smallest first; see `best`.
        entries: all that were trained.
        chosen: the smallest of the front that reaches the goal; None where none does, or there is no goal.
        n_validation: samples that accuracies are shares of.
    """

    front: list[Entry]
    entries: list[Entry]
    chosen: Entry | None
    n_validation: int


def search(
    dataset: Dataset,
    budget: Budget,
    settings: Settings | None = None,
    *,
    teacher: Teacher | None = None,
    folder: Path | None = None,
    watch: Callable[[Standing], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """The networks within the budget that no other beats in validation accuracy and parameters.

    Successive halving in rounds, over a multi-objective TPE of Optuna's. A round trains new candidates for
    `epochs[0]` epochs, together with those candidates of all earlier rounds which are among the best third of
    their rung and were not yet trained on the next. When enough networks were tried, rounds go on until
    nobody is left to go up. Without a goal, networks below a quarter of the limits are not tried. Optuna
    learns from the first rung alone, where all candidates are equal.

    The teacher of the candidates that learn from one is trained when the first of them comes, within the time
    limit: for MNIST it takes 25 s of one core, once for a folder.

    Reads the training and the validation split, never the test set. Each accuracy is of one training, and the
    front is a choice of the best among many: expect less of it on new samples.

    Args:
        teacher: whose training has seen nothing but the training split; None trains that of `train_teacher`.
        folder: an existing one; a search interrupted there goes on. With a limit by number and not by time,
            one seed gives one result, whatever the workers.
        watch: called after every training.
        clock: seconds.

    Raises:
        ConfigError: no network keeps the budget, or the folder holds another search.
        DataError: a damaged folder.
    """
    settings = settings or Settings()
    space = Space.of(dataset, distill_weights=settings.distill_weights)
    if not any(map(budget.allows, space.smallest_networks())):
        smallest = min(space.smallest_networks(), key=lambda network: network.n_params)
        raise ConfigError(
            f"no network of this search keeps the budget: {budget.broken(smallest)} of the smallest,"
            f" {smallest.n_params} parameters; allow more"
        )
    with ExitStack() as stack:
        paths = (None, None) if folder is None else (folder / STUDY, folder / TRAININGS)
        study, trainings = (stack.enter_context(closing(Lines(path))) for path in paths)
        proposals = Proposals(
            space,
            budget,
            seed=settings.seed,
            lines=study,
            identity=_identity(dataset, budget, settings, teacher),
        )
        trainers = stack.enter_context(Trainers(dataset, workers=settings.workers))
        teaching = Teaching(dataset, settings, teacher, None if folder is None else folder / TEACHER)
        run = _Run(dataset, budget, settings, proposals, trainings, trainers, teaching, watch, clock)
        while run.round():
            pass
        return run.found()


def _identity(
    dataset: Dataset, budget: Budget, settings: Settings, teacher: Teacher | None
) -> dict[str, Any]:
    """What one folder has one of."""
    taught = max(settings.distill_weights) > 0
    return {
        "data": dataset.name,
        "data_digests": [dataset.digest("train"), dataset.digest("validation")],
        "budget": asdict(budget),
        **{name: getattr(settings, name) for name in ("epochs", "recipe", "batch_size", "seed")},
        "distill_weights": settings.distill_weights if taught else None,
        "temperature": settings.temperature if taught else None,
        "teacher": teacher.digest() if taught and teacher is not None else None,
    }


class _Run:
    """A search while it goes on."""

    def __init__(
        self,
        dataset: Dataset,
        budget: Budget,
        settings: Settings,
        proposals: Proposals,
        lines: Lines,
        trainers: Trainers,
        teaching: Teaching,
        watch: Callable[[Standing], None] | None,
        clock: Callable[[], float],
    ) -> None:
        self._dataset, self._budget, self._settings = dataset, budget, settings
        self._trainers, self._teaching = trainers, teaching
        self._watch, self._clock, self._began_s = watch, clock, clock()
        self._prepared: dict[tuple[int, int], Preprocessing] = {}
        self._proposals, self._lines, self._exhausted = proposals, lines, False
        self._entries = {n: Entry(n, candidate) for n, candidate in self._proposals.all().items()}
        for line in self._lines.all:
            try:
                training = Training(**line)
                self._entries[training.trial].trainings[training.epochs] = training
            except (TypeError, KeyError) as error:
                raise DataError(
                    f"{self._lines.path}: {line} is no training of this study; give another output folder"
                ) from error
        self._epochs_before = self._epochs_done
        self._tell()

    def round(self) -> bool:
        """Propose, train, tell; False when nothing was left to do or the time was over."""
        todo = promotions(self._entries.values(), self._settings.epochs, self._budget)
        todo += [(entry, self._settings.epochs[0]) for entry in self._untrained()]
        # The longest first, so that none is last alone; then those that share a worker's samples.
        todo.sort(key=lambda item: (-item[1], item[0].candidate.pool, item[0].candidate.neurons[0]))
        if not todo or self._spent >= 1:
            return False
        jobs = {f"{entry.trial}-{epochs}": (entry, epochs) for entry, epochs in todo}
        runs = self._trainers.fit_each(
            [self._job(name, *item) for name, item in jobs.items()], progress=False
        )
        with closing(runs):
            for trained in runs:
                entry, epochs = jobs[trained.job.name]
                accuracy = trained.history.epochs[-1].tail_accuracy
                self._keep(entry, Training(entry.trial, epochs, accuracy, trained.history.seconds))
                if self._spent >= 1:
                    break
        self._tell()
        return True

    def found(self) -> Found:
        """What there is by now."""
        entries = [entry for entry in self._entries.values() if entry.trainings]
        if not entries:
            raise ConfigError("the time was over before a network was trained; allow more")
        front = best(entries, self._settings.epochs)
        goal = self._budget.min_accuracy
        reach = [] if goal is None else [entry for entry in front if entry.last.accuracy >= goal]
        n_validation = len(self._dataset.splits["validation"])
        return Found(front, entries, reach[0] if reach else None, n_validation)

    def _untrained(self) -> list[Entry]:
        """Candidates for the first rung: those an interruption left, or else new ones."""
        rung = self._settings.epochs[0]
        left = [entry for entry in self._entries.values() if rung not in entry.trainings]
        n_trials, n_new = self._settings.n_trials, self._settings.n_new
        n_new = n_new if n_trials is None else min(n_new, n_trials - len(self._entries))
        if not left and n_new > 0 and self._spent < _NEW_UNTIL and not self._exhausted:
            new = self._proposals.ask(n_new, stop=lambda: self._spent >= _NEW_UNTIL)
            if not new and not self._entries and self._spent < _NEW_UNTIL:
                raise ConfigError(f"none of {MOST_REJECTED} networks drawn keeps the budget; allow more")
            self._exhausted = len(new) < n_new
            left = [Entry(number, candidate) for number, candidate in new.items()]
            self._entries |= {entry.trial: entry for entry in left}
        return left

    def _job(self, name: str, entry: Entry, epochs: int) -> Job:
        candidate, seed = entry.candidate, self._settings.seed
        key = candidate.pool, candidate.neurons[0]
        if key not in self._prepared:
            self._prepared[key] = preprocessing_for(self._dataset, pool=key[0], pad_to=key[1])
        return Job(
            name=name,
            model=candidate.model(seed=seed),
            recipe=self._recipe(epochs),
            preprocessing=self._prepared[key],
            seed=seed,
            distillation=self._teaching.distillation(candidate.distill_weight),
        )

    def _recipe(self, epochs: int) -> Recipe:
        return replace(RECIPES[self._settings.recipe], epochs=epochs, batch_size=self._settings.batch_size)

    def _keep(self, entry: Entry, training: Training) -> None:
        entry.trainings[training.epochs] = training
        self._lines.add([asdict(training)])
        if self._watch is not None:
            self._watch(self._standing())

    def _tell(self) -> None:
        """In the order of the trials, not in that in which workers were done."""
        rung = self._settings.epochs[0]
        for entry in self._entries.values():
            if rung in entry.trainings:
                self._proposals.tell(entry.trial, entry.trainings[rung].accuracy, entry.candidate.n_params)

    @property
    def _spent(self) -> float:
        """Share of the time limit; 0 without one."""
        limit_s = self._settings.time_limit_s
        return 0.0 if limit_s is None else (self._clock() - self._began_s) / limit_s

    @property
    def _epochs_done(self) -> int:
        return sum(epochs for entry in self._entries.values() for epochs in entry.trainings)

    def _standing(self) -> Standing:
        trainings = [training for entry in self._entries.values() for training in entry.trainings.values()]
        elapsed_s, share, left_s = self._clock() - self._began_s, self._spent, list[float]()
        if self._settings.time_limit_s is not None:
            left_s.append(self._settings.time_limit_s - elapsed_s)
        if self._settings.n_trials is not None:
            # Epochs of all rungs, as if each had exactly a third of the one below.
            total = sum(self._settings.n_trials * e / KEEP**i for i, e in enumerate(self._settings.epochs))
            done = self._epochs_done
            share = max(share, done / total)
            left_s.append((total - done) * elapsed_s / (done - self._epochs_before))
        return Standing(
            n_networks=sum(bool(entry.trainings) for entry in self._entries.values()),
            n_trainings=len(trainings),
            share=min(share, 1.0),
            left_s=max(0.0, min(left_s)),
            best_accuracy=max(training.accuracy for training in trainings),
        )
