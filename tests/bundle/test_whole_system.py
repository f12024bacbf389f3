"""Bundles with an encoder and exits inside head and tail."""

import dataclasses
from hashlib import sha256

import numpy as np
import pytest

from offramp.bundle import Bundle, InnerExit, check_exits, present, read, write
from offramp.errors import BundleError
from offramp.exits import ExitRule, Profile


@pytest.fixture
def make(workshop):
    """16 inputs -> 8 features -> 5 values sent -> 4 hidden -> 3 classes; exits inside head and tail."""
    rng = np.random.default_rng(7)
    part, dense, relu = workshop.part, workshop.dense, workshop.relu
    fields = {
        "head": part(dense(rng, 16, 12), relu, dense(rng, 12, 8), relu),
        "exit": part(dense(rng, 8, 3)),
        "encoder": part(dense(rng, 8, 5)),
        "tail": part(dense(rng, 5, 4), relu, dense(rng, 4, 3)),
        "inner_exits": (
            InnerExit("tail", 2, part(dense(rng, 4, 3)), ExitRule(0.8)),
            InnerExit("head", 2, part(dense(rng, 12, 3)), ExitRule(0.9, temperature=2.0)),
        ),
        "exit_rule": ExitRule(
            0.5, criterion="learned", weights=(1, 2, 3, 4), profile=Profile((0, 0.5, 1), (3, 4))
        ),
    }
    return lambda **changes: workshop.build(**(fields | changes))


def test_parts_come_in_order_of_execution(make):
    assert list(make().parts) == ["head", "exit-head-2", "exit", "encoder", "tail", "exit-tail-2"]
    assert [one.name for one in make().exits("head")] == ["exit-head-2"]


def test_it_is_read_back_as_it_was_written(make, tmp_path):
    write(make(), tmp_path / "b")
    assert read(tmp_path / "b") == make()


def test_each_side_is_given_its_own_parts(make, tmp_path):
    folder = tmp_path / "b"
    write(make(), folder)
    for name in ("head", "exit", "encoder", "exit-head-2"):
        (folder / f"{name}.safetensors").unlink()
    assert present(folder) == ("tail", "exit-tail-2")
    tail = read(folder, parts=present(folder))
    assert [one.name for one in tail.inner_exits] == ["exit-tail-2"]
    assert (tail.features_digest, tail.n_sent) == (make().features_digest, 5)


def test_features_are_named_by_head_and_encoder(make):
    bundle = make()
    text = f"offramp head and encoder 1\n{bundle.head.digest}\n{bundle.encoder.digest}\n"
    assert bundle.features_digest == sha256(text.encode()).hexdigest()


def test_without_an_encoder_features_are_named_by_the_head(workshop):
    assert workshop.build().features_digest == workshop.build().head_digest


def test_replacing_a_bundle_leaves_no_part_of_the_old_one(make, workshop, tmp_path):
    write(make(), tmp_path / "b")
    write(workshop.build(), tmp_path / "b", overwrite=True)
    assert present(tmp_path / "b") == ("head", "exit", "tail")
    assert len(list((tmp_path / "b").iterdir())) == 4
    assert [entry.name for entry in tmp_path.iterdir()] == ["b"]


def test_a_missing_file_of_an_inner_exit_is_told_to_the_side_that_needs_it(make, tmp_path):
    write(make(), tmp_path / "b")
    check_exits(tmp_path / "b", "head")
    (tmp_path / "b" / "exit-head-2.safetensors").unlink()
    check_exits(tmp_path / "b", "tail")
    with pytest.raises(BundleError, match=r"exit-head-2.safetensors: not here, .* copy it beside the head"):
        check_exits(tmp_path / "b", "head")


def test_an_inner_exit_without_its_rule_is_refused(make, workshop, tmp_path):
    write(make(), tmp_path / "b")
    workshop.forge(tmp_path / "b", lambda content: content["inner_exits"].clear())
    with pytest.raises(BundleError, match="part exit-head-2 has no rule, or no file; train"):
        read(tmp_path / "b")


def wrong(make, workshop):
    rng = np.random.default_rng(0)
    part, dense = workshop.part, workshop.dense
    narrow = part(dense(rng, 6, 3))
    return {
        "an encoder of another width": (
            {"encoder": part(dense(rng, 8, 6))},
            "the encoder gives 6 values, the tail takes 5",
        ),
        "an encoder for another head": ({"encoder": part(dense(rng, 7, 5))}, "exit and encoder take 8 and 7"),
        "another encoder's digest": (
            {"encoder_digest": "0" * 64},
            "the encoder's digest is .* belong to encoder 000000000000",
        ),
        "an exit of another width": (
            {"inner_exits": (InnerExit("head", 2, narrow, ExitRule(1)),)},
            "exit-head-2 takes 6 values, the head has 12 there",
        ),
        "an exit after the last layer": (
            {"inner_exits": (InnerExit("tail", 3, narrow, ExitRule(1)),)},
            "exit-tail-3 stands after 3 layers of the tail, which has 3",
        ),
        "two exits in one place": (
            {"inner_exits": make().inner_exits[:1] * 2},
            "inner exits .*; give at most one for each place",
        ),
        "scores for other classes": (
            {"inner_exits": (InnerExit("head", 2, part(dense(rng, 12, 2)), ExitRule(1)),)},
            "the exit-head-2 gives 2 scores for 3 classes",
        ),
        "weights for other classes": (
            {"exit_rule": ExitRule(0.5, criterion="learned", weights=(1, 2))},
            "an exit rule with 2 weights for 3 classes",
        ),
    }


@pytest.mark.parametrize("case", [
    "an encoder of another width", "an encoder for another head", "another encoder's digest",
    "an exit of another width", "an exit after the last layer", "two exits in one place",
    "scores for other classes", "weights for other classes",
])  # fmt: skip
def test_what_does_not_fit_together_is_refused(make, workshop, case):
    changes, message = wrong(make, workshop)[case]
    with pytest.raises(BundleError, match=message):
        make(**changes)


def test_the_digest_of_an_encoder_elsewhere_is_kept(make):
    bundle = make()
    fields = {field.name: getattr(bundle, field.name) for field in dataclasses.fields(bundle)}
    tail = Bundle(**(fields | {"encoder": None, "head": None, "inner_exits": ()}))
    assert tail.features_digest == bundle.features_digest
