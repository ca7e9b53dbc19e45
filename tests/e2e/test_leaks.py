"""A full life of Hoist among secrets, and that none of them turns up in anything that leaves it.

Lived once, on a stack of its own, whose Lambdas log all that their log level can let them.
"""

import base64
import html
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from chalicelib.domain.operator import Operator, Role
from chalicelib.wire.contract import openapi
from local.ministack import REGION, ROOT_KEY
from local.seed import TARGETS
from local.stack import LocalStack, local_stack
from tests.e2e.conftest import ANSWER_SECONDS
from tests.e2e.gossip import Gossip, GossipingHeroku
from tests.e2e.leaks import Code, Everything, Places, Record, Seed, leaks
from tests.e2e.life import Life, seeds
from tests.e2e.life_steps import STEPS
from tests.e2e.test_alarms import silenced

#: All that makes powertools, which writes the logs, say more.
VERBOSE = {
    "LOG_LEVEL": "DEBUG",
    "POWERTOOLS_LOG_LEVEL": "DEBUG",
    "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
    "POWERTOOLS_DEBUG": "true",
    "POWERTOOLS_LOGGER_LOG_EVENT": "true",
}


@dataclass(frozen=True, kw_only=True)
class Lived:
    """A life, and all that was seen of it."""

    life: Life
    places: Places = field(repr=False)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    state, record, known = tmp_path_factory.mktemp("life"), Record(), seeds()
    token, say = str(known["heroku token"]), record.said.append
    with (
        GossipingHeroku(apps=TARGETS, token=token) as heroku,
        local_stack(state, heroku_url=heroku.url, heroku_token=token, say=say) as stack,
        pytest.MonkeyPatch.context() as environment,
    ):
        speak_as_root(stack, environment)
        life = Life(stack=stack, heroku=heroku, record=record, seeds=known)
        make_verbose(life)
        life.bulletin()
        # The watchdog sweeps when a step calls it: in between, it would take up what others need.
        with silenced(life.town):
            for step in STEPS:
                step(life)
        put_the_word_where_hoist_does_not(life, state / "logs")
        life.bulletin()
        collect = Everything(stack=stack, logs=state / "logs", record=record)
        yield Lived(life=life, places=collect())


def speak_as_root(stack: LocalStack, environment: pytest.MonkeyPatch) -> None:
    """Let this process speak to the MiniStack of this stack."""
    environment.setenv("AWS_ENDPOINT_URL", stack.ministack.url)
    environment.setenv("AWS_ACCESS_KEY_ID", ROOT_KEY)
    environment.setenv("AWS_SECRET_ACCESS_KEY", ROOT_KEY)
    environment.setenv("AWS_DEFAULT_REGION", REGION)


def make_verbose(life: Life) -> None:
    """Have the Lambdas log all they can."""
    client = life.client("lambda")
    for output, function in life.stack.outputs.items():
        if output.endswith("Function"):
            told = client.get_function_configuration(FunctionName=function)["Environment"]
            variables = {**told["Variables"], **VERBOSE}
            client.update_function_configuration(
                FunctionName=function, Environment={"Variables": variables}
            )


def put_the_word_where_hoist_does_not(life: Life, logs: Path) -> None:
    """Say it by hand where a life has no reason to, so that it is everywhere."""
    put_the_word_into_an_answers_headers(life)
    put_the_word_into_logs(life, logs)
    word = {"name": life.word, "role": Role.VIEWER, "token_sha256": "", "totp_reference": ""}
    life.town.backdoor().operators.put(Operator(**word))  # type: ignore[attr-defined,arg-type]
    for queue, how in (
        ("DeadNoticesQueueUrl", {}),
        ("DeadWakesQueueUrl", {"MessageGroupId": "w", "MessageDeduplicationId": "w"}),
    ):
        url = life.stack.outputs[queue]
        life.client("sqs").send_message(QueueUrl=url, MessageBody=life.word, **how)


def put_the_word_into_an_answers_headers(life: Life) -> None:
    life.heroku.say(Gossip(app=life.word, status=200, body="{}", headers={"X-Word": life.word}))
    url = f"{life.stack.heroku}/apps/{life.word}/config-vars"
    life.record.session().get(url, timeout=ANSWER_SECONDS)


