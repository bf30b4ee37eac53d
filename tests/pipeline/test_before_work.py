import re
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest

from pipeline import before_clips, before_work, params
from pipeline.errors import InputError
from pipeline.journey import STAGES
from pipeline.params_file import check, load, parsed
from pipeline.schedule import Schedule
from pipeline.sources import Item, items_of
from tests.conftest import REPOSITORY

TEXT = (REPOSITORY / "params.yaml").read_text()
PATH = Path("params.yaml")
ALL = check(TEXT, PATH)
CLIPS = STAGES["clips"]
FLOWNET2 = "      backend: ptlflow\n      options: {model: flownet2, weights: ptlflow-flownet2-things}"


def changed(old: str, new: str, text: str = TEXT) -> str:
    assert old in text, old
    return text.replace(old, new, 1)


def smoke(old: str, new: str) -> str:
    """The project's file with a change in this data set's entry."""
    before, entry = TEXT.split("\n  smoke:\n")
    return f"{before}\n  smoke:\n{changed(old, new, entry)}"


PHASE = (
    "{{scales: 1, only_finest: false, steps: 1, learning_rate: 0.1, decay_from: 1.0, "
    "window_frames: {0}, sequence_frames: {0}, double_every: null}}"
)
BACKBONE = "torchvision-resnet101-imagenet1k_v1"


def from_nothing(text: str) -> str:
    """Without the backbone's weights, which are asked for before all others."""
    assert BACKBONE in text
    return text.replace(f"backbone_weights: {BACKBONE}", "backbone_weights: null")


def added(like: str, old: str = "", new: str = "") -> str:
    """The project's file with an entry of its catalog, with a change, as the data set `mine`."""
    entry = TEXT.split(f"\n  {like}:\n")[1].split("\n\n")[0].replace(f"weights_from: {like}", "weights_from: mine")
    return changed("\ndatasets:\n", f"\ndatasets:\n  mine:\n{changed(old, new, entry)}\n\n")


def with_instances(text: str, instances: str) -> str:
    """Of the data set `mine`, in place of a network's."""
    begin = text.index("    instances: ", text.index("\n  mine:\n"))
    return text[:begin] + f"    instances: {instances}\n" + text[text.index("    optical_flow:", begin) :]


def test_the_projects_own_data_sets_can_be_worked_on():
    all_params = load(REPOSITORY / "params.yaml")
    for dataset in all_params.datasets():
        for stage in STAGES.values():
            before_work.check(stage, dataset, all_params)


