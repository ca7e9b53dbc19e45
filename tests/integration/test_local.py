"""The local stack's commands, as far as they need no stack."""

from pathlib import Path

import pyotp
import pytest

from local import __main__ as program
from local.totp import fresh_code


def test_a_code_that_has_to_be_waited_for_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, waited = pyotp.random_base32(), list[float]()

    # The clock may reach the next step between two of them, and not between three.
    codes = [fresh_code(secret, tmp_path / "totp.json", waited.append) for _ in range(3)]

    assert len(set(codes)) == 3
    assert 0 < waited[-1] <= 60
    told = capsys.readouterr()
    assert told.err.count("Each code works once: waiting") == len(waited)
    assert told.out == ""


@pytest.mark.parametrize("port", ["abc", "0", "-1", "65534", "70000"])
@pytest.mark.parametrize("command", ["run", "demo"])
def test_a_port_that_is_none_is_answered_with_a_sentence(
    command: str,
    port: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOIST_PORT", port)
    monkeypatch.setenv("HOIST_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("sys.argv", ["local", command])

    status = program.main()

    assert status == 1
    assert capsys.readouterr().err == (
        f"HOIST_PORT={port} is no port that a stack can begin at: 1 to 65533.\n"
    )
