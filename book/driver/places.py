"""Where things stand, and the environment that every child process gets."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "_build"
HTML = BUILD / "html"
EVIDENCE = BUILD / "evidence.json"
RUN = BUILD / "run.json"
CACHE = BUILD / ".jupyter_cache"

VENV = Path(os.environ.get("BOOK_VENV") or ROOT / ".venv").absolute()
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def child_environment() -> dict[str, str]:
    """Environment of the child processes: the caller's, with the book's settings."""
    env = dict(os.environ)
    for name in ("PYTHONHOME", "PYTHONDONTWRITEBYTECODE"):
        env.pop(name, None)  # without bytecode every kernel compiles torch and sympy
    settings = {
        "PYTHONPATH": str(ROOT),  # chapters import companion from the working tree
        "PATH": f"{BIN}{os.pathsep}{env.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(VENV),
        "PYTHONHASHSEED": "0",
        "IPYTHONDIR": str(BUILD / "ipython"),  # our kernel settings, not the reader's
        "JUPYTER_CONFIG_DIR": str(BUILD / "jupyter"),
        "JUPYTER_PREFER_ENV_PATH": "1",  # the environment's kernel, not the reader's
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    defaults = {"HOME": str(Path.home()), "LANG": "C.UTF-8", "UV_SYSTEM_CERTS": "1"}
    defaults |= dict.fromkeys(THREAD_LIMITS, "1")  # the processes share the cores
    return defaults | env | settings