@pytest.mark.parametrize(
    ("text", "dataset", "sentence"),
    [
        (
            changed("backend: opencv_dis", "backend: opencv"),
            "smoke",
            "optical_flow.backend is 'opencv': there are given, opencv_dis, ptlflow",
        ),
        (
            smoke("    instances: {", "    instances: {backend: compnents, "),
            "smoke",
            "instances.backend is 'compnents': there are components",
        ),
        (changed("{preset: medium}", "{preset: slow}"), "smoke", "optical_flow.options.preset is 'slow': input should be 'ultrafast', "),
        (changed("{preset: medium}", "{preset: [a]}"), "smoke", "optical_flow.options.preset is ['a']: input should be 'ultrafast', "),
        (changed("{preset: medium}", "{preset: fast, set: 1}"), "smoke", "optical_flow.options.set is no parameter; did you mean preset?"),
        (changed("{preset: medium}", "{}"), "smoke", "optical_flow.options.preset is missing"),
        (
            smoke("optical_flow: {}", "optical_flow: {backend: ptlflow, options: {model: raft, weights: none.pth}}"),
            "smoke",
            "optical_flow.options.weights: none.pth is no file: give the path of the weights",
        ),
        (
            smoke("{label_every: 4, ", "{weights: none.safetensors, label_every: 4, "),
            "smoke",
            "segmentation_model.weights: none.safetensors is no file: give the path of the weights or a name that `python -m",
        ),
        (smoke("    train:\n", "    train:\n      vgg_weights: a.pth\n"), "smoke", "train.vgg_weights: a.pth is no file"),
        (changed("perceptual: 0.0", "perceptual: 10.0"), "smoke", "perceptual is 10.0, but train.vgg_weights names no file"),
        (smoke("optical_flow: {}", "optical_flow: {strides: [3]}"), "smoke", "optical_flow.strides is [3]: 1 must be one of them"),
        (
            smoke("optical_flow: {}", "optical_flow: {backend: given, strides: [1, 9]}"),
            "smoke",
            "optical_flow.strides asks for 9: backend is given, and its source has true flow of 1, 3",
        ),
        (smoke("evaluate: {", "evaluate: {stride: 9, "), "smoke", "evaluate.stride is 9: optical_flow.strides has 1, 3"),
        (
            smoke("{width: 4, strides: [1]}", "{width: 4, strides: [1, 3, 9]}"),
            "smoke",
            "train.video_discriminator.strides [1, 3, 9] and augmentation.spacing [1] need optical flow at stride 9: optical_flow.strides",
        ),
        (
            changed("spacing: [1]", "spacing: [1, 3, 2]"),
            "sample-street",
            "strides [1, 3] and augmentation.spacing [1, 3, 2] need optical flow at stride 9: optical_flow.strides has 1, 3",
        ),
        (
            smoke(
                "video_discriminator: {width: 4, strides: [1]}",
                "augmentation: {spacing: [2]}\n      window_frames: 1\n      sequence_frames: 1\n      video_discriminator: {strides: []}",
            ),
            "smoke",
            "video_discriminator.strides [] and augmentation.spacing [2] need optical flow at stride 2: optical_flow.strides has 1, 3",
        ),
        (
            smoke("{width: 4, strides: [1]}", "{width: 4, strides: [1, 3]}"),
            "smoke",
            "train.video_discriminator.strides has 3, which sees 7 frames or more, but the longest sequence of the training has 4, by "
            "sequence_frames and double_every, and by clips.frames 8",
        ),
        (
            changed("double_every: 70 ", "double_every: null "),
            "sample-street",
            "video_discriminator.strides has 3, which sees 7 frames or more, but the longest sequence of the training has 4",
        ),
        (
            changed("precision: float32     # float32 | bfloat16 | float16", "precision: float16"),
            "smoke",
            "train.precision is float16, which GPUs alone are for, but machine.device is cpu: take bfloat16",
        ),
        (
            changed("drop_parts: 0.0", "drop_parts: 0.05"),
            "smoke",
            "train.augmentation.drop_parts is 0.05, but the maps have no poses: it must be 0",
        ),
        (
            changed("scale_range: [1.0, 1.0]\n    crop", "scale_range: [0.8, 1.0]\n    crop"),
            "smoke",
            "augmentation: frames of 64x32 pixels, scaled by 0.8 (scale_range), are smaller than 64x32 (the stored size: crop is null)",
        ),
        (
            smoke("video_discriminator: {", "augmentation: {crop: [48, 33]}\n      video_discriminator: {"),
            "smoke",
            "train.augmentation: frames of 64x32 pixels, scaled by 1.0 (scale_range), are smaller than 48x33 (crop)",
        ),
        (
            smoke(
                "generator: {width: 4, downsamplings: 2,", "augmentation: {crop: [48, 16]}\n      generator: {width: 4, downsamplings: 4,"
            ),
            "smoke",
            "4 downsamplings and 1 scales need frames of more than 16 pixels a side: train.augmentation.crop is 48x16",
        ),
        (
            smoke("image_discriminator: {", "augmentation: {crop: [16, 16]}\n      image_discriminator: {scales: 6, "),
            "smoke",
            "train.image_discriminator.scales is 6: too many for 16x16 pixels",
        ),
        (
            changed("earlier_phases: []", f"earlier_phases: [{PHASE.format(3)}, {PHASE.format(7)}]"),
            "smoke",
            "train.earlier_phases.1.window_frames 7 and generator.past_frames 2 need clips of 9 frames: clips.frames is 8",
        ),
        (
            changed("spacing: [1]", "spacing: [3, 2]"),
            "smoke",
            "window_frames 4 and generator.past_frames 2, augmentation.spacing 2 need clips of 11 frames: clips.frames is 8",
        ),
        (
            smoke("video_network: {window_frames: 4", "video_network: {window_frames: 9"),
            "smoke",
            "evaluate.video_network.window_frames is 9: test clips have source.test_frames = 8",
        ),
        (
            changed(
                "video_network: {name: random, weights: null, window_frames: 8",
                "video_network: {name: random, weights: null, window_frames: 61",
            ),
            "sample-street",
            "evaluate.video_network.window_frames is 61: test clips have source.long_frames = 60",
        ),
        (
            added("camvid", "evaluate: {}", "evaluate: {video_network: {window_frames: 22}}"),
            "mine",
            "evaluate.video_network.window_frames is 22: test clips have source.test_frames = 21",
        ),
        (
            changed("window_frames: 4\n  sequence_frames: 4", "window_frames: 7\n  sequence_frames: 7"),
            "smoke",
            "train.window_frames 7 and generator.past_frames 2 need clips of 9 frames: clips.frames is 8",
        ),
        (
            smoke("downsamplings: 2", "downsamplings: 5"),
            "smoke",
            "train.generator: 5 downsamplings and 1 scales need frames of more than 32 pixels a side: clips are 64x32",
        ),
        (
            smoke("image_discriminator: {", "image_discriminator: {scales: 9, "),
            "smoke",
            "train.image_discriminator.scales is 9: too many for 64x32 pixels",
        ),
        (
            smoke("{weights_from: smoke}", "{weights_from: sample-street}").replace(
                "weights_from: sample-street}   #", "weights_from: smoke}   #"
            ),
            "smoke",
            "segmentation.weights_from is sample-street, which has no model of its own",
        ),
        (
            added("videos"),
            "mine",
            "segmentation.weights_from is the data set itself, but its source has no labels to learn from",
        ),
        (
            added("videos", "weights_from: mine", "weights_from: sample-street, backend: given"),
            "mine",
            "segmentation.backend is given, but its source has no labels",
        ),
        (
            added("frames", "instances: {}", "instances: {backend: given}"),
            "mine",
            "instances.backend is given, but its source has no instances",
        ),
        (
            from_nothing(added("cityscapes", "{weights_from: mine,", "{weights_from: mine, backend: given,")),
            "mine",
            "segmentation.backend is given, but its source has labels of one frame of each snippet alone",
        ),
        (
            from_nothing(with_instances(added("cityscapes"), "{backend: given}")),
            "mine",
            "instances.backend is given, but its source has those of one frame of each snippet alone",
        ),
        *(
            (with_instances(added(name), "{}"), "mine", f"segmentation_model.backbone_weights: {BACKBONE} has not been fetched")
            for name in ("cityscapes", "apolloscape")
        ),
        *(
            (
                from_nothing(with_instances(added(name), "{}")),
                "mine",
                "optical_flow.options.weights: ptlflow-flownet2-things has not been fetched",
            )
            for name in ("cityscapes", "apolloscape")
        ),
        *(
            (
                from_nothing(with_instances(added(name, FLOWNET2, ""), "{}")),
                "mine",
                "train.vgg_weights: torchvision-vgg19-imagenet1k_v1 has not been fetched",
            )
            for name in ("cityscapes", "apolloscape")
        ),
    ],
)
def test_what_a_later_stage_could_not_do_is_refused_at_the_first(text, dataset, sentence):
    all_params = check(text, PATH)
    with pytest.raises(InputError) as refused:
        before_work.check(CLIPS, dataset, all_params)
    assert str(refused.value).startswith(f"params.yaml: datasets.{dataset}.")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    if dataset == "smoke" and "\ndatasets:" in text and text.split("\ndatasets:")[0] == TEXT.split("\ndatasets:")[0]:
        before_work.check(CLIPS, "sample-street", all_params)  # the other data set goes on


