"""What backends write into their feature_flags.yaml."""

from pathlib import Path

import click
import pytest

from cli.catalogue import read


def catalogue(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "feature_flags.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "text",
    [
        "- name: dark_mode\n  default: false\n",
        "flags:\n- name: dark_mode\n  default: false\n",
        "feature_flags:\n- name: dark_mode\n  default: 'false'\n",
        "dark_mode:\n  default: false\n",
        "flags:\n  dark_mode:\n    default: false\n    type: bool\n",
        "dark_mode: false\n",
    ],
)
def test_a_list_or_a_mapping_is_understood(text: str, tmp_path: Path) -> None:
    assert read(catalogue(tmp_path, text)) == [{"name": "dark_mode", "default": "false"}]


@pytest.mark.parametrize("text", ["- dark_mode\n", "dark_mode:\n", "dark_mode: {}\n"])
def test_a_name_is_enough(text: str, tmp_path: Path) -> None:
    assert read(catalogue(tmp_path, text)) == [{"name": "dark_mode"}]


def test_what_is_said_of_a_flag_is_kept(tmp_path: Path) -> None:
    text = "- {name: rate, description: per second, owner: kim, default: 50, rollout: 7}\n"

    assert read(catalogue(tmp_path, text)) == [
        {"name": "rate", "description": "per second", "owner": "kim", "default": "50"},
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: [\n", "line 3"),
        ("- 7\n", "not 7"),
        ("7: true\n", "not 7"),
        ("- owner: kim\n", "not None"),
        ("just words\n", "a list of flags"),
        ("", "a list of flags"),
        ("!!python/object/apply:os.system ['true']\n", "not YAML"),
    ],
)
def test_what_is_not_understood_is_named(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match=words):
        read(catalogue(tmp_path, text))


def test_what_is_no_text_is_not_yaml(tmp_path: Path) -> None:
    file = tmp_path / "feature_flags.yaml"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(click.UsageError, match="not YAML"):
        read(file)
