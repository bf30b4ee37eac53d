"""What a data set's folder holds against what it should hold, before any work: `python -m pipeline check DATASET`."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from pipeline import before_clips, before_work, layout, params, prepare
from pipeline.errors import InputError, named
from pipeline.journey import STAGES
from pipeline.params_file import load
from pipeline.sources import Finding, Item, check_source, items_of

SHOWN = 10
"""Of what is wrong, by name."""


def run(dataset: str) -> bool:
    """Prints what was found; whether all is as it should be. InputError where params.yaml or the folder is wrong."""
    table = prepare.run(dataset)
    all_params = load(layout.PARAMS)
    source = all_params.source(dataset)
    root = Path(getattr(source, "path", None) or ".").expanduser()
    files = dict(zip(table["path"], table["bytes"].astype(int).tolist(), strict=True))
    items, problems = _items(source, files)
    findings = (
        [
            *check_source(source, files, root),
            Finding("sequences", len(items), wrong=tuple(named(item.name, item.problem) for item in items if item.problem)),
        ]
        if items
        else []
    )
    if findings:
        print(_table(findings))
    for finding in findings:
        print(_wrong(finding), end="")
    problems = problems or _refused(items, dataset)
    for problem in problems:
        print(f"refused: {problem}")
    if lacking := before_clips.lacking_split(items, dataset, all_params):
        print(f"later: {lacking}")
    return not problems and all(map(_is_right, findings))


def _items(source: params.Source, files: Mapping[str, int]) -> tuple[list[Item], list[str]]:
    try:
        return items_of(source, sorted(files)), []
    except InputError as error:
        return [], [str(error)]


def _is_right(finding: Finding) -> bool:
    return not finding.wrong and finding.expected in (None, finding.found)


def _refused(items: list[Item], dataset: str) -> list[str]:
    """What would stop the first stage whole."""
    all_params, found = load(layout.PARAMS), []
    for check in (partial(before_work.check, STAGES["clips"]), partial(before_clips.check_items, items)):
        try:
            check(dataset, all_params)
        except InputError as error:
            found.append(str(error))
    return found


def _table(findings: list[Finding]) -> str:
    width = max((len(finding.what) for finding in findings), default=0)
    return "\n".join(
        f"{'ok   ' if _is_right(finding) else 'WRONG'} {finding.what:{width}} {finding.found:>9,}"
        + ("" if finding.expected is None else f" of {finding.expected:,}")
        for finding in findings
    )


def _wrong(finding: Finding) -> str:
    if not finding.wrong:
        return ""
    more = f"  and {len(finding.wrong) - SHOWN} more\n" if len(finding.wrong) > SHOWN else ""
    return f"{finding.what}:\n" + "".join(f"  {line}\n" for line in finding.wrong[:SHOWN]) + more
