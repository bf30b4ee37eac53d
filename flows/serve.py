"""`python -m flows.serve`: offers preprocess/<dataset>, train/<dataset> and evaluate/<dataset> to a Prefect server and runs them here.

There is one of each for every data set in `datasets` and in `catalog` of params.yaml, also for those added while it runs.
"""

import argparse
import asyncio
import shlex
import sys
from typing import Any, cast

import httpx
from prefect import Flow
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL
from prefect.utilities.annotations import freeze

from flows.evaluate import evaluate
from flows.preprocess import preprocess
from flows.settle import settle_left
from flows.train import train
from pipeline import layout
from pipeline.errors import InputError
from pipeline.params_file import Params, load

FLOWS = (preprocess, train, evaluate)
FOLLOW_SECONDS = 3.0
"""How often params.yaml is looked at."""
QUERY_SECONDS = 3.0
"""How often the server is asked for runs to start."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.serve", description="Offers the deployments to a Prefect server, and runs them.")
    parser.add_argument(
        "--own-server", action="store_true", help="nobody else runs deployments of this server: what it calls running has ended"
    )
    asked = parser.parse_args(arguments)
    seen = _changed()
    try:
        offered = deployments(load(layout.PARAMS))
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    if asked.own_server:
        settle_left()
    asyncio.run(_serve(offered, seen))
    return 0


async def _serve(offered: list[RunnerDeployment], seen: int) -> None:
    runner = Runner(pause_on_shutdown=False, query_seconds=QUERY_SECONDS)
    await asyncio.gather(*map(runner.aadd_deployment, offered))
    print(f"Prefect's pages: {PREFECT_UI_URL.value()}")
    command = f"{shlex.quote(sys.executable)} -m prefect deployment run {offered[0].full_name} --watch"
    print(f"PREFECT_API_URL={PREFECT_API_URL.value()} {command}", flush=True)
    names = {deployment.full_name for deployment in offered}
    following = asyncio.create_task(_follow_params(runner, names, seen))
    try:
        await runner.start()
    finally:
        following.cancel()


async def _follow_params(runner: Runner, names: set[str], seen: int) -> None:
    """Offers data sets that come into params.yaml later. A broken file, or a server that is away, is told of and looked at again."""
    while True:
        await asyncio.sleep(FOLLOW_SECONDS)
        changed = _changed()
        if changed == seen:
            continue
        try:
            offered = await asyncio.to_thread(lambda: deployments(load(layout.PARAMS)))  # in the loop Prefect would give coroutines
            for deployment in offered:
                if deployment.full_name not in names:
                    await runner.aadd_deployment(deployment)
                    names.add(deployment.full_name)
        except (InputError, httpx.HTTPError) as error:
            print(error, file=sys.stderr, flush=True)
            if isinstance(error, httpx.HTTPError):
                continue
        seen = changed


def _changed() -> int:
    """When params.yaml was last changed; 0 where it is not there, as for a moment while an editor replaces it."""
    try:
        return layout.PARAMS.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def deployments(all_params: Params) -> list[RunnerDeployment]:
    names = dict.fromkeys([*all_params.datasets(), *all_params.catalog()])
    return [_deployment(flow, name) for flow in FLOWS for name in names]


def _deployment(flow: Flow[..., Any], dataset: str) -> RunnerDeployment:
    """Its data set is fixed: the form of the UI shows it and refuses another one."""
    tags = [f"dataset:{dataset}"]
    fixed = {"dataset": freeze(dataset)}
    made = flow.to_deployment(dataset, parameters=fixed, tags=tags, description=flow.description, concurrency_limit=1)
    return cast(RunnerDeployment, made)


if __name__ == "__main__":
    sys.exit(main())
