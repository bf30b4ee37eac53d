"""`python -m flows.pages PORT`: serves reports/ to browsers, so that Prefect's UI can link to them.

Seeking in a video asks for ranges of its file; Starlette answers those, Python's own http.server does not.
"""

import html
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pipeline import layout


def application() -> Starlette:
    files = StaticFiles(directory=layout.REPORTS, html=True, check_dir=False)  # reports/ may come later
    return Starlette(routes=[Route("/", _contents), Mount("/", files)])


def _contents(_request: Request) -> HTMLResponse:
    names = sorted(page.parent.name for page in layout.REPORTS.glob("*/index.html"))
    items = "".join(f'<li><a href="{html.escape(name)}/">{html.escape(name)}</a></li>' for name in names)
    return HTMLResponse(f"<!DOCTYPE html><html lang=en><title>Reports</title><h1>Reports</h1><ul>{items or '<li>none yet'}</ul></html>")


if __name__ == "__main__":
    uvicorn.run(application(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
