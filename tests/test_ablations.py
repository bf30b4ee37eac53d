"""What the scripts that compare ways to train measure; their whole runs, tiny, are slow."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import ablations
from benchmarks.variants import Settings, project
from models.video_generator import VideoGenerator
from pipeline import before_work, layout, palettes
from pipeline.checkpoint import TrainedGenerator, save_generator
from pipeline.journey import STAGES
from pipeline.maps import MapKind
from pipeline.metrics.image import gradient_energy
from pipeline.params_file import load
from pipeline.tensors import foreground_of
from tests.conftest import REPOSITORY

KIND = MapKind(palettes.load("sample_street"), instances=True, edges=0, pose=0)
SETTINGS = Settings(width=64, height=32, steps=1, data=None)


def trained(folder: Path, *, warping: bool) -> TrainedGenerator:
    """Of random weights."""
    arguments = {"map_channels": KIND.channels, "width": 4, "downsamplings": 2, "blocks": 2, "fine_blocks": 1, "scales": 1}
    arguments |= {"past_frames": 2, "foreground": True, "warping": warping}
    save_generator(folder, VideoGenerator(**arguments), arguments, KIND)
    return TrainedGenerator(folder, "cpu")


@pytest.fixture(scope="module")
def approach() -> ablations._Approach:
    return ablations._Approach.rendered(ablations.APPROACH_SEED, SETTINGS)


def test_the_energy_of_a_region_that_is_everything_is_the_whole_pictures() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    assert ablations._energy(rgb, np.ones((8, 12), bool)) == pytest.approx(7 * 11 * gradient_energy(rgb))


def test_the_edge_of_a_region_is_no_energy_of_it() -> None:
    rgb = np.zeros((8, 12, 3), np.uint8)
    rgb[:, 6:] = 255
    region = np.zeros((8, 12), bool)
    region[:, 6:] = True
    assert ablations._energy(rgb, region) == 0


def test_the_approached_car_is_seen_in_every_frame_and_grows(approach) -> None:
    pixels = approach.car.sum(axis=(1, 2))
    assert pixels.min() > 0 and pixels[-1] > 4 * pixels[0]


def test_frame_by_frame_a_video_is_what_the_generator_makes_at_once(tmp_path, approach) -> None:
    generator = trained(tmp_path, warping=True)
    maps, foreground = approach.maps[:5], foreground_of(approach.maps[:5], KIND)
    at_once = generator.network(torch.cat([maps[[0, 0]], maps])[None], torch.cat([foreground[[0, 0]], foreground])[None], None)
    one_by_one = torch.cat([frame.image for frame in ablations.drawn(generator, maps)])
    torch.testing.assert_close(one_by_one, at_once.image[0], atol=1e-5, rtol=0)


def test_without_warping_all_is_drawn_anew_in_every_region(tmp_path, approach) -> None:
    generator = trained(tmp_path, warping=False)
    assert ablations._ratios(ablations._mask_by_region(generator, approach.maps[:4])).tolist() == [1, 1]
    assert ablations._ratios(approach.seen(generator))[:, 0].tolist() == [1, 1, 1]


@pytest.mark.parametrize("steps", [3, 180])
def test_every_variant_can_be_trained(tmp_path, monkeypatch, steps) -> None:
    monkeypatch.setenv("V2V_STORE", str(tmp_path / ".store"))
    with project(tmp_path, Settings(width=32, height=16, steps=steps, data=None), list(ablations.VARIANTS)):
        for variant in ablations.VARIANTS:
            before_work.check(STAGES["train"], variant.dataset("street"), load(layout.PARAMS))


@pytest.mark.slow
def test_variants_share_what_comes_before_training_and_the_tables_have_a_row_for_each(tmp_path) -> None:
    printed = run(tmp_path, "ablations", "--only", "binary mask", "--seeds", "0", "1", "--keep", "kept")
    assert "0 results were computed again" in printed
    full, binary = (re.findall(rf"^\| {name} \|(.*)", printed, re.MULTILINE) for name in ("full", "binary mask"))
    assert len(full) == len(binary) == 3 and not set(full) & set(binary)  # a variant that changes nothing has equal rows
    median, smallest, largest = map(float, re.findall(r"[\d.]+", full[0].split("|")[0]))  # of the warping error
    assert smallest < largest and median == pytest.approx((smallest + largest) / 2, rel=0.02)


@pytest.mark.slow
def test_drift_is_measured_for_each_part_of_a_long_clip(tmp_path) -> None:
    run(tmp_path, "drift", "--frames", "120", "--out", "out")
    table = pd.read_csv(tmp_path / "out/drift.csv")
    assert table[["first_frame", "method"]].values.tolist() == [[n, m] for n in (0, 100) for m in ("vid2vid", "per frame")]
    assert (tmp_path / "out/drift.png").is_file()


def run(folder: Path, script: str, *arguments: str) -> str:
    command = [sys.executable, "-m", f"benchmarks.{script}", "--steps", "3", "--size", "32x16", *arguments]
    done = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
