"""Creates .venv from the locked requirements. Needs Python 3.11 and nothing else; run by `make`."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

VENV = Path(".venv")
LOCK = Path("requirements.txt")
DONE = VENV / "installed.sha256"
GIGABYTES = 12
"""The packages take 7; downloads and builds the rest."""
UV = "uv==0.13.9"


def main() -> None:
    if sys.version_info[:2] != (3, 11):
        sys.exit(f"error: Python 3.11 is needed, this is {sys.version.split()[0]}: call `make PYTHON=/path/to/python3.11 ...`")
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if DONE.is_file() and DONE.read_text() == wanted:
        return
    free = shutil.disk_usage(".").free / 1e9
    if free < GIGABYTES:
        sys.exit(f"error: {GIGABYTES} GB of disk are needed for the packages, {free:.1f} GB are free here ({Path.cwd()})")
    print(f"installing the packages of {LOCK} into {VENV} (once; some minutes)", flush=True)
    python = VENV / "bin" / "python"
    run(sys.executable, "-m", "venv", "--clear", str(VENV))
    run(str(python), "-m", "pip", "install", "--quiet", UV)
    run(str(python), "-m", "uv", "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(LOCK))
    DONE.write_text(wanted)


def run(*command: str) -> None:
    code = subprocess.run(command).returncode
    if code:
        sys.exit(f"error: `{' '.join(command)}` ended with {code}: see its message above (network? disk?)")


if __name__ == "__main__":
    main()
