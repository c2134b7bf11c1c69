"""The peers' environment: pinned, apart from the book's, honest about what fails."""

import re
import sys

import pytest

from book.driver import peers
from book.driver.places import VENV


def test_every_peer_has_an_exact_version() -> None:
    for spec in (*peers.wanted(), *peers.ALONE):
        assert re.fullmatch(r"[a-z-]+==[0-9.]+", spec), spec


def test_the_book_keeps_its_environment_to_itself() -> None:
    assert peers.PLACE != VENV
    assert VENV not in peers.PLACE.parents
    where = peers.install("anything")
    assert where[0] == peers.PYTHON
    assert where[where.index("--python") + 1] == peers.PYTHON


def test_a_peer_that_does_not_install_is_noted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail = (sys.executable, "-c", "import sys; sys.exit('no such\\n wheel')")
    monkeypatch.setattr(peers, "install", lambda *_: fail)
    assert peers.peer("layer==1.0") == ("layer", "no such wheel")
    assert "could not install layer==1.0: no such wheel" in capsys.readouterr().out


def test_a_peer_that_installs_is_not_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "install", lambda *_: (sys.executable, "-c", ""))
    assert peers.peer("layer==1.0") is None
