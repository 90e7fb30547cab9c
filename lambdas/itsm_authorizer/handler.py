"""The authorizer of the partners' routes: API Gateway asks it who sends a header (type TOKEN).

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from support import clients, environment
from support.repositories.api_key_table import ApiKeyTable, SecretVault
from support.services.partner_authorization import METHODS, Authorized, PartnerAuthorization, RefusedError
from support.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext


def answer(authorized: Authorized, method_arn: str) -> dict[str, Any]:
    """What the gateway remembers for the header: good for each of the partner's routes, whichever was asked first."""
    api, stage, _ = method_arn.split("/", 2)
    partner = authorized.partner
    return {
        "principalId": partner.api_key,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "execute-api:Invoke",
                    "Resource": [f"{api}/{stage}/{method}" for method in METHODS],
                }
            ],
        },
        "context": {
            "api_key": partner.api_key,
            "customer_id": partner.customer_id,
            "rate_limit_tier": partner.tier,
            "not_after": authorized.not_after,
        },
        "usageIdentifierKey": partner.usage_key,
    }


@cache
def application() -> PartnerAuthorization:
    env = environment.load(environment.ItsmAuthorizer)
    return PartnerAuthorization(
        ApiKeyTable(clients.dynamodb(), env.api_keys_table), SecretVault(clients.kms(), env.partner_key_arn)
    )


def handler(event: Mapping[str, str], context: LambdaContext) -> dict[str, Any]:
    """Raises ``Unauthorized``, which the gateway answers with 401; what else is raised it answers with 500."""
    # The gateway does not tell a TOKEN authorizer its own request's id.
    logger.set_correlation_id(context.aws_request_id)
    try:
        authorized = application().authorize(event["authorizationToken"])
    except RefusedError as error:
        # An unknown key may be anything, a secret pasted in the wrong place included: only ours are named.
        logger.info("refused", reason=error.reason, api_key=error.api_key)
        raise Exception("Unauthorized") from None  # noqa: TRY002 - the text by which the gateway knows a refusal
    except Exception:
        logger.exception("failed")
        raise
    logger.info("authorized", api_key=authorized.partner.api_key)
    return answer(authorized, event["methodArn"])