def test_all_weights_that_are_missing_are_named_at_once():
    with pytest.raises(InputError) as refused:
        before_work.check(CLIPS, "mine", check(added("faceforensics"), PATH))
    for parameter, name in {
        "source.face_weights": "yunet-n-640",
        "optical_flow.options.weights": "ptlflow-flownet2-things",
    }.items():
        assert f"params.yaml: datasets.mine.{parameter}: {name} has not been fetched" in str(refused.value)
    with pytest.raises(InputError) as refused:
        before_work.check(CLIPS, "mine", check(with_instances(added("cityscapes"), "{}"), PATH))
    assert str(refused.value).count(" has not been fetched") >= 2


@pytest.mark.parametrize("name", ["cityscapes", "apolloscape"])
def test_the_papers_entries_need_nothing_but_detectron2_and_three_weights(name, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.provenance._version", lambda library: "1")
    (tmp_path / "any.pth").touch()
    text = re.sub(r"weights: (ptlflow|torchvision|detectron2)-\w+(-\w+)*", f"weights: {tmp_path}/any.pth", added(name))
    before_work.check(CLIPS, "mine", check(text, PATH))


@pytest.mark.parametrize(("written", "instead"), [("test_sequences: []", "test_sequences: [a]"), ("splits: null", "splits: a.csv")])
def test_windows_may_be_longer_than_test_frames_where_whole_sequences_are_for_testing(written, instead):
    text = added("camvid", "evaluate: {}", "evaluate: {video_network: {window_frames: 22}}")
    entry = text.split("\n  mine:\n")[1]
    text = text.replace(entry, entry.replace(written, instead, 1))
    before_work.check(CLIPS, "mine", check(text, PATH))


def test_weights_of_stages_that_are_done_may_be_gone():
    gone = "optical_flow: {backend: ptlflow, options: {model: raft, weights: gone.pth}}"
    all_params = check(smoke("optical_flow: {}", gone), PATH)
    before_work.check(STAGES["train"], "smoke", all_params)
    with pytest.raises(InputError, match=r"optical_flow\.options\.weights: gone\.pth is no file"):
        before_work.check(STAGES["segmentation_model"], "smoke", all_params)


def test_a_library_that_is_not_installed_is_named_before_any_work(monkeypatch):
    monkeypatch.setattr("pipeline.provenance._version", lambda library: "not installed" if library == "cv2" else "1")
    with pytest.raises(InputError, match=r"instances\.backend components needs opencv-python-headless, which is not installed"):
        before_work.check(CLIPS, "smoke", load(REPOSITORY / "params.yaml"))


DANCERS_POSE = """    pose:
      backend: densepose_and_openpose
      options: {weights: densepose-rcnn_R_50_FPN_s1x, folder_weights: openpose/models}
"""


def test_poses_that_the_source_does_not_have_are_refused_and_so_is_a_missing_folder_of_models(monkeypatch):
    monkeypatch.setattr("pipeline.provenance._version", lambda library: "1")
    text = smoke("pose: {}", "pose: {backend: given}")
    with pytest.raises(InputError, match=r"smoke\.pose\.backend is given, but its source has no poses; sources that may: paired"):
        before_work.check(CLIPS, "smoke", check(text, PATH))
    text = smoke("pose: {}", "pose: {backend: openpose, options: {folder_weights: nowhere}}")
    with pytest.raises(InputError, match=r"smoke\.pose\.options\.folder_weights: nowhere is no folder with files"):
        before_work.check(CLIPS, "smoke", check(text, PATH))


@pytest.mark.parametrize("like", ["cityscapes", "apolloscape"])
def test_a_street_of_the_catalog_is_told_what_libraries_and_weights_it_lacks_in_one_sentence(like, monkeypatch):
    monkeypatch.setattr("pipeline.provenance._version", lambda library: "not installed" if library in ("detectron2", "ptlflow") else "1")
    with pytest.raises(InputError) as refused:
        before_work.check(CLIPS, "mine", check(added(like), PATH))
    masks = {"cityscapes": "R_50_FPN-cityscapes", "apolloscape": "R_50_FPN_3x-coco"}[like]
    lacking = [
        f"segmentation_model.backbone_weights: {BACKBONE} has not been fetched",
        "instances.backend detectron2_maskrcnn needs detectron2, which is not installed: install it (docs/models.md), or choose another",
        f"instances.options.weights: detectron2-mask_rcnn_{masks} has not been fetched",
        "optical_flow.backend ptlflow needs ptlflow, which is not installed",
        "optical_flow.options.weights: ptlflow-flownet2-things has not been fetched",
        "train.vgg_weights: torchvision-vgg19-imagenet1k_v1 has not been fetched",
    ]
    places = [str(refused.value).find(f"params.yaml: datasets.mine.{sentence}") for sentence in lacking]
    assert places == sorted(places)
    assert places[0] == 0
    assert str(refused.value).count("params.yaml: ") == len(lacking)


def test_a_wrong_option_is_told_before_a_library_is_built_for_it(monkeypatch):
    monkeypatch.setattr("pipeline.provenance._version", lambda library: "not installed" if library == "detectron2" else "1")
    with pytest.raises(InputError, match=r"mine\.instances\.options\.score is '0\.5'") as refused:
        before_work.check(CLIPS, "mine", check(added("cityscapes", "score: 0.5", "score: '0.5'"), PATH))
    assert "detectron2" not in str(refused.value)


def test_masks_for_a_palette_of_other_things_are_refused_before_any_work(tmp_path):
    (tmp_path / "moon.yaml").write_text(
        "classes: [{id: 0, name: dust, colour: [9, 9, 9]}, {id: 1, name: rover, colour: [1, 1, 1], thing: true}]\nvoid: []"
    )
    masks = (
        f"{{backend: torchvision_maskrcnn, options: {{architecture: maskrcnn_resnet50_fpn, weights: {tmp_path}/moon.yaml, "
        "shortest_side: 800, longest_side: 1333, score: 0.5, margin: 4, rest: none}}"
    )
    text = with_instances(added("frames", "palette: cityscapes_train", f"palette: {tmp_path}/moon.yaml"), masks)
    with pytest.raises(InputError, match=r"datasets.mine.instances.backend: the network knows none of palette moon's things \(rover\)"):
        before_work.check(CLIPS, "mine", check(text, PATH))


NEED_MAPS = ("dataset", "train", "train_per_frame", "train_image_generator", "synthesize", "synthesize_per_frame", "evaluate", "report")


def test_a_data_set_without_maps_can_have_what_needs_none():
    all_params = check(added("edges", "edges: {backend: canny}", "edges: {}"), PATH)
    for stage in set(STAGES) - set(NEED_MAPS):
        before_work.check(STAGES[stage], "mine", all_params)
    for stage in NEED_MAPS:
        with pytest.raises(InputError, match=f"are null: the data set has no maps, which {stage} needs; only clips, "):
            before_work.check(STAGES[stage], "mine", all_params)


@pytest.mark.parametrize("like", ["edges", "paired_faces", "paired_poses"])
def test_videos_with_their_edges_and_faces_and_poses_that_are_there_need_nothing(like):
    all_params = check(added(like), PATH)
    for stage in STAGES.values():
        before_work.check(stage, "mine", all_params)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "generator: {foreground: false}",
            "generator: {foreground: true}",
            "datasets.mine.train.generator.foreground is true, but segmentation.backend is null: what is foreground, label maps say",
        ),
        ("    dataset: {}", "    dataset: {min_frames: 5}", "min_frames is 5: train.window_frames 4 and generator.past_frames 2 need 6"),
        (
            "    train:\n",
            f"    train:\n      earlier_phases: [{PHASE.format(9)}]\n",
            "min_frames is 8: train.earlier_phases.0.window_frames 9 and generator.past_frames 2 need 11",
        ),
        (
            "    dataset: {}",
            "    dataset: {min_frames: 7}",
            "datasets.mine.dataset.min_frames is 7: evaluate.video_network.window_frames 8 needs as many of a test clip",
        ),
        ("    dataset: {}", "    dataset: {min_frames: 31}", "datasets.mine.dataset.min_frames is 31: clips have clips.frames = 30"),
    ],
)
def test_what_edges_alone_could_not_do_is_refused_before_the_clips(old, new, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)):
        before_work.check(CLIPS, "mine", check(added("edges", old, new), PATH))


