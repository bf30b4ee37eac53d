import numpy as np
import pytest

from pipeline import arrays, layout, palettes, params, street_world
from pipeline.errors import InputError
from pipeline.extractors.instances import Found, Thing, components
from pipeline.instances import Linking, run_clip
from pipeline.motion import moved
from pipeline.palettes import Class, Palette

ROAD, CAR, PERSON = 0, 1, 2
PALETTE = Palette(
    "toy",
    (
        Class(ROAD, "road", (9, 9, 9), thing=False, foreground=False),
        Class(CAR, "car", (0, 0, 99), thing=True, foreground=True),
        Class(PERSON, "person", (99, 0, 0), thing=True, foreground=False),
    ),
    (),
)
PARAMS = params.Instances(backend="components", options={}, min_pixels=4, min_overlap=0.3, memory_frames=0, batch_size=2)


def made(folder, labels, flows, truth=None, p=PARAMS, linked=True):
    """The stage's result on labels and flow to the frame before, both one array a frame."""
    with arrays.writing(layout.arrays(folder, "frames"), {}) as writer:
        for label in labels:
            writer.append("rgb", np.zeros((*label.shape, 3), np.uint8))
    with arrays.writing(layout.arrays(folder, "segmentation"), {"palette": PALETTE.as_attributes()}) as writer:
        for label in labels:
            writer.append("label", label)
    with arrays.writing(layout.arrays(folder, "optical_flow"), {"strides": [1]}) as writer:
        for flow in flows:
            writer.append("optical_flow_1", flow.astype(np.float16))
    if truth:
        about = {"objects": truth[1], "linked": linked, "labelled_frames": [t for t, instance in enumerate(truth[0]) if instance.any()]}
        with arrays.writing(layout.arrays(folder, "instances"), about) as writer:
            for instance in truth[0]:
                writer.append("instance", instance)
    out = folder / "out"
    out.mkdir()
    run_clip(folder, folder, folder, out, p, {"key": "k"}, "cpu")
    return arrays.reading(layout.arrays(out, "instances"))


def painted(*squares, size=(24, 40)):
    """A road with 5x5 squares of (x, y, class)."""
    label = np.full(size, ROAD, np.uint8)
    for x, y, class_ in squares:
        label[y : y + 5, x : x + 5] = class_
    return label


def motion(*squares, size=(24, 40)):
    """Flow to the frame before: squares of (x, y, dx, dy), still elsewhere."""
    flow = np.zeros((*size, 2), np.float32)
    for x, y, dx, dy in squares:
        flow[y : y + 5, x : x + 5] = (dx, dy)
    return flow


def test_a_square_that_jumps_its_own_width_keeps_its_id_by_its_flow(tmp_path):
    times = range(6)
    result = made(tmp_path, [painted((2 + 6 * t, 3, CAR)) for t in times], [motion((2 + 6 * t, 3, -6 * (t > 0), 0)) for t in times])
    for t in times:
        np.testing.assert_array_equal(result["instance"][t] == 1, painted((2 + 6 * t, 3, CAR)) == CAR)
    assert result.attributes["objects"] == {"1": {"class": CAR, "score": 1.0}}


def test_two_squares_that_pass_each_other_do_not_swap(tmp_path):
    right, left = [2 + 6 * t for t in range(5)], [32 - 6 * t for t in range(5)]
    labels = [painted((a, 2, CAR), (b, 9, CAR)) for a, b in zip(right, left, strict=True)]
    flows = [motion((a, 2, -6 * (t > 0), 0), (b, 9, 6 * (t > 0), 0)) for t, (a, b) in enumerate(zip(right, left, strict=True))]
    result = made(tmp_path, labels, flows)
    for t in range(5):
        assert result["instance"][t][4, right[t] + 2] == 1
        assert result["instance"][t][11, left[t] + 2] == 2


def test_the_id_of_a_vanished_object_is_not_used_again(tmp_path):
    labels = [painted((3, 3, CAR)), painted(), painted((3, 3, CAR)), painted((3, 3, CAR), (20, 3, PERSON))]
    result = made(tmp_path, labels, [motion()] * 4)
    assert [sorted(np.unique(frame)) for frame in result.frames("instance")] == [[0, 1], [0], [0, 2], [0, 2, 3]]
    assert {id_: about["class"] for id_, about in result.attributes["objects"].items()} == {"1": CAR, "2": CAR, "3": PERSON}


@pytest.mark.parametrize(("memory_frames", "id_after"), [(3, 1), (2, 2)])
def test_a_car_that_is_hidden_behind_a_post_for_three_frames_keeps_its_id_where_memory_reaches_so_far(tmp_path, memory_frames, id_after):
    """It drives on at three pixels a frame: where it comes out, none of its last pixels is."""
    seen = [t not in (3, 4, 5) for t in range(8)]
    labels = [painted((2 + 3 * t, 3, CAR)) if seen[t] else painted() for t in range(8)]
    flows = [motion((2 + 3 * t, 3, -3 * (t > 0), 0)) if seen[t] else motion() for t in range(8)]
    flows[6] = motion()  # what comes out from behind something has no motion that could be measured
    result = made(tmp_path, labels, flows, p=PARAMS.model_copy(update={"memory_frames": memory_frames}))
    assert [result["instance"][t].max() for t in range(8)] == [1, 1, 1, 0, 0, 0, id_after, id_after]


