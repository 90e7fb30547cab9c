"""How far a green run on the local stack reaches: for each resource type and each behaviour, what it shows of AWS."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from harness import provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Level = Literal["real", "partly", "recorded", "not shown"]
EXPLAINED: Final[dict[Level, str]] = {
    "real": "works as on AWS",
    "partly": "works but for what the sentence says",
    "recorded": "kept as a setting and read back; nothing acts on it",
    "not shown": "cannot be shown here; what proves it instead is named",
}


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    name: str
    level: Level
    sentence: str


BEHAVIOURS: Final = (
    Behaviour(
        name="IAM",
        level="real",
        sentence="Functions call with their own role's credentials and are denied what it does not grant. The launcher "
        "closes gaps of the emulator: loopback counts as TLS, task tokens are judged on their state machine, and "
        "`events:source` and `kms:EncryptionContext` are known.",
    ),
    Behaviour(
        name="Who may call a function",
        level="not shown",
        sentence="The emulator's gateway calls functions without asking their permissions; a graph test asserts one "
        "for each integration.",
    ),
    Behaviour(
        name="Routes without a function",
        level="partly",
        sentence="Status and feedback: the emulator routes, authorizes and validates, then the front renders the "
        "deployed templates (airspeed-ext, LocalStack's VTL engine) and calls with the integration's role. Of the "
        "gateway's variables only what the developer guide documents is there; AWS's own engine was not asked.",
    ),
    Behaviour(
        name="Streamed answers",
        level="partly",
        sentence="The deployed function runs under its own runtime loop, started through its wrapper as Lambda does, "
        "and its chunks go out as they come. Not shown: AWS's buffers and bandwidth, the idle time-out, reserved "
        "concurrency, memory limits. Here a function is told that the client hung up, on AWS it usually is not.",
    ),
    Behaviour(
        name="Partners' usage plans",
        level="partly",
        sentence="Authorizer, usage key, rate, burst and quota are enforced; that the gateway remembers the "
        "authorizer's answer for 300 s too. AWS counts best effort, over many hosts.",
    ),
    Behaviour(
        name="Refusals under load",
        level="partly",
        sentence="Two bounds. The stage's throttle is enforced and answers 429 as on AWS, over one host. The other is "
        "the harness's own: at most eight requests a core are at the emulator, whoever waits for a place longer than "
        "5 s gets 503 with Retry-After. It stands for AWS's quota of concurrent executions, which one machine does not "
        "reach; without it the emulator starts a process for each request until nothing works in time.",
    ),
    Behaviour(
        name="Gradual releases",
        level="partly",
        sentence="There is no CodeDeploy: `harness release` shifts the alias in the same steps, in seconds where AWS "
        "takes minutes, watches the same alarms and rolls back; calls are really shared between versions. The emulator "
        "counts no errors by version, so these alarms ring when their state is set, not by themselves.",
    ),
    Behaviour(
        name="Gateway cache of GET solution",
        level="recorded",
        sentence="The emulator caches nothing. A graph test asserts the key (Authorization, ticket) and the settings; "
        "that AWS keeps callers apart by it cannot be shown here.",
    ),
    Behaviour(
        name="CORS with several origins",
        level="partly",
        sentence="The emulator sends templates of MOCK integrations unrendered, so preflights name the first origin "
        "only; the template is rendered in a test.",
    ),
    Behaviour(
        name="Runtime and processor",
        level="not shown",
        sentence="Functions run on this machine's Python and processor; for AWS each archive is resolved for its "
        "target, and tests read the processor out of every compiled library.",
    ),
    Behaviour(
        name="Cold starts",
        level="partly",
        sentence="Each execution environment is a process of its own, but layers are unpacked once and keep their byte "
        "code, a call waits a moment for one that is at work before another is started, as many start at a time as "
        "there are processors and one of each function, those that an event source calls leave the processor to the "
        "others, and memory buys no processor time: figures are of this machine.",
    ),
    Behaviour(
        name="Search",
        level="real",
        sentence="A real OpenSearch node with k-NN and neural search answers; it is newer than the managed service, "
        "and has no access control, so role mappings are only attempted.",
    ),
    Behaviour(
        name="Quality of search",
        level="not shown",
        sentence="Embeddings come from a stand-in that hashes words and knows a small glossary. Recall and nDCG show "
        "that hybrid search works, not how good a real embedding model is.",
    ),
    Behaviour(
        name="Who may use Bedrock and OpenSearch",
        level="not shown",
        sentence="Neither the stand-in nor the search node asks IAM, so a missing grant does not fail here; graph "
        "tests assert the grants of each function that uses them.",
    ),
    Behaviour(
        name="Quality of answers",
        level="not shown",
        sentence="The stand-in for the model quotes the passages it is given; nothing is said about a real model's "
        "answers, nor about what a guardrail stops.",
    ),
    Behaviour(
        name="Encryption at rest",
        level="recorded",
        sentence="Keys are real and recorded on every resource; the emulator stores in plain text. Policies and graph "
        "tests assert the keys.",
    ),
    Behaviour(
        name="Network",
        level="recorded",
        sentence="Everything is on loopback: VPC, routes, security groups and endpoints are kept as settings, and no "
        "call meets them. Graph tests assert who reaches whom, by which endpoint and under which policy; on AWS "
        "`harness connectivity --stack S` shows it.",
    ),
    Behaviour(
        name="Batching window",
        level="recorded",
        sentence="The emulator hands messages over at once, whatever the event source's window says.",
    ),
    Behaviour(
        name="Failures of a batch",
        level="real",
        sentence="Queues and table streams deliver again what a function names in batchItemFailures; for streams the "
        "launcher closes a gap of the emulator. Each delivery of a duplicate is one on request (`harness faults`).",
    ),
    Behaviour(
        name="Retries by error name in Step Functions",
        level="not shown",
        sentence="The emulator tells every failed function as Runtime.HandlerError; ours retry through the queue.",
    ),
    Behaviour(
        name="Logs, metrics and traces of the gateway",
        level="recorded",
        sentence="Functions' own logs are real, of the last 1,000 invocations of each group; access and execution "
        "logs, X-Ray and metrics in log lines yield nothing.",
    ),
    Behaviour(
        name="The canary",
        level="partly",
        sentence="Off on the local stack, whose ticket counts it would disturb; a test walks its way over the deployed "
        "API, with a key from the emulator's Secrets Manager.",
    ),
    Behaviour(
        name="Workflows over a restart",
        level="not shown",
        sentence="A workflow that is running when the emulator stops comes back as failed and nobody waits for its "
        "task; once its ticket is overdue, reconcile starts the next attempt. On AWS it goes on.",
    ),
    Behaviour(
        name="Crash of the emulator",
        level="partly",
        sentence="Its state is saved a second after each change and on a clean stop. After SIGKILL, `harness up` makes "
        "anew what of the deployment is missing; tickets of the last second may be gone: `harness faults kill` names "
        "each.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """How many of each there are, by level."""

    behaviours: Mapping[Level, int]
    resource_types: Mapping[Level, int]


def summary() -> Summary:
    """The table in figures."""
    kinds = Counter(kind.level for kind in provider.parity())
    behaviours = Counter(row.level for row in BEHAVIOURS)
    return Summary(
        behaviours={level: behaviours[level] for level in EXPLAINED},
        resource_types={level: kinds[level] for level in EXPLAINED if kinds[level]},
    )


def document() -> str:
    """docs/parity.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Parity: what the local stack shows of AWS"
    yield ""
    yield "Generated by `make docs` from `harness/parity.py` and the provider's own types."
    yield ""
    yield from (f"- **{level}**: {meaning}" for level, meaning in EXPLAINED.items())
    yield ""
    yield "## Behaviours"
    yield ""
    yield "| behaviour | | |"
    yield "| --- | --- | --- |"
    yield from (f"| {row.name} | {row.level} | {row.sentence} |" for row in BEHAVIOURS)
    yield ""
    yield "## Resource types"
    yield ""
    yield "| type | | | taken from the program, not read back |"
    yield "| --- | --- | --- | --- |"
    for kind in provider.parity():
        recorded = "; ".join(f"`{name}` ({why})" for name, why in sorted(kind.recorded.items()))
        yield f"| `{kind.pulumi_type}` | {kind.level} | {kind.sentence} | {recorded} |"
