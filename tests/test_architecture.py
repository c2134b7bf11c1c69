"""The house as architecture.md drew it: names at the top, sizes, imports, no traces."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from companion.proofs import THEOREMS

ROOT = Path(__file__).resolve().parents[1]
TOP = {
    *("book", "chapters", "companion", "tests"),
    *("_config.yml", "_toc.yml", "requirements.txt", "README.md"),
    *("pyproject.toml", "Makefile", "LICENSE", "LICENSE-text", "CITATION.cff"),
    *("CONTRIBUTING.md", "CHANGELOG.md", ".ci", ".github", ".gitignore"),
}
REQUIRED = {
    *("book", "chapters", "companion", "tests"),
    *("_config.yml", "_toc.yml", "requirements.txt", "README.md"),
}
VAGUE = {"utils", "util", "helpers", "misc", "common", "core", "manager", "tmp"}
LONGEST_FILE = 300
KEY = r"[a-z]+(?:1[89]|20)\d\d[a-z]+"  # of an entry of the bibliography
# where each heavy library may be imported, as prefixes of paths
ALLOWED = {
    "torch": (
        *("layers/", "apps/", "proofs/", "exercises/"),
        *("conformance/adapters.py", "conformance/conic/adapters.py"),
    ),
    "sympy": ("proofs/",),
    "matplotlib": ("plots.py", "plots/"),
    "plotly": ("plots.py", "plots/"),
    "cvxpy": (
        *("layers/disciplined", "conformance/adapters.py"),
        "conformance/conic/adapters.py",
    ),
    "numba": ("layers/",),
}
# written in pieces, so that this file does not find itself
HOSTS = ("files pythonhosted", "registry npmjs", "deb debian", "pypi", "proxy golang")
TRACES = (
    *(f"/{folder}/" for folder in ("work", "root", "home", "Users")),
    *(".".join((*names.split(), "org")) for names in HOSTS),
)


def tracked() -> list[Path]:
    """Files that git has or would take; without git, nothing can be said."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: the files of the project are not known")
    names = answer.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def python_files() -> list[Path]:
    return [
        path
        for folder in ("companion", "book", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "_vendor" not in path.parts
    ]


def imported(source: str) -> set[str]:
    """Top-level names of the modules that a source imports, wherever it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def misplaced(path: str, source: str) -> set[str]:
    """Libraries imported by a file of the package that has no business with them."""
    return {
        library
        for library in imported(source) & ALLOWED.keys()
        if not path.startswith(ALLOWED[library])
    }


def traces(text: str) -> list[str]:
    return [trace for trace in TRACES if trace in text]


def test_top_level_has_exactly_the_allowed_names() -> None:
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert names <= TOP, f"without a place in the house: {sorted(names - TOP)}"
    assert names >= REQUIRED, f"missing: {sorted(REQUIRED - names)}"


@pytest.mark.parametrize("path", python_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_file_is_short_and_named_for_a_concept(path: Path) -> None:
    assert len(path.read_text("utf8").splitlines()) <= LONGEST_FILE
    assert path.stem not in VAGUE


def test_heavy_libraries_are_imported_in_their_places_only() -> None:
    package = ROOT / "companion"
    found = {
        str(path.relative_to(ROOT)): wrong
        for path in sorted(package.rglob("*.py"))
        if (wrong := misplaced(str(path.relative_to(package)), path.read_text("utf8")))
    }
    assert not found


def test_driver_needs_the_standard_library_only() -> None:
    inside = {"execute.py", "pdf.py"}  # these two run on the environment's Python
    for path in [*(ROOT / "book" / "driver").glob("*.py"), ROOT / "book/__main__.py"]:
        if path.name not in inside:
            foreign = imported(path.read_text("utf8")) - sys.stdlib_module_names
            assert foreign <= {"book"}, path.name


def test_no_file_carries_a_trace_of_the_machine_that_wrote_it() -> None:
    found = {}
    for path in tracked():
        if "_vendor" in path.parts:
            continue
        try:
            text = path.read_text("utf8")
        except UnicodeDecodeError:
            continue
        if wrong := traces(text):
            found[str(path.relative_to(ROOT))] = wrong
    assert not found


@pytest.mark.parametrize(
    ("path", "source", "wrong"),
    [
        ("reference/qp.py", "import torch.nn", {"torch"}),
        ("apps/x.py", "from sympy import Symbol", {"sympy"}),
        ("layers/qp/solve.py", "def f():\n    import matplotlib", {"matplotlib"}),
        ("layers/disciplined.py", "import cvxpy, torch", set()),
    ],
)
def test_misplaced_imports_are_seen(path: str, source: str, wrong: set[str]) -> None:
    assert misplaced(path, source) == wrong


def test_traces_are_seen() -> None:
    assert traces("see " + TRACES[0] + "notes") == [TRACES[0]]


def test_reference_imports_without_torch_and_sympy() -> None:
    code = (
        "import sys, companion.reference.qp\n"
        "print(sorted({'torch', 'sympy', 'matplotlib'} & sys.modules.keys()))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "[]"


def after(word: str, path: Path) -> list[str]:
    """What follows a word in the docstrings of a file, to the end of its paragraph."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    texts = [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, kinds)
    ]
    return [end.split("\n\n")[0] for text in texts for end in text.split(word)[1:]]


def sources(path: Path) -> list[str]:
    """Keys after `Source:` in the docstrings of a file; an empty one for none."""
    paragraphs = after("Source:", path)
    return [key for text in paragraphs for key in re.findall(KEY, text) or [""]]


def test_every_source_of_a_docstring_is_in_the_bibliography():
    entries = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    known = set(re.findall(r"^@\w+\{([^,\s]+)", entries, re.MULTILINE))
    named = {
        (str(path.relative_to(ROOT)), key)
        for path in (ROOT / "companion").rglob("*.py")
        for key in sources(path)
    }
    assert len(named) > 20
    assert [place for place in sorted(named) if place[1] not in known] == []


def test_theorems_and_chapters_of_a_docstring_exist():
    """Theorems are named up to the next full stop, each by its label."""
    slugs = {
        p.name for part in ("chapters", "book") for p in (ROOT / part).rglob("*.md")
    }
    lost = []
    for path in (ROOT / "companion").rglob("*.py"):
        labels = [
            label.strip()
            for text in after("Theorems:", path)
            for label in text.split(".")[0].replace("\n", " ").split(",")
        ]
        pages = [page for text in after("Chapter:", path) for page in text.split()[:1]]
        lost += [(path.name, label) for label in labels if label not in THEOREMS]
        lost += [(path.name, p) for p in pages if p.rstrip(".,") not in slugs]
    assert lost == []
