"""The full model against the paper's ablations, binary masks and the same generator per frame: same parameters, steps, seeds and data.

Prints what `evaluate` measured, how much each variant draws anew where (the mean mask), and what happens to a car that is approached:
there a warped picture blurs, and a soft mask can mend it. Of several seeds: the median (smallest-largest). All that is trained lies in
the project's store: a run that was stopped goes on.
"""

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from benchmarks.measure import machine
from benchmarks.variants import SHARED, Settings, Variant, make, metrics, project
from models.generator import Frame
from models.maps import instance_edges
from pipeline import layout, palettes, street_world
from pipeline.checkpoint import TrainedGenerator
from pipeline.index import read_index
from pipeline.maps import ClipMaps, MapFolders
from pipeline.metrics.measures import MEASURES
from pipeline.tensors import StoredMaps, foreground_of, maps_to_tensor, tensor_to_frames

VARIANTS = (
    Variant("full", per_frame=True),
    Variant("no foreground", {"generator": {"foreground": False}}),
    Variant("no video discriminator", {"video_discriminator": {"strides": []}}),
    Variant("no warping", {"generator": {"warping": False}}),
    Variant("binary mask", {"generator": {"mask": "binary"}}),
    Variant("binary mask, no foreground", {"generator": {"mask": "binary", "foreground": False}}),
    Variant("sequences of 4", {"double_every": None, "video_discriminator": {"strides": [1]}}),
)
STREET_ALONE = ("binary mask, no foreground", "sequences of 4")
BESIDE = ("copy_first_frame", "mean_colour_per_label", "real")
"""Of the full model's metrics.json: they are the same for all."""
APPROACHES, APPROACH_FRAMES, APPROACH_SEED = 6, 24, 700_000
PARTS = 3
"""An approach is looked at in thirds."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablations", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the real data: CamVid, too")
    parser.add_argument("--steps", type=int, default=180)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="every variant is trained with each: what is chance")
    parser.add_argument("--size", default="128x64", help="WIDTHxHEIGHT of the street's frames")
    parser.add_argument(
        "--only", nargs="*", choices=[variant.name for variant in VARIANTS], help="variants beside the first; all where none is named"
    )
    parser.add_argument("--keep", type=Path, help="folder of the project, which is left there; what it has is used again")
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    settings = Settings(width, height, asked.steps, asked.data and asked.data.resolve())
    variants = [variant for variant in VARIANTS if asked.only is None or variant.name in [VARIANTS[0].name, *asked.only]]
    seeded = {variant.name: [variant.seeded(seed) for seed in asked.seeds] for variant in variants}
    everything = [variant for of_seeds in seeded.values() for variant in of_seeds]
    with tempfile.TemporaryDirectory() as folder, project((asked.keep or Path(folder)).resolve(), settings, everything):
        torch.set_num_threads(1)
        for world in settings.worlds():
            tables(world, {name: found for name, found in seeded.items() if world == "street" or name not in STREET_ALONE}, settings)
    print(f"\n{machine()}")


Seeded = dict[str, list[Variant]]
"""By its name, a variant with each seed."""


def tables(world: str, seeded: Seeded, settings: Settings) -> None:
    everything = [variant for of_seeds in seeded.values() for variant in of_seeds]
    computed = [make(variant.dataset(world)) for variant in everything]
    print(f"\n{world}, {settings.steps} steps\n")
    _print_scores(world, seeded)
    _print_masks(world, seeded)
    if world == "street":
        _print_approach(seeded, settings)
    again = sum(of_variant[stage] for of_variant in computed[1:] for stage in SHARED)
    print(f"\nOf what comes before training, {again} results were computed again for a variant after the first.", flush=True)


def _print_scores(world: str, seeded: Seeded) -> None:
    _header("", *(measure.label for measure in MEASURES))
    found = {name: [metrics(variant.dataset(world)) for variant in of_seeds] for name, of_seeds in seeded.items()}
    for name, scores in found.items():
        _row(name, *_values([of_seed["vid2vid"] for of_seed in scores]))
        if "per_frame" in scores[0]:
            _row(f"{name}, per frame", *_values([of_seed["per_frame"] for of_seed in scores]))
    first = next(iter(found.values()))[0]
    for method in BESIDE:
        _row(method.replace("_", " "), *_values([first[method]]))
    about = first["video_network"][0]
    halves = " and ".join(f"{value:.3g}" for value in about["between_halves_of_real"].values())
    print(f"\nVideo FID, kernel video distance: {about['features_are']}; {about['windows']} windows; between the real halves {halves}.")


def _values(scores: list[dict[str, float | None]]) -> list[str]:
    """Of each seed."""
    digits = {"psnr": ".4g"}
    return [_cell([of_seed[m.key] for of_seed in scores], digits.get(m.key, ".3g")) for m in MEASURES]


def _cell(values: list[float | None], digits: str) -> str:
    known = sorted(value for value in values if value is not None)
    if len(known) < 2:
        return f"{known[0]:{digits}}" if known else ""
    return f"{np.median(known):{digits}} ({known[0]:{digits}}-{known[-1]:{digits}})"


def _print_masks(world: str, seeded: Seeded) -> None:
    """Of each test clip's frames but the first, where all is drawn."""
    print()
    _header("mean mask over", "foreground", "background")
    for name, of_seeds in seeded.items():
        shares = np.stack([_mean_masks(variant.dataset(world)) for variant in of_seeds])
        _row(name, *(_cell(region.tolist(), ".3f") for region in shares.T))


