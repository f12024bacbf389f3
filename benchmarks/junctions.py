"""One junction against everybody who can compute it."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from benchmarks import peers
from benchmarks.rows import Row, row
from benchmarks.timing import Ratio, Work, interleaved
from offramp import kernels
from offramp.nn import SparseLinear

ALL = tuple(peers.PEERS)
SPARSE = ("torch dense", "torch csr", "sparselab")
DENSE = ("torch dense",)


@dataclass(frozen=True)
class Case:
    n_in: int
    n_out: int
    out_degree: int
    block: tuple[int, int] | None = (1, 1)  # None: auto
    batch: int = 256
    works: tuple[str, ...] = peers.WORKS
    peers: tuple[str, ...] = DENSE

    def layer(self) -> SparseLinear:
        block = None if self.kind in ("auto", "random") else self.block
        return SparseLinear(self.n_in, self.n_out, out_degree=self.out_degree, pattern=self.kind, block=block)

    @property
    def kind(self) -> str:
        if self.block is None:
            return "auto"
        return "random" if self.block == (1, 1) else "block"

    def __str__(self) -> str:
        how = "{}x{} blocks".format(*self.block) if self.block and self.kind == "block" else self.kind
        density = self.out_degree / self.n_out
        return f"{self.n_in} -> {self.n_out}, density {density:.3g}, {how}, batch {self.batch}"


def _squares(n: int) -> list[Case]:
    degrees = {n // 32: ALL, n // 8: ALL, n // 4: SPARSE}
    return [
        Case(n, n, degree, block, peers=whom)
        for degree, random_peers in degrees.items()
        for block, whom in (((1, 1), random_peers), ((4, 4), SPARSE), ((8, 8), DENSE))
    ]


CASES = [
    *_squares(1024),
    *_squares(4096),
    *(Case(1024, 1024, degree, None) for degree in (128, 512, 768, 1024)),
    *(Case(800, 80, degree, None) for degree in (40, 60, 80)),
    *(
        Case(4096, 4096, 512, block, batch=1, works=("forward",), peers=whom)
        for block, whom in (((1, 1), ALL), ((4, 4), SPARSE), ((8, 8), DENSE))
    ),
    *(
        Case(4096, 4096, 512, block, batch=batch, works=("forward",))
        for batch in (4, 16)
        for block in ((1, 1), (4, 4))
    ),
    Case(800, 40, 2, (1, 1), peers=ALL),
    Case(800, 40, 2, (4, 2), peers=SPARSE),
    Case(800, 80, 24, (1, 1), peers=SPARSE),
    Case(800, 80, 24, (4, 4), peers=SPARSE),
]
QUICK = [Case(1024, 1024, 128, (1, 1), peers=ALL), Case(1024, 1024, 128, (4, 4)), Case(800, 40, 2)]
BFLOAT16 = [Case(4096, 4096, 512, block, batch=batch) for batch in (1, 256) for block in ((1, 1), (4, 4))]
THREADED = [Case(4096, 4096, 512, block) for block in ((1, 1), (4, 4))]
THREADED_QUICK = [Case(4096, 4096, 128, (4, 4))]


def rows(case: Case, *, budget_s: float) -> Iterator[Row]:
    """Every work of the case against every peer, on one thread."""
    torch.set_num_threads(1)
    problem = _problem(case)
    mine = peers.ours(problem)
    theirs = {peer: peers.kernels_of(peer, problem) for peer in case.peers}
    for work in case.works:
        expected = mine[work].read(mine[work].run())
        able = {}
        for peer in case.peers:
            kernel = theirs[peer][work]
            if isinstance(kernel, peers.Kernel):
                peers.check_same(peer, work, kernel.read(kernel.run()), expected)
                able[peer] = kernel.run
        ratios = interleaved(mine[work].run, {p: able[p] for p in able if p in DENSE}, budget_s=budget_s)
        others = {p: able[p] for p in able if p not in DENSE}
        ratios |= interleaved(mine[work].run, others, budget_s=budget_s / 3, pairs=(3, 21))
        for peer in case.peers:
            kernel = theirs[peer][work]
            ratio = kernel if isinstance(kernel, str) else ratios[peer]
            yield _row(case, problem, work, peer, ratio, threads=1)


def thread_rows(case: Case, *, budget_s: float) -> Iterator[Row]:
    """Every work on two threads against ours on one."""
    problem = _problem(case)
    layer, x, dy = problem.layer, problem.x.numpy(), problem.dy.numpy()
    weight, bias, table = layer.weight.detach().numpy(), problem.bias.numpy(), layer.table.numpy()
    reverse = layer.reverse_table.numpy()

    def works(threads: int) -> dict[str, Work]:
        how = {"block": layer.pattern.block, "threads": threads}
        return {
            "forward": lambda: kernels.forward(x, weight, table, bias, **how),
            "grad_input": lambda: kernels.grad_input(dy, weight, reverse, **how),
            "grad_weight": lambda: kernels.grad_weight(x, dy, table, **how),
        }

    one, two, peer = works(1), works(2), "ours, one thread"
    for work in case.works:
        ratio = interleaved(two[work], {peer: one[work]}, budget_s=budget_s)[peer]
        yield _row(case, problem, work, peer, ratio, threads=2)


def bfloat16_rows(case: Case, *, budget_s: float) -> Iterator[Row]:
    """The forward pass in bfloat16 against ours in float32 and Torch's dense layer in bfloat16."""
    torch.set_num_threads(1)
    problem = _problem(case)
    with torch.no_grad():
        half, dense = copy.deepcopy(problem.layer).bfloat16(), problem.layer.to_dense().bfloat16()
        x, single = problem.x.bfloat16(), problem.layer
        expected = single(problem.x)
        for name, answer in (("ours", half(x)), ("torch dense", dense(x))):  # 8 bits of each number
            peers.check_same(f"{name} in bfloat16", "forward", answer.float(), expected, tolerance=3e-2)
        others = {"ours, float32": lambda: single(problem.x), "torch dense": lambda: dense(x)}
        ratios = interleaved(lambda: half(x), others, budget_s=budget_s)
        for peer, ratio in ratios.items():
            yield _row(case, problem, "forward_bfloat16", peer, ratio, threads=1)


def _problem(case: Case) -> peers.Problem:
    torch.manual_seed(0)
    return peers.Problem(
        case.layer(), torch.randn(case.batch, case.n_in), torch.randn(case.batch, case.n_out)
    )


def _row(
    case: Case, problem: peers.Problem, work: str, peer: str, ratio: Ratio | str, *, threads: int
) -> Row:
    return row(
        work,
        case.n_in,
        case.n_out,
        density=case.out_degree / case.n_out,
        batch=case.batch,
        threads=threads,
        block=problem.layer.pattern.block,
        pattern=case.kind,
        peer=peer,
        ratio=ratio,
    )