def test_labels_of_a_data_set_that_makes_none_are_refused():
    text = added("videos", "weights_from: mine", "weights_from: smoke").replace(
        "weights_from: smoke}\n    instances: {min", "backend: null, weights_from: smoke}\n    instances: {min"
    )
    with pytest.raises(InputError, match="weights_from is smoke, which has no model: its own segmentation.backend is null"):
        before_work.check(CLIPS, "mine", check(text, PATH))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            smoke("    synthesize: {}", "    synthesize: {first_frame: image_generator}"),
            "synthesize.first_frame is image_generator, but train_image_generator.enabled is false",
        ),
        (
            smoke("      steps: 4\n", "      steps: 4\n      start_from_nothing: 0.0\n"),
            "synthesize.first_frame is itself, but train.start_from_nothing is 0: such a model never learned to begin",
        ),
    ],
)
def test_a_beginning_that_a_model_cannot_make_is_refused_before_any_work(text, sentence):
    with pytest.raises(InputError, match=f"params.yaml: datasets.smoke.{sentence}"):
        before_work.check(CLIPS, "smoke", check(text, PATH))


def test_other_beginnings_ask_no_more_of_the_training():
    without_start = smoke("      steps: 4\n", "      steps: 4\n      start_from_nothing: 0.0\n")
    given = changed("    synthesize: {}\n    evaluate: {video", "    synthesize: {first_frame: given}\n    evaluate: {video", without_start)
    drawn = given.replace("first_frame: given", "first_frame: image_generator")
    before, entry = drawn.split("\n  smoke:\n")
    enabled = f"{before}\n  smoke:\n{changed('train_image_generator: {}', 'train_image_generator: {enabled: true}', entry)}"
    for text in (given, enabled):
        before_work.check(CLIPS, "smoke", check(text, PATH))


