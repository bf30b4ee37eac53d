"""dvc.yaml says the order; the stages' signatures say what they read. Here the two are held against each other."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline import extractors, layout, params, provenance
from pipeline.journey import STAGES, Stage
from pipeline.provenance import data_files, module_file, reached_modules
from tests.conftest import REPOSITORY

WRITTEN = YAML(typ="safe", pure=True).load((REPOSITORY / "dvc.yaml").read_text())["stages"]
KEY = "${key}"
MODEL_FOLDER = "data/${item.segmentation.weights_from}/segmentation_model"


def of(stage: Stage) -> dict:
    return WRITTEN[stage.name]["do"]


def modules(stage: Stage) -> list[str]:
    """All that the stage can reach, with every source or back-end that params.yaml could name."""
    roots = [stage.module]
    if stage.name == "clips":
        roots += [f"pipeline.sources.{kind}" for kind in params.SOURCES]
    for section in stage.sections().values():
        if issubclass(section, params.Backend) and "pipeline.extractors" in reached_modules(stage.module):
            folder = extractors.FOLDER / params.section_name(section)
            roots += [f"pipeline.extractors.{folder.name}.{file.stem}" for file in folder.glob("*.py") if file.stem != "__init__"]
    return reached_modules(*roots)


def relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


stages = pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)


def test_every_stage_is_written_once_for_all_data_sets():
    assert list(WRITTEN) and set(WRITTEN) == set(STAGES)
    for name, written in WRITTEN.items():
        assert written["foreach"] == "${datasets}"
        assert written["do"]["cmd"] == f"python -m flows.stage {name} --dataset {KEY}"


@stages
def test_a_stage_names_nothing_twice(stage):
    for name, written in of(stage).items():
        entries = [str(entry) for entry in written] if isinstance(written, list) else []
        assert len(entries) == len(set(entries)), name


@stages
def test_a_stage_depends_on_the_manifests_of_the_stages_that_its_function_reads(stage):
    """Keys chain through them: a clip has another key there whenever it has other content."""
    read = {dep for dep in of(stage)["deps"] if dep.startswith(("data/", "reports/")) and not dep.endswith(".files.csv")}
    before = [*stage.reads(), *stage.after]
    folders = {MODEL_FOLDER if name == "segmentation_model" else layout.stage(KEY, name).as_posix() for name in before}
    assert read == {f"{folder}/manifest.csv" for folder in folders}


@stages
def test_a_stage_depends_on_the_code_that_it_reaches_and_no_other(stage):
    written = {dep for dep in of(stage)["deps"] if not dep.startswith(("data/", "reports/"))}
    packages = {"pipeline/__init__.py", "models/__init__.py"}
    files = {relative(path) for module in modules(stage) for path in (module_file(module), *data_files(module))} - packages
    uncovered = {file for file in files if not any(file == dep or file.startswith(f"{dep}/") for dep in written)}
    idle = {dep for dep in written if not any(file == dep or file.startswith(f"{dep}/") for file in files)}
    assert (uncovered, idle) == (set(), set())


@stages
def test_a_stage_depends_on_its_sections_and_the_data_sets_own(stage):
    names = {params.section_name(cls) for cls in stage.sections().values()}
    names |= {"segmentation"} if stage.takes("own_model") else set()
    wanted = {f"{prefix}{name}" for name in names for prefix in ("", f"datasets.{KEY}.")}
    wanted |= {f"datasets.{KEY}.source"} if stage.name == "clips" else set()
    if "torch" in provenance.library_versions(modules(stage)):
        wanted |= {"machine.device", "machine.threads"} if stage.per == "dataset" else {"machine.device"}
    assert set(of(stage)["params"]) == wanted
