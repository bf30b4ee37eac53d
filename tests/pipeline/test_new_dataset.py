import difflib
import re
import shutil

import pytest

from pipeline import before_work, layout, new_dataset, params
from pipeline.__main__ import _next_step
from pipeline.errors import InputError
from pipeline.journey import STAGES
from pipeline.params_file import load
from tests.conftest import REPOSITORY


@pytest.fixture
def here(project):
    shutil.copy(REPOSITORY / "params.yaml", layout.PARAMS)
    (project / "raw").mkdir()
    return project


def test_a_data_set_of_the_catalog_is_added_and_comments_stay(here):
    before = layout.PARAMS.read_text()
    new_dataset.run("camvid", here / "raw", like="camvid")
    after = layout.PARAMS.read_text()
    all_params = load(layout.PARAMS)
    assert all_params.source("camvid").path == str(here / "raw")
    assert all_params.section(params.Clips, "camvid").frames == 80
    assert [line for line in before.splitlines() if "#" in line] == [line for line in after.splitlines() if "#" in line]


def test_a_copy_under_another_name_uses_its_own_segmentation_model(here):
    new_dataset.run("mine", here / "raw", like="frames")
    assert load(layout.PARAMS).section(params.Segmentation, "mine").weights_from == "mine"


def test_nothing_but_the_new_lines_changes(here):
    before = layout.PARAMS.read_text().splitlines()
    new_dataset.run("mine", here / "raw", like="frames")
    added = [line for line in difflib.ndiff(before, layout.PARAMS.read_text().splitlines()) if line[0] in "+-"]
    assert added[0] == "+   mine:" and all(line.startswith("+ ") for line in added)


def test_videos_are_labelled_by_the_data_set_that_is_named(here):
    new_dataset.run("camvid", here / "raw", like="camvid")
    new_dataset.run("highway", here / "raw", like="videos", weights_from="camvid")
    load(layout.PARAMS).require("highway")
    assert load(layout.PARAMS).section(params.Segmentation, "highway").weights_from == "camvid"


def test_videos_that_nobody_labels_are_refused_before_any_work(here):
    new_dataset.run("highway", here / "raw", like="videos")
    with pytest.raises(
        InputError, match="weights_from is the data set itself, but its source has no labels to learn from: name a data set that"
    ):
        before_work.check(STAGES["clips"], "highway", load(layout.PARAMS))
    text = layout.PARAMS.read_text().split("  highway:\n")
    text[1] = text[1].replace("segmentation_model: {}", "segmentation_model: {weights: model.safetensors}", 1)
    layout.PARAMS.write_text("  highway:\n".join(text))
    (here / "model.safetensors").touch()
    before_work.check(STAGES["clips"], "highway", load(layout.PARAMS))


def test_the_next_step_of_a_data_set_without_label_maps_is_its_clips(here):
    new_dataset.run("dance", here / "raw", like="dance")
    assert _next_step("dance").startswith(
        "Before it can run: params.yaml: datasets.dance.optical_flow.options.weights: ptlflow-flownet2-things has not"
    )
    (here / "flownet2.ckpt").touch()
    layout.PARAMS.write_text(layout.PARAMS.read_text().replace("ptlflow-flownet2-things", "flownet2.ckpt"))
    assert "datasets.dance.pose.options.weights: densepose-rcnn_R_50_FPN_s1x has not been fetched" in _next_step("dance")
    layout.PARAMS.write_text(layout.PARAMS.read_text().replace("backend: densepose_and_openpose", "backend: null"))
    layout.PARAMS.write_text(re.sub(r"options: \{weights: densepose.*\}", "options: {}", layout.PARAMS.read_text()))
    assert _next_step("dance") == "Next: python -m pipeline scan dance && dvc repro clips@dance"


def test_a_model_of_a_data_set_that_was_not_added_is_refused_with_the_command(here):
    before = layout.PARAMS.read_text()
    with pytest.raises(
        InputError, match="weights_from: camvid is in the catalog of params.yaml but not yet one of its datasets: add it with"
    ):
        new_dataset.run("highway", here / "raw", like="videos", weights_from="camvid")
    assert layout.PARAMS.read_text() == before


@pytest.mark.parametrize(
    ("name", "like", "sentence"),
    [
        ("smoke", "videos", "has a data set smoke already"),
        ("mine", "nothing", "there is no nothing to copy"),
        ("mine", "smoke", "smoke is built in and has no path"),
        ("a b", "videos", "text of letters, digits, - and _ only"),
    ],
)
def test_what_cannot_be_added_is_refused_and_the_file_is_left_as_it_was(here, name, like, sentence):
    before = layout.PARAMS.read_text()
    with pytest.raises(InputError, match=sentence):
        new_dataset.run(name, here / "raw", like=like)
    assert layout.PARAMS.read_text() == before


def test_a_folder_that_is_not_there_is_refused(here):
    with pytest.raises(InputError, match="there is no such folder"):
        new_dataset.run("mine", here / "nowhere", like="videos")


def test_an_empty_list_of_data_sets_can_be_added_to(here):
    text = layout.PARAMS.read_text()
    before, after = text.split("\ndatasets:\n")[0], text.split("\ncatalog:\n")[1]
    layout.PARAMS.write_text(f"{before}\ndatasets: null\ncatalog:\n{after}")
    new_dataset.run("mine", here / "raw", like="frames")
    assert load(layout.PARAMS).datasets() == ["mine"]


def test_a_linked_file_stays_a_link_and_keeps_its_mode(here):
    (here / "elsewhere").mkdir()
    target = layout.PARAMS.rename(here / "elsewhere" / "shared.yaml")
    target.chmod(0o640)
    layout.PARAMS.symlink_to(target)
    new_dataset.run("mine", here / "raw", like="frames")
    assert layout.PARAMS.is_symlink() and "  mine:\n" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in target.parent.iterdir()] == ["shared.yaml"]


def test_a_file_that_cannot_be_written_is_left_as_it_was(here, monkeypatch):
    before = layout.PARAMS.read_text()
    monkeypatch.setattr("pathlib.Path.replace", _no_space)
    with pytest.raises(OSError, match="No space left"):
        new_dataset.run("mine", here / "raw", like="videos")
    assert layout.PARAMS.read_text() == before
    assert sorted(path.name for path in here.iterdir()) == ["params.yaml", "raw"]


def _no_space(*_):
    raise OSError(28, "No space left on device")
