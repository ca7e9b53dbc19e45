"""Hoist, installed in a running MiniStack: deployed, given its secrets, seeded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from chalicelib.adapters.parameters import heroku_token, slack_webhook_url, store
from chalicelib.adapters.totp import ParameterTotpSecrets
from chalicelib.domain.operator import Role
from infra.deploy import deploy
from infra.errors import DeployError
from infra.package import Bundle
from local import gaps, on_call
from local.child import LocalStackError
from local.directions import DemoOperator, Directions
from local.ministack import MiniStack
from local.seed import TARGETS, seed_operators, seed_targets
from local.slack import WEBHOOK_PATH

STAGE = "local"
RUNBOOK_URL = "docs/runbook.md"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Installs Hoist into one MiniStack, to work with one Heroku. Is idempotent."""

    ministack: MiniStack
    heroku_url: str
    heroku_token: str
    slack_url: str

    def deploy(self, bundle: Bundle, directory: Path, say: Callable[[str], None]) -> dict[str, str]:
        """Deploy the production template as to AWS, and return the stack's outputs.

        `directory` is where the little that differs is written down.
        """
        aws = self.ministack.aws
        try:
            outputs = deploy(
                aws,
                gaps.for_ministack(bundle, directory, self.ministack.url),
                stage=STAGE,
                parameters={"HerokuApiUrl": self.heroku_url, "RunbookUrl": RUNBOOK_URL},
                say=say,
            )
        except (DeployError, ClientError) as error:
            message = f"{error}\nMiniStack's log may say more: {self.ministack.child.log}"
            raise LocalStackError(message) from error
        gateway = aws.session.client("apigateway", endpoint_url=aws.endpoint_url)
        gaps.put_gateway_responses(gateway, outputs["RestAPIId"], bundle, RUNBOOK_URL)
        functions = aws.session.client("lambda", endpoint_url=aws.endpoint_url)
        gaps.poll_in_parallel(functions, outputs["WorkFunction"])
        gaps.switch_streams_off(functions)
        return outputs

    def seed(self, outputs: Mapping[str, str], operators: Mapping[str, DemoOperator]) -> Directions:
        """Put in the secrets, the demo operators and targets, and who is on call; say where."""
        aws = self.ministack.aws
        ssm = aws.session.client("ssm", endpoint_url=aws.endpoint_url)
        store(lambda: ssm, heroku_token(STAGE), self.heroku_token)
        store(lambda: ssm, slack_webhook_url(STAGE), self.slack_url + WEBHOOK_PATH)
        dynamodb = aws.session.client("dynamodb", endpoint_url=aws.endpoint_url)
        keep = ParameterTotpSecrets(client=lambda: ssm, stage=STAGE).put
        seed_operators(dynamodb, outputs["OperatorsTable"], operators, keep)
        url = self.ministack.url
        # Where MiniStack has API Gateway's stages: the stack's own output names AWS.
        api = gaps.api_url(url, outputs["RestAPIId"])
        seed_targets(api, operators[Role.SUPERADMIN])
        return Directions(
            api=api,
            heroku=self.heroku_url,
            heroku_token=self.heroku_token,
            ministack=url,
            operators=operators,
            targets=TARGETS,
            slack=self.slack_url,
            on_call_queue=on_call.subscribe(aws, outputs["OnCallTopicArn"]),
        )
