"""`python -m flows.stage NAME --dataset D`: the command of every DVC stage.

Where a Prefect server answers at PREFECT_API_URL the stage is a flow run, its clips are tasks; where none does, the same
work is done without Prefect. Ends with status 1 and one sentence for each clip that failed; the others are kept.
"""

import argparse
import os
import sys
import urllib.request

from flows import environment, supervise
from flows.live import followed
from pipeline import layout, runner, torchrun
from pipeline.errors import InputError, named
from pipeline.journey import STAGES
from pipeline.manifest import WHOLE
from pipeline.params_file import load
from pipeline.runner import Summary
from pipeline.worker import Outcome

ANSWER_SECONDS = 3.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.stage", description="One stage of one data set.")
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--dataset", required=True)
    asked = parser.parse_args(arguments)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # on a machine that others use too, spinning threads cost a multiple
    if torchrun.follows():
        return torchrun.follow()
    return torchrun.leading(lambda: work(asked.stage, asked.dataset))


def work(stage: str, dataset: str) -> int:
    """Runs the stage and prints what came of it. The status to end with."""
    if "DVC_STAGE" in os.environ:
        supervise.end_with_starter()
    try:
        summary = run(stage, dataset)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{stage}@{dataset}: interrupted; what was finished is kept", file=sys.stderr)
        return 130
    print(summary, flush=True)
    page = layout.page(layout.stage(dataset, stage))
    if page.is_file():
        print(f"open {page}", flush=True)
    for outcome in summary.failed:
        print(sentence(outcome), file=sys.stderr)
    return 1 if summary.failed else 0


def run(stage: str, dataset: str) -> Summary:
    url = os.environ.get(environment.API_URL)
    if url and answers(url):
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")  # the UI shows it; here are progress and sentences
        from flows import stage_flow  # costs seconds: imports Prefect

        return stage_flow.run(stage, dataset)
    if url:
        print(f"no Prefect server answers at {url}: {stage}@{dataset} runs without it", file=sys.stderr)
    if STAGES[stage].takes("watch"):
        return runner.run(stage, dataset, followed(runner.local(load(layout.PARAMS).machine.workers)))
    return runner.run(stage, dataset)


def answers(api_url: str) -> bool:
    """Whether a Prefect server is there."""
    try:
        with urllib.request.urlopen(f"{api_url.rstrip('/')}/health", timeout=ANSWER_SECONDS) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):
        return False


def sentence(outcome: Outcome) -> str:
    where = f" (traceback in {layout.RUNS}/)" if outcome.trace else ""
    return f"{outcome.problem if outcome.name == WHOLE else named(outcome.name, outcome.problem)}{where}"


if __name__ == "__main__":
    sys.exit(main())
