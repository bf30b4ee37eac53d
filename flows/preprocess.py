"""Raw video -> the data set that a model is trained on: every stage up to `dataset`."""

from typing import Any

from prefect import State, flow

from flows.in_order import SIDE_BY_SIDE, run_up_to


@flow(flow_run_name="preprocess {dataset}", task_runner=SIDE_BY_SIDE)
def preprocess(dataset: str, only_say: bool = False) -> State[Any]:
    """Raw video -> the data set that a model is trained on.

    Args:
        dataset: One of `datasets` in params.yaml; each deployment is for one.
        only_say: Run nothing, only say which stages would run.
    """
    return run_up_to("dataset", dataset, only_say=only_say)
