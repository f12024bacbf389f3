"""Which actor computes what, in front of a Ray that the test plays."""

import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from offramp.errors import ConfigError, MissingDependencyError, PeerError
from offramp.runtime import RayTails, models_of
from offramp.runtime.ray_tails import actor as actors
from offramp.runtime.ray_tails import tails


class RayError(Exception):
    pass


class RayTaskError(RayError):
    pass


class PlayedRay:
    """Actors in this process, each call computed when its result is asked for.

    Args:
        deaths: how many of the next calls find a dead actor.
        loads: what an actor loads in place of the bundle's files; "raises" for a load that fails.
    """

    def __init__(self, deaths=0, loads=None):
        self.exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)
        self.cloudpickle = SimpleNamespace(dumps=lambda stored: stored)
        self.deaths = deque([True] * deaths)
        self.loads = loads
        self.n_put = 0
        self.n_loaded = 0

    def put(self, value):
        self.n_put += 1
        return value

    def remote(self, **options):
        assert options == {"num_cpus": 1, "max_restarts": -1}
        return lambda kind: SimpleNamespace(remote=lambda *args: PlayedActor(self, kind(*args)))

    def get(self, call):
        if self.deaths:
            self.deaths.popleft()
            raise RayError("some lines\nthe actor died")
        try:
            return call()
        except Exception as error:
            raise RayTaskError(str(error)) from error


class PlayedActor:
    def __init__(self, ray, content):
        self.ray, self.content = ray, content
        self.compute = SimpleNamespace(remote=lambda *args: lambda: content.compute(*args))
        self.loaded = SimpleNamespace(options=lambda max_task_retries: SimpleNamespace(remote=self.load))

    def load(self):
        self.ray.n_loaded += 1
        made = Future()
        if self.ray.loads == "raises":
            made.set_exception(
                RayError("Traceback\n  many lines\nModuleNotFoundError: No module named 'offramp'")
            )
        else:
            made.set_result(self.content.loaded() if self.ray.loads is None else self.ray.loads)
        return SimpleNamespace(future=lambda: made)


@pytest.fixture
def play(monkeypatch):
    def start(**settings):
        ray = PlayedRay(**settings)

        @contextmanager
        def cluster(address, *, n_cpus, stored_bytes):
            yield ray

        monkeypatch.setattr(tails, "cluster", cluster)
        monkeypatch.setattr(actors, "unpinned", lambda stored: stored)
        return ray

    return start


def features(n):
    return np.random.default_rng(2).standard_normal((n, 8), dtype=np.float32)


def test_actors_answer_for_the_same_models_with_the_same_scores(play, bundle):
    ray = play()
    with RayTails(bundle, n_actors=3) as running:
        assert ray.n_put == 1  # the weights, for all of them
        assert [model.at_once for model in running.models] == [3, 3]
        for ours, plain in zip(running.models, models_of(bundle), strict=True):
            assert (ours.metadata, ours.head_digest) == (plain.metadata, plain.head_digest)
            rows = np.ones((5, *([8] if ours.name == "tiny.tail" else [16])), np.float32)
            np.testing.assert_array_equal(ours.compute(rows), plain.compute(rows))


def test_the_batch_of_an_actor_that_died_is_computed_by_another_and_the_actor_comes_back(
    play, bundle, caplog
):
    ray = play()
    with RayTails(bundle, n_actors=2) as running:
        ray.deaths.append(True)
        x = features(4)
        np.testing.assert_array_equal(running.models[0].compute(x), models_of(bundle)[0].compute(x))
        assert caplog.messages == ["an actor on Ray was lost with its batch: the actor died"]
        assert ray.n_loaded == 3
        with ThreadPoolExecutor(2) as callers:  # both are there
            assert all(len(scores) == 4 for scores in callers.map(running.models[0].compute, [x] * 10))


def test_a_batch_that_kills_every_actor_is_given_up(play, bundle):
    ray = play()
    with RayTails(bundle) as running:
        ray.deaths.extend([True] * 5)
        with pytest.raises(PeerError, match=r"^5 actors were lost with rows of shape \(4, 8\)$"):
            running.models[0].compute(features(4))
        assert running.models[0].compute(features(4)).shape == (4, 3)


def test_a_model_that_raises_costs_no_actor(play, bundle):
    ray = play()
    with RayTails(bundle, n_actors=1) as running:
        for _ in range(3):
            with pytest.raises(RayTaskError, match="this network reads"):
                running.models[0].compute(features(4)[:, :7])
        assert ray.n_loaded == 1


@pytest.mark.parametrize(
    ("loads", "why"),
    [
        ({"tail": "0" * 64}, "it has loaded other parts than were sent"),
        ("raises", "ModuleNotFoundError: No module named 'offramp'"),
    ],
    ids=["other parts", "a load that fails"],
)
def test_actors_that_cannot_be_trusted_or_used_compute_nothing(play, bundle, loads, why, caplog):
    play(loads=loads)
    with pytest.raises(PeerError, match=f"^no actor is left on Ray; the last one: {why}$"):
        RayTails(bundle).__enter__()
    assert caplog.messages == [f"an actor on Ray is lost for good: {why}"] * 2


def test_without_ray_the_line_to_install_it_is_told(bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"not installed; run: pip install 'offramp\[ray\]'$"):
        RayTails(bundle).__enter__()


@pytest.mark.parametrize("address", ["nonsense", "ray://127.0.0.1:10001", "127.0.0.1:", ":6379x"])
def test_an_address_of_another_form_is_refused(bundle, address):
    with pytest.raises(ConfigError, match=r"use host:port, for example 192\.0\.2\.7:6379, or auto$"):
        RayTails(bundle, address=address).__enter__()


def test_a_cluster_that_is_not_there_is_known_at_once(bundle, dead):
    with pytest.raises(PeerError, match=f"^no Ray cluster at {dead}: .*refused; give the address that"):
        RayTails(bundle, address=dead).__enter__()


def test_no_actor_is_no_number_of_actors(bundle):
    with pytest.raises(ConfigError, match=r"^n_actors=0; use at least 1$"):
        RayTails(bundle, n_actors=0)
