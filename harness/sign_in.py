"""Users of the local stack's pool, made when one is needed and signed in once."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from types_boto3_cognito_idp import CognitoIdentityProviderClient
    from types_boto3_cognito_idp.type_defs import AuthenticationResultTypeTypeDef

Group = Literal["customer", "operator"]


@dataclass(frozen=True)
class SignIn:
    """Signs users of the local pool in. Each lives only as long as it takes: a token is valid by itself."""

    cognito: CognitoIdentityProviderClient
    user_pool_id: str
    client_id: str

    def id_token(self, group: Group, customer_id: str | None = None) -> str:
        """An ID token: a Cognito authorizer without scopes asks for that kind, and only it has the claims."""
        return self.tokens(group, customer_id)["IdToken"]

    def tokens(self, group: Group | None, customer_id: str | None = None) -> AuthenticationResultTypeTypeDef:
        """All tokens of one sign-in; without a group, of a user who is nobody to the service."""
        username = f"{group or 'nobody'}-{secrets.token_hex(8)}@example.com"
        password = _password()
        attributes = {"email": username} | ({"custom:customer_id": customer_id} if customer_id else {})
        self.cognito.admin_create_user(
            UserPoolId=self.user_pool_id,
            Username=username,
            UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
            TemporaryPassword=password,
            MessageAction="SUPPRESS",
        )
        try:
            self.cognito.admin_set_user_password(
                UserPoolId=self.user_pool_id, Username=username, Password=password, Permanent=True
            )
            if group is not None:
                self.cognito.admin_add_user_to_group(UserPoolId=self.user_pool_id, Username=username, GroupName=group)
            answer = self.cognito.initiate_auth(
                ClientId=self.client_id,
                AuthFlow="USER_PASSWORD_AUTH",
                AuthParameters={"USERNAME": username, "PASSWORD": password},
            )
        finally:
            self.cognito.admin_delete_user(UserPoolId=self.user_pool_id, Username=username)
        return answer["AuthenticationResult"]


def _password() -> str:
    """Meets the pool's strictest policy; used once."""
    return secrets.token_urlsafe(24) + "".join(
        secrets.choice(kind) for kind in (string.ascii_uppercase, string.digits, "!?-_")
    )
