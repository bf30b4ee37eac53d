"""Where things lie. No other module spells a file name.

data/<dataset>.files.csv              raw files of a source: path, bytes, sha256 (kept in git)
data/<dataset>.clips.csv              its clips, with their split (kept in git)
data/<dataset>/<stage>/manifest.csv   what the stage made, with the key of each part in the store
data/<dataset>/<stage>/<clip>/        the files of one clip, hard links into the store
reports/<dataset>/index.html
reports/<dataset>.quality/index.html  (no data set's name has a dot)
runs/<id>/                            host, dates, rates, tracebacks, curves of trainings: nothing that is compared
.store/                               finished results by key (see store.py)
~/.cache/vid2vid/weights/             weights that were fetched or added by name (see weights.py)
"""

import os
from pathlib import Path

VERSION = 1
"""Part of every key: raise it when the name or format of a file changes, here or in arrays.py."""

PARAMS = Path("params.yaml")
DATA = Path("data")
REPORTS = Path("reports")
RUNS = Path("runs")
DVC_CACHE = Path(".dvc/cache")

MODALITIES = ("frames", "segmentation", "instances", "optical_flow", "pose", "edges", "quality")


def store() -> Path:
    """One store for a checkout and for the temporary ones that `dvc exp run --temp` makes of it."""
    return Path(os.environ.get("V2V_STORE") or Path(os.environ.get("DVC_ROOT", ".")) / ".store").resolve()


def weights() -> Path:
    """One folder for all checkouts of a user; V2V_WEIGHTS names another."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("V2V_WEIGHTS") or f"{caches}/vid2vid/weights").expanduser().resolve()


def weights_file(name: str, ending: str) -> Path:
    return weights() / f"{name}{ending}"


def weights_part(weights_file: Path) -> Path:
    """What has come of a file so far."""
    return weights_file.with_name(f"{weights_file.name}.part")


def weights_version(weights_file: Path) -> Path:
    """The server's own mark of the version that the part is of."""
    return weights_file.with_name(f"{weights_file.name}.part.etag")


def weights_copy(weights_file: Path) -> Path:
    """A file that is being added."""
    return weights_file.with_name(f"{weights_file.name}.copy")


def weights_record(weights_file: Path) -> Path:
    """A file's sha256, and its size and time when it was computed."""
    return weights_file.with_name(f"{weights_file.name}.json")


def files_table(dataset: str) -> Path:
    return DATA / f"{dataset}.files.csv"


def clip_list(dataset: str) -> Path:
    return DATA / f"{dataset}.clips.csv"


def stage(dataset: str, name: str) -> Path:
    pages = {"report": REPORTS / dataset, "quality_page": REPORTS / f"{dataset}.quality"}
    return pages.get(name, DATA / dataset / name)


def manifest(stage_folder: Path) -> Path:
    return stage_folder / "manifest.csv"


def clips_table(item_folder: Path) -> Path:
    """The clips that one source item gave, written by the stage `clips`."""
    return item_folder / "clips.csv"


def clips_left_out(part_folder: Path) -> Path:
    """The clips that one source item, or one split, did not give, with the reason; written by `clips` and `dataset` where there are any."""
    return part_folder / "clips_left_out.csv"


def left_out(stage_folder: Path) -> Path:
    """Those of all items or splits."""
    return stage_folder / "left_out.csv"


def arrays(clip_folder: Path, modality: str) -> Path:
    assert modality in MODALITIES, modality
    return clip_folder / f"{modality}.zip"


def video(clip_folder: Path) -> Path:
    return clip_folder / "video.mp4"


def frames_part(work_folder: Path, number: int) -> Path:
    """Some of the frames of a video that is being made."""
    return work_folder / f"frames-{number:05d}.zip"


def unfinished_video(work_folder: Path) -> Path:
    """How far it is, and what its next frame builds on."""
    return work_folder / "video.pt"


def segmentation_checkpoint(model_folder: Path) -> Path:
    return model_folder / "deeplabv3.safetensors"


def validation(model_folder: Path) -> Path:
    return model_folder / "validation.csv"


def scores(stage_folder: Path) -> Path:
    return stage_folder / "metrics.json"


def quality_table(page_folder: Path) -> Path:
    """All clips, the worst first."""
    return page_folder / "quality.csv"


def index(dataset_folder: Path, split: str) -> Path:
    return dataset_folder / f"{split}.parquet"


def class_table(dataset_folder: Path, split: str) -> Path:
    return dataset_folder / f"{split}_classes.csv"


def networks(train_folder: Path) -> Path:
    return train_folder / "networks"


def losses(train_folder: Path) -> Path:
    return train_folder / "losses.csv"


def previews(train_folder: Path) -> Path:
    return train_folder / "previews"


def preview(train_folder: Path, step: int) -> Path:
    return previews(train_folder) / f"{step:07d}.png"


def training_validation(train_folder: Path) -> Path:
    return networks(train_folder) / "validation.csv"


def checkpoints(train_folder: Path) -> Path:
    """Generators on the way, each in a folder named by its step."""
    return networks(train_folder) / "checkpoints"


def best(work_folder: Path) -> Path:
    return work_folder / "best"


def training_state(work_folder: Path) -> Path:
    return work_folder / "state.pt"


def watch(dataset: str, stage_name: str, key: str) -> Path:
    """Where a training is seen while it goes on; the same after a resume, and of `dvc exp run --temp` in the checkout it was started in."""
    return (Path(os.environ.get("DVC_ROOT", ".")) / RUNS / f"{stage_name}-{dataset}-{key[:8]}").resolve()


def live_steps(watch_folder: Path) -> Path:
    """A row a step: seconds, waiting for data, memory, learning rate, loss terms."""
    return watch_folder / "live.csv"


def live_validations(watch_folder: Path) -> Path:
    return watch_folder / "live_validation.csv"


def curves(watch_folder: Path) -> Path:
    """TensorBoard's."""
    return watch_folder / "tensorboard"


def live_plots(watch_folder: Path) -> Path:
    """DVCLive's."""
    return watch_folder / "dvclive"


def page(report_folder: Path) -> Path:
    return report_folder / "index.html"


def media(report_folder: Path) -> Path:
    """Videos and pictures that the page shows."""
    return report_folder / "media"
