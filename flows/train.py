"""Everything up to the trained networks: every stage up to `train`."""

from typing import Any

from prefect import State, flow

from flows.in_order import SIDE_BY_SIDE, run_up_to


@flow(flow_run_name="train {dataset}", task_runner=SIDE_BY_SIDE)
def train(dataset: str, only_say: bool = False) -> State[Any]:
    """Everything up to the trained networks.

    Args:
        dataset: One of `datasets` in params.yaml; each deployment is for one.
        only_say: Run nothing, only say which stages would run.
    """
    return run_up_to("train", dataset, only_say=only_say)