def with_faces(side: float, more: str = "", scales: int = 1) -> str:
    face = f"face_discriminator: {{width: 4, layers: 3, scales: {scales}, side: {side}}}"
    generator = "      generator: {foreground: false}\n"
    return added("paired_poses", generator, f"      generator: {{foreground: false, scales: 2}}\n      {face}\n{more}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            smoke("    train:\n", "    train:\n      face_discriminator: {width: 4, layers: 3, scales: 1, side: 0.5}\n"),
            "smoke.train.face_discriminator is given, but pose.backend is null: poses say where faces are; set it to null",
        ),
        (
            with_faces(0.02),
            "mine.train.face_discriminator.side is 0.02, 14 pixels in the training's smallest frames of 512x720: with layers 3 and "
            "scales 1 it must be 16 or more",
        ),
        (
            with_faces(0.04, f"      earlier_phases: [{PHASE.format(3)}]\n"),
            "mine.train.face_discriminator.side is 0.04, 14 pixels in the training's smallest frames of 256x360: with layers 3 and "
            "scales 1 it must be 16 or more",
        ),
        (
            with_faces(0.25, "      augmentation: {crop: [64, 120]}\n", scales=2),
            "mine.train.face_discriminator.side is 0.25, 30 pixels in the training's smallest frames of 64x120: with layers 3 and "
            "scales 2 it must be 32 or more",
        ),
        (
            with_faces(1.0, "      augmentation: {crop: [20, 120]}\n", scales=2),
            "mine.train.face_discriminator.side is 1.0, 20 pixels in the training's smallest frames of 20x120: with layers 3 and "
            "scales 2 it must be 32 or more",
        ),
    ],
    ids=["no poses", "too small", "too small in an earlier phase", "too small where frames are cut", "narrow frames"],
)
def test_a_discriminator_of_faces_needs_poses_and_some_pixels(text, sentence):
    with pytest.raises(InputError) as refused:
        before_work.check(CLIPS, "smoke" if "smoke." in sentence else "mine", check(text, PATH))
    assert str(refused.value) == f"params.yaml: datasets.{sentence}"


