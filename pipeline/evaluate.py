"""Real and synthesized video -> metrics.json: vid2vid beside the same generator without the past, two trivial methods and the real video.

Everything is measured on lossless frames. A method's value is that of all frames of all test clips together, each frame counting alike
(PSNR from the mean squared error, the gradient energy's ratio from the mean energies, mIoU from the summed confusion matrix). Video FID and
kernel video distance compare all windows of a method with the same windows of the real video. Real frames that vid2vid was given to begin
with count for no method.
"""

import json
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import arrays, baselines, layout, params, progress, video_network
from pipeline.deeplabv3 import Segmenter
from pipeline.errors import InputError
from pipeline.index import read_index
from pipeline.metrics.frechet_distance import frechet_distance
from pipeline.metrics.image import gradient_energy, psnr, squared_error, ssim
from pipeline.metrics.kernel_distance import kernel_distance
from pipeline.metrics.measures import FULL, MEASURES, METHODS, REAL
from pipeline.metrics.segmentation import confusion, mean_iou
from pipeline.metrics.video_features import WindowFeatures, num_windows
from pipeline.metrics.warping_error import warping_error
from pipeline.palettes import Palette, from_attributes
from pipeline.video_network import VideoNetwork

Segment = Callable[[np.ndarray], np.ndarray]
"""A frame (h w 3) -> its labels (h w)."""


def run(
    clips: Path,
    segmentation: Path | None,
    optical_flow: Path,
    segmentation_model: Path,
    segmentation_scores: Path,
    dataset: Path,
    synthesize: Path,
    synthesize_per_frame: Path,
    out: Path,
    p: params.Evaluate,
    device: str,
) -> None:
    test = read_index(dataset, "test")
    given = {clip: _given(synthesize / clip) for clip in test["clip"]}
    scored = [row["num_frames"] - given[row["clip"]] for row in test.to_dict("records")]
    _require_windows(scored, p.video_network, beside_given=any(given.values()))
    network = video_network.load(p.video_network, device)
    palette = _palette(segmentation / test["clip"].iloc[0]) if segmentation else None
    segment = _segment(segmentation_model, palette, device) if palette else None
    colours = baselines.mean_colours(_training_pairs(clips, segmentation, dataset)) if segmentation else None
    tallies: dict[str, dict[str, Tally]] = {}
    features: dict[str, list[np.ndarray]] = {}
    for row in progress.track(test.to_dict("records"), "evaluate", len(test)):
        clip = row["clip"]
        real = _Real.opened(clip, _used(row)[given[clip] :], clips, segmentation, optical_flow, p.stride)
        videos = {
            "vid2vid": _synthesized(synthesize / clip, given[clip]),
            "per_frame": _synthesized(synthesize_per_frame / clip, given[clip]),
            "copy_first_frame": baselines.copy_first_frame(real.rgb()),
            "mean_colour_per_label": baselines.mean_colour_per_label(real.labels(), colours) if colours is not None else None,
            "real": real.rgb(),
        }
        for method, video in videos.items():
            if video is not None:
                windows = _windows(network, p.video_network)
                tallies.setdefault(method, {})[clip] = _measured(video, real, segment, windows, p.stride)
                features.setdefault(method, []).extend(windows.features)
    of_windows = {method: np.stack(found) for method, found in features.items()}
    scores = _scores(tallies, of_windows, segmentation_scores, _about(network, p.video_network, of_windows[REAL]))
    scores["test"]["given_frames"] = sum(given.values())
    layout.scores(out).write_text(json.dumps(scores, indent=1) + "\n")


@dataclass
class Tally:
    """Sums over frames; those of several clips are added."""

    frames: int = 0
    warping_error: float = 0.0
    warped_frames: int = 0
    """With an earlier frame and at least one pixel seen in both."""
    squared_error: float = 0.0
    ssim: float = 0.0
    gradient_energy: float = 0.0
    real_gradient_energy: float = 0.0
    confusion: Any = field(default=0)
    """Pixels by the label that the frame was made from (row) and that of the result; 0 where nothing was segmented again."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def scores(self, of_real: bool) -> dict[str, float | None]:
        """Means over frames, by the measures' keys. Against itself, the real video has no PSNR and no SSIM."""
        values = {
            "warping_error": self.warping_error / self.warped_frames if self.warped_frames else None,
            "gradient_energy_ratio": self.gradient_energy / self.real_gradient_energy if self.real_gradient_energy else None,
            "psnr": None if of_real else psnr(self.squared_error / self.frames),
            "ssim": None if of_real else self.ssim / self.frames,
            "miou": mean_iou(self.confusion) if isinstance(self.confusion, np.ndarray) else None,
        }
        return {measure.key: _rounded(values[measure.key]) for measure in MEASURES if not measure.of_windows}


