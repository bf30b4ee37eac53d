"""`python -m flows.serve`: offers preprocess/<dataset>, train/<dataset> and evaluate/<dataset> to a Prefect server and runs them here.

There is one of each for every data set in `datasets` and in `catalog` of params.yaml as it is now.
"""

import asyncio
import shlex
import sys
from typing import Any, cast

from prefect import Flow
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL

from flows.evaluate import evaluate
from flows.preprocess import preprocess
from flows.train import train
from pipeline import layout
from pipeline.errors import InputError
from pipeline.params_file import Params, load

FLOWS = (preprocess, train, evaluate)


def main() -> int:
    try:
        offered = deployments(load(layout.PARAMS))
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    runner = Runner(pause_on_shutdown=False)
    for deployment in offered:
        runner.add_deployment(deployment)
    print(f"Prefect's pages: {PREFECT_UI_URL.value()}")
    print(
        f"PREFECT_API_URL={PREFECT_API_URL.value()} {shlex.quote(sys.executable)} -m prefect deployment run {offered[0].full_name} --watch",
        flush=True,
    )
    asyncio.run(runner.start())
    return 0


def deployments(all_params: Params) -> list[RunnerDeployment]:
    names = dict.fromkeys([*all_params.datasets(), *all_params.catalog()])
    return [_deployment(flow, name) for flow in FLOWS for name in names]


def _deployment(flow: Flow[..., Any], dataset: str) -> RunnerDeployment:
    tags = [f"dataset:{dataset}"]
    made = flow.to_deployment(dataset, parameters={"dataset": dataset}, tags=tags, description=flow.description, concurrency_limit=1)
    return cast(RunnerDeployment, made)


if __name__ == "__main__":
    sys.exit(main())
