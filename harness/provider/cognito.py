"""Cognito: user pools, their app clients and groups."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.calls import Aws, ProviderError
from harness.provider.differ import Kind, same
from harness.provider.resource import Live, Prop, ResourceType, State, Update
from harness.provider.shapes import Problem, Request, from_api, members_at, operation_model, to_api
from harness.provider.tags import Tagging

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.provider.values import Properties

_POOL_SOURCE: Final = "terraform-provider-aws cognitoidp/user_pool.go: ForceNew"
_CLIENT_SOURCE: Final = "terraform-provider-aws cognitoidp/user_pool_client.go: RequiresReplace"
_GROUP_SOURCE: Final = "terraform-provider-aws cognitoidp/user_group.go: ForceNew"
_GONE: Final = frozenset({"ResourceNotFoundException"})

_GROUP_UNCHANGED: Final = "the emulator cannot change a group"
_MFA: Final = ("softwareTokenMfaConfiguration", "emailMfaConfiguration", "webAuthnConfiguration")
_TAGS: Final = Tagging(pair=None)


class UserPool(ResourceType):
    """`aws.cognito.UserPool`."""

    pulumi_type = "aws:cognito/userPool:UserPool"
    service = "cognito-idp"
    name = "name"
    gone = _GONE
    find_first = True
    sentence = "Signs users in and issues tokens for real (SRP, passwords, groups, TOTP); no mail or message is sent."
    properties = MappingProxyType(
        {
            "name": Prop("PoolName", replace=_POOL_SOURCE),
            "aliasAttributes": Prop(replace=_POOL_SOURCE, kind=Kind.SET),
            "usernameAttributes": Prop(replace=_POOL_SOURCE, kind=Kind.SET),
            "usernameConfiguration": Prop(replace=_POOL_SOURCE),
            "schemas": Prop(kind=Kind.SET, local=True),
            "accountRecoverySetting": Prop(),
            "adminCreateUserConfig": Prop(),
            "autoVerifiedAttributes": Prop(kind=Kind.SET),
            "deletionProtection": Prop(default="INACTIVE"),
            "deviceConfiguration": Prop(),
            "emailConfiguration": Prop(),
            "emailVerificationMessage": Prop(default=""),
            "emailVerificationSubject": Prop(default=""),
            "lambdaConfig": Prop(),
            "mfaConfiguration": Prop(default="OFF", local=True),
            "passwordPolicy": Prop(local=True),
            "signInPolicy": Prop(local=True),
            "smsAuthenticationMessage": Prop(default=""),
            "smsConfiguration": Prop(),
            "smsVerificationMessage": Prop(default=""),
            "softwareTokenMfaConfiguration": Prop(local=True, default={"enabled": False}),
            "emailMfaConfiguration": Prop(local=True),
            "webAuthnConfiguration": Prop(local=True),
            "userAttributeUpdateSettings": Prop(),
            "userPoolAddOns": Prop(),
            "userPoolTier": Prop(default="ESSENTIALS"),
            "verificationMessageTemplate": Prop(),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        names = {**self.names("CreateUserPool"), "Policies": "", "Schema": "schemas", "UserPoolTags": "tags"}
        requests = [Request("CreateUserPool", self._create_params(inputs), names)]
        if any(name in inputs for name in _MFA):
            requests.append(Request("SetUserPoolMfaConfig", {"UserPoolId": "local_1", **self._mfa_params(inputs)}))
        return requests

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """Cognito Developer Guide: a required second factor needs one that can be set up (facts/aws.md, row 68)."""
        factors = (*_MFA, "smsConfiguration")
        if inputs.get("mfaConfiguration") == "ON" and not any(inputs.get(name) for name in factors):
            yield Problem("mfaConfiguration", f"ON needs one of {', '.join(factors)}")
        if inputs.get("aliasAttributes") and inputs.get("usernameAttributes"):
            yield Problem("aliasAttributes", "not together with usernameAttributes")

    def _create_params(self, inputs: Properties) -> dict[str, Any]:
        params = self._settings(inputs, "CreateUserPool")
        members = members_at(operation_model(self.service, "CreateUserPool").input_shape)
        if inputs.get("schemas"):
            params["Schema"] = to_api(members["Schema"], inputs["schemas"], {})
        if inputs.get("tags"):
            params["UserPoolTags"] = inputs["tags"]
        return params

    def _settings(self, inputs: Properties, operation: str) -> dict[str, Any]:
        """What creation and update have in common. An update resets what it does not mention, so it mentions all."""
        params = self.body(inputs, operation)
        members = members_at(operation_model(self.service, operation).input_shape, "Policies")
        policies = {
            member: to_api(members[member], inputs[name], {})
            for name, member in (("passwordPolicy", "PasswordPolicy"), ("signInPolicy", "SignInPolicy"))
            if inputs.get(name)
        }
        if policies:
            params["Policies"] = policies
        if inputs.get("mfaConfiguration") and not any(inputs.get(name) for name in _MFA):
            params["MfaConfiguration"] = inputs["mfaConfiguration"]
        return params

    def _mfa_params(self, inputs: Properties) -> dict[str, Any]:
        members = members_at(operation_model(self.service, "SetUserPoolMfaConfig").input_shape)
        params: dict[str, Any] = {"MfaConfiguration": inputs.get("mfaConfiguration", "OFF")}
        for name in _MFA:
            if inputs.get(name) is not None:
                member = name[0].upper() + name[1:]
                params[member] = to_api(members[member], inputs[name], {})
        return params

    def create(self, aws: Aws, inputs: Properties) -> str:
        pool_id = str(aws("CreateUserPool", **self._create_params(inputs))["UserPool"]["Id"])
        if any(inputs.get(name) for name in _MFA):
            aws("SetUserPoolMfaConfig", UserPoolId=pool_id, **self._mfa_params(inputs))
        return pool_id

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        pools = aws.pages("ListUserPools", "UserPools", MaxResults=60)
        return next((item["Id"] for item in pools if item["Name"] == inputs["name"]), None)

    def read(self, aws: Aws, state: State) -> Live:
        pool = aws("DescribeUserPool", UserPoolId=state.id)["UserPool"]
        live = self.properties_of(pool, "DescribeUserPool", "UserPool")
        live["name"] = pool["Name"]
        policies = members_at(operation_model(self.service, "DescribeUserPool").output_shape, "UserPool", "Policies")
        for name, member in (("passwordPolicy", "PasswordPolicy"), ("signInPolicy", "SignInPolicy")):
            live[name] = from_api(policies[member], (pool.get("Policies") or {}).get(member), {})
        live["mfaConfiguration"] = pool.get("MfaConfiguration", "OFF")
        mfa = aws("GetUserPoolMfaConfig", UserPoolId=state.id)
        members = members_at(operation_model(self.service, "GetUserPoolMfaConfig").output_shape)
        for name in _MFA:
            member = name[0].upper() + name[1:]
            live[name] = from_api(members[member], mfa.get(member), {})
        live["schemas"] = self._live_schemas(pool.get("SchemaAttributes") or (), state.inputs.get("schemas") or ())
        live["tags"] = pool.get("UserPoolTags") or {}
        computed = {
            "arn": pool.get("Arn") or aws.arn(f"userpool/{state.id}"),
            "endpoint": f"cognito-idp.{aws.region}.amazonaws.com/{state.id}",
            "estimatedNumberOfUsers": pool.get("EstimatedNumberOfUsers", 0),
        }
        return Live(live, computed)

    def _live_schemas(self, attributes: Iterable[Mapping[str, Any]], written: Iterable[Properties]) -> list[Properties]:
        """The attributes that the program wrote, in its writing while they are so, and custom ones it did not write."""
        shape = members_at(operation_model(self.service, "DescribeUserPool").output_shape, "UserPool")[
            "SchemaAttributes"
        ]
        there = {
            item["Name"].removeprefix("custom:").removeprefix("dev:"): (
                item,
                item["Name"] != item["Name"].split(":")[-1],
            )
            for item in attributes
        }
        wanted = {item["name"]: item for item in written}
        live: list[Properties] = []
        for name, (item, custom) in there.items():
            shown = {**from_api(shape, [item], {})[0], "name": name}
            if name in wanted:
                kept = {key: shown.get(key) for key in wanted[name]}
                live.append(wanted[name] if same(wanted[name], kept) else shown)
            elif custom:
                live.append(shown)
        return live

    def update(self, aws: Aws, update: Update) -> None:
        new = update.new
        if update.changed - {"tags", "schemas"}:
            aws("UpdateUserPool", UserPoolId=update.id, **self._settings(new, "UpdateUserPool"))
        if update.touches("mfaConfiguration", *_MFA) and any({**update.old, **new}.get(name) for name in _MFA):
            dropped = {name: {"enabled": False} for name in ("softwareTokenMfaConfiguration",) if name not in new}
            aws("SetUserPoolMfaConfig", UserPoolId=update.id, **self._mfa_params({**new, **dropped}))
        if update.touches("schemas"):
            self._add_attributes(aws, update)
        arn = aws.arn(f"userpool/{update.id}")
        _TAGS.change(aws, update, ResourceArn=arn)

    def _add_attributes(self, aws: Aws, update: Update) -> None:
        old = {item["name"]: item for item in update.old.get("schemas") or ()}
        new = {item["name"]: item for item in update.new.get("schemas") or ()}
        broken = sorted(name for name in old if not same(old[name], new.get(name)))
        if broken:
            raise ProviderError(
                f"user pool {update.id}: attribute {', '.join(broken)} was changed or removed; Cognito can only add "
                "attributes: keep it as it was, or make a new pool"
            )
        members = members_at(operation_model(self.service, "AddCustomAttributes").input_shape)
        attributes = to_api(members["CustomAttributes"], [new[name] for name in new if name not in old], {})
        if attributes:
            aws("AddCustomAttributes", UserPoolId=update.id, CustomAttributes=attributes)

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteUserPool", UserPoolId=state.id)


class UserPoolClient(ResourceType):
    """`aws.cognito.UserPoolClient`."""

    pulumi_type = "aws:cognito/userPoolClient:UserPoolClient"
    service = "cognito-idp"
    name = "name"
    identity = ("userPoolId", "name")
    gone = _GONE
    find_first = True
    secret_outputs = frozenset({"clientSecret"})
    sentence = "Works as on AWS; token validity, readable and writable attributes are kept as settings."
    properties = MappingProxyType(
        {
            "userPoolId": Prop(replace=_CLIENT_SOURCE),
            "generateSecret": Prop(replace=_CLIENT_SOURCE, default=False, recorded="a switch of the creation"),
            "name": Prop("ClientName"),
            "accessTokenValidity": Prop(),
            "idTokenValidity": Prop(),
            "refreshTokenValidity": Prop(),
            "tokenValidityUnits": Prop(),
            "allowedOauthFlows": Prop("AllowedOAuthFlows", kind=Kind.SET),
            "allowedOauthFlowsUserPoolClient": Prop("AllowedOAuthFlowsUserPoolClient"),
            "allowedOauthScopes": Prop("AllowedOAuthScopes", kind=Kind.SET),
            "authSessionValidity": Prop(),
            "callbackUrls": Prop("CallbackURLs", kind=Kind.SET),
            "logoutUrls": Prop("LogoutURLs", kind=Kind.SET),
            "defaultRedirectUri": Prop("DefaultRedirectURI"),
            "enablePropagateAdditionalUserContextData": Prop(),
            "enableTokenRevocation": Prop(),
            "explicitAuthFlows": Prop(kind=Kind.SET),
            "preventUserExistenceErrors": Prop(),
            "readAttributes": Prop(kind=Kind.SET),
            "writeAttributes": Prop(kind=Kind.SET),
            "supportedIdentityProviders": Prop(kind=Kind.SET),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateUserPoolClient", inputs)]

    def create(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "CreateUserPoolClient", inputs)["UserPoolClient"]["ClientId"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        clients = aws.pages("ListUserPoolClients", "UserPoolClients", UserPoolId=inputs["userPoolId"], MaxResults=60)
        return next((item["ClientId"] for item in clients if item["ClientName"] == inputs["name"]), None)

    def read(self, aws: Aws, state: State) -> Live:
        found = aws("DescribeUserPoolClient", UserPoolId=state.inputs["userPoolId"], ClientId=state.id)[
            "UserPoolClient"
        ]
        live = self.properties_of(found, "DescribeUserPoolClient", "UserPoolClient")
        return Live(live, {"clientSecret": found.get("ClientSecret", "")})

    def update(self, aws: Aws, update: Update) -> None:
        # What an update does not mention goes back to its default.
        self.call(aws, "UpdateUserPoolClient", update.new, ClientId=update.id)

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteUserPoolClient", UserPoolId=state.inputs["userPoolId"], ClientId=state.id)


class UserGroup(ResourceType):
    """`aws.cognito.UserGroup`."""

    pulumi_type = "aws:cognito/userGroup:UserGroup"
    service = "cognito-idp"
    name = "name"
    identity = ("userPoolId", "name")
    gone = _GONE
    exists = frozenset({"GroupExistsException"})
    sentence = "Works as on AWS: the groups are in the tokens."
    properties = MappingProxyType(
        {
            "userPoolId": Prop(replace=_GROUP_SOURCE),
            "name": Prop("GroupName", replace=_GROUP_SOURCE),
            "description": Prop(default="", recorded=_GROUP_UNCHANGED),
            "precedence": Prop(recorded=_GROUP_UNCHANGED),
            "roleArn": Prop(recorded=_GROUP_UNCHANGED),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateGroup", inputs)]

    def create(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "CreateGroup", inputs)
        return f"{inputs['userPoolId']}/{inputs['name']}"

    def find(self, aws: Aws, inputs: Properties) -> str | None:  # noqa: ARG002 - pool and name are the id
        return f"{inputs['userPoolId']}/{inputs['name']}"

    def read(self, aws: Aws, state: State) -> Live:
        pool_id, _, name = state.id.partition("/")
        found = aws("GetGroup", UserPoolId=pool_id, GroupName=name)["Group"]
        return Live({**self.properties_of(found, "GetGroup", "Group"), "userPoolId": pool_id, "name": name})

    def update(self, aws: Aws, update: Update) -> None:
        """The emulator has no UpdateGroup; making the group anew would empty it."""

    def delete(self, aws: Aws, state: State) -> None:
        pool_id, _, name = state.id.partition("/")
        aws("DeleteGroup", UserPoolId=pool_id, GroupName=name)


TYPES = (UserPool(), UserPoolClient(), UserGroup())
