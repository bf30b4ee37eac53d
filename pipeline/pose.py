"""clips -> pose: keypoints and body surface of the people in every frame."""

from pathlib import Path
from typing import Any

from pipeline import extractors, overlap, params


def run_clip(clips: Path, out: Path, p: params.Pose, made_by: dict[str, Any], device: str) -> None:
    raise NotImplementedError(extractors, overlap)
