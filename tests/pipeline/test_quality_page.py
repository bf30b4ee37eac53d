import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline import layout, params, quality_page
from tests.pipeline.test_quality import Clip, findings
from tests.pipeline.test_report import Page

LIMITS = {"unsure_flow": 0.5, "label_flicker": 0.05, "object_breaks": 10.0, "object_jumps": None, "lost_faces": 0.2, "lost_people": 0.2}
MODALITIES = ("segmentation", "instances", "edges")


def flickering() -> Clip:
    clip = Clip()
    clip.label[4, :10] = 3
    return clip


def renamed() -> Clip:
    clip = Clip()
    clip.instance[5:] *= 9
    return clip


def faceless() -> Clip:
    clip = Clip()
    clip.attributes = {"missing": [6], "carried": []}
    clip.confidence[6, :20] = 0  # so its flow is the least sure of all
    return clip


def three_clips(root: Path) -> None:
    """`flickers` is 2/7 * 0.25 / 0.05 = 1.43 times its limit, `renamed` 2/7 * 100 / 10 = 2.86 times, `123_000` 1/8 / 0.2 = 0.63."""
    rows = []
    for name, clip in {"flickers": flickering(), "123_000": faceless(), "renamed <b>": renamed(), "good": Clip()}.items():
        clip.measure(root, name, *MODALITIES)
        rows.append({"clip": name, "key": "k", "item_key": "i", "split": "train", "num_frames": len(clip.label)})
    pd.DataFrame(rows).to_csv(layout.manifest(root / "clips"), index=False)


def written(root: Path, out: str, *modalities: str, **changed: object) -> Path:
    folders = {m: root / m if m in modalities else None for m in (*MODALITIES, "pose")}
    (root / out).mkdir()
    quality_page.run(
        clips=root / "clips",
        optical_flow=root / "optical_flow",
        quality=root / "quality",
        **folders,
        out=root / out,
        p=params.QualityPage.model_validate({"limits": LIMITS, "clips": 2, "picture_width": 30, **changed}),
        dataset_name="mine",
        made_by={"key": "feed" * 16},
    )
    return root / out


@pytest.fixture
def page(tmp_path: Path) -> Path:
    three_clips(tmp_path)
    return written(tmp_path, "page", *MODALITIES)


def test_clips_are_ranked_by_how_many_times_their_limit_they_are(page):
    table = pd.read_csv(layout.quality_table(page), dtype={"clip": str})
    assert table["clip"].tolist() == ["renamed <b>", "flickers", "123_000", "good"]
    assert table["score"].tolist() == [pytest.approx(2 / 7 * 100 / 10, abs=1e-4), pytest.approx(2 / 7 / 4 / 0.05, abs=1e-4), 0.625, 0.0333]
    assert table.set_index("clip").loc["flickers", ["label_flicker_frame", "label_flicker_worst"]].tolist() == [4, 0.25]


def test_the_list_to_leave_out_is_yaml_of_the_clips_beyond_a_limit(page):
    text = Page(layout.page(page).read_text()).words()
    line = re.search(r"exclude: \[.*?\]", text)
    assert line and YAML(typ="safe").load(line[0]) == {"exclude": ["flickers", "renamed <b>"]}
    params.Dataset(exclude=YAML(typ="safe").load(line[0])["exclude"], min_frames=2)


def test_a_measure_without_a_limit_is_shown_and_lists_nothing(tmp_path):
    three_clips(tmp_path)
    page = Page(layout.page(written(tmp_path, "page", *MODALITIES, limits=dict.fromkeys(LIMITS))).read_text())
    assert "No clip is beyond a limit" in page.words() and "label_flicker" in page.ids


def test_each_measure_shows_its_worst_clips_and_names_the_frame(page):
    parsed = Page(layout.page(page).read_text())
    assert {"unsure_flow", "label_flicker", "object_breaks", "object_jumps", "lost_faces"} <= set(parsed.ids)
    assert "flickers 7.1 % · beyond the limit · frame 4: 25.0 % of those pixels in this frame" in parsed.words()
    assert "renamed <b> 28.6 · beyond the limit · frame 5: 2 in this frame (object 1 ends, object 9 begins)" in parsed.words()
    assert "123_000 12.5 % · frame 6: 1 in a row (missing 6)" in parsed.words()
    pictures = {path.name for path in layout.media(page).iterdir()}
    assert pictures == {
        *(f"{clip}.unsure_flow.png" for clip in ("123_000", "flickers")),
        "flickers.label_flicker.png",
        "renamed <b>.object_breaks.png",
        "123_000.lost_faces.png",
    }


def test_the_picture_of_flickering_labels_is_red_where_they_changed(page):
    from PIL import Image

    picture = np.asarray(Image.open(layout.media(page) / "flickers.label_flicker.png"))
    before, label, marked = picture[:, :30], picture[:, 34:64], picture[:, 68:]
    assert before[1, 5, :3].tolist() == [0, 90, 90] and label[1, 5, :3].tolist() == [90, 90, 90]
    assert marked[1, 5, :3].tolist() == list(quality_page.RED) and marked[15, 5, :3].tolist() != list(quality_page.RED)


def test_equal_clips_give_equal_bytes_and_no_path_or_host(tmp_path):
    three_clips(tmp_path)
    pages = [written(tmp_path, out, *MODALITIES) for out in ("one", "two")]
    files = [{path.relative_to(page): path.read_bytes() for path in page.rglob("*") if path.is_file()} for page in pages]
    assert files[0] == files[1] and len(files[0]) > 5
    assert str(tmp_path) not in layout.page(pages[0]).read_text()


def test_a_data_set_without_labels_has_a_page_of_what_it_has(tmp_path):
    for name in ("a", "one frame"):
        Clip(num_frames=1 if name == "one frame" else 8).measure(tmp_path, name)
    rows = [{"clip": name, "key": "k", "item_key": "i", "split": "test", "num_frames": 8} for name in ("a", "one frame")]
    pd.DataFrame(rows).to_csv(layout.manifest(tmp_path / "clips"), index=False)
    page = Page(layout.page(written(tmp_path, "page")).read_text())
    assert "unsure_flow" in page.ids and "label_flicker" not in page.ids
    assert findings(tmp_path / "quality" / "one frame") == {}


@pytest.mark.browser
def test_the_page_opens_from_disk_with_all_its_pictures(page, chromium):
    tab = chromium.new_page(viewport={"width": 390, "height": 844})
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("requestfailed", lambda request: problems.append(request.url))
    tab.goto(layout.page(page).as_uri())
    images = tab.locator("img")
    for i in range(images.count()):
        images.nth(i).scroll_into_view_if_needed()
        tab.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=images.nth(i).element_handle())
    assert problems == [] and images.count() == 5
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