def test_an_object_that_is_waited_for_does_not_take_the_place_of_one_that_is_seen(tmp_path):
    """Where the first car should be by now, the second one drives."""
    labels = [painted((2, 3, CAR), (20, 3, CAR)), painted((20, 3, CAR)), painted((20, 3, CAR))]
    still = [motion((2, 3, 0, 0))] * 3
    result = made(tmp_path, labels, still, p=PARAMS.model_copy(update={"memory_frames": 9}))
    assert [sorted(np.unique(frame)) for frame in result.frames("instance")] == [[0, 1, 2], [0, 2], [0, 2]]


def test_another_class_at_the_same_place_is_another_object(tmp_path):
    result = made(tmp_path, [painted((3, 3, CAR)), painted((3, 3, PERSON))], [motion()] * 2)
    assert result["instance"][1][4, 4] == 2


def test_of_an_object_that_falls_apart_the_larger_part_keeps_the_id():
    whole, parts = np.zeros((8, 20), np.uint16), np.zeros((8, 20), np.uint16)
    whole[2:6, 2:16] = 1
    parts[2:6, 2:5], parts[2:6, 6:16] = 1, 2
    linking, still = Linking(min_overlap=0.1, memory_frames=0), np.zeros((8, 20, 2), np.float32)
    linking.next(Found(whole, {1: Thing(CAR, 0.5)}, linked=False), still)
    after = linking.next(Found(parts, {1: Thing(CAR, 0.5), 2: Thing(CAR, 0.9)}, linked=False), still)
    assert (after[3, 3], after[3, 10]) == (2, 1)
    assert linking.objects[1].score == 0.9


def test_stuff_and_what_is_too_small_are_no_objects(tmp_path):
    label = painted((3, 3, CAR))
    label[20, 20:23] = PERSON
    result = made(tmp_path, [label], [motion()])
    assert sorted(np.unique(result["instance"][0])) == [0, 1]
    assert result["instance"].dtype == np.uint16


def test_true_instances_are_taken_as_they_are(tmp_path):
    instance = (painted((3, 3, CAR)) == CAR).astype(np.uint16) * 7
    truth = ([instance, np.roll(instance, 9, 1)], {"7": {"class": CAR, "score": 1.0}})
    result = made(tmp_path, [painted(), painted()], [motion()] * 2, truth, PARAMS.model_copy(update={"backend": "given"}))
    np.testing.assert_array_equal(result["instance"][0:2], np.stack(truth[0]))
    assert result.attributes["objects"] == truth[1]


def test_true_instances_that_hold_in_their_frame_alone_are_linked_by_flow(tmp_path):
    """Two squares that pass each other, numbered from the left in each frame."""
    a, b = [(5, 3, CAR), (12, 3, CAR)], [(12, 3, CAR), (5, 3, CAR)]
    instances = [(painted(a[0]) == CAR) * 1 + (painted(a[1]) == CAR) * 2 for _ in range(2)]
    truth = ([instance.astype(np.uint16) for instance in instances], {id_: {"class": CAR, "score": 1.0} for id_ in "12"})
    flows = [motion(), motion((12, 3, -7, 0), (5, 3, 7, 0))]
    p = PARAMS.model_copy(update={"backend": "given"})
    result = made(tmp_path, [painted(*a), painted(*b)], flows, truth, p, linked=False)
    assert [result["instance"][t][4, [6, 13]].tolist() for t in (0, 1)] == [[1, 2], [2, 1]]


def test_true_instances_of_some_frames_alone_are_refused(tmp_path):
    instance = (painted((3, 3, CAR)) == CAR).astype(np.uint16)
    truth = ([np.zeros_like(instance), instance, np.zeros_like(instance)], {"1": {"class": CAR, "score": 1.0}})
    with pytest.raises(InputError, match=r"instances\.backend is given, but frame 0 has no instances \(2 have none\)"):
        made(tmp_path, [painted()] * 3, [motion()] * 3, truth, PARAMS.model_copy(update={"backend": "given"}))


def test_missing_truth_and_missing_stride_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"instances.backend is given, but its source has no instances"):
        made(tmp_path, [painted()], [motion()], p=PARAMS.model_copy(update={"backend": "given"}))
    with arrays.writing(layout.arrays(tmp_path, "optical_flow"), {"strides": [3]}) as writer:
        writer.append("optical_flow_3", motion().astype(np.float16))
    with pytest.raises(InputError, match=r"lacks 1"):
        run_clip(tmp_path, tmp_path, tmp_path, tmp_path / "out", PARAMS, {}, "cpu")


def test_an_object_that_came_from_outside_is_moved_from_nowhere():
    instance = np.ones((4, 6), np.uint16)
    flow = np.zeros((4, 6, 2), np.float32)
    flow[..., 0] = -2
    assert moved(instance, flow)[:, :2].max() == 0
    assert moved(instance, flow)[:, 2:].min() == 1


def test_an_object_of_the_street_that_stands_alone_keeps_its_id():
    find, linking, seen = components.build(palettes.load("cityscapes_train"), 20), Linking(min_overlap=0.3, memory_frames=0), {}
    for t, frame in enumerate(street_world.render(seed=4, num_frames=6, width=256, height=128, strides=[1], approach=False)):
        ids = linking.next(find(frame.rgb[None], frame.label[None], range(t, t + 1))[0], frame.optical_flow[1])
        for id_ in np.unique(ids[ids > 0]).tolist():
            true_ids = np.unique(frame.instance[ids == id_])
            if len(true_ids) == 1:
                seen.setdefault(int(true_ids[0]), set()).add(id_)
    alone = [ids for ids in seen.values() if len(ids) == 1]
    assert len(alone) >= 3
    assert len(alone) / len(seen) > 0.8
