"""Where a stage's clips are computed when Prefect maps them: `machine.task_runner`.

Local tasks are threads that hand jobs to worker processes of this machine; tasks on Dask or Ray compute in their own worker.
A cluster that already runs is used if DASK_SCHEDULER_ADDRESS or RAY_ADDRESS names it; otherwise one of `machine.workers`
processes is started.
"""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from threading import Lock
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from pipeline import launched, params, runner
from pipeline.errors import InputError
from pipeline.plan import Job
from pipeline.worker import Outcome

Compute = Callable[[list[Job]], list[Outcome]]


@dataclass(frozen=True)
class Place:
    task_runner: TaskRunner[Any]
    compute: Compute
    """What a mapped task calls."""
    compute_alone: Compute | None
    """What a stage of one job calls, in the stage's own process; None = it is mapped, too."""
    end: Callable[[], None]
    """Ends the workers at once."""


def place(machine: params.Machine) -> Place:
    runner_here = "local" if launched.by_torchrun() else machine.task_runner
    return {"local": _local, "dask": _dask, "ray": _ray}[runner_here](machine.workers)


def compute_here(jobs: list[Job]) -> list[Outcome]:
    return [runner.compute(job) for job in jobs]


class LocalWorkers:
    """Worker processes of this machine, started with the first job and again after one of them has died."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._ended = False
        self._lock = Lock()
        self._one_by_one = Lock()

    def compute(self, jobs: list[Job]) -> list[Outcome]:
        """Called by many threads at once; each waits for its own jobs."""
        pool = self._living_pool()
        try:
            futures = [pool.submit(runner.compute, job) for job in jobs]
        except BrokenProcessPool:
            self._forget(pool)
            return [self._alone(job) for job in jobs]
        return [self._outcome(job, future, pool) for job, future in zip(jobs, futures, strict=True)]

    def end(self) -> None:
        """Kills the workers; from now on no job is taken."""
        with self._lock:
            self._ended = True
        for worker in multiprocessing.active_children():
            worker.kill()

    def _living_pool(self) -> ProcessPoolExecutor:
        with self._lock:
            self._require_not_ended()
            self._pool = self._pool or runner.worker_pool(self._workers)
            return self._pool

    def _outcome(self, job: Job, future: Future[Outcome], pool: ProcessPoolExecutor) -> Outcome:
        try:
            return future.result()
        except BrokenProcessPool:
            self._forget(pool)
            return self._alone(job)

    def _forget(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is broken:
                self._pool = None

    def _alone(self, job: Job) -> Outcome:
        """A pool breaks for all jobs in it; alone, only the guilty one fails. One at a time: memory may be what lacks."""
        with self._one_by_one:
            self._require_not_ended()
            return runner.alone(job)

    def _require_not_ended(self) -> None:
        if self._ended:
            raise RuntimeError("the stage is being ended")


def _local(workers: int) -> Place:
    pool = LocalWorkers(workers)
    threads = ThreadPoolTaskRunner[Any](max_workers=2 * workers)  # twice, so that no worker waits for a task's report
    return Place(threads, pool.compute, compute_here, pool.end)


def _dask(workers: int) -> Place:
    try:
        from prefect_dask import DaskTaskRunner
    except ImportError:
        raise InputError("machine.task_runner is dask: install prefect-dask, or set it to local") from None
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    cluster = {"address": address} if address else {"cluster_kwargs": {"n_workers": workers, "threads_per_worker": 1}}
    return Place(DaskTaskRunner(**cluster), compute_here, None, _leave_to_cluster)


def _ray(workers: int) -> Place:
    try:
        from prefect_ray import RayTaskRunner
    except ImportError:
        raise InputError("machine.task_runner is ray: install prefect-ray, or set it to local") from None
    address = os.environ.get("RAY_ADDRESS")
    cluster = {"address": address} if address else {"init_kwargs": {"num_cpus": workers, "include_dashboard": False}}
    return Place(RayTaskRunner(**cluster), compute_here, None, _leave_to_cluster)


def _leave_to_cluster() -> None:
    """Dask and Ray end their workers themselves."""
