"""The candidates of a search, proposed by Optuna and kept in its study."""

import json
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import TrialState

from offramp.errors import ConfigError
from offramp.search.budget import Budget
from offramp.search.candidate import Candidate
from offramp.search.lines import Lines
from offramp.search.space import Space

N_RANDOM = 24  # first networks are drawn at random; then TPE has something to learn from
MOST_REJECTED = 500  # in a row
_CANDIDATE = "candidate"


class _Journal(BaseJournalBackend):
    """Optuna's journal for one process; its own file waits for the disk at every line, 50 ms a network."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        return self._lines.all[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._lines.add(logs)


class Proposals:
    """A study that proposes networks within the budget.

    Candidates outside it or far below it, and those that there were already, are told to the study as pruned
    and not trained.

    Args:
        lines: the study's journal, which a later search with the same `identity` goes on with.
        identity: what decides the search.

    Raises:
        ConfigError: the file is of another search.
    """

    def __init__(
        self, space: Space, budget: Budget, *, seed: int, lines: Lines, identity: Mapping[str, Any]
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space, self._budget, self._seed = space, budget, seed
        self._study = optuna.create_study(
            storage=JournalStorage(_Journal(lines)),
            study_name="offramp",
            directions=["maximize", "minimize"],
            load_if_exists=True,
        )
        self._check(dict(identity), lines.path)

    def _check(self, identity: dict[str, Any], path: Path | None) -> None:
        identity = json.loads(json.dumps(identity))  # tuples become lists
        known = self._study.user_attrs.get("identity")
        if known is None:
            self._study.set_user_attr("identity", identity)
            return
        for name, value in identity.items():
            if known.get(name) != value:
                raise ConfigError(
                    f"{path}: is of a search with {name}={known.get(name)}, this one has {value};"
                    " give another output folder"
                )

    def all(self) -> dict[int, Candidate]:
        """Trial number -> every candidate so far, those of an interrupted run too."""
        return {
            trial.number: Candidate(**trial.user_attrs[_CANDIDATE])
            for trial in self._study.get_trials(deepcopy=False)
            if _CANDIDATE in trial.user_attrs
        }

    def ask(self, n: int, *, stop: Callable[[], bool] = lambda: False) -> dict[int, Candidate]:
        """Up to `n` new candidates; fewer where the space is nearly exhausted or `stop` says so."""
        seen = set(self.all().values())
        new: dict[int, Candidate] = {}
        self._study.sampler = self._sampler()
        n_rejected = 0
        while len(new) < n and n_rejected < MOST_REJECTED and not stop():
            trial = self._study.ask()
            candidate = self._space.draw(trial)
            if candidate in seen or not self._budget.worth_trying(candidate):
                self._study.tell(trial, state=TrialState.PRUNED)
                n_rejected += 1
                continue
            trial.set_user_attr(_CANDIDATE, asdict(candidate))
            seen.add(candidate)
            new[trial.number] = candidate
            n_rejected = 0
        return new

    def tell(self, number: int, accuracy: float, n_params: int) -> None:
        """What the first rung made of a candidate; told again, it changes nothing."""
        values = (self._budget.merit(accuracy), math.log10(n_params))
        self._study.tell(number, values, skip_if_finished=True)

    def _sampler(self) -> optuna.samplers.BaseSampler:
        """Made anew for every round, its seed from the trials so far: an interruption changes nothing."""
        trials = self._study.get_trials(deepcopy=False)
        seed = int(np.random.SeedSequence((self._seed, len(trials))).generate_state(1)[0])
        if sum(trial.state == TrialState.COMPLETE for trial in trials) < N_RANDOM:
            return optuna.samplers.RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", optuna.exceptions.ExperimentalWarning
            )  # Optuna's word on its options
            return optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=True, n_startup_trials=0
            )
