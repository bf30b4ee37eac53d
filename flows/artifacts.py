"""What is shown beside a run in Prefect's UI: tables, the newest preview of a training, the way to the pages."""

import base64
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx
from prefect.artifacts import create_link_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

from flows import environment
from flows.beside import beside
from pipeline import layout

CAPTION = "Newest preview, step {step}. What a row shows is written on it"
"""As pipeline.preview names them, which is not imported here: torch takes seconds."""
PREVIEW_SECONDS, LAST_LOOK_SECONDS = 5.0, 2.0
"""How often it is looked whether a training has left a new preview; how long its end waits for a slow server."""


def show_table(*name: str, rows: list[dict[str, object]], description: str) -> None:
    """Tables of the same name are shown as versions of one."""
    create_table_artifact(table=rows, key=_key(*name), description=description)


PAGES = {
    "quality_page": ("Data quality of {}", "Clips of {} by what their maps are worth, and which to leave out"),
    "report": ("Report of {}", "Videos and scores of {}"),
}
"""What the link to the page of a stage says, and its description."""


def show_page(stage: str, dataset: str) -> None:
    """A link that a browser can follow where the server of this project serves reports/; elsewhere the file's place."""
    page = layout.page(layout.stage(dataset, stage))
    served = os.environ.get(environment.REPORTS_URL)
    link = f"{served.rstrip('/')}/{page.relative_to(layout.REPORTS).as_posix()}" if served else page.resolve().as_uri()
    text, description = (sentence.format(dataset) for sentence in PAGES[stage])
    create_link_artifact(link=link, link_text=text, key=_key(stage, dataset), description=description)


@contextmanager
def showing_previews(flow_run: UUID, name: str, *folders: Path) -> Iterator[None]:
    """While a training runs, the newest preview below its folders is an artifact of the flow run: one that is updated.

    It holds the picture itself, so that it is seen from wherever the UI is.
    """
    show = partial(_show_newest, flow_run, _key("preview", name), folders)
    with beside(show, every_seconds=PREVIEW_SECONDS, last_look_seconds=LAST_LOOK_SECONDS):
        yield


def _show_newest(flow_run: UUID, key: str, folders: tuple[Path, ...], looks: Iterator[None]) -> None:
    shown, artifact = "", None
    for _ in looks:
        pictures = [picture for folder in folders for picture in layout.previews(folder).glob("*.png")]
        newest = max(pictures, key=lambda picture: picture.name, default=None)
        if newest is not None and newest.name != shown:
            with suppress(OSError, httpx.HTTPError):  # just moved, or the server is away for a moment: looked at again
                artifact, shown = _show_picture(newest, key, flow_run, artifact), newest.name


def _show_picture(picture: Path, key: str, flow_run: UUID, artifact: UUID | None) -> UUID:
    data = f"![preview](data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()})"
    caption = CAPTION.format(step=int(picture.stem))
    with get_client(sync_client=True) as client:
        if artifact is None:
            return client.create_artifact(ArtifactCreate(type="markdown", key=key, description=caption, data=data, flow_run_id=flow_run)).id
        client.update_artifact(artifact, ArtifactUpdate(data=data, description=caption))
        return artifact


def _key(*name: str) -> str:
    return re.sub("[^a-z0-9]+", "-", "-".join(name).lower())  # all that Prefect allows
