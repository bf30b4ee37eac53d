"""`python -m benchmarks.tiny_stage optical_flow --dataset D`: flows.stage with an optical flow of one byte a clip."""

import sys
from pathlib import Path

from flows import stage
from pipeline import journey


def run_clip(clips: Path, out: Path) -> None:
    (out / "byte").write_bytes(b"0")


# At import, so that it holds in the worker processes, too.
journey.STAGES["optical_flow"] = journey.Stage("optical_flow", "benchmarks.tiny_stage:run_clip", per="clip")

if __name__ == "__main__":
    sys.exit(stage.main())
