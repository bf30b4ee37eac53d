"""Where a training runs: a CPU or GPU, or one of several processes that share a batch (`pipeline.ranks` or
torchrun has started them). Through accelerate."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import InputError
from pipeline.launched import by_torchrun


class Devices:
    """This process and, if there are any, the others that train the same networks with it."""

    def __init__(self, device: str | torch.device, *, alone: bool = False) -> None:
        """`alone`: as if there were no others."""
        launched = None if alone else by_torchrun()
        self.processes, self.process = (launched.processes, launched.number) if launched else (1, 0)
        self.device = torch.device(device)
        self._accelerator: Any = None
        if self.processes > 1:
            from accelerate import Accelerator

            self._accelerator = Accelerator(cpu=self.device.type == "cpu")
            self.device = self._accelerator.device

    @property
    def is_main(self) -> bool:
        """The one process that writes."""
        return self.process == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Each becomes its mean over all processes, in place: all in one exchange."""
        if self._accelerator:
            means = self.mean(torch.cat([tensor.flatten() for tensor in tensors]))
            for tensor, mean in zip(tensors, torch.split(means, [tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(mean.view_as(tensor))

    def mean(self, values: Tensor) -> Tensor:
        return self._accelerator.reduce(values, reduction="mean") if self._accelerator else values

    def any(self, here: bool) -> bool:
        """Whether it is so in any process."""
        if not self._accelerator:
            return here
        return bool(self.mean(torch.tensor(float(here), device=self.device)) > 0)

    def require_equal(self, number: int, what: str) -> None:
        """InputError where processes differ in it."""
        if self.any(self.mean(torch.tensor(float(number), dtype=torch.float64, device=self.device)).item() != number):
            raise InputError(f"processes that train together differ in {what}")

    def gathered(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Of each tensor, whose first axis is the batch's, that of the whole batch."""
        return [self._accelerator.gather(part) if self._accelerator else part for part in parts]

    def wait(self) -> None:
        """Until all processes are here."""
        if self._accelerator:
            self._accelerator.wait_for_everyone()
