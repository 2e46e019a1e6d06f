"""Processes that train together, as ``torchrun`` starts them."""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist


@dataclass(frozen=True, slots=True)
class World:
    """This process among the `size` that train together; it computes on `device`."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of `count` things, a multiple of the size, fall to this process."""
        part = count // self.size
        return slice(self.rank * part, (self.rank + 1) * part)

    def mean(self, value: float) -> float:
        """Mean of a number over the processes."""
        if self.size == 1:
            return value
        device = self.device if self.device.type == "cuda" else "cpu"
        tensor = torch.tensor(value, dtype=torch.float64, device=device)
        dist.all_reduce(tensor)
        return float(tensor) / self.size

    def any(self, value: bool) -> bool:
        """Whether it is so in one of the processes."""
        return self.mean(float(value)) > 0

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            dist.barrier()

    def leave(self) -> None:
        """End the group."""
        if self.size > 1:
            dist.destroy_process_group()


def join_world(device: torch.device) -> World:
    """Join the processes that ``torchrun`` started, each on a GPU of its own, or stay alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World(0, 1, device)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return World(dist.get_rank(), size, device)