def put_the_word_into_logs(life: Life, directory: Path) -> None:
    logs = life.client("logs")
    for group in logs.describe_log_groups(logGroupNamePrefix="/hoist/")["logGroups"]:
        name = {"logGroupName": group["logGroupName"], "logStreamName": "word"}
        logs.create_log_stream(**name)
        now = int(time.time() * 1000)  # noqa: TID251 - CloudWatch has its own clock
        logs.put_log_events(**name, logEvents=[{"timestamp": now, "message": life.word}])
    for path in directory.glob("*.log"):
        with path.open("a") as log:
            log.write(life.word)


def test_no_secret_turns_up_in_anything_that_leaves(lived: Lived) -> None:
    found = leaks(lived.life.guarded, lived.places)

    assert not found, "\n".join(found)


def test_what_is_no_secret_is_found_in_every_place(lived: Lived) -> None:
    word = Seed(what="the word", core=lived.life.word)

    found = leaks([word], lived.places)

    assert found == [f"the word: in {place}" for place in lived.places]


def test_every_place_is_looked_at(lived: Lived) -> None:
    places = "\n".join(lived.places)

    for part in ("body", "headers", "prints", "Slack", "on-call", "sent", "disk", "WakesQueue"):
        assert part in places
    assert len(re.findall("^the log of ", places, re.MULTILINE)) == 7
    assert len(re.findall("Table$", places, re.MULTILINE)) >= 5


def test_every_secret_was_told_to_hoist(lived: Lived) -> None:
    held = json.dumps(lived.life.controls.app("goes-live"))

    assert lived.life.heroku.unsaid == []
    for short in ("database", "old database", "key base", "salt", "flagship", "lower case"):
        assert lived.life.seeds[short].core in held


def test_the_functions_log_at_debug(lived: Lived) -> None:
    client = lived.life.client("lambda")
    name = lived.life.stack.outputs["ApiFunction"]

    variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    assert variables.items() >= VERBOSE.items()
    assert "DEBUG" in lived.places["the log of api"]


def test_every_route_of_the_contract_was_called_with_success(lived: Lived) -> None:
    api = lived.life.stack.api
    routes = {
        (method.upper(), path)
        for path, methods in json.loads(openapi())["paths"].items()
        for method in methods
        if method in {"get", "post", "put", "patch", "delete"}
    }

    called = {
        (method, path)
        for method, path in routes
        for answer in lived.life.record.answers
        if answer.ok
        and answer.request.method == method
        and re.fullmatch(
            re.sub(r"\{\w+\}", "[^/]+", path),
            str(answer.request.url).removeprefix(api).partition("?")[0],
        )
    }

    assert routes - called == set()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in JSON": json.dumps,
    "in JSON within JSON": lambda text: json.dumps(json.dumps({"message": text})),
    "in a URL": lambda text: quote(text, safe=""),
    "in HTML": html.escape,
    "in Python": repr,
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64 behind one byte": lambda text: base64.b64encode(f"a{text}".encode()).decode(),
    "in base64 behind two": lambda text: base64.b64encode(f"ab{text}bc".encode()).decode(),
    "in the base64 of URLs": lambda text: base64.urlsafe_b64encode(f"{text}?".encode()).decode(),
    "in hexadecimal": lambda text: text.encode().hex(),
    "in capitals": str.upper,
    "without its end": lambda text: text[: text.index("core") + 15],
    "without its beginning": lambda text: text[text.index("core") + 20 :],
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_found_however_it_is_spelled(spelling: str) -> None:
    seed = Seed(what="x", core="core" + "0123456789abcdef" * 2, text="")
    text = f'before "{seed}"\\ <é>&'

    assert leaks([seed], {"here": f"… {SPELLINGS[spelling](text)} …"}) == ["x: in here"]


def test_a_secret_is_no_leak_where_it_is_kept() -> None:
    seed = Seed(what="x", core="0123456789abcdef", kept_in=frozenset({"home"}))

    found = leaks([seed], {"home": str(seed), "elsewhere": str(seed)})

    assert found == ["x: in elsewhere"]


@pytest.mark.parametrize("text", ["code 123456.", '{"totp":"123456"}', "code=123456&a", "123456"])
def test_a_code_is_found_where_it_stands_alone(text: str) -> None:
    assert leaks([Code(what="c", digits="123456")], {"here": text}) == ["c: in here"]


@pytest.mark.parametrize("text", ["0.123456", "1123456", "1234567", "a123456", "12:01:02.123456Z"])
def test_a_piece_of_another_number_is_no_code(text: str) -> None:
    assert leaks([Code(what="c", digits="123456")], {"here": text}) == []
