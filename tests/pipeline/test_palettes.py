import numpy as np
import pytest

from pipeline import palettes
from pipeline.errors import InputError


def test_the_built_in_palettes_load_and_survive_json():
    for name, labels in {"apolloscape": 27, "camvid": 11, "cityscapes": 35, "cityscapes_train": 19, "sample_street": 14}.items():
        palette = palettes.load(name)
        assert palette.num_labels == labels
        assert palettes.from_attributes(palette.as_attributes()) == palette


def test_the_street_world_s_classes_are_cityscapes_own():
    """Ids, names, colours and what is a thing: a part of the 19 training classes."""
    assert set(palettes.load("sample_street").classes) < set(palettes.load("cityscapes_train").classes)


def test_void_ids_are_stored_as_255_and_painted_black():
    palette = palettes.load("camvid")
    stored = palette.store_labels(np.array([[0, 11]], np.uint8), "x.png")
    assert stored.tolist() == [[0, 255]]
    assert palette.paint(stored).tolist() == [[[128, 128, 128], [0, 0, 0]]]


def test_classes_that_no_model_learns_are_void_where_one_is_judged():
    classes = [palettes.Class(id_, "a", (0, 0, 0), False, False, learned=id_ != 2) for id_ in (0, 2, 5)]
    palette = palettes.Palette("mine", tuple(classes), ())
    assert palette.learned_labels(np.array([[0, 2, 5, 255]], np.uint8)).tolist() == [[0, 255, 5, 255]]
    assert palettes.from_attributes(palette.as_attributes()) == palette


def test_attributes_that_were_written_without_learned_mean_that_all_are():
    attributes = palettes.load("camvid").as_attributes()
    older = {**attributes, "classes": [{key: value for key, value in c.items() if key != "learned"} for c in attributes["classes"]]}
    assert palettes.from_attributes(older) == palettes.load("camvid")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("classes: [", "is no YAML"),
        ("classes: []\nvoid: []", "classes: List should have at least 1 item"),
        ("classes: [{id: 300, name: a, colour: [0, 0, 0]}]\nvoid: []", "less than or equal to 254"),
        ("classes: [{id: 3, name: a, colour: [0, 0, 256]}]\nvoid: []", "classes.0.colour.2: Input should be less than or equal to 255"),
        ("classes: [{id: 3, name: a, colour: [0, 0, 0]}]\nvoid: [-1]", "void.0: Input should be greater than or equal to 0"),
        ("classes: [{id: 3, name: a, colour: [0, 0, 0]}]\nvoid: [3]", "id 3 stands there twice"),
        ("classes: [{id: 3, name: a, colour: [0, 0, 0], learned: false}]\nvoid: []", "learned is false for all classes"),
        ("classes: !!int x\nvoid: []", "is no YAML"),
    ],
)
def test_a_wrong_palette_file_is_refused_in_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence) as refused:
        palettes.load(str(path))
    assert "\n" not in str(refused.value)


def test_an_unknown_palette_lists_the_built_in_ones():
    with pytest.raises(InputError, match="built in are apolloscape, camvid, cityscapes, cityscapes_train, sample_street"):
        palettes.load("citys")
