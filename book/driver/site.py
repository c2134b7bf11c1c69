"""From evidence and executed chapters to the built site, and its printed edition."""

import datetime
import json
import os
import shutil
import subprocess
import time
import tomllib

from book.driver import environment
from book.driver.places import BUILD, CACHE, EVIDENCE, HTML, PYTHON, ROOT, RUN
from book.driver.places import child_environment as child
from book.driver.salt import CODE, SITE, digest, leave, unchanged
from book.driver.steps import StepFailedError, run, say, timed

REPORTED = ("numpy", "torch", "sympy", "sphinx", "jupyter-book")
# not the console script: its first line breaks in a path with a space
START = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
BUILDER = (PYTHON, "-c", START, "build", ".")
STRICT = ("-q", "-W", "-n", "--keep-going")

FAILED_EVIDENCE = (
    f"run `{PYTHON} -m companion.proofs LABEL` for the record that fell short; its"
    " message says which check or control it was."
)
FAILED_CHAPTER = (
    "the traceback above ends in the cell that failed; mend the chapter, or the module"
    " it calls, and repeat. Chapters that succeeded are kept."
)
FAILED_HTML = (
    "each WARNING above names a file and a line; warnings are errors here. Mend them"
    " and repeat: the executed chapters are kept."
)


def edition() -> str:
    """Version of the package and of the book, which are one."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
    return settings["project"]["version"]


def commit() -> str:
    """Commit of the working tree, marked when it has changes; empty without git."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        answer = subprocess.run(
            command, cwd=ROOT, check=False, capture_output=True, text=True
        )
    except FileNotFoundError:
        return ""
    return answer.stdout.strip()


def evidence() -> None:
    """Run every record of companion.proofs, unless none of its inputs changed."""
    mark, salt = EVIDENCE.with_suffix(".salt"), digest(ROOT, CODE)
    if EVIDENCE.is_file() and unchanged(mark, salt):
        return
    say("evidence: every record of companion.proofs")
    EVIDENCE.parent.mkdir(exist_ok=True)
    command = [str(PYTHON), "-m", "companion.proofs", "--json"]
    with timed("evidence verified"):
        done = subprocess.run(
            command, cwd=ROOT, env=child(), check=False, stdout=subprocess.PIPE
        )
        EVIDENCE.write_bytes(done.stdout)
        if done.returncode:
            raise StepFailedError("evidence", FAILED_EVIDENCE, done.returncode)
        json.loads(done.stdout)
        leave(mark, salt)


def record() -> None:
    """Save what the pages say of the run: date, commit, versions, seconds."""
    seconds = json.loads(CACHE.with_suffix(".json").read_text("utf8"))
    facts = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "versions": {"companion": edition(), **environment.versions(*REPORTED)},
        "chapters": seconds,
        "seconds": sum(seconds.values()),
    }
    RUN.write_text(json.dumps(facts, indent=1), "utf8")


def html() -> None:
    """Build the site anew from the cache, warnings as errors and references strict."""
    for stale in (HTML, BUILD / ".doctrees"):  # deleted chapters, badges of old runs
        shutil.rmtree(stale, ignore_errors=True)
    with timed("site built"):
        run(*BUILDER, *STRICT, step="build the site", advice=FAILED_HTML)


def book() -> None:
    """Environment, evidence, chapters and site; nothing when no input changed."""
    environment.installed()
    start = time.perf_counter()
    mark, salt = BUILD / "site.salt", digest(ROOT, SITE, commit())
    if unchanged(mark, salt) and (HTML / "index.html").is_file():
        say(f"nothing changed: {time.perf_counter() - start:.1f} s")
    else:
        mark.unlink(missing_ok=True)
        evidence()
        chapters()
        record()
        html()
        leave(mark, salt)
    print(f"\nThe book: {HTML / 'index.html'}")
    print("Open that file in a browser, or serve it: python3 -m book serve", flush=True)


def chapters() -> None:
    """Execute the chapters whose cells, or whose package, changed."""
    profile = BUILD / "ipython"
    shutil.copytree(ROOT / "book" / "_ipython", profile, dirs_exist_ok=True)
    say(f"chapters, in parallel on {os.cpu_count()} cores")
    command = (PYTHON, "-m", "book.driver.execute", ROOT, CACHE)
    run(*command, step="execute the chapters", advice=FAILED_CHAPTER)


def pdf() -> None:
    """Print the whole book into one file."""
    book()
    single = BUILD / "singlehtml"
    shutil.rmtree(single, ignore_errors=True)
    builder = (*BUILDER, "-q", "--builder", "singlehtml")
    with timed("single page built"):
        run(*builder, step="build the single page", advice=FAILED_HTML)
    target = BUILD / "book.pdf"
    advice = "check that Chromium runs: `python3 -m book test` installs it."
    with timed("printed"):
        command = (PYTHON, "-m", "book.driver.pdf", single, target)
        run(*command, step="print the book", advice=advice)
    print(f"\nThe printed book: {target}")