def _mean_masks(dataset: str) -> Float[np.ndarray, " regions"]:
    trained = TrainedGenerator(layout.networks(layout.stage(dataset, "train")), "cpu")
    return _ratios(np.sum([_mask_by_region(trained, maps) for maps in _test_maps(dataset, trained)], axis=0))


def _test_maps(dataset: str, trained: TrainedGenerator) -> Iterator[Float[Tensor, "t c h w"]]:
    segmentation, instances = (layout.stage(dataset, stage) for stage in ("segmentation", "instances"))
    for clip in read_index(layout.stage(dataset, "dataset"), "test")["clip"]:
        maps = ClipMaps(MapFolders(segmentation, instances, edges=None, pose=None).of(clip), trained.kind)
        yield maps_to_tensor(maps, range(len(maps)))


def _mask_by_region(trained: TrainedGenerator, maps: Float[Tensor, "t c h w"]) -> Float[np.ndarray, "regions 2"]:
    """Of foreground and background: the sum of the mask, and pixels."""
    foreground = foreground_of(maps, trained.kind)
    assert foreground is not None
    masks = torch.cat([frame.mask for frame in drawn(trained, maps)])[1:]
    return np.array([[float((masks * region).sum()), float(region.sum())] for region in (foreground[1:], 1 - foreground[1:])])


@torch.inference_mode()
def drawn(trained: TrainedGenerator, maps: Float[Tensor, "t c h w"]) -> Iterator[Frame]:
    """A video from nothing, frame by frame."""
    network = trained.network
    foreground = foreground_of(maps, trained.kind) if network.foreground else None
    state = network.start(None)
    for t in range(len(maps)):
        window = [max(n, 0) for n in range(t - network.past_frames, t + 1)]
        frame, state = network.step(maps[window][None], None if foreground is None else foreground[[t]], state)
        yield frame


def _print_approach(seeded: Seeded, settings: Settings) -> None:
    sums: dict[str, Any] = defaultdict(lambda: np.zeros((PARTS, 2, 2)))
    everything = [variant for of_seeds in seeded.values() for variant in of_seeds]
    generators = {v.name: TrainedGenerator(layout.networks(layout.stage(v.dataset("street"), "train")), "cpu") for v in everything}
    for number in range(APPROACHES):
        approach = _Approach.rendered(APPROACH_SEED + number, settings)
        for name, trained in generators.items():
            sums[name] += approach.seen(trained)
    print(f"\nIn the region of the car that is approached, {APPROACHES} clips of {APPROACH_FRAMES} frames, by thirds of a clip:\n")
    _header("", *(f"{what}, {part}" for what in ("mask", "gradient energy") for part in ("first", "second", "last")))
    for name, of_seeds in seeded.items():
        found = np.stack([_ratios(sums[variant.name]).T.ravel() for variant in of_seeds])
        _row(name, *(_cell(column.tolist(), ".3f") for column in found.T))


class _Approach:
    """A clip in which the camera comes close to a car."""

    def __init__(self, rgb: UInt8[np.ndarray, "t h w 3"], maps: Float[Tensor, "t c h w"], car: Bool[np.ndarray, "t h w"]) -> None:
        self.rgb, self.maps, self.car = rgb, maps, car

    @classmethod
    def rendered(cls, seed: int, settings: Settings) -> "_Approach":
        size = {"width": settings.width, "height": settings.height}
        frames = list(street_world.render(seed=seed, num_frames=APPROACH_FRAMES, **size, strides=(1,), approach=True))
        rgb, label, instance = (np.stack([getattr(frame, name) for frame in frames]) for name in ("rgb", "label", "instance"))
        edges = instance_edges(torch.from_numpy(instance.astype(np.int32))).to(torch.uint8)
        palette = palettes.load("sample_street")
        things = instance[-1][np.isin(label[-1], palette.foreground)]
        car = np.bincount(things).argmax()  # in the last frame it is the largest
        return cls(rgb, StoredMaps(palette.num_labels, torch.from_numpy(label), edges, None, None).channels(), instance == car)

    def seen(self, trained: TrainedGenerator) -> Float[np.ndarray, "parts 2 2"]:
        """By thirds: sum of the mask and pixels; gradient energy and the real one's. The first frame does not count."""
        rows = []
        for frame, real, car in zip(drawn(trained, self.maps), self.rgb, self.car, strict=True):
            fake = tensor_to_frames(frame.image[0])
            mask = float(frame.mask[0, 0][torch.from_numpy(car)].sum())
            rows.append([[mask, car.sum()], [_energy(fake, car), _energy(real, car)]])
        return np.stack([part.sum(axis=0) for part in np.array_split(np.array(rows[1:]), PARTS)])


def _energy(rgb: UInt8[np.ndarray, "h w 3"], region: Bool[np.ndarray, "h w"]) -> float:
    """Sum of the squared gradient of luma, as in pipeline.metrics.image, between pixels that both lie in the region."""
    luma = rgb @ np.array([0.299, 0.587, 0.114]) / 255
    inside = region[:-1, :-1] & region[:-1, 1:] & region[1:, :-1]
    dx, dy = np.diff(luma, axis=1)[:-1], np.diff(luma, axis=0)[:, :-1]
    return float((dx**2 + dy**2)[inside].sum())


def _ratios(pairs: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n"]:
    ratios: np.ndarray = pairs[..., 0] / np.maximum(pairs[..., 1], 1e-12)
    return ratios


def _header(*columns: str) -> None:
    _row(*columns)
    print("|" + "---|" * len(columns))


def _row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
