"""Everything up to the scores and the report: every stage up to `report`."""

from typing import Any

from prefect import State, flow

from flows.in_order import SIDE_BY_SIDE, run_up_to


@flow(flow_run_name="evaluate {dataset}", task_runner=SIDE_BY_SIDE)
def evaluate(dataset: str, only_say: bool = False) -> State[Any]:
    """Everything up to the scores and the report.

    Args:
        dataset: One of `datasets` in params.yaml; each deployment is for one.
        only_say: Run nothing, only say which stages would run.
    """
    return run_up_to("report", dataset, only_say=only_say)