@pytest.mark.parametrize("text", [with_faces(0.03), with_faces(0.05, f"      earlier_phases: [{PHASE.format(3)}]\n")])
def test_squares_of_faces_that_are_large_enough_are_accepted(text):
    before_work.check(CLIPS, "mine", check(text, PATH))


@pytest.mark.parametrize("augmentation", ["{flip: 0.5}", "{drop_parts: 0.05}"])
def test_poses_may_lack_parts_and_cannot_be_mirrored(augmentation, monkeypatch):
    monkeypatch.setattr("pipeline.provenance._version", lambda library: "1")
    text = added("paired_poses", "    train:\n", f"    train:\n      augmentation: {augmentation}\n")
    refused = pytest.raises(InputError, match="mine.train.augmentation.flip is 0.5: poses have no mirrored form, it must be 0 for them")
    with refused if "flip" in augmentation else nullcontext():
        before_work.check(CLIPS, "mine", check(text, PATH))


def test_where_nothing_can_be_cut_min_frames_may_be_any():
    before_work.check(CLIPS, "smoke", check(smoke("    dataset: {}", "    dataset: {min_frames: 99}"), PATH))
    refuses = added("edges", "    dataset: {}", "    dataset: {min_frames: 99}").replace(
        "{backend: canny}", "{backend: canny, missing: refuse}"
    )
    before_work.check(CLIPS, "mine", check(refuses, PATH))


def test_what_its_optical_flow_could_not_do_is_refused_before_its_clips_all_the_same():
    text = added("dance", FLOWNET2, "      backend: opencv")
    with pytest.raises(InputError, match=r"datasets\.mine\.optical_flow\.backend is 'opencv'"):
        before_work.check(CLIPS, "mine", check(text, PATH))


def test_maps_that_are_given_can_be_worked_on_to_the_end():
    text = added("paired", "palette: cityscapes", "palette: cityscapes_train")
    for stage in STAGES.values():
        before_work.check(stage, "mine", check(text, PATH))


