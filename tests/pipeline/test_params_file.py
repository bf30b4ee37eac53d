import inspect
from pathlib import Path

import pytest

from models.frame_by_frame import FrameByFrame
from models.video_generator import VideoGenerator
from pipeline import params
from pipeline.errors import InputError
from pipeline.metrics.video_features import num_windows
from pipeline.params_file import check, load
from tests.conftest import REPOSITORY

TEXT = (REPOSITORY / "params.yaml").read_text()
PATH = Path("params.yaml")


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) >= 1, old
    return TEXT.replace(old, new, 1)


def test_the_projects_own_file_loads():
    all_params = load(REPOSITORY / "params.yaml")
    assert all_params.datasets() == ["sample-street", "smoke"]
    assert "cityscapes" in all_params.catalog()


def test_a_data_set_overrides_single_keys_at_any_depth():
    smoke = check(TEXT, PATH).section(params.Train, "smoke")
    street = check(TEXT, PATH).section(params.Train, "sample-street")
    assert (smoke.generator.width, smoke.steps) == (4, 4)
    assert smoke.generator.past_frames == street.generator.past_frames
    assert smoke.weights == street.weights


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("  rounding:", "  ronding:", "optical_flow.ronding is no parameter; did you mean rounding?"),
        ("    blocks: 4", "    blcks: 4", "train.generator.blcks is no parameter; did you mean blocks?"),
        ("  gan: lsgan", "  gan: wgan", "train.gan is 'wgan': input should be 'lsgan' or 'hinge'"),
        ("  strides: [1, 3]\n  batch_size", "  strides: [0]\n  batch_size", "optical_flow.strides.0 is 0: input should be greater than 0"),
        ("      kind: sample_street", "      kind: sample_stret", "source.kind is 'sample_stret'; did you mean sample_street?"),
        ("      seed: 1", "      sede: 1", "source.sede is no parameter; did you mean seed?"),
        ("    instances: {}\n", "    instances: {}\n    machine: {devices: 2}\n", "sample-street.machine: a machine is not a data set's"),
        ("    instances: {}\n", "    instancs: {}\n", "datasets.sample-street.instancs is no stage; did you mean instances?"),
        ("    synthesize: {}\n", "", "datasets.sample-street.synthesize is missing: write `synthesize: {}`"),
        (", weights_from: sample-street}", ", weights_from: sample-steet}", "weights_from is 'sample-steet'; did you mean sample-street?"),
        (
            ", weights_from: sample-street}",
            ", weights_from: camvid}",
            "datasets.sample-street.segmentation.weights_from: camvid is in the catalog of params.yaml but not yet one of its datasets: "
            "add it with `python -m pipeline new-dataset camvid --path FOLDER`",
        ),
        ("\ndatasets:\n", "\ndatasts:\n", "datasts is no section; did you mean datasets?"),
        (
            "name: random, weights: null",
            "name: r3d_18, weights: null",
            "r3d_18 needs the path or name of its weights; without any, name must be random",
        ),
        ("name: random, weights: null", "name: random, weights: r3d.pth", "random takes no weights"),
        ("name: random,", "name: i3d,", "evaluate.video_network.name is 'i3d': input should be 'random', 'mc3_18'"),
        ("machine:\n", "machine: [\n", "params.yaml is no YAML"),
        ("  steps: 220", "  steps: true", "train.steps is True: input should be a valid integer"),
        ("  steps: 220", '  steps: "220"', "train.steps is '220': input should be a valid integer"),
        ("  steps: 220", "  steps: -1", "train.steps is -1: input should be greater than 0"),
        ("  steps: 220", "  steps: 10000000000", "train.steps is 10000000000: input should be less than or equal to 1000000000"),
        ("  learning_rate: 0.001", "  learning_rate: .nan", "train.learning_rate is nan: input should be a finite number"),
        ("  learning_rate: 0.001", "  learning_rate: .inf", "train.learning_rate is inf: input should be a finite number"),
        ("    warping: true", "    warping: 1", "train.generator.warping is 1: input should be a valid boolean"),
        (
            "measure: reconstruction, take: last}",
            "measure: reconstruction, take: best}",
            "train.validation: take is best, but every is null",
        ),
        (
            "{every: null, clips: 1, frames: 16, measure: reconstruction,",
            "{every: 1, clips: 1, frames: 16, measure: perceptual,",
            "validation.measure is perceptual, which is measured only where weights.perceptual is above 0",
        ),
        ("[1.0, 1.5]", "[1.5, 1.0]", "segmentation_model.scale_range is [1.5, 1.0]: the smaller one comes first"),
        ("kind: sample_street", "kind: [a]", "source.kind is ['a']; there are sample_street, frames"),
        ("  smoke:\n", "  a b:\n", "datasets.a b: a data set's name is text of letters, digits, - and _ only"),
        ("\ndatasets:\n", "\ndatasets: [a]\nclips2:\n", "clips2 is no section"),
        ("\ncatalog:\n", "\ncatalog: 3\nclips:\n", 'found duplicate key "clips"'),
    ],
)
def test_what_is_wrong_is_named_in_one_sentence(old, new, sentence):
    with pytest.raises(InputError) as refused:
        check(changed(old, new), PATH)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("groups", ["datasets: [a]", "datasets: 3", "datasets: true", "datasets: text", "datasets: {}\ncatalog: [a]"])
