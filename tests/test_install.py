"""`pip install .` gives the package alone: typed, and without the book's tools."""

import email
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = (
    *("jupyter_book", "sphinx", "jupytext", "plotly", "pywt", "statsmodels"),
    *("pytest", "hypothesis", "beartype", "playwright", "ruff"),
)
BLOCKED = """
import sys
from importlib.abc import MetaPathFinder

class Refuse(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {tools!r}:
            raise ModuleNotFoundError("a tool of the book: " + name)

sys.meta_path.insert(0, Refuse())
"""
IMPORTS = """
import companion.gradcheck, companion.layers.cone_program, companion.layers.qp
import companion.problems, companion.proofs
import companion.reference.qp, companion.sampling
assert companion.proofs.THEOREMS
print(companion.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip would install, built by the environment's setuptools."""
    place = tmp_path_factory.mktemp("a wheel")
    scratch = place / "build"
    options = (
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "--wheel-dir",
        str(place),
    )
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, str(ROOT)],
        check=True,
        env={**os.environ, "DIST_EXTRA_CONFIG": str(settings(scratch))},
    )
    return next(place.glob("companion-*.whl"))


def settings(scratch: Path) -> Path:
    """Setuptools' settings that keep its build folder out of the repository."""
    scratch.mkdir()
    file = scratch / "extra.cfg"
    file.write_text(f"[build]\nbuild_base={scratch}\n[egg_info]\negg_base={scratch}\n")
    return file


@pytest.mark.slow
def test_wheel_has_the_package_its_types_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"companion"}
    assert "companion/py.typed" in names
    folder = "companion/conformance"
    data = {"schema.json", "cases/regular.json", "recorded/peers.json"}
    assert {f"{folder}/{file}" for file in data} <= set(names)


@pytest.mark.slow
def test_wheel_asks_for_the_books_tools_only_as_extras(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    name = next(n for n in archive.namelist() if n.endswith("METADATA"))
    wanted = email.message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []
    plain = {line.partition(">")[0] for line in wanted if "extra ==" not in line}
    numbers = {"clarabel", "numpy", "scipy", "sympy", "torch"}
    assert plain == {"jaxtyping", "matplotlib"} | numbers


@pytest.mark.slow
def test_installed_package_imports_without_the_books_tools(
    wheel: Path, tmp_path: Path
) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = BLOCKED.format(tools=TOOLS) + IMPORTS
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "companion" / "__init__.py")
