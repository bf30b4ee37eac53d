"""`python -m docs.screenshots`: the pictures of Prefect's pages in docs/, from a clone of what is committed.

Runs `evaluate/smoke` against a server of its own: started by the form, cancelled by the button, then run to its end. Needs Chromium.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx
from playwright.sync_api import Page, sync_playwright

from tests.clone import Clone

T = TypeVar("T")

DOCS = Path(__file__).parent
DEPLOYMENT = "evaluate/smoke"
SIZE = {"width": 1400, "height": 900}
GRAPH = 500
"""Height of a run's page without its logs, which name folders of the machine."""
SECONDS = 900.0
LOADED_SECONDS = 4.0
"""The pages say in no way when they have drawn their graph."""


def main() -> None:
    browser_path = shutil.which("chromium") or sys.exit("error: no Chromium here (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        clone = Clone(Path(folder) / "clone")
        with clone.server() as pages, httpx.Client(base_url=f"{pages}/api", timeout=60) as api:
            browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport=SIZE)
            photograph(page, pages, api)
            browser.close()


def photograph(page: Page, pages: str, api: httpx.Client) -> None:
    deployment = api.get(f"/deployments/name/{DEPLOYMENT}").json()["id"]
    show(page, f"{pages}/deployments/deployment/{deployment}/run", "prefect-form.png")
    page.get_by_role("button", name="Submit").click()

    first = wait_for(lambda: newest(api))["id"]
    wait_for(lambda: stage(api, "segmentation_model@smoke", "RUNNING"))
    page.goto(f"{pages}/runs/flow-run/{first}")
    page.get_by_role("button", name="Cancel").first.click()
    page.get_by_role("button", name="Confirm").click()
    wait_for(lambda: newest(api)["state_type"] == "CANCELLED")
    time.sleep(LOADED_SECONDS)
    show(page, f"{pages}/runs/flow-run/{first}", "prefect-cancelled.png", GRAPH)

    second = api.post(f"/deployments/{deployment}/create_flow_run", json={}).json()["id"]
    training = wait_for(lambda: stage(api, "train@smoke", "COMPLETED"))["id"]
    wait_for(lambda: newest(api)["state_type"] == "COMPLETED")
    show(page, f"{pages}/runs/flow-run/{second}", "prefect-tree.png", GRAPH)
    show(page, f"{pages}/artifacts/artifact/{artifact(api, 'report-smoke-stages', second)}", "prefect-stages.png")
    show(page, f"{pages}/artifacts/artifact/{artifact(api, 'preview-train-smoke', training)}", "prefect-preview.png")


def show(page: Page, address: str, picture: str, height: int = SIZE["height"]) -> None:
    page.goto(address)
    page.wait_for_timeout(1000 * LOADED_SECONDS)
    page.screenshot(path=DOCS / picture, clip={"x": 0, "y": 0, "width": SIZE["width"], "height": height})
    page.goto("about:blank")  # the pages animate
    print(DOCS / picture, flush=True)


def newest(api: httpx.Client) -> dict[str, str]:
    """The newest run of the deployment; empty where there is none."""
    found = api.post("/flow_runs/filter", json={"flows": {"name": {"any_": ["evaluate"]}}, "sort": "START_TIME_DESC"}).json()
    return found[0] if found else {}


def stage(api: httpx.Client, name: str, state: str) -> dict[str, str]:
    wanted = {"name": {"any_": [name]}, "state": {"type": {"any_": [state]}}}
    found = api.post("/flow_runs/filter", json={"flow_runs": wanted}).json()
    return found[0] if found else {}


def artifact(api: httpx.Client, key: str, flow_run: str) -> str:
    wanted = {"key": {"any_": [key]}, "flow_run_id": {"any_": [flow_run]}}
    return str(api.post("/artifacts/filter", json={"artifacts": wanted}).json()[0]["id"])


def wait_for(look: Callable[[], T]) -> T:
    until = time.monotonic() + SECONDS
    while not (found := look()):
        assert time.monotonic() < until, "it takes too long"
        time.sleep(1)
    return found


if __name__ == "__main__":
    main()