def test_what_holds_no_data_sets_is_refused(groups):
    with pytest.raises(InputError, match="must hold data sets by their names, found"):
        check(f"{TEXT.split('datasets:')[0]}\n{groups}\n", PATH)


def test_no_data_sets_at_all_are_allowed():
    assert check(f"{TEXT.split('datasets:')[0]}\ndatasets: null\n", PATH).datasets() == []


def test_a_mistake_in_one_entry_is_of_no_matter_to_another(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(changed("    clips: {frames: 16}", "    clips: {frams: 16}"))
    all_params = load(path)
    all_params.require("smoke")
    with pytest.raises(InputError, match=r"datasets\.sample-street\.clips\.frams is no parameter; did you mean frames\?"):
        all_params.require("sample-street")


def test_another_back_end_takes_none_of_the_sections_options():
    text = changed("    optical_flow: {}\n", "    optical_flow: {backend: given}\n")
    found = check(text, PATH).section(params.OpticalFlow, "sample-street")
    assert (found.backend, found.options, found.strides) == ("given", {}, [1, 3])


def test_an_override_can_be_null():
    text = changed("  weights: null\n  backbone", "  weights: some.pth\n  backbone").replace(
        "    segmentation_model: {label_every: 4, steps: 120, ", "    segmentation_model: {label_every: 4, steps: 120, weights: null, "
    )
    assert check(text, PATH).section(params.SegmentationModel, "sample-street").weights is None


def test_no_field_has_a_default():
    for cls in [params.Machine, *params.SECTIONS.values(), *params.SOURCES.values(), params.Generator, params.Weights, params.VideoNetwork]:
        assert all(field.is_required() for field in cls.model_fields.values()), cls


def test_networks_take_the_numbers_of_their_sections():
    def taken(network: type) -> set[str]:
        return set(inspect.signature(network).parameters) - {"map_channels", "checkpointing"}

    assert taken(VideoGenerator) == {*params.Generator.model_fields, "skips_empty_past", "each_alone"}
    assert taken(FrameByFrame) == {*params.ImageGenerator.model_fields, "norm"}


def test_checkpointing_is_refused_with_batch_norm():
    batch_norm = changed("    norm: instance\n", "    norm: batch\n")
    with pytest.raises(InputError, match=r"cityscapes\.train.*checkpointing is true.*generator\.norm instance alone"):
        check(batch_norm, PATH)
    check(batch_norm.replace("checkpointing: true", "checkpointing: false"), PATH)


def test_a_data_set_of_the_catalog_that_was_not_added_is_told_how():
    with pytest.raises(InputError, match="python -m pipeline new-dataset camvid --path FOLDER"):
        check(TEXT, PATH).require("camvid")
    with pytest.raises(InputError, match="datasets has no sample-steet; did you mean sample-street"):
        check(TEXT, PATH).require("sample-steet")


def test_the_built_in_test_clips_have_the_windows_that_video_fid_needs():
    all_params = check(TEXT, PATH)
    for name, like in (("sample-street", "sample-street"), ("smoke", "smoke"), ("camvid", "sample-street")):
        windows = all_params.section(params.Evaluate, like).video_network
        assert num_windows(all_params.source(name).test_frames, windows.window_frames, windows.window_stride) >= 4, name
