import numpy as np
import pytest

from pipeline import masks, palettes
from pipeline.errors import InputError
from pipeline.masks import Mask, Rule
from pipeline.palettes import Class, Palette

PALETTE = palettes.load("cityscapes_train")
ROAD, PERSON, RIDER, CAR, TRUCK = 0, 11, 12, 13, 14


def box(x: int, y: int, width: int, height: int) -> np.ndarray:
    pixels = np.zeros((20, 40), bool)
    pixels[y : y + height, x : x + width] = True
    return pixels


def labelled(*boxes: tuple[np.ndarray, int]) -> np.ndarray:
    label = np.full((20, 40), ROAD, np.uint8)
    for pixels, class_ in boxes:
        label[pixels] = class_
    return label


def found(label, *given, min_pixels=1, margin=0, rest="none"):
    """The objects' pixels, and their classes and scores, in the order of their numbers."""
    result = Rule(PALETTE, min_pixels, margin, rest).found(given, label)
    assert not result.linked
    assert set(np.unique(result.instance).tolist()) - {0} == set(result.things)
    return [result.instance == n for n in result.things], [(thing.label, thing.score) for thing in result.things.values()]


def same(pixels, *expected):
    assert len(pixels) == len(expected)
    for a, b in zip(pixels, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_better_mask_has_the_pixels_that_two_claim():
    left, right = box(2, 2, 12, 8), box(12, 2, 12, 8)  # two columns are both's
    pixels, things = found(labelled((left | right, CAR)), Mask(left, "car", 0.6), Mask(right, "car", 0.9))
    same(pixels, right, left & ~right)
    assert things == [(CAR, 0.9), (CAR, 0.6)]


def test_a_mask_claims_no_pixel_that_the_labels_call_something_else():
    car, mask = box(5, 5, 10, 5), box(3, 3, 14, 9)
    pixels, _ = found(labelled((car, CAR), (box(5, 5, 2, 5), PERSON)), Mask(mask, "car", 0.9))
    same(pixels, box(7, 5, 8, 5))


def test_a_car_that_the_labels_call_truck_in_part_is_one_object_of_the_class_of_most_of_it():
    car = box(5, 5, 10, 5)
    pixels, things = found(labelled((car, TRUCK), (box(5, 5, 3, 5), CAR)), Mask(car, "car", 0.9))
    same(pixels, car)
    assert things == [(TRUCK, 0.9)]


def test_an_object_seen_as_car_and_as_truck_is_one_object():
    car, more = box(5, 5, 10, 5), box(3, 5, 14, 5)
    pixels, things = found(labelled((more, CAR)), Mask(car, "car", 0.9), Mask(more, "truck", 0.5))
    same(pixels, car)
    assert things == [(CAR, 0.9)]


def test_what_is_smaller_than_min_pixels_is_no_object():
    small, large = box(2, 2, 3, 3), box(10, 2, 5, 2)
    label = labelled((small, CAR), (large, CAR))
    pixels, _ = found(label, Mask(small, "car", 0.9), Mask(large, "car", 0.8), min_pixels=10)
    same(pixels, large)


def test_a_masks_rough_border_grows_to_that_of_its_label_and_not_farther_than_the_margin():
    car, core = box(4, 4, 20, 8), box(6, 6, 8, 4)
    label = labelled((car, CAR), (box(24, 4, 4, 8), PERSON))
    pixels, _ = found(label, Mask(core, "car", 0.9), margin=3)
    assert pixels[0][4, 6] and pixels[0][4, 4]  # sqrt(8) pixels from the mask
    assert pixels[0][7, 16] and not pixels[0][7, 17]  # 3 and 4 pixels
    pixels, _ = found(label, Mask(core, "car", 0.9), margin=50)
    same(pixels, car)


def test_between_two_masks_a_pixel_goes_to_the_nearer_one_that_may_have_it():
    car, person = box(0, 5, 20, 5), box(20, 5, 10, 5)
    label = labelled((car, CAR), (person, PERSON))
    pixels, things = found(label, Mask(box(0, 5, 6, 5), "car", 0.5), Mask(box(24, 5, 6, 5), "person", 0.9), margin=6)
    same(pixels, box(18 + 2, 5, 10, 5), box(0, 5, 12, 5))  # none of the car's pixels is the person's, who is nearer to some
    assert [label for label, _ in things] == [PERSON, CAR]


def test_things_that_no_mask_claims_are_no_objects_or_components_by_setting():
    seen, missed, speck = box(2, 2, 6, 4), box(20, 2, 6, 4), box(35, 15, 2, 2)
    label = labelled((seen, CAR), (missed, PERSON), (speck, CAR))
    given = Mask(seen, "car", 0.7)
    same(found(label, given, min_pixels=5)[0], seen)
    pixels, things = found(label, given, min_pixels=5, rest="components")
    same(pixels, seen, missed)
    assert things == [(CAR, 0.7), (PERSON, 0.0)]


def test_without_masks_nothing_is_an_object_or_everything_a_component():
    car = box(2, 2, 6, 4)
    assert found(labelled((car, CAR))) == ([], [])
    same(found(labelled((car, CAR)), rest="components", margin=3)[0], car)


@pytest.mark.parametrize("name", ["cityscapes", "cityscapes_train", "camvid", "apolloscape", "sample_street"])
def test_every_thing_of_every_palette_may_be_claimed(name):
    palette = palettes.load(name)
    assert {label for labels in masks.claims(palette).values() for label in labels} == set(palette.things)


@pytest.mark.parametrize(
    ("palette", "class_", "names"),
    [
        ("cityscapes", "person", ["person", "rider"]),
        ("camvid", "person", ["pedestrian", "bicyclist"]),
        ("camvid", "bicycle", ["bicyclist"]),
        ("apolloscape", "motorcycle", ["motorbicycle", "bicycle", "tricycle"]),
        ("sample_street", "truck", ["car"]),
        ("cityscapes", "train", ["train", "bus"]),
    ],
)
def test_classes_are_told_by_name_whatever_the_palette_calls_them(palette, class_, names):
    found = palettes.load(palette)
    assert {found.names()[id_] for id_ in masks.claims(found)[class_]} == set(names)


def test_the_table_names_every_class_of_coco_and_of_cityscapes_instances():
    from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights

    coco = set(MaskRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]) - {"__background__", "N/A"}
    cityscapes = {"person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"}
    table = set(masks.names())
    assert (len(coco), table) == (80, coco | cityscapes)


def test_a_palette_without_anything_that_the_network_knows_is_refused_in_a_sentence():
    palette = Palette("moon", (Class(0, "dust", (9, 9, 9), False, False), Class(1, "rover", (1, 1, 1), True, False)), ())
    with pytest.raises(InputError, match=r"the network knows none of palette moon's things \(rover\)"):
        masks.require_shared(palette, ["car", "person"])
