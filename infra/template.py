"""The resources around Chalice's functions: infra/template/*.yaml as one merge template."""

from pathlib import Path
from typing import Any

import yaml

from infra.gateway_responses import gateway_responses

TEMPLATE_DIRECTORY = Path(__file__).parent / "template"

#: Metrics of API Gateway name the API, not its id: two stages in one account must not share one.
_API_NAME = {"Fn::Sub": "hoist-${Stage}"}


def merge_template() -> dict[str, Any]:
    """Return what `chalice package --merge-template` lays over the functions of app.py.

    Plain JSON values only: Chalice answers a YAML merge file with YAML full of anchors.
    Raises ValueError where two files define the same thing.
    """
    merged: dict[str, Any] = {
        "Resources": {
            "RestAPI": {
                "Properties": {
                    "Name": _API_NAME,
                    "DefinitionBody": {
                        "info": {"title": _API_NAME},
                        "x-amazon-apigateway-gateway-responses": gateway_responses(),
                    },
                },
            },
        },
    }
    for path in sorted(TEMPLATE_DIRECTORY.glob("*.yaml")):
        for section, entries in yaml.safe_load(path.read_text()).items():
            known = merged.setdefault(section, {})
            if doubled := known.keys() & entries.keys():
                message = f"{path.name} defines {section} again: {', '.join(sorted(doubled))}"
                raise ValueError(message)
            known.update(entries)
    return merged
