from pathlib import Path

import pytest

from pipeline import params, splits
from pipeline.errors import InputError


def table(folder: Path, text: str) -> params.Videos:
    """A source with this table."""
    (folder / "splits.csv").write_text(text, encoding="utf-8")
    return params.Videos(
        kind="videos", path=str(folder), frames_per_second=None, scene_threshold=None, splits="splits.csv", test_videos=[], test_frames=0
    )


def test_a_table_names_the_split_of_each_sequence(tmp_path):
    source = table(tmp_path, 'sequence,split\na.mp4,train\n"b, c.mp4",test\nÄ 1.mp4,none\n')
    assert splits.read(source, ["a.mp4", "b, c.mp4", "Ä 1.mp4", "d.mp4"]) == {"a.mp4": "train", "b, c.mp4": "test", "Ä 1.mp4": "none"}


def test_other_columns_and_numbers_as_names_are_of_no_matter(tmp_path):
    source = table(tmp_path, "who,split,sequence\nme,test,007\nyou,train,1e3\n")
    assert splits.read(source, ["007", "1e3"]) == {"007": "test", "1e3": "train"}


def test_a_byte_order_mark_as_spreadsheets_write_it_is_of_no_matter(tmp_path):
    assert splits.read(table(tmp_path, "\ufeffsequence,split\na,train\n"), ["a"]) == {"a": "train"}


def test_a_sequence_may_be_called_none_or_na(tmp_path):
    assert splits.read(table(tmp_path, "sequence,split\nNA,train\nnone,test\n"), ["NA", "none"]) == {"NA": "train", "none": "test"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sequence,split\na,trian\n", "splits.csv: the split of a is 'trian'; there are train, test, none"),
        ("sequence,split\na,\n", "splits.csv: the split of a is ''; there are"),
        ("sequence,split\na,train\na,test\n", "splits.csv: a stands there twice"),
        ("sequence,split\nc,train\n", "splits.csv: there is no c in"),
        ("name,split\na,train\n", "splits.csv: is no table with columns sequence, split"),
        ("", "splits.csv: is no table with columns sequence, split"),
        ("sequence,split\na,train,3,4\nb\n", "splits.csv: "),
    ],
)
def test_a_table_that_says_something_else_is_refused_in_one_sentence(tmp_path, text, sentence):
    with pytest.raises(InputError) as refused:
        splits.read(table(tmp_path, text), ["a", "b"])
    assert sentence in str(refused.value) and "\n" not in str(refused.value)


def test_a_table_that_is_not_there_or_no_text_is_refused(tmp_path):
    source = table(tmp_path, "")
    (tmp_path / "splits.csv").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="splits.csv: is no table with columns sequence, split"):
        splits.read(source, ["a"])
    (tmp_path / "splits.csv").unlink()
    with pytest.raises(InputError, match="source.splits: there is no .*splits.csv; a table with columns sequence, split is needed"):
        splits.read(source, ["a"])


def test_what_the_table_forgot_is_a_problem_of_its_own(tmp_path):
    source = table(tmp_path, "sequence,split\na,train\n")
    assert splits.problem(source, "a", "train") == ""
    assert splits.problem(source, "b", None) == "has no row in splits.csv: give it the split train, test or none"
    assert splits.problem(source.model_copy(update={"splits": None}), "b", None) == ""
