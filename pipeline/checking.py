"""What a data set's folder holds against what it should hold, before any work: `python -m pipeline check DATASET`."""

from pathlib import Path

from pipeline import before_work, layout, prepare
from pipeline.errors import InputError
from pipeline.journey import STAGES
from pipeline.params_file import load
from pipeline.sources import Finding, check_source, items_of

SHOWN = 10
"""Of what is wrong, by name."""


def run(dataset: str) -> bool:
    """Prints what was found; whether all is as it should be. InputError where params.yaml or the folder is wrong."""
    table = prepare.run(dataset)
    all_params = load(layout.PARAMS)
    source = all_params.source(dataset)
    root = Path(getattr(source, "path", None) or ".").expanduser()
    files = dict(zip(table["path"], table["bytes"].astype(int).tolist(), strict=True))
    findings = check_source(source, files, root)
    print(_table(findings))
    for finding in findings:
        print(_wrong(finding), end="")
    problems = [*_refused(dataset), *([] if items_of(source, sorted(files)) else [f"there is no {source.kind} in {root}"])]
    for problem in problems:
        print(f"refused: {problem}")
    return not problems and all(map(_is_right, findings))


def _is_right(finding: Finding) -> bool:
    return not finding.wrong and finding.expected in (None, finding.found)


def _refused(dataset: str) -> list[str]:
    """What would stop the first stage, beside the files."""
    try:
        before_work.check(STAGES["clips"], dataset, load(layout.PARAMS))
    except InputError as error:
        return [str(error)]
    return []


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