@pytest.mark.parametrize(("with_instances", "refused"), [(True, False), ([3], False), (False, True), ([], True)])
def test_instances_that_no_image_gives_are_refused_before_the_first_clip(with_instances, refused):
    all_params = check(added("paired"), PATH)
    items = [Item("a", "paired", (), {"with_instances": with_instances}), Item("b", "paired", (), {}, "a problem of its own")]
    with pytest.raises(InputError, match="instances.backend is given, but a has no instance images") if refused else nullcontext():
        before_clips.check_items(items, "mine", all_params)


VIDEOS = [f"{n}.mp4" for n in range(5)]
IMAGES = [f"frames/a/{n}.png" for n in range(70)]
FACES = [f"original_sequences/youtube/c23/videos/{n:03d}.mp4" for n in range(5)]
CAMVID = [f"{folder}/{n}.png" for folder in ("images", "labels") for n in range(101)]
PAIRED = [
    f"{split}_{part}/a/{n}{ending}"
    for split in ("train", "test")
    for part, ending in (("img", ".png"), ("keypoints", ".txt"))
    for n in range(3)
]


@pytest.mark.parametrize(
    ("like", "change", "files", "lacks"),
    [
        ("edges", ("test_frames: 60", "test_frames: 60"), VIDEOS, None),
        (
            "edges",
            ("test_frames: 60", "test_frames: 0"),
            VIDEOS,
            "testing: .*; set source.splits or source.test_videos or source.test_frames",
        ),
        ("edges", ("test_videos: []", f"test_videos: [{', '.join(VIDEOS)}]"), VIDEOS, "training"),
        ("edges", ("test_videos: []", "test_videos: [0.mp4]"), VIDEOS, None),
        ("frames", ("test_frames: 60", "test_frames: 60"), IMAGES, None),
        (
            "frames",
            ("test_frames: 60", "test_frames: 0"),
            IMAGES,
            "testing: .*; set source.splits or source.test_sequences or source.test_fr",
        ),
        ("frames", ("test_sequences: []", "test_sequences: [a]"), IMAGES, "training"),
        ("frames", ("test_frames: 60", "test_frames: 71"), IMAGES, None),  # has a problem, which may be mended
        ("camvid", ("test_frames: 21", "test_frames: 21"), CAMVID, None),
        ("faceforensics", ("test_share: 0.1", "test_share: 0.5"), FACES, None),
        ("faceforensics", ("test_share: 0.1", "test_share: 0.0"), FACES, "testing: .*; set source.splits or source.test_share"),
        ("faceforensics", ("test_share: 0.1", "test_share: 1.0"), FACES, "training"),
        ("paired_faces", ("", ""), PAIRED, None),
        ("paired_faces", ("", ""), PAIRED[:6], "testing: .*; add some"),
    ],
)
def test_a_split_that_no_sequence_can_give_is_told_before_the_clips(like, change, files, lacks):
    all_params = check(added(like, *change), PATH)
    items = items_of(all_params.source("mine"), files)
    before_clips.check_items(items, "mine", all_params)
    found = before_clips.lacking_split(items, "mine", all_params)
    assert (
        re.match(f"params.yaml: datasets.mine.source: no sequence \\(of {len(items)}\\) is for {lacks}", found or "")
        if lacks
        else found is None
    )


def test_who_makes_clips_alone_needs_no_split():
    all_params = check(added("edges", "edges: {backend: canny}", "edges: {}").replace("test_frames: 60", "test_frames: 0"), PATH)
    assert before_clips.lacking_split(items_of(all_params.source("mine"), VIDEOS), "mine", all_params) is None


@pytest.mark.parametrize("dataset", ["sample-street", "smoke"])
def test_the_street_world_has_both_splits(dataset):
    all_params = load(REPOSITORY / "params.yaml")
    assert before_clips.lacking_split(items_of(all_params.source(dataset), []), dataset, all_params) is None


@pytest.mark.parametrize("like", ["cityscapes", "apolloscape", "faceforensics", "dance"])
def test_the_documents_fetch_what_an_entry_of_the_paper_lacks(like, monkeypatch):
    monkeypatch.setattr("pipeline.provenance._version", lambda library: "1")
    commands = (REPOSITORY / "docs/data.md").read_text().split(f"python -m pipeline new-dataset {like} --path FOLDER\n")[1].split("```")[0]
    with pytest.raises(InputError) as refused:
        before_work.check(CLIPS, "mine", check(added(like), PATH))
    lacking = set(re.findall(r": (\S+) has not been fetched", str(refused.value)))
    fetched = re.search(r"for name in (.*?); do", commands)
    assert fetched
    assert set(fetched[1].split()) == lacking


