"""Amazon Cognito."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.limits import PASSWORD_LENGTH, REFRESH_TOKEN_LIFE, TEMPORARY_PASSWORD, TOKEN_LIFE
from policies.rule import Given, Guard, Level, Rule, Severity, Verdict, cannot_judge
from policies.values import Unknown, look_up, many, unknowns
from policies.wants import AtLeast, AtMost, Each, Off, On, OneOf, as_number, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Limit, Settings
    from policies.values import Resource

POOL: Final = "aws:cognito/userPool:UserPool"
CLIENT: Final = "aws:cognito/userPoolClient:UserPoolClient"
MANAGED_CLIENT: Final = "aws:cognito/managedUserPoolClient:ManagedUserPoolClient"
CLIENTS: Final = (CLIENT, MANAGED_CLIENT)
IDENTITY_POOL: Final = "aws:cognito/identityPool:IdentityPool"

_GUIDE: Final = "https://docs.aws.amazon.com/cognito/latest/developerguide"
_CLASSES: Final = ("requireLowercase", "requireUppercase", "requireNumbers", "requireSymbols")


def _pool(**inputs: object) -> Given:
    return Given(POOL, "users", {"name": "users", **inputs})


def _client(**inputs: object) -> Given:
    return Given(CLIENT, "app", {"name": "app", "userPoolId": "eu-west-1_Ab1Cd2Ef3", **inputs})


PASSWORD: Final = Rule(
    id="cognito-password",
    demand="Users' passwords are long, and of four kinds of characters",
    why="Short ones are guessed, or found in lists of what others have used.",
    severity=Severity.MEDIUM,
    controls=("Security Hub Cognito.3", "AwsSolutions-COG1"),
    mend="Set passwordPolicy: minimumLength to the limit or more, and all four require… to true.",
    url=f"{_GUIDE}/managing-users-passwords.html",
    guards=(
        Guard(type=POOL, path="passwordPolicy.minimumLength", want=AtLeast(PASSWORD_LENGTH)),
        *(Guard(type=POOL, path=f"passwordPolicy.{each}", want=On()) for each in _CLASSES),
        Guard(
            type=POOL,
            path="passwordPolicy.temporaryPasswordValidityDays",
            want=AtMost(TEMPORARY_PASSWORD, least=1),
            absent="Cognito takes them for a week then",
        ),
    ),
    violating=(_pool(passwordPolicy={"minimumLength": 8, **dict.fromkeys(_CLASSES, True)}),),
    compliant=(_pool(passwordPolicy={"minimumLength": 16, **dict.fromkeys(_CLASSES, True)}),),
)

_FACTORS: Final = ("softwareTokenMfaConfiguration.enabled", "webAuthnConfiguration.userVerification")


def _factor(pool: Resource, _settings: Settings) -> Iterator[Verdict]:
    """That there is a factor beside text messages, which can be redirected."""
    token, passkey = (look_up(pool, path).value for path in _FACTORS)
    unknown = [each for each in (token, passkey) if isinstance(each, Unknown)]
    yield from (cannot_judge(each) for each in unknown)
    if not unknown and token is not True and passkey != "required":
        yield Verdict(_FACTORS[0], f"is {shown(token)}, so that no factor is left but messages")


MFA: Final = Rule(
    id="cognito-second-factor",
    demand="Users may have a second factor, and not by message only",
    why="A password is stolen without anybody noticing. Text messages and e-mails can be redirected; an app or a "
    "passkey cannot.",
    severity=Severity.MEDIUM,
    controls=("Security Hub Cognito.5", "AwsSolutions-COG2"),
    mend="Set mfaConfiguration to ON or OPTIONAL, and softwareTokenMfaConfiguration.enabled to true or "
    "webAuthnConfiguration.userVerification to required.",
    url=f"{_GUIDE}/user-pool-settings-mfa.html",
    guards=(
        Guard(type=POOL, path="mfaConfiguration", want=OneOf(("ON", "OPTIONAL"), refused=("OFF",))),
        Guard(
            type=POOL, path=_FACTORS[0], absent="a passkey with user verification is one too", weaker=(False, "true")
        ),
        Guard(type=POOL, path=_FACTORS[1], absent="an app is a second factor too"),
    ),
    violating=(_pool(mfaConfiguration="OFF", softwareTokenMfaConfiguration={"enabled": True}),),
    compliant=(_pool(mfaConfiguration="OPTIONAL", softwareTokenMfaConfiguration={"enabled": True}),),
    check=_factor,
)

MFA_REQUIRED: Final = Rule(
    id="cognito-second-factor-required",
    demand="Production's users must have a second factor",
    why="Those who would not choose one are those whose passwords are stolen.",
    severity=Severity.MEDIUM,
    controls=("Security Hub Cognito.5", "AwsSolutions-COG2"),
    mend="Set mfaConfiguration to ON.",
    url=f"{_GUIDE}/user-pool-settings-mfa.html",
    guards=(Guard(type=POOL, path="mfaConfiguration", want=OneOf(("ON",), refused=("OPTIONAL", "OFF"))),),
    violating=(_pool(mfaConfiguration="OPTIONAL"),),
    compliant=(_pool(mfaConfiguration="ON"),),
    # Tests sign in without a telephone.
    outside_production=Level.DISABLED,
)

MESSAGES: Final = Rule(
    id="cognito-messages",
    demand="Nobody gets into an account with a text message alone",
    why="A telephone number can be moved to another card by who talks to its provider well enough; what recovers a "
    "password then, or signs in without one, is theirs.",
    severity=Severity.LOW,
    controls=("NIST SP 800-63B, section 5.1.3.3", "CWE-308"),
    mend="Recover accounts by verified_email or admin_only, and take SMS_OTP out of "
    "signInPolicy.allowedFirstAuthFactors.",
    url=f"{_GUIDE}/user-pool-settings-account-recovery.html",
    guards=(
        Guard(
            type=POOL,
            path="accountRecoverySetting.recoveryMechanisms[].name",
            want=OneOf(("verified_email", "admin_only"), refused=("verified_phone_number",)),
        ),
        Guard(
            type=POOL,
            path="signInPolicy.allowedFirstAuthFactors",
            want=Each(OneOf(("PASSWORD", "WEB_AUTHN", "EMAIL_OTP"), refused=("SMS_OTP",))),
            absent="the first factor is a password then",
        ),
    ),
    violating=(
        _pool(
            accountRecoverySetting={
                "recoveryMechanisms": [
                    {"name": "verified_email", "priority": 1},
                    {"name": "verified_phone_number", "priority": 2},
                ]
            }
        ),
    ),
    compliant=(
        _pool(
            accountRecoverySetting={"recoveryMechanisms": [{"name": "verified_email", "priority": 1}]},
            signInPolicy={"allowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]},
        ),
    ),
    level=Level.ADVISORY,
)

SIGN_UP: Final = Rule(
    id="cognito-sign-up",
    demand="Accounts are made by administrators",
    why="Where anybody may sign up, being signed in says nothing about who it is. Right for an open service, but then "
    "somebody has decided so.",
    severity=Severity.LOW,
    controls=("Amazon Cognito developer guide, Security best practices for user pools",),
    mend="Set adminCreateUserConfig.allowAdminCreateUserOnly to true; or, for a service that is open to anybody, "
    "switch this rule off.",
    url=f"{_GUIDE}/user-pool-settings-admin-create-user-policy.html",
    guards=(Guard(type=POOL, path="adminCreateUserConfig.allowAdminCreateUserOnly", want=On()),),
    violating=(_pool(),),
    compliant=(_pool(adminCreateUserConfig={"allowAdminCreateUserOnly": True}),),
    level=Level.ADVISORY,
)

THREATS: Final = Rule(
    id="cognito-threat-protection",
    demand="Cognito stops sign-ins that look like an attack",
    why="It knows passwords that have leaked elsewhere, and sees who tries many. It has its price for each user.",
    severity=Severity.LOW,
    controls=("Security Hub Cognito.1", "AwsSolutions-COG3"),
    mend="Set userPoolTier to PLUS and userPoolAddOns.advancedSecurityMode to ENFORCED.",
    url=f"{_GUIDE}/cognito-user-pool-settings-threat-protection.html",
    guards=(
        Guard(type=POOL, path="userPoolTier", want=OneOf(("PLUS",), refused=("LITE",))),
        Guard(
            type=POOL,
            path="userPoolAddOns.advancedSecurityMode",
            want=OneOf(("ENFORCED",), refused=("OFF", "AUDIT")),
        ),
    ),
    violating=(_pool(userPoolTier="ESSENTIALS"),),
    compliant=(_pool(userPoolTier="PLUS", userPoolAddOns={"advancedSecurityMode": "ENFORCED"}),),
    # A matter of price; without it WAF and the second factor stand against the same attacks.
    level=Level.ADVISORY,
    outside_production=Level.DISABLED,
)

DELETION: Final = Rule(
    id="cognito-deletion-protection",
    demand="A user pool cannot be deleted by mistake",
    why="Accounts and passwords cannot be brought back: there is no backup of a user pool.",
    severity=Severity.MEDIUM,
    controls=("AWS Config cognito-user-pool-deletion-protection-enabled",),
    mend="Set deletionProtection to ACTIVE.",
    url=f"{_GUIDE}/user-pool-settings-deletion-protection.html",
    guards=(Guard(type=POOL, path="deletionProtection", want=OneOf(("ACTIVE",), refused=("INACTIVE",))),),
    violating=(_pool(),),
    compliant=(_pool(deletionProtection="ACTIVE"),),
    # What is not production is made to be thrown away.
    outside_production=Level.DISABLED,
)

CLIENT_HARDENING: Final = Rule(
    id="cognito-client",
    demand="A client tells nobody which users exist, and its tokens can be revoked",
    why="An answer that differs for an unknown user makes a list of users out of a list of addresses. Tokens that "
    "cannot be revoked stay with whoever has taken them.",
    severity=Severity.MEDIUM,
    controls=("Amazon Cognito developer guide, Security best practices for user pools", "CWE-204"),
    mend="Set preventUserExistenceErrors to ENABLED, and leave enableTokenRevocation out or true.",
    url=f"{_GUIDE}/cognito-user-pool-managing-errors.html",
    guards=tuple(
        guard
        for client in CLIENTS
        for guard in (
            Guard(type=client, path="preventUserExistenceErrors", want=OneOf(("ENABLED",), refused=("LEGACY",))),
            Guard(type=client, path="enableTokenRevocation", want=On(), absent="a new client's can be"),
        )
    ),
    violating=(_client(preventUserExistenceErrors="LEGACY"),),
    compliant=(_client(preventUserExistenceErrors="ENABLED", enableTokenRevocation=True),),
)


def _without(path: str, *refused: str) -> Iterator[Guard]:
    """Guards of a list in which none of some values may be; `_leaves_out` judges it."""
    for client in CLIENTS:
        yield Guard(
            type=client, path=path, absent="Cognito allows none of them then", weaker=tuple((x,) for x in refused)
        )


def _leaves_out(client: Resource, path: str, *refused: str) -> Iterator[Verdict]:
    value = look_up(client, path).value
    yield from (cannot_judge(each) for each in unknowns(value))
    for index, each in enumerate(many(value)):
        if each in refused:
            yield Verdict(f"{path}[{index}]", f"is {each}")


_IMPLICIT: Final = ("implicit",)
_PASSWORD_FLOWS: Final = (
    *("ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"),
    *("ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"),
)

IMPLICIT: Final = Rule(
    id="cognito-implicit-grant",
    demand="A client gets its tokens by a code, not in an address",
    why="The implicit grant puts tokens into the browser's address, from where they get into its history, logs and "
    "other pages. OAuth has given it up.",
    severity=Severity.HIGH,
    controls=("RFC 9700, section 2.1.2",),
    mend='Take "implicit" out of allowedOauthFlows and use "code", with PKCE.',
    url=f"{_GUIDE}/federation-endpoints-oauth-grants.html",
    guards=tuple(_without("allowedOauthFlows", *_IMPLICIT)),
    violating=(_client(allowedOauthFlows=["code", "implicit"]),),
    compliant=(_client(allowedOauthFlows=["code"]),),
    check=lambda client, _settings: _leaves_out(client, "allowedOauthFlows", *_IMPLICIT),
)

SRP: Final = Rule(
    id="cognito-password-flows",
    demand="A client in production proves that it knows the password without sending it",
    why="What is sent can be logged, by a proxy or by ourselves. With SRP, or a passkey, the password stays where it "
    "was typed.",
    severity=Severity.MEDIUM,
    controls=("Amazon Cognito developer guide, Authentication with user pools",),
    mend="Take the flows with USER_PASSWORD and ADMIN_NO_SRP out of explicitAuthFlows; use ALLOW_USER_SRP_AUTH or "
    "ALLOW_USER_AUTH.",
    url=f"{_GUIDE}/amazon-cognito-user-pools-authentication-flow-methods.html",
    guards=tuple(_without("explicitAuthFlows", *_PASSWORD_FLOWS)),
    violating=(_client(explicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]),),
    compliant=(_client(explicitAuthFlows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]),),
    check=lambda client, _settings: _leaves_out(client, "explicitAuthFlows", *_PASSWORD_FLOWS),
    # Tests sign in with a password.
    outside_production=Level.DISABLED,
)

_SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}
_TOKENS: Final[tuple[tuple[str, int, str, Limit], ...]] = (
    ("accessToken", 1, "hours", TOKEN_LIFE),
    ("idToken", 1, "hours", TOKEN_LIFE),
    ("refreshToken", 30, "days", REFRESH_TOKEN_LIFE),
)
"""Token, its life by default, the unit that Cognito counts in by default, and the limit (Cognito API reference,
CreateUserPoolClient)."""


def _lives(client: Resource, settings: Settings) -> Iterator[Verdict]:
    for token, default, default_unit, limit in _TOKENS:
        path = f"{token}Validity"
        life, unit = look_up(client, path).value, look_up(client, f"tokenValidityUnits.{token}").value
        unknown = next((each for each in (life, unit) if isinstance(each, Unknown)), None)
        if unknown is not None:
            yield cannot_judge(unknown)
            continue
        counted = str(unit or default_unit)
        # The provider shows 0 for what is not set.
        number = as_number(life) if life is not None and as_number(life) != 0 else float(default)
        most = settings.limit(limit)
        is_short = number is not None and 0 < number * _SECONDS.get(counted, 0) <= most * _SECONDS[limit.unit]
        if not is_short:
            yield Verdict(path, f"is {shown(number)} {counted}, not up to {most:g} {limit.unit}")


LIVES: Final = Rule(
    id="cognito-token-life",
    demand="Tokens end soon",
    why="A token opens the door for whoever holds it, until it ends.",
    severity=Severity.MEDIUM,
    controls=("Amazon Cognito developer guide, Managing user pool token expiration", "CWE-613"),
    mend="Set accessTokenValidity, idTokenValidity and refreshTokenValidity, with their units, to the limits or less.",
    url=f"{_GUIDE}/amazon-cognito-user-pools-using-tokens-with-identity-providers.html",
    guards=tuple(
        guard
        for client in CLIENTS
        for token, _default, unit, _limit in _TOKENS
        for guard in (
            Guard(type=client, path=f"{token}Validity", absent="Cognito's default is short", weaker=(1_000_000, -1)),
            Guard(
                type=client,
                path=f"tokenValidityUnits.{token}",
                absent=f"it is counted in {unit} then",
                weaker=("years",),
            ),
        )
    ),
    violating=(_client(accessTokenValidity=24),),
    compliant=(
        _client(
            accessTokenValidity=30,
            idTokenValidity=1,
            refreshTokenValidity=12,
            tokenValidityUnits={"accessToken": "minutes", "refreshToken": "hours"},
        ),
    ),
    check=_lives,
)

GUESTS: Final = Rule(
    id="cognito-guests",
    demand="An identity pool gives no credentials to guests",
    why="Anybody on the internet may have AWS credentials of the guests' role then.",
    severity=Severity.HIGH,
    controls=("Security Hub Cognito.2", "CKV_AWS_366", "AwsSolutions-COG7"),
    mend="Leave allowUnauthenticatedIdentities and allowClassicFlow out, or set them to false.",
    url=f"{_GUIDE}/identity-pools.html",
    guards=(
        Guard(type=IDENTITY_POOL, path="allowUnauthenticatedIdentities", want=Off(), absent="guests get none then"),
        Guard(
            type=IDENTITY_POOL,
            path="allowClassicFlow",
            want=Off(),
            absent="roles are limited by the enhanced flow then",
        ),
    ),
    violating=(Given(IDENTITY_POOL, "app", {"identityPoolName": "app", "allowUnauthenticatedIdentities": True}),),
    compliant=(Given(IDENTITY_POOL, "app", {"identityPoolName": "app", "allowUnauthenticatedIdentities": False}),),
)

RULES: Final = (
    *(PASSWORD, MFA, MFA_REQUIRED, MESSAGES, SIGN_UP, THREATS, DELETION),
    *(CLIENT_HARDENING, IMPLICIT, SRP, LIVES, GUESTS),
)
