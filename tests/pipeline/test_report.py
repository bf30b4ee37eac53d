import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from finished_journey import FRAMES, WINDOWS, Journey, finished

from pipeline import evaluate, layout, params, report, video

SECTIONS = {"clips": 2, "crf": 30}
READ = ("clips", "segmentation_scores", "segmentation", "instances", "optical_flow", "dataset", "train", "train_per_frame")
READ_LAST = ("synthesize", "synthesize_per_frame", "evaluate")
VOID_TAGS = {"meta", "link", "img", "input", "br", "line", "polyline"}


class Page(HTMLParser):
    """Collects what a page refers to and its text; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.references += [named[name] for name in ("src", "href", "poster") if name in named]
        self.ids += [named["id"]] if "id" in named else []
        if tag not in VOID_TAGS or tag == "polyline":
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def written(journey: Journey, name: str = "stripes", out: str = "report", **changed) -> Path:
    read = (
        "clips",
        "segmentation",
        "optical_flow",
        "segmentation_model",
        "segmentation_scores",
        "dataset",
        "synthesize",
        "synthesize_per_frame",
    )
    measuring = params.Evaluate(stride=1, video_network=WINDOWS)
    evaluate.run(**journey.arguments(*read), out=journey.folder("evaluate"), p=measuring, device="cpu")
    inputs = {stage: {"*": f"{stage:x<64}"} for stage in (*READ, *READ_LAST)}
    report.run(
        **journey.arguments(*READ, *READ_LAST),
        pose=None,
        edges=None,
        out=journey.folder(out),
        p=params.Report(**{**SECTIONS, **changed}),
        model_training=MODEL_TRAINING,
        training=TRAINING,
        dataset_name=name,
        made_by={"key": "feed" * 16, "inputs": inputs, "parameters": {"p": SECTIONS}},
    )
    return journey.folder(out)


def section(name: str) -> params.Section:
    """As the repository's params.yaml has it."""
    from ruamel.yaml import YAML

    values = YAML(typ="safe", pure=True).load((Path(__file__).parents[2] / "params.yaml").read_text())[name]
    return params.SECTIONS[name].model_validate(values)


MODEL_TRAINING, TRAINING = section("segmentation_model"), section("train")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return written(finished(tmp_path_factory.mktemp("journey")))


@pytest.fixture(scope="module")
def page(folder) -> Page:
    return Page(layout.page(folder).read_text())


def test_every_file_that_the_page_shows_is_there_and_none_is_left_over(folder, page):
    files = {unquote(r) for r in page.references if not r.startswith(("#", "data:"))}
    assert files == {f"media/{path.name}" for path in layout.media(folder).iterdir()}


def test_links_lead_to_sections_of_the_page(page):
    links = [r for r in page.references if r.startswith("#")]
    assert links and {link[1:] for link in links} <= set(page.ids)


def test_the_page_needs_no_network_and_names_no_path(folder):
    text = layout.page(folder).read_text()
    assert "http" not in text.lower()
    assert str(folder.parent) not in text and "/tmp" not in text


def test_equal_inputs_give_equal_bytes(folder, tmp_path):
    again = written(finished(tmp_path))
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(files) > 20
    for file in files:
        assert (folder / file).read_bytes() == (again / file).read_bytes(), file


def test_all_videos_of_a_clip_have_its_length_and_rate(folder):
    videos = sorted(layout.media(folder).glob("*.mp4"))
    assert [path.name for path in videos[:4]] == [f"drive-1.{key}.mp4" for key in ("maps", "per_frame", "real", "vid2vid")]
    assert {(video.properties(path).num_frames, video.properties(path).frames_per_second) for path in videos} == {(FRAMES, "15/1")}


def test_the_numbers_and_the_verdict_are_in_the_page(page):
    words = page.words()
    assert "vid2vid is better than the same generator without the past in all 6 measures" in words
    assert "Measured on 2 test clips with 12 frames" in words
    assert "4 windows of 4 frames a side, one every 2 frames, 480 features" in words
    assert words.count("random features, comparable within this report only") == 3  # at both columns and in the verdict
    assert "reaches mIoU 0.512" not in words  # the labels were given
    assert "The labels came with the data" in words


def test_parameters_keys_and_libraries_are_in_the_page(page):
    words = page.words()
    assert f"generator.width {TRAINING.generator.width}" in words
    assert "feedfeedfeed" in words and "trainxxxxxxx" in words
    assert "numpy 2.4.6" in words


def test_rendered_clips_are_called_synthetic(page, tmp_path):
    assert "synthetic" not in page.words()
    rendered = written(finished(tmp_path, source_kind="sample_street"))
    assert "synthetic sample data" in Page(layout.page(rendered).read_text()).words()


OTHERS = {"backend": "deeplabv3", "weights_from": "camvid"}


def test_labels_of_another_data_sets_model_are_called_out_of_domain_and_claim_no_accuracy(tmp_path, page):
    assert "out of domain" not in page.words()
    folder = written(finished(tmp_path, labelled_by=OTHERS, segmentation_scores={"used": False}))
    words = Page(layout.page(folder).read_text()).words()
    assert "labels out of domain: model of camvid" in words
    assert (
        "segmentation model of camvid , which was trained on other pictures (out of domain): no test frame here has a true label" in words
    )
    assert "it reaches mIoU" not in words and "held-out IoU" not in words


def test_a_model_of_another_data_set_is_measured_where_there_are_true_labels(tmp_path):
    folder = written(finished(tmp_path, labelled_by=OTHERS))
    words = Page(layout.page(folder).read_text()).words()
    assert "(out of domain); on 12 test frames of this data set that have a true label it reaches mIoU 0.512 ." in words
    assert "nothing on this page" not in words


@pytest.mark.parametrize(
    ("begins_with", "said"),
    [
        ("itself", "it made every frame, the first one too, from the labels alone."),
        ("image_generator", "an image generator made the first frames of each from the labels alone, and vid2vid all others."),
        ("given", "each begins with 2 real frames that it was given, and it made all others."),
    ],
)
def test_the_page_says_how_its_videos_begin(tmp_path, begins_with, said):
    text = " ".join(layout.page(written(finished(tmp_path, begins_with=begins_with))).read_text().split())
    beginnings = ("it made every frame", "an image generator made", "each begins with")
    assert said.replace("the labels", "the label maps") in text and sum(beginning in text for beginning in beginnings) == 1


def test_a_journey_without_the_other_generator_has_a_page_too(tmp_path):
    folder = written(finished(tmp_path, per_frame=False))
    page = Page(layout.page(folder).read_text())
    assert "The generator without the past was not trained" in page.words()
    assert not list(layout.media(folder).glob("*per_frame*"))


def test_clips_that_are_not_shown_are_told(tmp_path):
    folder = written(finished(tmp_path), clips=1)
    assert "1 of 2 test clips are shown" in Page(layout.page(folder).read_text()).words()
    assert not list(layout.media(folder).glob("drive-2*"))


def test_names_are_escaped(tmp_path):
    folder = written(finished(tmp_path), name="<script>alert(1)</script>")
    text = layout.page(folder).read_text()
    assert "<script>alert" not in text
    assert len(re.findall("<script>", text)) == 1
