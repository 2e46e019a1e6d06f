"""Processes that train together, as ``torchrun`` starts them."""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist

__all__ = ["World", "join_world"]


@dataclass(frozen=True, slots=True)
class World:
    """This process among those that train together.

    Attributes:
        rank: Number of this process; 0 writes the files.
        size: How many there are.
        device: Where this one computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def mean(self, value: float) -> float:
        """Mean of a number over the processes."""
        if self.size == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=self._numbers)
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

    @property
    def _numbers(self) -> torch.device:
        return self.device if self.device.type == "cuda" else torch.device("cpu")


def join_world(device: torch.device) -> World:
    """Join the processes that ``torchrun`` started, or stay alone.

    Args:
        device: Kind of device to compute on; each process takes its own GPU.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World(0, 1, device)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return World(dist.get_rank(), size, device)
