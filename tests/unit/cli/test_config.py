"""Where the API is and who calls."""

from pathlib import Path

import pytest

from cli.config import Config, ConfigError, load
from tests.unit.cli.conftest import SECRET, URL

TOKEN = f"kim.{SECRET}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def write(file: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    """Write the file; give the environment that names it."""
    file.write_text(text)
    file.chmod(mode)
    return {"HOIST_CONFIG": str(file)}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of somebody who has not configured anything yet."""
    monkeypatch.setenv("HOME", str(tmp_path))


def test_the_environment_is_enough() -> None:
    env = {"HOIST_API": f"{URL}/", "HOIST_TOKEN": f"{TOKEN}\n"}

    assert load(env) == Config(api=URL, token=TOKEN)


def test_a_file_is_enough(file: Path) -> None:
    env = write(file, f'api = "{URL}"\ntoken = "{TOKEN}"\non_behalf_of = "pat"\n')

    assert load(env) == Config(api=URL, token=TOKEN, on_behalf_of="pat")


def test_the_environment_goes_before_the_file(file: Path) -> None:
    env = write(file, 'api = "https://elsewhere.example"\ntoken = "pat.other"\n')

    assert load({**env, "HOIST_API": URL, "HOIST_TOKEN": TOKEN}) == Config(api=URL, token=TOKEN)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602])
def test_a_token_that_others_may_read_or_change_is_not_used(mode: int, file: Path) -> None:
    env = write(file, f'api = "{URL}"\ntoken = "{TOKEN}"\n', mode)

    with pytest.raises(ConfigError, match="chmod 600") as refused:
        load(env)

    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(("mode", "taken"), [(0o644, True), (0o664, False), (0o646, False)])
def test_an_address_may_be_read_by_others_but_not_changed(
    mode: int, file: Path, *, taken: bool
) -> None:
    env = {**write(file, f'api = "{URL}"\n', mode), "HOIST_TOKEN": TOKEN}

    try:
        load(env)
    except ConfigError:
        loaded = False
    else:
        loaded = True

    assert loaded is taken


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, "where the API is or who you are"),
        ({"HOIST_API": URL}, "does not know who you are"),
        ({"HOIST_TOKEN": TOKEN}, "does not know where the API is"),
    ],
)
def test_what_is_missing_is_named_with_where_to_set_it(
    env: dict[str, str], words: str, file: Path
) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        load({**env, **write(file, "")})

    assert str(file) in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_file_that_is_named_has_to_be_there(file: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load({"HOIST_CONFIG": str(file), "HOIST_API": URL, "HOIST_TOKEN": TOKEN})


def test_a_name_that_is_empty_names_no_file() -> None:
    assert load({"HOIST_CONFIG": "", "HOIST_API": URL, "HOIST_TOKEN": TOKEN}).api == URL


def test_without_a_name_the_file_is_in_its_usual_place(tmp_path: Path) -> None:
    (tmp_path / ".config/hoist").mkdir(parents=True)
    write(tmp_path / ".config/hoist/config.toml", f'api = "{URL}"\ntoken = "{TOKEN}"\n')

    assert load({}) == Config(api=URL, token=TOKEN)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load({"HOIST_CONFIG": str(tmp_path)})


@pytest.mark.parametrize(
    "text",
    [
        f"token = {TOKEN}",
        f'token = "{TOKEN}',
        f'tokn = "{TOKEN}"',
        f'token = ["{TOKEN}"]',
        f'[hoist]\ntoken = "{TOKEN}"',
        TOKEN,
    ],
)
def test_a_file_that_is_not_understood_is_named_and_not_quoted(text: str, file: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load({**write(file, text), "HOIST_API": URL})

    assert str(file) in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "api",
    [
        "http://hoist.example",
        "hoist.example",
        "ftp://hoist.example",
        "https://",
        "http://[",
        "127.0.0.1",
    ],
)
def test_no_token_travels_in_the_open(api: str) -> None:
    with pytest.raises(ConfigError, match="https://"):
        load({"HOIST_CONFIG": "/dev/null", "HOIST_API": api, "HOIST_TOKEN": TOKEN})


@pytest.mark.parametrize(
    "api", ["http://127.0.0.1:4800/api", "http://localhost:4800", "http://[::1]:4800"]
)
def test_on_this_machine_nobody_listens(api: str) -> None:
    loaded = load({"HOIST_CONFIG": "/dev/null", "HOIST_API": api, "HOIST_TOKEN": TOKEN})

    assert loaded.api == api


@pytest.mark.parametrize("token", [f"kim {SECRET}", f"kim.{SECRET}\nX: y", f"kïm.{SECRET}"])
def test_what_no_header_can_carry_is_no_token_and_not_quoted(token: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load({"HOIST_CONFIG": "/dev/null", "HOIST_API": URL, "HOIST_TOKEN": token})

    assert SECRET not in str(refused.value)


def test_what_is_no_operators_name_is_not_sent_as_one() -> None:
    env = {"HOIST_CONFIG": "/dev/null", "HOIST_API": URL, "HOIST_TOKEN": TOKEN}

    with pytest.raises(ConfigError, match="HOIST_ON_BEHALF_OF"):
        load({**env, "HOIST_ON_BEHALF_OF": "pat\r\nX-TOTP: 1"})


def test_the_token_is_not_part_of_how_a_configuration_is_shown() -> None:
    assert SECRET not in repr(Config(api=URL, token=TOKEN))
