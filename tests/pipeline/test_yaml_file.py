from pathlib import Path

import pytest

from pipeline import yaml_file
from pipeline.errors import InputError, shown

PATH = Path("some.yaml")
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(9 * [f'*{old}'])}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_plain_values_are_read_and_may_be_shared():
    found = yaml_file.values("a: &x {b: [1, 2.5, text, true, null]}\nc: *x\nd: {<<: *x, e: 1e-3}\n", PATH)
    plain = {"b": [1, 2.5, "text", True, None]}
    assert found == {"a": plain, "c": plain, "d": {**plain, "e": 0.001}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "some.yaml is no YAML: line 1: "),
        ("a: 1\nb: 2\na: 3", 'some.yaml is no YAML: line 3: found duplicate key "a"'),
        ("a: 1\n---\nb: 2", "line 2: but found another document"),
        ("a\x01", "some.yaml is no YAML: unacceptable character"),
        ("a: !!int b", "some.yaml is no YAML: invalid literal"),
        ("a: 2024-13-45", "some.yaml is no YAML: month must be in 1..12"),
        (f"a: 1{'0' * 5000}", "some.yaml is no YAML: Exceeds the limit"),
        ("a: !!python/object:os.system b", "could not determine a constructor for the tag"),
        ("a: " + "[" * 3000 + "]" * 3000, "some.yaml is nested too deeply: at most 40 levels"),
        ("a: " + "[" * 50 + "]" * 50, "is nested too deeply: at most 40 levels"),
        ("a: &a [*a]", "is nested too deeply: at most 40 levels"),
        (LAUGHS, "stands for more than 500,000 values"),
        ("2024-01-01: 1", "a key must be text, found datetime.date(2024, 1, 1); put quotes around it"),
        ("a: {3: 4}", "some.yaml: a: a key must be text, found 3"),
        ('"a\\nb": 1', "a key must be at most 200 printable letters, found 'a\\nb'"),
        ("x" * 201 + ": 1", "a key must be at most 200 printable letters"),
        ("a: [b, 2024-01-01]", "some.yaml: a.1 is datetime.date(2024, 1, 1): neither text, number, list"),
        ("a: !!set {b}", "some.yaml: a is {'b'}: neither text"),
        ('a: "\\ud800"', "some.yaml: a: a text cannot be written as UTF-8"),
    ],
)
def test_what_is_not_plain_is_refused_in_one_sentence(text, sentence):
    with pytest.raises(InputError) as refused:
        yaml_file.values(text, PATH)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_file_that_is_no_text_or_far_too_long_is_refused(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"some\.yaml is no text"):
        yaml_file.read(path)
    path.write_text("# nothing\n" * 500_000)
    with pytest.raises(InputError, match=r"some\.yaml has 5,000,000 bytes: a file of parameters has at most 4,000,000"):
        yaml_file.read(path)
    with pytest.raises(InputError, match=r"cannot be read: Is a directory"):
        yaml_file.read(tmp_path)


def test_a_value_in_a_sentence_is_short_and_on_one_line():
    assert shown("a\nb") == "'a\\nb'"
    assert len(shown("a" * 1000)) == 80
    assert len(shown([list(range(1000))] * 1000)) < 200
    assert shown(10**5000) == "a number of thousands of digits"
