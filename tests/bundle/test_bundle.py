import numpy as np
import pytest

from offramp.bundle import Preprocessing
from offramp.errors import BundleError


def test_the_head_digest_is_the_heads(workshop):
    bundle = workshop.build()
    assert bundle.head_digest == bundle.head.digest
    assert list(bundle.parts) == ["head", "exit", "tail"]


def test_a_tail_alone_keeps_the_digest_of_the_head_it_belongs_to(workshop):
    digest = workshop.build().head.digest
    bundle = workshop.build(head=None, exit=None, head_digest=digest)
    assert bundle.head_digest == digest
    assert list(bundle.parts) == ["tail"]


def wrong(workshop):
    other = workshop.build(1, hidden=4)
    narrow = workshop.part(workshop.dense(np.random.default_rng(0), 6, 3))
    return {
        "no parts": ({"head": None, "exit": None, "tail": None}, "a bundle of no parts"),
        "a name that is a path": ({"name": "../tiny"}, "bundle name '../tiny'; give a letter or digit"),
        "another head's digest": (
            {"head_digest": other.head_digest},
            "the head's digest is .*take all parts",
        ),
        "no head and no digest": ({"head": None}, "head_digest ''; without a head, give the 64 hex digits"),
        "no head and a bad digest": (
            {"head": None, "head_digest": "A" * 64},
            "head_digest 'A+'; give the 64 hex digits",
        ),
        "inputs that do not fit": (
            {"preprocessing": Preprocessing((12,), "uint8")},
            "the head takes 16 values and the preprocessing gives 12; they must be equal, see pad_to",
        ),
        "an exit of another width": (
            {"exit": narrow},
            "the head gives 8 features, exit and tail take 6 and 8; they must be equal",
        ),
        "a tail of another width": (
            {"head": None, "head_digest": other.head_digest, "tail": narrow},
            "the head gives None features, exit and tail take 8 and 6",
        ),
        "too few classes": (
            {"classes": ("ant", "bee")},
            "the exit gives 3 scores for 2 classes; give one for each",
        ),
        "a class twice": (
            {"classes": ("ant", "bee", "ant")},
            r"classes \('ant', 'bee', 'ant'\); give two names",
        ),
        "a class of no name": ({"classes": ("ant", "", "bee")}, "none empty"),
        "one class": ({"classes": ("ant",)}, "give two names or more"),
    }


@pytest.mark.parametrize("case", [
    "no parts", "a name that is a path", "another head's digest", "no head and no digest",
    "no head and a bad digest", "inputs that do not fit", "an exit of another width",
    "a tail of another width", "too few classes", "a class twice", "a class of no name", "one class",
])  # fmt: skip
def test_what_does_not_fit_together_is_refused(workshop, case):
    changes, message = wrong(workshop)[case]
    with pytest.raises(BundleError, match=message):
        workshop.build(**changes)
