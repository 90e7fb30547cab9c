"""The tables (spec section 5) and what may be done with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import pulumi
import pulumi_aws as aws

from components import iam

if TYPE_CHECKING:
    from components.keys import Key
    from components.names import Names

ItemAction = Literal["GetItem", "PutItem", "UpdateItem", "DeleteItem"]


@dataclass(frozen=True)
class Attribute:
    """A key attribute."""

    name: str
    type: Literal["S", "N"] = "S"


@dataclass(frozen=True, kw_only=True)
class Index:
    """A global secondary index with all attributes."""

    name: str
    hash_key: Attribute
    range_key: Attribute


@dataclass(frozen=True, kw_only=True)
class TableArgs:
    names: Names
    key: Key
    thing: str
    """Short name: ``tickets``."""
    hash_key: Attribute
    deletion_protection: bool
    range_key: Attribute | None = None
    indexes: tuple[Index, ...] = ()
    expires: bool = False
    """Items are deleted when the epoch second in their attribute ``ttl`` has passed."""
    stream: bool = False
    """Changes can be read, with the item before and after."""


class Table(pulumi.ComponentResource):
    """A DynamoDB table.

    Default settings:
        - billing: on demand
        - encryption: customer-managed key
        - backup: point-in-time recovery
        - deletion protection, by setting, on the table and in Pulumi
    """

    def __init__(self, resource_name: str, args: TableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:tables:Table", resource_name, None, opts)
        keys = [args.hash_key, *([args.range_key] if args.range_key else [])]
        for index in args.indexes:
            keys += [index.hash_key, index.range_key]
        self._args = args
        self.table = aws.dynamodb.Table(
            resource_name,
            name=args.names.table(args.thing),
            billing_mode="PAY_PER_REQUEST",
            attributes=[{"name": key.name, "type": key.type} for key in dict.fromkeys(keys)],
            hash_key=args.hash_key.name,
            range_key=args.range_key.name if args.range_key else None,
            global_secondary_indexes=[_index(index) for index in args.indexes],
            stream_enabled=True if args.stream else None,
            stream_view_type="NEW_AND_OLD_IMAGES" if args.stream else None,
            ttl={"enabled": True, "attribute_name": "ttl"} if args.expires else None,
            point_in_time_recovery={"enabled": True},
            server_side_encryption={"enabled": True, "kms_key_arn": args.key.arn},
            deletion_protection_enabled=args.deletion_protection,
            opts=pulumi.ResourceOptions(parent=self, protect=args.deletion_protection),
        )
        self.thing = args.thing
        self.name = args.names.table(args.thing)
        self.arn = args.names.table_arn(args.thing)
        self.stream_arn = self.table.stream_arn
        self.register_outputs({"name": self.table.name})

    def items(self, *actions: ItemAction) -> iam.Grant:
        """These actions on single items."""
        return self._grant("Items", tuple(actions), (self.arn,))

    def query(self, index: str) -> iam.Grant:
        """Read one of the table's indexes by its key; never a scan."""
        if index not in {known.name for known in self._args.indexes}:
            raise iam.PolicyLintError(f"{self.name} has no index {index}")
        return self._grant("Index", ("Query",), (f"{self.arn}/index/{index}",))

    def describe(self) -> iam.Grant:
        """See that the table is there, and nothing in it."""
        return iam.Grant(self._grant("Table", ("DescribeTable",), (self.arn,)).statements[:1], (self.table,))

    def read_stream(self) -> iam.Grant:
        """What Lambda's poller needs of the reading function's role (Lambda developer guide, with-ddb)."""
        stream = self._grant("Stream", ("DescribeStream", "GetRecords", "GetShardIterator"), (f"{self.arn}/stream/*",))
        listing = iam.Statement(sid="ListStreams", actions=("dynamodb:ListStreams",), resources=("*",))
        return iam.Grant((*stream.statements, listing), stream.depends_on)

    def _grant(self, what: str, actions: tuple[str, ...], resources: tuple[str, ...]) -> iam.Grant:
        thing = "".join(word.capitalize() for word in self._args.thing.split("-"))
        statement = iam.Statement(
            sid=f"{thing}{what}", actions=tuple(f"dynamodb:{action}" for action in actions), resources=resources
        )
        # Reading or writing an item makes DynamoDB decrypt the table's key on the caller's behalf, and nothing else;
        # the table's own use of the key rests on the grant made with the table (DynamoDB developer guide,
        # encryption at rest: "Monitoring DynamoDB interaction with AWS KMS").
        return iam.Grant((statement, self._args.key.through("dynamodb", "Decrypt")), (self.table,))


def _index(index: Index) -> aws.dynamodb.TableGlobalSecondaryIndexArgsDict:
    return {
        "name": index.name,
        "key_schemas": [
            {"attribute_name": index.hash_key.name, "key_type": "HASH"},
            {"attribute_name": index.range_key.name, "key_type": "RANGE"},
        ],
        "projection_type": "ALL",
    }


CUSTOMER_INDEX: Final = "customer-created-index"
DEADLINE_INDEX: Final = "open-by-deadline"


@dataclass(frozen=True, kw_only=True)
class TablesArgs:
    names: Names
    key: Key
    deletion_protection: bool


class Tables(pulumi.ComponentResource):
    """All tables of the service.

    Default settings:
        - tickets: by customer and time, by deadline while open (sparse); stream of changes; expire by ``ttl``
        - solutions: apart from the tickets, so that no index copies them; expire by ``ttl``
        - idempotency-keys: expire by ``ttl``
        - api-keys, feedback: kept
        - failures: expire by ``ttl``
    """

    def __init__(self, resource_name: str, args: TablesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:tables:Tables", resource_name, None, opts)
        self._args = args
        self.tickets = self._table(
            "tickets",
            Attribute("ticket_id"),
            indexes=(
                Index(name=CUSTOMER_INDEX, hash_key=Attribute("customer_id"), range_key=Attribute("created_at", "N")),
                Index(name=DEADLINE_INDEX, hash_key=Attribute("open"), range_key=Attribute("process_deadline", "N")),
            ),
            expires=True,
            stream=True,
        )
        self.solutions = self._table("solutions", Attribute("ticket_id"), expires=True)
        self.idempotency_keys = self._table("idempotency-keys", Attribute("idempotency_key"), expires=True)
        self.api_keys = self._table("api-keys", Attribute("api_key"))
        self.feedback = self._table("feedback", Attribute("ticket_id"), Attribute("feedback_id"))
        self.failures = self._table("failures", Attribute("failure_id"), expires=True)
        self.register_outputs({})

    @property
    def all(self) -> tuple[Table, ...]:
        return (self.tickets, self.solutions, self.idempotency_keys, self.api_keys, self.feedback, self.failures)

    def _table(
        self,
        thing: str,
        hash_key: Attribute,
        range_key: Attribute | None = None,
        *,
        indexes: tuple[Index, ...] = (),
        expires: bool = False,
        stream: bool = False,
    ) -> Table:
        args = TableArgs(
            names=self._args.names,
            key=self._args.key,
            thing=thing,
            hash_key=hash_key,
            range_key=range_key,
            indexes=indexes,
            expires=expires,
            stream=stream,
            deletion_protection=self._args.deletion_protection,
        )
        return Table(thing, args, pulumi.ResourceOptions(parent=self))