@dataclass(frozen=True)
class _Real:
    """The part of a test clip that is used."""

    used: range
    frames: arrays.Clip
    segmentation: arrays.Clip | None
    optical_flow: arrays.Clip
    palette: Palette | None

    @classmethod
    def opened(cls, clip: str, used: range, clips: Path, segmentation: Path | None, optical_flow: Path, stride: int) -> "_Real":
        frames = arrays.reading(layout.arrays(clips / clip, "frames"))
        labels = arrays.reading(layout.arrays(segmentation / clip, "segmentation")) if segmentation else None
        motion = arrays.reading(layout.arrays(optical_flow / clip, "optical_flow"))
        if stride not in motion.attributes["strides"]:
            raise InputError(f"evaluate.stride is {stride}: optical_flow.strides has {', '.join(map(str, motion.attributes['strides']))}")
        return cls(used, frames, labels, motion, _palette(segmentation / clip) if segmentation else None)

    def rgb(self) -> Iterator[np.ndarray]:
        return (self.frames["rgb"][t] for t in self.used)

    def labels(self) -> Iterator[np.ndarray]:
        assert self.segmentation is not None
        return (self.segmentation["label"][t] for t in self.used)

    def confusion(self, label: np.ndarray | None, fake: np.ndarray, segment: Segment | None) -> Any:
        if label is None or segment is None or self.palette is None:
            return 0
        return confusion(self.palette.learned_labels(label), segment(fake), self.palette.num_labels)

    def motion(self, stride: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Optical flow and confidence."""
        moved, sure = (self.optical_flow[f"{name}_{stride}"] for name in ("optical_flow", "confidence"))
        return ((moved[t], sure[t]) for t in self.used)


def _measured(video: Iterator[np.ndarray], real: _Real, segment: Segment | None, windows: WindowFeatures, stride: int) -> Tally:
    """Holds no more than `stride` frames of the video, and a window."""
    tally, earlier = Tally(), deque[np.ndarray](maxlen=stride)
    labels = real.labels() if segment else repeat(None, len(real.used))
    for fake, rgb, label, motion in zip(video, real.rgb(), labels, real.motion(stride), strict=True):
        error = warping_error(fake, earlier[0], optical_flow=motion[0], confidence=motion[1]) if len(earlier) == stride else None
        tally += Tally(
            frames=1,
            warping_error=error or 0.0,
            warped_frames=error is not None,
            squared_error=squared_error(rgb, fake),
            ssim=ssim(rgb, fake),
            gradient_energy=gradient_energy(fake),
            real_gradient_energy=gradient_energy(rgb),
            confusion=real.confusion(label, fake, segment),
        )
        earlier.append(fake)
        windows.see(fake)
    return tally


def _require_windows(nums_frames: list[int], p: params.VideoNetwork, *, beside_given: bool) -> None:
    found = sum(num_windows(num_frames, p.window_frames, p.window_stride) for num_frames in nums_frames)
    if found < 2:
        besides = " besides those that were given" if beside_given else ""
        raise InputError(
            f"evaluate.video_network: {found} {'window' if found == 1 else 'windows'} of window_frames = {p.window_frames} in "
            f"{len(nums_frames)} test {'clip' if len(nums_frames) == 1 else 'clips'} of at most {max(nums_frames)} frames{besides}; at "
            f"least 2 are needed: lower that or window_stride = {p.window_stride}, or take longer test clips"
        )


def _windows(network: VideoNetwork, p: params.VideoNetwork) -> WindowFeatures:
    return WindowFeatures(network.prepare, network.features, length=p.window_frames, stride=p.window_stride)


def _distances(real: np.ndarray, fake: np.ndarray) -> dict[str, float | None]:
    return {
        "video_fid": _rounded(frechet_distance(real, fake)),
        "kernel_video_distance": _rounded(kernel_distance(real, fake)),
    }


def _about(network: VideoNetwork, p: params.VideoNetwork, real: np.ndarray) -> dict[str, Any]:
    """What the distances were measured by, and how far real windows are from other real ones."""
    half = len(real) // 2
    return {
        "name": p.name,
        "weights_given": p.weights is not None,
        "weights_sha256": network.weights_sha256,
        "features_are": network.features_are,
        "features": real.shape[1],
        "window_frames": p.window_frames,
        "window_stride": p.window_stride,
        "windows": len(real),
        "between_halves_of_real": _distances(real[:half], real[half:]) if half >= 2 else {},
    }


def _training_pairs(clips: Path, segmentation: Path, dataset: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for row in read_index(dataset, "train").to_dict("records"):
        rgb = arrays.reading(layout.arrays(clips / row["clip"], "frames"))["rgb"]
        label = arrays.reading(layout.arrays(segmentation / row["clip"], "segmentation"))["label"]
        yield from ((rgb[t], label[t]) for t in _used(row))


def _used(row: Mapping[Hashable, Any]) -> range:
    """Of a clip's frames, those that the index names."""
    return range(row["start"], row["start"] + row["num_frames"])


def _palette(labelled: Path) -> Palette:
    return from_attributes(arrays.reading(layout.arrays(labelled, "segmentation")).attributes["palette"])


def _given(synthesized: Path) -> int:
    """How many of a video's first frames are real ones."""
    number: int = arrays.reading(layout.arrays(synthesized, "frames")).attributes["given_frames"]
    return number


def _synthesized(folder: Path, given: int) -> Iterator[np.ndarray] | None:
    """Without the first frames that vid2vid was given; None where this generator was not trained."""
    path = layout.arrays(folder, "frames")
    return islice(arrays.reading(path).frames("rgb"), given, None) if path.is_file() else None


def _segment(model: Path, palette: Palette, device: str) -> Segment | None:
    """The data set's segmentation network; None where it has none."""
    checkpoint = layout.segmentation_checkpoint(model)
    if not checkpoint.is_file():
        return None
    network = Segmenter.load(checkpoint, device)
    if network.palette != palette:
        raise InputError(
            f"{checkpoint}: its palette {network.palette.name} is not the labels' {palette.name}: see segmentation.weights_from"
        )
    return lambda rgb: network.predict(rgb[None])[0]


def _scores(
    tallies: dict[str, dict[str, Tally]], of_windows: dict[str, np.ndarray], segmentation_scores: Path, about_network: dict[str, Any]
) -> dict[str, Any]:
    """`of_windows`: by method, the features of all its windows, n d.

    Lists (the clips, the one video network) and null are left out by `dvc metrics show`: they would be a hundred columns.
    """
    totals = {method: sum(of_clips.values(), Tally()) for method, of_clips in tallies.items()}
    distances = {method: _distances(of_windows[REAL], fake) for method, fake in of_windows.items() if method != REAL}
    distances[REAL] = dict.fromkeys(distances[FULL])
    scores = {method: {**totals[method].scores(method == REAL), **distances[method]} for method in METHODS if method in totals}
    return {
        **scores,
        "vid2vid_better_than_per_frame": _comparison(scores[FULL], scores["per_frame"]) if "per_frame" in scores else {},
        "video_network": [about_network],
        "segmentation_model": {"held_out_miou": json.loads(layout.scores(segmentation_scores).read_text()).get("miou")},
        "test": {"clips": len(tallies[REAL]), "frames": totals[REAL].frames},
        "clips": [
            {"clip": clip, "method": method, "frames": tally.frames, **tally.scores(method == REAL)}
            for method, of_clips in tallies.items()
            for clip, tally in of_clips.items()
        ],
    }


def _comparison(full: dict[str, float | None], other: dict[str, float | None]) -> dict[str, bool | None]:
    return {measure.key: measure.is_better(full[measure.key], other[measure.key]) for measure in MEASURES}


def _rounded(value: float | None) -> float | None:
    """Six significant digits are more than rounding errors move."""
    return None if value is None or np.isnan(value) else float(f"{value:.6g}")
