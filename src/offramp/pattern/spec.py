"""A pattern to be built later, when the widths are known."""

from dataclasses import dataclass

from offramp.errors import PatternError
from offramp.pattern.affine import affine
from offramp.pattern.auto import auto
from offramp.pattern.clash_free import clash_free
from offramp.pattern.full import full
from offramp.pattern.junction import Junction, whole_number
from offramp.pattern.pattern import Pattern, allowed_blocks, checked_block
from offramp.pattern.random_regular import block, random

PATTERN_KINDS = ("full", "random", "block", "affine", "clash_free", "auto")
_BLOCK_KINDS = ("full", "block", "affine")


@dataclass(frozen=True)
class PatternSpec:
    """Which generator to use, and its options.

    Args:
        kind: one of PATTERN_KINDS; "auto" is "block" with the block that computes fastest, or "full" as one
            block where the out-degree is n_out.
        block: (r, c), for "full", "block" and "affine" only; "block" cannot be built without.
        seed: a whole number, 0 or more; "full" has no use for it.
        type, z, dither: for "clash_free" only.

    Raises:
        PatternError: an unknown kind, or an option of another kind.
    """

    kind: str = "random"
    block: tuple[int, int] | None = None
    seed: int = 0
    type: int = 1
    z: int | None = None
    dither: bool = False

    def __post_init__(self) -> None:
        if self.kind not in PATTERN_KINDS:
            raise PatternError(f"pattern={self.kind!r} is unknown; use {', '.join(PATTERN_KINDS)}")
        if self.block is not None:
            object.__setattr__(self, "block", checked_block(self.block))
            if self.kind == "auto":
                raise PatternError(
                    f'pattern="auto" chooses the block itself, but block={self.block};'
                    ' leave block out, or use pattern="block"'
                )
            if self.kind not in _BLOCK_KINDS:
                raise PatternError(
                    f'pattern="{self.kind}" has no blocks, but block={self.block};'
                    ' use pattern="block" for random blocks'
                )
        if self.kind != "clash_free":
            for name, default in (("type", 1), ("z", None), ("dither", False)):
                if (value := getattr(self, name)) != default:
                    raise PatternError(
                        f'pattern="{self.kind}" has no {name}, but {name}={value}; use pattern="clash_free"'
                    )
        object.__setattr__(self, "seed", whole_number("seed", self.seed, at_least=0))

    def build(self, n_in: int, n_out: int, out_degree: int) -> Pattern:
        """The pattern for these widths.

        Raises:
            PatternError: the junction, the block or z cannot be; "full" with another out-degree than n_out.
        """
        junction = Junction(n_in, n_out, out_degree)
        r_c = self.block or (1, 1)
        match self.kind:
            case "random":
                return random(n_in, n_out, out_degree, seed=self.seed)
            case "affine":
                return affine(n_in, n_out, out_degree, block=r_c, seed=self.seed)
            case "auto":
                return auto(n_in, n_out, junction.out_degree, seed=self.seed)
            case "clash_free":
                return clash_free(
                    n_in, n_out, out_degree, type=self.type, z=self.z, dither=self.dither, seed=self.seed
                )
            case "block":
                if self.block is None:
                    raise PatternError(
                        f'pattern="block" needs block=(r, c); out_degree={out_degree} on {n_in} to {n_out}'
                        f" neurons allows {allowed_blocks(n_in, n_out, out_degree)}"
                    )
                return block(n_in, n_out, out_degree, block=r_c, seed=self.seed)
            case _:
                if junction.out_degree != junction.n_out:
                    raise PatternError(
                        f'pattern="full" has every edge, but out_degree={out_degree};'
                        f" use out_degree={n_out} or another pattern"
                    )
                return full(n_in, n_out, block=r_c)
