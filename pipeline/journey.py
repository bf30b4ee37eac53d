"""Which function is which stage. Their order is written in dvc.yaml alone.

A stage is one function, and its signature says what it needs:
    a parameter with a stage's name    a folder to read: the clip's, where both work clip by clip, else the whole data set's; None where
                                       the data set has none of it (its section's backend is null)
    one whose type is a section        that section of params.yaml
    out, work                          the folder to fill, and one for unfinished state
    made_by                            what goes into the attributes of files
    device                             cpu or cuda
    watch                              a folder for what is seen while it runs; the same after a resume, and no part of the result
    dataset_name, own_model            the data set's name; whether it has a segmentation model of its own
    item and root, or split            what a call per item or split works on
"""

import ast
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipeline.params import SECTIONS, Section
from pipeline.provenance import syntax_tree


@dataclass(frozen=True)
class Stage:
    name: str
    function: str
    """module:function"""
    per: Literal["item", "clip", "split", "dataset"]
    """What one call works on: a source item (a video, a folder of images), a clip, train or test, or everything."""
    only_test: bool = False
    """Only test clips are worked on."""
    uses: Literal["all", "train", "labelled"] = "all"
    """Clips that a call for the whole data set looks at (labelled: training clips with labels); others may come and go
    without doing it again."""
    after: tuple[str, ...] = ()
    """Stages that come before, although nothing of theirs is read."""
    in_ranks: bool = False
    """A call may be made in several processes at once, which share the work: `machine.devices`, or torchrun's. The first alone writes."""

    @property
    def module(self) -> str:
        return self.function.split(":")[0]

    def load(self) -> Callable[..., None]:
        module, name = self.function.split(":")
        function: Callable[..., None] = getattr(importlib.import_module(module), name)
        return function

    def parameters(self) -> dict[str, str]:
        """The function's parameters and how their types are written; read from the source, since importing torch takes seconds."""
        module, name = self.function.split(":")
        function = next(node for node in syntax_tree(module).body if isinstance(node, ast.FunctionDef) and node.name == name)
        arguments = [*function.args.args, *function.args.kwonlyargs]
        return {argument.arg: ast.unparse(argument.annotation) for argument in arguments if argument.annotation}

    def reads(self) -> list[str]:
        """The stages whose output this one reads."""
        return [name for name in self.parameters() if name in STAGES]

    def sections(self) -> dict[str, type[Section]]:
        """Parameter name -> section type."""
        types = {f"params.{cls.__name__}": cls for cls in SECTIONS.values()}
        return {name: types[written] for name, written in self.parameters().items() if written in types}

    def takes(self, name: str) -> bool:
        return name in self.parameters()


STAGES = {
    stage.name: stage
    for stage in (
        Stage("clips", "pipeline.clips:run_item", per="item"),
        Stage("segmentation_model", "pipeline.segmentation_model:run", per="dataset", uses="labelled"),
        Stage("segmentation", "pipeline.segmentation:run_clip", per="clip"),
        Stage("segmentation_scores", "pipeline.segmentation_scores:run", per="dataset"),
        Stage("instances", "pipeline.instances:run_clip", per="clip"),
        Stage("optical_flow", "pipeline.optical_flow:run_clip", per="clip"),
        Stage("pose", "pipeline.pose:run_clip", per="clip"),
        Stage("edges", "pipeline.edges:run_clip", per="clip"),
        Stage("quality", "pipeline.quality:run_clip", per="clip"),
        Stage("quality_page", "pipeline.quality_page:run", per="dataset"),
        Stage("dataset", "pipeline.dataset:run_split", per="split", after=("quality_page",)),
        Stage("train", "pipeline.train:run", per="dataset", uses="train", in_ranks=True),
        Stage("train_per_frame", "pipeline.train:run_per_frame", per="dataset", uses="train", in_ranks=True),
        Stage("train_image_generator", "pipeline.train:run_image_generator", per="dataset", uses="train", in_ranks=True),
        Stage("synthesize", "pipeline.synthesize:run_clip", per="clip", only_test=True),
        Stage("synthesize_per_frame", "pipeline.synthesize:run_clip_per_frame", per="clip", only_test=True),
        Stage("evaluate", "pipeline.evaluate:run", per="dataset"),
        Stage("report", "pipeline.report:run", per="dataset"),
    )
}
