"""What every section of params.yaml is, the numbers that several have, and the machine."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(gt=0, le=1_000_000_000)]
CountOrZero = Annotated[int, Field(ge=0, le=1_000_000_000)]
Few = Annotated[int, Field(gt=0, le=100)]
Pixels = Annotated[int, Field(ge=16, le=16_384)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0.01, le=1000)]
"""Frames a second."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    """Strict: "220", 220.0 or true is no number of steps."""

    uncounted: ClassVar[frozenset[str]] = frozenset()
    """Fields that change no byte of a result: they are in no key."""

    def counted(self) -> dict[str, Any]:
        """What can change a result, and so counts in its key."""
        names = set(type(self).model_fields) - self.uncounted
        parts = {name: part.counted() for name in names if isinstance(part := getattr(self, name), Section)}
        return {name: parts.get(name, value) for name, value in self.model_dump(include=names).items()}


class Machine(Section):
    """Where the work runs. Only `device`, `threads` and `devices` can change results, in rounding; `devices` is in no key."""

    device: Literal["cpu", "cuda"]
    threads: Annotated[int, Field(gt=0, le=1024)]
    """CPU threads of a whole-data-set stage (training); per-clip stages use one thread in each worker."""
    devices: Count
    """Processes that train together on this machine, a GPU each; they share the batch. Several machines: docs/operations.md."""
    workers: Count
    """Processes that work on clips side by side."""
    task_runner: Literal["local", "dask", "ray"]
    """Where a Prefect server answers: what maps the clips. `local`: the worker processes of this machine."""
