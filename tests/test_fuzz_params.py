"""Any params.yaml is valid or refused in one sentence. FUZZ_EXAMPLES=100000 looks longer, each time at other files."""

import copy
import os
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline import before_work, layout, new_dataset
from pipeline.errors import InputError
from pipeline.journey import STAGES
from pipeline.params_file import check, parsed
from tests.conftest import REPOSITORY

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
TEXT = (REPOSITORY / "params.yaml").read_text()
PATH = Path("params.yaml")
VALUES = YAML(typ="safe", pure=True).load(TEXT)


def fuzz(few: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    return settings(max_examples=EXAMPLES or few, derandomize=not EXAMPLES, database=None, deadline=20_000, suppress_health_check=slow)


def places(values: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where each value stands, at any depth."""
    inner = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return [found for key, value in inner for found in [(*place, key), *places(value, (*place, key))]]


PLACES = places(VALUES)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**30, max_value=10**40),
    st.floats(),
    st.text(max_size=20),
    st.dates(),
    st.binary(max_size=5),
    st.sampled_from(["", "smoke", "given", "../..", "a\nb", "~", ".nan", "9" * 400, "x" * 5000, "\x85", "\ud800"]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
    st.sampled_from([VALUES["train"], VALUES["datasets"]["smoke"], VALUES["machine"]]),
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """The real file's values with one to three keys or values deleted, renamed, replaced, moved or added."""
    values = copy.deepcopy(VALUES)
    for _ in range(draw(st.integers(1, 3))):
        *folder, key = draw(st.sampled_from(PLACES))
        inner: Any = values
        try:
            for part in folder:
                inner = inner[part]
            old = inner[key]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took it away
        change = draw(st.sampled_from(["delete", "rename", "replace", "add"]))
        if change == "replace":
            inner[key] = draw(ODD)
        elif change == "delete" or isinstance(inner, list):
            del inner[key]
        else:
            new = draw(st.one_of(st.text(max_size=10), st.sampled_from(["3", "datasets", "backend", "options"])))
            inner[new] = old if change == "rename" else draw(ODD)
            if change == "rename":
                inner.pop(key, None)
    return values


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The real file's bytes with something flipped, cut out, put in or doubled."""
    data = bytearray(TEXT.encode())
    for _ in range(draw(st.integers(1, 3))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        end = min(len(data), at + draw(st.integers(1, 40)))
        piece = draw(st.one_of(st.binary(max_size=8), st.text(alphabet="&*!<:-[]{}'\"|>%@#?, \n\t0a~.=", max_size=8).map(str.encode)))
        match draw(st.sampled_from(["flip", "cut", "insert", "double", "truncate"])):
            case "flip":
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[at:end]
            case "insert":
                data[at:at] = piece
            case "double":
                data[at:at] = data[at:end]
            case "truncate" if at:
                del data[at:]
    return bytes(data)


def accept_or_refuse(text: str) -> None:
    try:
        all_params = parsed(text, PATH)
        for dataset in all_params.datasets():
            try:
                all_params.require(dataset)
                before_work.check(STAGES["clips"], dataset, all_params)
            except InputError as error:
                require_one_sentence(error)
        check(text, PATH)
    except InputError as error:
        require_one_sentence(error)


def require_one_sentence(error: InputError) -> None:
    assert str(error).isprintable(), str(error)
    assert len(str(error)) < 2000


def written(values: Any) -> str:
    import yaml

    return yaml.safe_dump(values, allow_unicode=True)


def with_section_in_place_of(values: dict[str, Any], dataset: str, name: str, other: str) -> dict[str, Any]:
    entry = {**values["datasets"][dataset], name: values[other]}
    return {**values, "datasets": {**values["datasets"], dataset: entry}}


@fuzz(120)
@given(mutated())
@example(with_section_in_place_of(VALUES, "sample-street", "optical_flow", "train"))  # 17 problems at once
def test_a_file_with_other_keys_and_values_is_valid_or_refused_in_one_sentence(values):
    try:
        text = written(values)
    except UnicodeEncodeError:
        return  # half a surrogate pair
    accept_or_refuse(text)


@fuzz(120)
@given(damaged())
@example(b"a: !!timestamp x")
@example(b'a: "\\U00110000"')
def test_a_damaged_file_is_valid_or_refused_in_one_sentence(data):
    accept_or_refuse(data.decode("utf-8", errors="replace"))


@fuzz(40)
@given(damaged())
@example(TEXT.replace("kind: videos", "kind videos").encode())
def test_a_refused_new_data_set_leaves_the_file_as_it_is(project, data):
    (project / "raw").mkdir(exist_ok=True)
    layout.PARAMS.write_bytes(data)
    try:
        new_dataset.run("mine", project / "raw", like="videos")
    except InputError as error:
        require_one_sentence(error)
        assert layout.PARAMS.read_bytes() == data
    else:
        parsed(layout.PARAMS.read_text(), PATH).require("mine")
    assert sorted(path.name for path in project.iterdir()) == ["params.yaml", "raw"]
