"""The pinned environment: created once, reused until requirements.txt changes."""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

from book.driver.places import PYTHON, ROOT, VENV, child_environment
from book.driver.salt import leave, unchanged
from book.driver.steps import StepFailedError, run, say, timed

REQUIREMENTS = ROOT / "requirements.txt"
TORCH = "torch==2.13.0 ; sys_platform != 'darwin' or platform_machine == 'arm64'"
FOLLOWS_TORCH = re.compile(r"(torch|triton|nvidia-|cuda-)")

NO_VENV = "on Debian or Ubuntu run `apt install python3-venv`, then repeat the command."
NO_INSTALL = (
    "read the installer's message above; check the network and the free disk space"
    f" (2 GB), then repeat. If {VENV.name}/ is half made, `python3 -m book clean --all`"
    " removes it."
)


def installed() -> None:
    """Make the environment match requirements.txt; nothing to do when it does."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    stamp = VENV / ".installed"
    if PYTHON.exists() and unchanged(stamp, key):
        return
    say(f"installing the pinned environment into {VENV} (once; 2 GB, with CUDA 6 GB)")
    with timed("environment ready"):
        if not PYTHON.exists():
            run(sys.executable, "-m", "venv", VENV, step="create venv", advice=NO_VENV)
        fill()
        leave(stamp, key)


def fill() -> None:
    """Install torch by pip and the rest by uv; everything by pip if uv cannot.

    torch stays with pip because pip honours the machine's own settings (folders of
    wheels, mirrors); uv reads none of them and would fetch several GB of CUDA.
    """
    lines = REQUIREMENTS.read_text("utf8").splitlines()
    torch = [line for line in lines if line.startswith("torch==")]
    rest = [line for line in lines if not line.startswith("torch==")]
    without_torch = VENV / "requirements-without-torch.txt"
    without_torch.write_text("\n".join(rest) + "\n", "utf8")
    uv = next(line for line in lines if line.startswith("uv=="))
    pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-compile", *torch, step="install torch", advice=NO_INSTALL)
    fast = (PYTHON, "-m", "uv", "pip", "install", "--quiet", "--python", PYTHON)
    try:
        run(*pip, "--no-deps", uv, step="install uv", advice="")
        run(*fast, "-r", without_torch, step="install by uv", advice="")
    except StepFailedError as failure:
        say(f"could not {failure.step}; pip installs everything instead (2 minutes)")
        run(*pip, "-r", REQUIREMENTS, step="install by pip", advice=NO_INSTALL)


def lock() -> None:
    """Resolve pyproject.toml anew into requirements.txt, for every platform."""
    installed()
    fresh = VENV / "lock.txt"  # uv keeps the pins of a file that exists
    fresh.unlink(missing_ok=True)
    command = (PYTHON, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet")
    extras = ("--extra", "book", "--extra", "dev", "--extra", "fast", "--universal")
    choice = ("--fork-strategy", "fewest", "--python-version", "3.11")
    form = ("--no-header", "--no-annotate", "--no-emit-index-url", "-o", fresh)
    advice = "relax the bound in pyproject.toml that the resolver names."
    run(*command, *extras, *choice, *form, step="resolve the lock", advice=advice)
    lines = fresh.read_text("utf8").splitlines()
    pins = [line for line in lines if not FOLLOWS_TORCH.match(line)]
    REQUIREMENTS.write_text("\n".join([*pins, TORCH]) + "\n", "utf8")
    say(f"{REQUIREMENTS.name}: {len(pins) + 1} pins; the next command installs them")


def versions(*names: str) -> dict[str, str]:
    """Versions of installed distributions, as the environment's Python sees them."""
    code = (
        "import sys, importlib.metadata as m\n"
        "for name in sys.argv[1:]: print(name, m.version(name))"
    )
    command = [str(PYTHON), "-c", code, *names]
    answer = subprocess.run(
        command, env=child_environment(), check=False, capture_output=True, text=True
    )
    return dict(line.split() for line in answer.stdout.splitlines())


def remove(*places: Path) -> None:
    """Remove folders that the driver made."""
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
        say(f"removed {place}")
