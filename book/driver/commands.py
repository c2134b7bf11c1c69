"""The commands, each a make target of the same name."""

import json
import os
import shutil
import socket
from collections.abc import Callable

from book.driver import browser, environment, peers, site
from book.driver.places import BIN, BUILD, HTML, PYTHON, ROOT, VENV
from book.driver.steps import StepFailedError, run, say, timed

FIRST_PORT = 8000
PORTS_TRIED = 50
MOST_WORKERS = 4  # of the tests, each of which takes about a gigabyte
CHECKS = (
    (
        ("ruff", "format", "--check", "."),
        "Run `make format`, which rewrites the files.",
    ),
    (("ruff", "check", "."), "Mend what ruff names; `make format` mends some."),
    (
        ("lint-imports", "--no-logo"),
        "Let imports go down the floors in pyproject.toml only.",
    ),
    (("basedpyright", "--pythonpath", str(PYTHON)), "Mend the types that it names."),
)
MODULES = {"lint-imports": "from importlinter.cli import lint_imports_command as main"}
PLUGIN = "@jupyterlab/docmanager-extension:plugin"
VIEWERS = dict.fromkeys(("markdown", "myst"), "Jupytext Notebook")


def tool(name: str, *words: str) -> tuple[str, ...]:
    """Command of a tool of the environment, whatever characters its path has."""
    if name in MODULES:
        return (str(PYTHON), "-c", f"{MODULES[name]}; main()", *words)
    return (str(PYTHON), "-m", name, *words)


def check(words: list[str]) -> None:
    """Format, lint, import contracts and types: seconds."""
    environment.installed()
    failures = []
    for (name, *options), advice in CHECKS:
        step = " ".join([name, *options[:2]])
        try:
            with timed(step):
                run(*tool(name, *options, *words), step=step, advice=advice)
        except StepFailedError as failure:
            failures.append(failure)
    if failures:
        steps = "; ".join(failure.step for failure in failures)
        raise StepFailedError(steps, " ".join(failure.advice for failure in failures))


def rewrite(words: list[str]) -> None:
    """Format the code and mend what the linter can mend by itself."""
    environment.installed()
    advice = "mend by hand what ruff names."
    run(*tool("ruff", "format", "."), step="ruff format", advice=advice)
    run(*tool("ruff", "check", "--fix", *words, "."), step="ruff check", advice=advice)


def test(words: list[str]) -> None:
    """Checks, the book, then every test: units, evidence, pages in a real browser."""
    check([])
    browser.require()
    site.book()
    advice = (
        "read the first failure above; `make test ARGS='-x -k NAME'` runs it alone."
    )
    say("tests")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers would wait for each other
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    spread = ("-n", str(workers), "--dist", "loadfile") if workers > 1 else ()
    run(PYTHON, "-m", "pytest", *spread, *words, step="pytest", advice=advice)


def free_port() -> int:
    """First port that nothing on this machine listens on."""
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    advice = "stop one of the servers that already run, and repeat."
    raise StepFailedError("find a free port", advice)


def serve(words: list[str]) -> None:
    """Build the book and serve it on this machine."""
    site.book()
    port = words[0] if words else str(free_port())
    say(f"http://127.0.0.1:{port}/ (Ctrl-C stops it)")
    where = ("--directory", HTML, "--bind", "127.0.0.1", port)
    advice = "choose another port: `python3 -m book serve 8123`."
    run(PYTHON, "-m", "http.server", *where, step="serve the book", advice=advice)


def lab(words: list[str]) -> None:
    """Open the chapters as notebooks in Jupyter Lab."""
    environment.installed()
    settings = BUILD / "jupyter" / "labconfig" / "default_setting_overrides.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    viewers = {PLUGIN: {"defaultViewers": VIEWERS}}
    settings.write_text(json.dumps(viewers, indent=1), "utf8")
    place = ("--ServerApp.root_dir", ROOT, "--LabApp.default_url", "/lab/tree/chapters")
    advice = "choose another port: `python3 -m book lab --port 8890`."
    if getattr(os, "geteuid", lambda: 1)() == 0:
        words = ["--allow-root", *words]  # containers; otherwise Jupyter refuses
    run(PYTHON, "-m", "jupyterlab", *place, *words, step="Jupyter Lab", advice=advice)


def bench(words: list[str]) -> None:
    """Measure the layers beside their peers, in an environment of their own."""
    peers.measure(words)


def pdf(_: list[str]) -> None:
    """Print the whole book into _build/book.pdf."""
    browser.require()
    site.pdf()


def clean(words: list[str]) -> None:
    """Remove _build; with --all the environment too."""
    environment.remove(BUILD, *([VENV] if "--all" in words else []))
    for cache in (
        ".pytest_cache",
        ".ruff_cache",
        ".hypothesis",
        ".import_linter_cache",
    ):
        shutil.rmtree(ROOT / cache, ignore_errors=True)


def book(_: list[str]) -> None:
    """Environment, evidence, chapters, site: prints where the book is."""
    site.book()


def lock(_: list[str]) -> None:
    """Resolve pyproject.toml anew into requirements.txt."""
    environment.lock()


def usage(_: list[str]) -> None:
    """Show this list."""
    print("python3 -m book COMMAND, or make COMMAND:")
    for name, command in COMMANDS.items():
        print(f"  {name:8} {(command.__doc__ or '').splitlines()[0]}")
    print(f"\nEnvironment: {BIN.parent} (BOOK_VENV chooses another).")


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "book": book,
    "test": test,
    "check": check,
    "format": rewrite,
    "serve": serve,
    "lab": lab,
    "bench": bench,
    "pdf": pdf,
    "lock": lock,
    "clean": clean,
    "help": usage,
}


def main(words: list[str]) -> int:
    """Run one command; the exit status of the step that failed, if one did."""
    name, *rest = words or ["help"]
    if name not in COMMANDS:
        usage([])
        print(f"\n[book] no command {name!r}.")
        return 2
    try:
        COMMANDS[name](rest)
    except StepFailedError as failure:
        print(failure, flush=True)
        return failure.status
    except KeyboardInterrupt:
        print("\n[book] stopped.")
        return 130
    return 0
