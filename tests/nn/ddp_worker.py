"""One of two processes that share a batch: python ddp_worker.py RANK FOLDER; see test_sparse_linear.py."""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from offramp.nn import SparseLinear


def main(rank: int, folder: Path) -> None:
    store = torch.distributed.FileStore(str(folder / "store"), 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    data = load_file(folder / "data.safetensors")
    torch.manual_seed(0)
    network = nn.Sequential(SparseLinear(16, 24, out_degree=6), nn.ReLU(), SparseLinear(24, 8, out_degree=4))
    model = nn.parallel.DistributedDataParallel(network)
    mine = slice(rank, None, 2)
    (model(data["x"][mine]) - data["target"][mine]).square().mean().backward()
    gradients = {name: value.grad for name, value in network.named_parameters() if value.grad is not None}
    save_file(gradients, folder / f"gradients{rank}.safetensors")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
