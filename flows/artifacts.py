"""Tables beside a run in Prefect's UI."""

import re

from prefect.artifacts import create_table_artifact


def show_table(*name: str, rows: list[dict[str, object]], description: str) -> None:
    """Tables of the same name are shown as versions of one."""
    key = re.sub("[^a-z0-9]+", "-", "-".join(name).lower())  # all that Prefect allows
    create_table_artifact(table=rows, key=key, description=description)
