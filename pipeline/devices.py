"""Where a training runs: a CPU or GPU, or one of several processes that share a batch (started by torchrun). Through accelerate."""

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Devices:
    """This process and, if there are any, the others that train the same networks with it."""

    def __init__(self, device: str) -> None:
        self.processes = int(os.environ.get("WORLD_SIZE", "1"))
        self.process = int(os.environ.get("RANK", "0"))
        self.device = torch.device(device)
        self._accelerator: Any = None
        if self.processes > 1:
            from accelerate import Accelerator, DistributedDataParallelKwargs

            # a phase trains fewer scales than there are, and a video's first frame has no motion branch
            shared = DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False)
            self._accelerator = Accelerator(cpu=device == "cpu", kwargs_handlers=[shared])
            self.device = self._accelerator.device

    @property
    def is_main(self) -> bool:
        """The one process that writes."""
        return self.process == 0

    def sharing(self, network: nn.Module) -> nn.Module:
        """The network, whose gradients become the mean over all processes."""
        return self._accelerator.prepare_model(network) if self._accelerator else network

    def mean(self, values: Tensor) -> Tensor:
        return self._accelerator.reduce(values, reduction="mean") if self._accelerator else values

    def any(self, here: bool) -> bool:
        """Whether it is so in any process."""
        return bool(self.mean(torch.tensor(float(here), device=self.device)) > 0)

    def gathered(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Of each tensor, whose first axis is the batch's, that of the whole batch."""
        return [self._accelerator.gather(part) if self._accelerator else part for part in parts]

    def wait(self) -> None:
        """Until all processes are here."""
        if self._accelerator:
            self._accelerator.wait_for_everyone()
