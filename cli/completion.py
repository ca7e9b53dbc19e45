"""What the shell offers to complete. Where something goes wrong, it offers nothing, silently."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click
from click.shell_completion import CompletionItem

from cli import show
from cli.client import Client
from cli.program import running

#: Whoever pressed Tab waits for it.
_TIMEOUT_SECONDS = (1.0, 2.0)
_Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(items: Callable[[Client], list[CompletionItem]]) -> _Completer:
    def complete(
        ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            client = replace(running(ctx).client(), tries=1, timeout_seconds=_TIMEOUT_SECONDS)
            return [item for item in items(client) if item.value.startswith(incomplete)]
        except Exception:  # noqa: BLE001 - an error would land in the middle of a command line
            return []

    return complete


def promotions(*states: str) -> _Completer:
    """The newest promotions, in these states or in any."""

    def items(client: Client) -> list[CompletionItem]:
        listed = client.get("/promotions", limit=100)["promotions"]
        return [_promotion(each) for each in listed if not states or each["state"] in states]

    return _completer(items)


def _promotion(each: dict[str, Any]) -> CompletionItem:
    return CompletionItem(each["id"], help=f"{each['flag']} at {each['target']}, {each['state']}")


def _targets(client: Client) -> list[CompletionItem]:
    return [CompletionItem(each["app"]) for each in client.get("/targets")["targets"]]


def _freezes(client: Client) -> list[CompletionItem]:
    listed = client.get("/freezes")["freezes"]
    return [CompletionItem(each["id"], help=show.harmless(each["reason"])) for each in listed]


targets = _completer(_targets)
freezes = _completer(_freezes)
