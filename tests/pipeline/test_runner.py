"""What a run says where its jobs were done and there is nothing to publish."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline import clips, layout, manifest, runner
from pipeline.errors import InputError
from pipeline.journey import STAGES
from pipeline.plan import Job
from pipeline.store import Store


def done(store: Store, item: str, reasons: list[str], made: int = 0) -> Job:
    """A video whose clips are left out for these reasons, but for so many."""
    with store.writing(item) as out:
        rows = [{"clip": f"{item}_{n:06d}", "split": "train"} for n in range(made)]
        pd.DataFrame(rows, columns=clips.COLUMNS).to_csv(layout.clips_table(out), index=False)
        left_out = [{"clip": f"{item}_{n:06d}", "reason": reason} for n, reason in enumerate(reasons)]
        if left_out:
            pd.DataFrame(left_out).to_csv(layout.clips_left_out(out), index=False)
    return Job("clips", item, item, str(store.root), {}, {}, {}, "cpu", 1, "")


def faceless(seen: int, times: int) -> list[str]:
    return [f"frames {t} to {t + 9}: a face is seen in {seen} of 2 looks, it may be lost in 0" for t in range(times)]


def test_where_every_clip_is_left_out_each_reason_is_counted_and_the_list_is_kept(project: Path) -> None:
    store, folder = Store(project / ".store"), layout.stage("people", "clips")
    jobs = [done(store, "a", faceless(0, 3)), done(store, "b", faceless(1, 2) + faceless(0, 1))]
    with pytest.raises(InputError) as refused:
        runner.publish(STAGES["clips"], jobs, store, folder)
    assert str(refused.value) == (
        "every clip is left out (4: a face is seen in 0 of 2 looks, it may be lost in 0; 2: a face is seen in 1 of 2 looks, "
        f"it may be lost in 0); {layout.left_out(folder)} lists them"
    )
    assert [row["clip"] for row in manifest.left_out(folder)] == ["a_000000", "a_000001", "a_000002", "b_000000", "b_000001", "b_000002"]
    assert not layout.manifest(folder).exists()


def test_many_reasons_are_counted_and_the_first_five_named(project: Path) -> None:
    store = Store(project / ".store")
    with pytest.raises(InputError, match=r"\(2: a; 1: b; 1: c; 1: d; 1: e; and 2 other reasons\)"):
        runner.publish(STAGES["clips"], [done(store, "x", list("aabcdefg"))], store, Path("out"))


def test_one_clip_is_enough_to_go_on(project: Path) -> None:
    store = Store(project / ".store")
    jobs = [done(store, "a", faceless(0, 3)), done(store, "b", [], made=1)]
    assert runner.publish(STAGES["clips"], jobs, store, Path("out")) == 3
    assert manifest.read(Path("out"))["clip"].tolist() == ["b_000000"]
