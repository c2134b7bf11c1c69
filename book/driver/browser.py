"""Find Chromium, and install it with fonts where the machine's packages allow."""

import os
import shutil
import subprocess

from book.driver.steps import StepFailedError, run, say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-dejavu-core", "fonts-liberation")
VARIABLE = "BOOK_CHROMIUM"  # path of the browser; the tests read it too

BY_HAND = (
    "install Chromium or Chrome by hand (on Debian: `apt install chromium`), or set"
    f" {VARIABLE} to the path of one that is installed, and repeat."
)


def chromium() -> str | None:
    """Path of a Chromium on this machine, or None."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def require() -> str:
    """Path of a Chromium, installed first where there is none."""
    found = chromium()
    if not found:
        say("no Chromium found: installing it with its fonts")
        install()
        found = chromium()
    if not found:
        raise StepFailedError("find Chromium", BY_HAND)
    os.environ[VARIABLE] = found
    return found


def install() -> None:
    """Install Debian's packages, as root or through sudo that asks for nothing."""
    apt = shutil.which("apt-get")
    if not apt:
        raise StepFailedError("install Chromium (no apt-get here)", BY_HAND)
    words: tuple[str, ...] = (apt, "-qq", "-o", "Dpkg::Use-Pty=0")
    if os.geteuid() != 0:
        if subprocess.run(["sudo", "-n", "true"], check=False).returncode:
            raise StepFailedError("install Chromium (needs root)", BY_HAND)
        words = ("sudo", "-n", *words)
    run(*words, "update", step="update the list of packages", advice=BY_HAND)
    options = ("install", "--yes", "--no-install-recommends")
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    run(*words, *options, *PACKAGES, step="install Chromium", advice=BY_HAND)