@pytest.mark.parametrize("like", ["cityscapes", "apolloscape", "dance"])
def test_what_the_documents_put_in_place_of_all_that_a_papers_entry_needs_is_enough(like, tmp_path):
    text = from_nothing(with_instances(added(like), "{min_pixels: 400}")) if like != "dance" else added(like)
    text = changed("weights: {perceptual: 10.0, reconstruction: 0.0}", "weights: {perceptual: 0.0, reconstruction: 20.0}", text)
    text = changed("vgg_weights: torchvision-vgg19-imagenet1k_v1", "vgg_weights: null", changed(FLOWNET2 + "\n", "", text))
    if like == "dance":
        (tmp_path / "keypoints.pth").touch()
        keypoints = f"    pose: {{backend: torchvision_keypoints, options: {{weights: {tmp_path}/keypoints.pth}}}}\n"
        text = changed(DANCERS_POSE, keypoints, text)
    before_work.check(CLIPS, "mine", check(text, PATH))


@pytest.mark.parametrize("by_torchrun", [False, True])
def test_every_process_has_the_same_share_of_a_batch(by_torchrun, monkeypatch):
    whose = "torchrun's 2" if by_torchrun else "machine.devices = 2"
    for name, value in {"RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 1}.items() if by_torchrun else ():
        monkeypatch.setenv(name, str(value))
    text = TEXT if by_torchrun else changed("  devices: 1 ", "  devices: 2 ")
    fitting = changed("\n  batch_size: 1\n  gradient_frames", "\n  batch_size: 2\n  gradient_frames", text)
    three = changed("  batch_size: 4\n\nsynthesize", "  batch_size: 3\n\nsynthesize", fitting)
    images = changed("  enabled: false\n  generator: {", "  enabled: true\n  generator: {", three)
    shared = f"{whose} processes share it equally, so it must be a multiple of 2"
    before_work.check(STAGES["train"], "smoke", check(fitting, PATH))
    for wrong, name in ((text, "train.batch_size is 1"), (images, "train_image_generator.batch_size is 3")):
        with pytest.raises(InputError) as refused:
            before_work.check(STAGES["train_image_generator" if wrong == images else "train"], "smoke", check(wrong, PATH))
        assert str(refused.value) == f"params.yaml: datasets.smoke.{name}: {shared}"


def test_several_processes_that_normalise_each_its_own_share_of_a_batch_are_refused(monkeypatch):
    batch_norm = changed("norm: instance\n", "norm: batch\n")
    shared = changed("\n  batch_size: 1\n  gradient_frames", "\n  batch_size: 2\n  gradient_frames", batch_norm)
    parsed_of = partial(parsed, path=PATH)  # entries that recompute frames cannot have batch norm
    before_work.check(CLIPS, "smoke", parsed_of(shared))
    two = changed("  devices: 1 ", "  devices: 2 ", shared)
    with pytest.raises(InputError, match=r"smoke\.train\.generator\.norm is batch, but machine\.devices = 2 processes train together"):
        before_work.check(CLIPS, "smoke", parsed_of(two))
    before_work.check(CLIPS, "smoke", parsed_of(changed("norm: batch\n", "norm: instance\n", two)))
    for name, value in {"RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 1}.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(InputError, match=r"norm is batch, but torchrun's 2 processes train together"):
        before_work.check(STAGES["train"], "smoke", parsed_of(shared))


def test_float16_is_for_gpus():
    text = changed("precision: float32     # float32 | bfloat16 | float16", "precision: float16")
    before_work.check(CLIPS, "smoke", check(changed("device: cpu ", "device: cuda ", text), PATH))


@pytest.mark.parametrize("name", [*ALL.datasets(), *ALL.catalog()])
def test_each_video_discriminator_of_an_entry_that_is_shipped_sees_something(name):
    """The shortest of its groups is of 2 * stride + 1 frames."""
    dataset, text = (name, TEXT) if name in ALL.datasets() else ("mine", added(name))
    all_params = parsed(text, PATH)
    p, clips = all_params.section(params.Train, dataset), all_params.section(params.Clips, dataset)
    drawn = (clips.frames - 1) // min(p.augmentation.spacing) + 1 - p.generator.past_frames
    schedule = Schedule(p.phases(), most_frames=drawn)
    longest = max(schedule[number].sequence_frames for number in range(1, schedule.steps + 1, 10))
    assert longest > 2 * max(p.video_discriminator.strides)
