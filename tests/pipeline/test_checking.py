"""`python -m pipeline check`, by a folder of images whose faults are known."""

import shutil

import pytest
from PIL import Image

from pipeline import checking, layout, new_dataset
from pipeline.errors import InputError
from tests.conftest import REPOSITORY


@pytest.fixture
def footage(project):
    """Twelve sequences of two frames with labels."""
    shutil.copy(REPOSITORY / "params.yaml", layout.PARAMS)
    for n in range(12):
        for kind, mode in (("frames", "RGB"), ("labels", "L")):
            folder = project / "raw" / kind / f"seq{n:02d}"
            folder.mkdir(parents=True)
            for t in range(2):
                Image.new(mode, (8, 6)).save(folder / f"{t}.png")
    new_dataset.run("mine", project / "raw", like="frames")
    layout.PARAMS.write_text(layout.PARAMS.read_text().replace("test_frames: 60", "test_frames: 0"))
    return project / "raw"


def test_what_is_right_is_counted(footage, capsys):
    assert checking.run("mine")
    assert capsys.readouterr().out.splitlines() == [
        "ok    frames: frames              24",
        "ok    labels: label images        24",
        "ok    sequences                   12",
        "later: params.yaml: datasets.mine.source: no sequence (of 12) is for testing: dataset and what follows will be refused; "
        "set source.splits or source.test_sequences or source.test_frames",
    ]


def test_the_first_ten_faults_are_named_and_the_others_counted(footage, capsys):
    for n in range(12):
        (footage / f"labels/seq{n:02d}/1.png").rename(footage / f"labels/seq{n:02d}/7.png")
    assert not checking.run("mine")
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:4] == ["WRONG sequences                   12", "sequences:"]
    assert lines[4] == "  seq00: labels/seq00/7.png: a label image without its frame (2 frames, 2 label images in seq00)"
    assert lines[13].startswith("  seq09: ") and lines[14] == "  and 2 more"


def test_settings_that_would_stop_the_first_stage_are_named_too(footage, capsys):
    layout.PARAMS.write_text(layout.PARAMS.read_text().replace("{weights_from: mine}", "{weights_from: mine, backend: psychic}"))
    assert not checking.run("mine")
    assert "refused: params.yaml: datasets.mine.segmentation.backend is 'psychic': there are deeplabv3, given" in capsys.readouterr().out


def test_an_empty_folder_is_refused(footage, capsys):
    shutil.rmtree(footage)
    footage.mkdir()
    assert not checking.run("mine")
    assert (
        f"refused: params.yaml: datasets.mine.source: nothing of the kind frames in {footage}; docs/data.md shows its layout"
        in capsys.readouterr().out
    )


def test_a_folder_that_is_not_there_is_an_input_error(footage):
    shutil.rmtree(footage)
    with pytest.raises(InputError, match=r"datasets\.mine\.source\.path: .*raw is no folder"):
        checking.run("mine")
