"""Who may call: the Cognito user pool, its client and its groups (spec section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

if TYPE_CHECKING:
    from components.names import Names

GROUPS: Final = {"customer": "Sees the tickets of its own customer", "operator": "Sees all tickets, and reviews them"}
CUSTOMER_ID: Final = "custom:customer_id"
"""The claim that says for whom a caller acts."""
PASSWORD_LENGTH: Final = 14
TOKEN_MINUTES: Final = 60
SESSION_HOURS: Final = 12


@dataclass(frozen=True, kw_only=True)
class IdentityArgs:
    names: Names
    mfa: str
    """OPTIONAL or ON."""
    password_sign_in: bool
    deletion_protection: bool


class Identity(pulumi.ComponentResource):
    """The user pool.

    Default settings:
        - accounts: made by administrators only; the user name is the e-mail address
        - passwords: 14 characters of four kinds
        - second factor: TOTP, optional or required by setting
        - ``custom:customer_id``: read by the client, written by administrators only
        - client: no secret, SRP (passwords by setting), an unknown user looks like a wrong password
        - tokens: an hour; refresh twelve hours, revocable
    """

    def __init__(self, resource_name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:identity:Identity", resource_name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.pool = aws.cognito.UserPool(
            resource_name,
            name=args.names.physical("user pool", "users"),
            user_pool_tier="ESSENTIALS",
            username_attributes=["email"],
            auto_verified_attributes=["email"],
            username_configuration={"case_sensitive": False},
            admin_create_user_config={"allow_admin_create_user_only": True},
            account_recovery_setting={"recovery_mechanisms": [{"name": "verified_email", "priority": 1}]},
            password_policy={
                "minimum_length": PASSWORD_LENGTH,
                "require_lowercase": True,
                "require_uppercase": True,
                "require_numbers": True,
                "require_symbols": True,
                "temporary_password_validity_days": 3,
            },
            mfa_configuration=args.mfa,
            # A required second factor needs one that users can set up (facts/aws.md row 68).
            software_token_mfa_configuration={"enabled": True},
            schemas=[
                {
                    "name": CUSTOMER_ID.removeprefix("custom:"),
                    "attribute_data_type": "String",
                    "mutable": True,
                    # Left out, they are a difference in every preview that can never be applied (row 68).
                    "string_attribute_constraints": {"min_length": "1", "max_length": "64"},
                }
            ],
            deletion_protection="ACTIVE" if args.deletion_protection else "INACTIVE",
            opts=pulumi.ResourceOptions(parent=self, protect=args.deletion_protection),
        )
        flows = ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"]
        if args.password_sign_in:
            flows.append("ALLOW_USER_PASSWORD_AUTH")
        self.client = aws.cognito.UserPoolClient(
            resource_name,
            name=args.names.physical("user pool", "api"),
            user_pool_id=self.pool.id,
            generate_secret=False,
            explicit_auth_flows=flows,
            prevent_user_existence_errors="ENABLED",
            enable_token_revocation=True,
            read_attributes=["email", "email_verified", CUSTOMER_ID],
            write_attributes=["email"],
            id_token_validity=TOKEN_MINUTES,
            access_token_validity=TOKEN_MINUTES,
            refresh_token_validity=SESSION_HOURS,
            token_validity_units={"id_token": "minutes", "access_token": "minutes", "refresh_token": "hours"},
            opts=child,
        )
        for group, description in GROUPS.items():
            aws.cognito.UserGroup(
                f"{resource_name}-{group}", name=group, description=description, user_pool_id=self.pool.id, opts=child
            )
        self.pool_arn = self.pool.arn
        self.pool_id = self.pool.id
        self.client_id = self.client.id
        self.register_outputs({"pool_id": self.pool_id, "client_id": self.client_id})
