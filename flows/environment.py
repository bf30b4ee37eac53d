"""The environment of the tools that are started from here."""

import os
import sys
from pathlib import Path

API_URL = "PREFECT_API_URL"
"""Where a Prefect server answers; the one setting that decides whether stages become flow runs."""

REPORTS_URL = "V2V_REPORTS_URL"
"""Where a browser finds reports/: set by the server of this project, which serves them."""

QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_CLI_PROMPT": "false",
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "ITERATIVE_DO_NOT_TRACK": "1",
}
"""Nothing is sent to anybody, nothing is asked, and no process starts a server of its own."""


def for_tools(**more: str) -> dict[str, str]:
    """This process's environment, with `python` meaning this Python and without Prefect's private notes to this process."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT__")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**QUIET, **inherited, "PATH": path, **more}
