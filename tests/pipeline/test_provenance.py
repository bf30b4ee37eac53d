import ast
import hashlib
import re
from pathlib import Path

import grimp
import pytest

from pipeline import provenance
from pipeline.journey import STAGES
from pipeline.provenance import _without_docstrings, code_digest, library_versions, reached_modules

CODE = '''
"""Module text."""
def double(x):
    """Twice."""
    # a comment
    return 2 * x
'''


def dumped(code: str) -> str:
    return ast.dump(_without_docstrings(ast.parse(code)))


def test_comments_docstrings_and_formatting_do_not_count():
    assert dumped(CODE) == dumped("def double(x):\n\n    return (2*x)")
    assert dumped(CODE) != dumped(CODE.replace("2 * x", "3 * x"))


@pytest.mark.parametrize("module", sorted({stage.module for stage in STAGES.values()}))
def test_reached_modules_are_those_that_an_import_graph_finds(module):
    graph = grimp.build_graph("pipeline", "models")
    seen, todo = set(), [module]
    while todo:
        current = todo.pop()
        if current not in seen and current not in provenance.MACHINERY:
            seen.add(current)
            todo += graph.find_modules_directly_imported_by(current)
    packages = {name for name in reached_modules(module) if name in ("pipeline", "models")}
    assert set(reached_modules(module)) - packages == seen - packages


def test_what_a_result_depends_on_is_reached_and_what_it_does_not_is_not():
    reached = reached_modules("pipeline.train")
    assert {"pipeline.train", "pipeline.windows", "pipeline.tensors", "models.generator", "models.losses"} <= set(reached)
    assert not provenance.MACHINERY & set(reached)
    assert {"torch", "numpy"} <= library_versions(reached).keys()
    assert "prefect" not in library_versions(reached)


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_reading_ahead_is_in_no_key(stage):
    assert "pipeline.overlap" not in reached_modules(stage.module)


def test_modules_of_a_package_that_is_machinery_are_machinery():
    """What a parameter means does not change what was made; its value counts."""
    assert reached_modules("pipeline.params.maps", "pipeline.params.section", "models.warp") == ["models.warp"]


def test_a_digest_is_of_all_modules():
    assert code_digest(["models.warp"]) != code_digest(["models.maps"]) != code_digest(["models.maps", "models.warp"])


def test_a_library_that_is_a_file_alone_counts_by_its_content(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file, found = tmp_path / "pyopenpose.py", []
    for text in ("ONE = 1", "TWO = 2"):
        file.write_text(text)
        found.append(provenance.library_versions(["pipeline.extractors.pose.openpose"])["pyopenpose"])
    assert found == [f"sha256 {hashlib.sha256(text.encode()).hexdigest()}" for text in ("ONE = 1", "TWO = 2")]
    assert provenance.library_versions(["pipeline.extractors.pose.densepose"]).keys() >= {"detectron2", "detectron2-densepose", "torch"}


def installed(site: Path, distribution: str, package: str, code: str) -> None:
    """Files as pip leaves them; version 0.6."""
    (site / package).mkdir(parents=True)
    (site / package / "__init__.py").touch()
    (site / package / "layers.py").write_text(code)
    about = site / f"{distribution.replace('-', '_')}-0.6.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.6\n")
    (about / "top_level.txt").write_text(f"{package}\n")


def test_a_library_built_from_source_counts_by_all_its_code(tmp_path, monkeypatch):
    """detectron2 says 0.6 for every commit."""
    found = []
    for number, code in enumerate(("a = 1", "a = 2", "a = 1")):
        with monkeypatch.context() as patched:
            installed(tmp_path / str(number), "detectron2", "detectron2", code)
            patched.syspath_prepend(tmp_path / str(number))
            found.append(provenance._version("detectron2"))
    assert found[0] == found[2] != found[1]
    assert all(re.fullmatch("0.6 sha256 [0-9a-f]{64}", version) for version in found)


def test_the_twin_of_a_library_counts_by_its_own_name_and_version(tmp_path, monkeypatch):
    monkeypatch.setitem(provenance.COMPUTING, "twin", "twin-headless")
    assert provenance._version("twin") == provenance.NOT_INSTALLED
    installed(tmp_path, "twin-full", "twin", "a = 1")
    monkeypatch.syspath_prepend(tmp_path)
    assert provenance._version("twin") == "twin-full 0.6"
