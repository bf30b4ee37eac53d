"""What made a result: the code that a stage reaches, and the libraries that this code computes with.

Comments, docstrings and formatting do not count: the digest is taken over syntax trees. What a module imports anywhere,
also inside a function, is reached; back-ends, loaded by name, are handed in by the caller.
"""

import ast
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from pipeline.reached import reached
from pipeline.store import file_sha256, key_of

NOT_INSTALLED = "not installed"

ROOT = Path(__file__).parents[1]
DATA_ENDINGS = (".css", ".csv", ".j2", ".js", ".yaml")
OWN_PACKAGES = ("pipeline", "models")

# Where, how, progress; and how files are written, whose version is layout.VERSION. An edit there must not cost a training.
MACHINERY = frozenset(
    f"pipeline.{name}"
    for name in (
        *(
            "arrays",
            "before_training",
            "before_clips",
            "before_work",
            "checkpoint",
            "download",
            "entry",
            "errors",
            "index",
            "journey",
            "launched",
            "layout",
            "live_table",
            "manifest",
            "overlap",
            "params",
            "params_file",
            "plan",
            "preview",
            "progress",
        ),
        *("allocations", "memory_estimate", "stopping", "training_watch"),
        *("prepare", "provenance", "rank", "ranks", "reached", "runner", "scan", "store", "store_care", "torchrun"),
        *("weights", "weights_care", "worker", "yaml_file"),
    )
)

COMPUTING = {
    **{
        name: name
        for name in ("av", "numpy", "torch", "torchvision", "scipy", "ptlflow", "detectron2", "onnxruntime", "scenedetect", "pyopenpose")
    },
    **{
        "cv2": "opencv-python-headless",
        "dlib": "dlib-bin",
        "skimage": "scikit-image",
        "PIL": "pillow",
        "densepose": "detectron2-densepose",
    },
}
"""Libraries that results depend on, and their names on the package index."""

FROM_SOURCE = ("detectron2", "densepose")


def reached_modules(*roots: str) -> list[str]:
    """Own modules that the given ones import, directly or not, without the machinery; sorted."""
    return sorted(module for module in reached(roots, _own_imports) if not _is_machinery(module))


def _own_imports(module: str) -> list[str]:
    return [name for name in _imports(module) if name.split(".")[0] in OWN_PACKAGES and not _is_machinery(name)]


def _is_machinery(module: str) -> bool:
    """A package's modules are, too."""
    return ".".join(module.split(".")[:2]) in MACHINERY


def code_digest(modules: list[str]) -> str:
    """Equal for modules that differ only in comments, docstrings and formatting."""
    code = {module: ast.dump(_without_docstrings(syntax_tree(module))) for module in modules}
    return key_of({**code, **{str(file.relative_to(ROOT)): file_sha256(file) for module in modules for file in data_files(module)}})


def data_files(module: str) -> list[Path]:
    """What belongs to a module beside its code: files with its name and another ending (a page's template)."""
    path = module_file(module)
    assert path is not None, module
    return sorted(file for file in path.parent.glob(f"{path.stem}.*") if file.suffix in DATA_ENDINGS)


def library_versions(modules: list[str]) -> dict[str, str]:
    """Version of each computing library that the modules import, by its name on the package index."""
    imported = {name.split(".")[0] for module in modules for name in _imports(module)}
    return {COMPUTING[name]: _version(name) for name in sorted(imported & COMPUTING.keys())}


def _version(name: str) -> str:
    """What is built from source says the same version for every commit, or none (pyopenpose): its content counts, too."""
    said = _said_version(name)
    if said is not None and name not in FROM_SOURCE:
        return said
    found = find_spec(name)
    if found is None:
        return NOT_INSTALLED  # whoever chose it is told before any work
    folders = found.submodule_search_locations
    content = _digest(tuple(folders)) if folders else file_sha256(Path(found.origin or ""))
    return f"{said or ''} sha256 {content}".strip()


def _said_version(name: str) -> str | None:
    """Of the distribution of COMPUTING, or of another that brings the same package (opencv-python), which is then named."""
    try:
        return version(COMPUTING[name])
    except PackageNotFoundError:
        others = packages_distributions().get(name, [])
        return " ".join(f"{other} {version(other)}" for other in sorted({*others})) or None


@cache
def _digest(folders: tuple[str, ...]) -> str:
    files = [(Path(folder), file) for folder in folders for file in sorted(Path(folder).rglob("*")) if file.suffix in (".py", ".yaml")]
    return key_of({file.relative_to(folder).as_posix(): file_sha256(file) for folder, file in files})


def module_file(module: str) -> Path | None:
    """The source file of a module of ours (without importing it); None for a name inside a module."""
    path = ROOT.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


@cache
def syntax_tree(module: str) -> ast.Module:
    path = module_file(module)
    assert path is not None, module
    return ast.parse(path.read_text())


@cache
def _imports(module: str) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(syntax_tree(module)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(_imported_from(node.module, [alias.name for alias in node.names]))
    return frozenset(names)


def _imported_from(module: str, names: list[str]) -> set[str]:
    """`from pipeline import arrays` reaches pipeline.arrays; `from pipeline.arrays import reading` reaches pipeline.arrays."""
    if module.split(".")[0] not in OWN_PACKAGES:
        return {module}
    below = {f"{module}.{name}" for name in names if module_file(f"{module}.{name}") is not None}
    return below | {module}


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_text(statement)]
    return tree


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
