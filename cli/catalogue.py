"""Read a backend's `feature_flags.yaml`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

_KNOWN = ("name", "description", "owner", "default")
_WRAPPERS = ("flags", "feature_flags")


def read(file: Path) -> list[dict[str, str | None]]:
    """The flags in the file, as `PUT /catalogues/{id}` takes them.

    The file holds a list of flags with `name`, or a mapping from name to what is said of it, or
    to its default; either may stand under `flags` or `feature_flags`. Other members of a flag are
    left out.
    Raises `click.UsageError` naming the place that cannot be understood.
    """
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        message = f"{file}{where}: this is not YAML. Nothing was sent."
        raise click.UsageError(message) from None
    if isinstance(document, dict):
        wrapped = [document[name] for name in _WRAPPERS if name in document]
        document = wrapped[0] if wrapped else document
    return [_flag(file, name, said) for name, said in _entries(file, document)]


def _entries(file: Path, document: object) -> Iterator[tuple[object, Mapping[str, Any]]]:
    match document:
        case list():
            for said in document:
                yield (said.get("name"), said) if isinstance(said, dict) else (said, {})
        case dict():
            for name, said in document.items():
                yield name, said if isinstance(said, dict) else {"default": said}
        case _:
            message = (
                f"{file}: a list of flags, or a mapping from their names, is expected. "
                "Nothing was sent."
            )
            raise click.UsageError(message)


def _flag(file: Path, name: object, said: Mapping[str, Any]) -> dict[str, str | None]:
    if not isinstance(name, str):
        message = f"{file}: a flag's name is a text, not {str(name)[:60]}. Nothing was sent."
        raise click.UsageError(message)
    texts = {key: _text(said[key]) for key in _KNOWN if said.get(key) is not None}
    return {**texts, "name": name}


def _text(value: object) -> str:
    """A value as a config var would spell it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
