"""What AWS takes from the template and MiniStack does not, made good beside the template."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.package import Bundle

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

#: Targets that the local worker serves at once.
POLLERS = 4

#: The namespace of alarms that MiniStack would judge wrongly. Nobody writes metrics there.
NOT_JUDGED = "NotJudgedLocally"


def for_ministack(bundle: Bundle, directory: Path, ministack_url: str) -> Bundle:
    """Return the bundle with what MiniStack would refuse, or lead astray, put differently."""
    template = json.loads(bundle.template.read_text())
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            _put_aside_what_it_misjudges(properties)
        variables = properties.get("Environment", {}).get("Variables", {})
        if "HOIST_API_URL" in variables:
            # The template's URL names AWS, and nobody could follow it from here.
            variables["HOIST_API_URL"] = {"Fn::Sub": api_url(ministack_url, "${RestAPI}")}
    path = directory / "sam.json"
    path.write_text(json.dumps(template))
    return Bundle(template=path, archive=bundle.archive)


def api_url(ministack_url: str, api_id: str) -> str:
    """Return where MiniStack has an API Gateway's stage."""
    return f"{ministack_url}/restapis/{api_id}/api/_user_request_"


def _put_aside_what_it_misjudges(alarm: dict[str, Any]) -> None:
    """Let such an alarm stay in INSUFFICIENT_DATA: better than one that says what is not so.

    MiniStack refuses metric math. And it judges an alarm by its metric of all dimensions: any
    function's error would ring the alarm of the worker.
    """
    if alarm.pop("Metrics", None):
        alarm |= {"MetricName": "MetricMath", "Period": 60, "Statistic": "Maximum"}
        alarm["Namespace"] = NOT_JUDGED
    elif alarm["Namespace"] == "AWS/Lambda":
        alarm["Namespace"] = NOT_JUDGED


def put_gateway_responses(
    client: Any,  # noqa: ANN401 - API Gateway's stubs are large, and this is their one use
    api_id: str,
    bundle: Bundle,
    runbook_url: str,
) -> None:
    """Tell API Gateway its error answers, which MiniStack does not read from the API's definition.

    They hold for the deployments made after them.
    """
    definition: dict[str, Any] = json.loads(bundle.template.read_text())["Resources"]["RestAPI"][
        "Properties"
    ]
    wanted = definition["DefinitionBody"]["x-amazon-apigateway-gateway-responses"]
    for response_type, response in wanted.items():
        templates = {
            media_type: body["Fn::Sub"].replace("${RunbookUrl}", runbook_url)
            for media_type, body in response["responseTemplates"].items()
        }
        client.put_gateway_response(
            restApiId=api_id,
            responseType=response_type,
            statusCode=response["statusCode"],
            responseParameters=response["responseParameters"],
            responseTemplates=templates,
        )
    client.create_deployment(restApiId=api_id, stageName=definition["StageName"])


def poll_in_parallel(client: "LambdaClient", function: str) -> None:
    """Let several targets be worked on at once. Is idempotent.

    MiniStack runs one call at a time per FIFO event source, where AWS runs one per message group.
    It keeps a group's order over several identical event sources, though, which AWS would refuse.
    """
    sources = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    for _ in range(POLLERS - len(sources)):
        client.create_event_source_mapping(
            FunctionName=function,
            EventSourceArn=sources[0]["EventSourceArn"],
            BatchSize=sources[0]["BatchSize"],
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )


def switch_streams_off(client: "LambdaClient") -> None:
    """Leave the streams to local/standins/streams.py, which says why. Is idempotent."""
    for source in client.list_event_source_mappings()["EventSourceMappings"]:
        if ":dynamodb:" in source["EventSourceArn"]:
            client.update_event_source_mapping(UUID=source["UUID"], Enabled=False)
