"""What measured times depend on: the machine, its load, and versions."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("torch", "numpy", "scipy", "numba", "threadpoolctl")
PEERS = (
    *("qpth", "proxsuite", "libdqp", "daqp", "piqp", "moreau", "cvxpylayers", "cvxpy"),
    *("diffcp", "clarabel", "scs"),
)


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """Versions of the distributions that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def load() -> float | None:
    """Processes that wanted a core over the last minute, our own among them."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def processor() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [s.partition(":")[2].strip() for s in lines if s.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def accelerator() -> str:
    """The name of the GPU that torch would use; empty if there is none."""
    import torch  # noqa: PLC0415 - slow to import, and rarely asked for

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def commit() -> str:
    """Commit of the working tree, marked if it has changes beside the record's."""
    try:
        name = git("describe", "--always", "--exclude=*").stdout.strip()
        changed = git("diff", "--quiet", "HEAD", "--", ".", ":!book/benchmarks.json")
    except FileNotFoundError:
        return ""
    return f"{name}-dirty" if name and changed.returncode else name


def git(*words: str) -> subprocess.CompletedProcess[str]:
    """What git says of the working tree."""
    return subprocess.run(
        ["git", *words], cwd=ROOT, check=False, capture_output=True, text=True
    )


def facts() -> dict[str, object]:
    """The machine, the date and the versions."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "memory": round(gigabytes, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "commit": commit(),
        "versions": versions(OURS),
    }


def peers() -> dict[str, object]:
    """Versions of the peers, and the errors of those that did not install."""
    place = os.environ.get("BOOK_PEERS")
    failed = Path(place or ".") / "failed.json"
    errors = json.loads(failed.read_text("utf8")) if failed.is_file() else {}
    return {"versions": versions(PEERS), "not installed": errors}
