"""The peers' environment: what the benchmarks compare with, never the book's own.

Most peers stand in the extra `bench` of pyproject.toml.  Two ask for what does not go
with current packages, or for solvers that nothing here uses, and come without their
requirements.  A peer that does not install is noted with its error; the benchmarks list
it.
"""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from book.driver.environment import NO_VENV, REQUIREMENTS
from book.driver.places import BUILD, ROOT, child_environment
from book.driver.salt import leave, unchanged
from book.driver.steps import run, say, timed

PLACE = Path(os.environ.get("BOOK_PEERS") or BUILD / "peers").absolute()
PYTHON = PLACE / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
FAILED = PLACE / "failed.json"
ALONE = (
    "qpth==0.0.18",  # asks for numpy < 2, and runs with numpy 2
    "libdqp==0.1.2",  # asks for 3 GB of solvers; here it uses DAQP and PIQP
)
NO_INSTALL = (
    "read the installer's message above; check the network and the free disk space"
    f" (3 GB), then repeat. Removing {PLACE} starts anew."
)
LONGEST = 300  # signs of an error that are kept


def wanted() -> list[str]:
    """Peers of the extra, pinned, and what two others need."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
    return settings["project"]["optional-dependencies"]["bench"]


def installed() -> None:
    """Make the environment match the extra and the pins; nothing to do if it does."""
    words = [*wanted(), *ALONE, sys.version]
    parts = REQUIREMENTS.read_bytes() + "\n".join(words).encode()
    key, stamp = hashlib.sha256(parts).hexdigest(), PLACE / ".installed"
    if PYTHON.exists() and unchanged(stamp, key):
        return
    say(f"installing the peers into {PLACE} (once; 3 GB, with CUDA 7 GB)")
    with timed("peers ready"):
        if not PYTHON.exists():
            run(sys.executable, "-m", "venv", PLACE, step="create venv", advice=NO_VENV)
        base()
        failed = dict(filter(None, map(peer, wanted())))
        failed |= dict(filter(None, (peer(spec, "--no-deps") for spec in ALONE)))
        FAILED.write_text(json.dumps(failed, indent=1), "utf8")
        leave(stamp, key)


def base() -> None:
    """What the layers need to be fast, at the book's own pins, and uv."""
    lines = REQUIREMENTS.read_text("utf8").splitlines()
    torch = [line for line in lines if line.startswith("torch==")]
    rest = [line for line in lines if not line.startswith("torch==")]
    constraints().write_text("\n".join(rest) + "\n", "utf8")
    pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, *torch, step="install torch", advice=NO_INSTALL)
    uv = next(line for line in lines if line.startswith("uv=="))
    run(*pip, "--no-deps", uv, step="install uv", advice=NO_INSTALL)
    needs = ("--requirements", ROOT / "pyproject.toml", "--extra", "fast")
    run(*install(*needs), step="install the layers' needs", advice=NO_INSTALL)


def constraints() -> Path:
    """The book's pins but torch's, which pip has installed."""
    return PLACE / "constraints.txt"


def install(*what: str | Path) -> tuple[str | Path, ...]:
    """The command that installs something at the book's pins."""
    uv = (PYTHON, "-m", "uv", "pip", "install", "--quiet", "--python", PYTHON)
    return (*uv, "--constraints", constraints(), *what)


def peer(spec: str, *options: str) -> tuple[str, str] | None:
    """Install one peer; its name and its error if that fails."""
    command = [str(word) for word in install(*options, spec)]
    done = subprocess.run(
        command, cwd=ROOT, env=child_environment(), check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    if not done.returncode:
        return None
    error = " ".join(done.stderr.split())[-LONGEST:] or "no message"
    say(f"could not install {spec}: {error}")
    return spec.partition("==")[0], error


def measure(words: list[str]) -> None:
    """Run the benchmarks in the peers' environment."""
    installed()
    os.environ["BOOK_PEERS"] = str(PLACE)
    advice = "run it alone on an idle machine; its message names what went wrong."
    run(PYTHON, "-m", "tests.benchmarks", *words, step="benchmarks", advice=advice)
