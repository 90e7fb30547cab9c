"""The rules' pages: code that runs, and is the example; snippets that are taken as they are."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.runtime import mocks, rpc
from pulumi.runtime.stack import wait_for_rpcs

from harness import generated
from harness.judging import pages
from harness.judging.analyzer import judged
from harness.judging.example_code import ExampleError, program
from harness.judging.sdk import Kind, SdkError, resource_class
from harness.judging.whole_examples import BESIDES, whole
from policies import exemptions, settings
from policies.judge import BY_ID
from policies.limits import LIMITS
from policies.rule import Given, Ref
from policies.rules import RULES

if TYPE_CHECKING:
    from pathlib import Path

    from policies.rule import Example, Rule

# The SDK is imported once, which takes seconds, and more where nobody may keep its byte code.
pytestmark = pytest.mark.timeout(600)

PROVIDERS = {"pulumi:providers:aws"}
QUEUE, FUNCTION = "aws:sqs/queue:Queue", "aws:lambda/function:Function"
EXAMPLES = [(rule, kind) for rule in RULES for kind in ("violating", "compliant") if getattr(rule, kind)]
SHOWN = [
    pytest.param(rule, example, id=f"{rule.id}-{kind}")
    for rule in RULES
    for kind, example in zip(
        ("refused", "mended", "right as well"), (rule.violating, *pages.compliant(rule)), strict=True
    )
    if example
]
TYPES = sorted({each.type for rule, kind in EXAMPLES for each in getattr(rule, kind)})


# --- the code


class Recorder(mocks.Mocks):
    """Answers with the example's outputs, and keeps what the program asked for."""

    def __init__(self, example: Example) -> None:
        self.given = {each.name: each for each in example}
        self.asked: dict[str, tuple[str, Any]] = {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.asked[args.name] = args.typ, plain(args.inputs)
        outputs = dict(self.given[args.name].outputs)
        return str(outputs.pop("id", f"{args.name}-id")), {**args.inputs, **outputs}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise AssertionError(args.token)


def plain(value: Any) -> Any:
    """Values as they are compared: JSON text read, the one block of a list taken out, no mark of a secret."""
    if rpc.is_rpc_secret(value):
        return plain(rpc.unwrap_rpc_secret(value))
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return plain(json.loads(value))
        except ValueError:
            return value
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        members = [plain(each) for each in value]
        return members[0] if len(members) == 1 else members
    return value


def in_text(value: Any) -> Any:
    """A provider's setting as the SDK hands it to the engine."""
    return str(value).lower() if isinstance(value, bool) else value


def run(code: str, example: Example) -> dict[str, tuple[str, Any]]:
    """What a program asks the engine for: name -> (type, inputs)."""
    recorder = Recorder(example)

    async def described() -> None:
        mocks.set_mocks(recorder, project="energy-support", stack=pages.PRODUCTION, preview=False)
        with warnings.catch_warnings():
            # Rules know types that the provider is about to give up.
            warnings.simplefilter("ignore", DeprecationWarning)
            exec(compile(code, "example", "exec"), {})  # noqa: S102 - the page's own code is what is tested
        await wait_for_rpcs()

    # A thread of its own: Pulumi keeps its state in context variables.
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(lambda: asyncio.run(described())).result()
    return recorder.asked


@pytest.mark.parametrize(("rule", "example"), SHOWN)
def test_the_code_of_a_page_runs_and_makes_the_example(rule: Rule, example: Example) -> None:
    complete = whole(rule, example)
    code = program(complete)
    assert code in pages.page(rule)
    asked = run(code, complete)
    for each in judged(complete):
        type_, inputs = asked.pop(each.name)
        expected = {name: in_text(value) if type_ in PROVIDERS else value for name, value in plain(each.inputs).items()}
        # The SDK adds defaults of its own.
        assert (type_, {name: inputs.get(name) for name in expected}) == (each.type, expected)
    assert not asked


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.compliant], ids=lambda rule: rule.id)
def test_a_page_shows_every_resource_of_what_is_right(rule: Rule) -> None:
    mended, others = pages.compliant(rule)
    assert mended
    assert {each.name for each in (*mended, *others)} == {each.name for each in rule.compliant}
    assert not pages.findings(rule, mended)


@pytest.mark.parametrize(("rule", "kind"), EXAMPLES, ids=lambda value: getattr(value, "id", value))
def test_what_an_example_is_completed_with_changes_nothing(rule: Rule, kind: str) -> None:
    example = getattr(rule, kind)
    complete = [str(each) for each in pages.findings(rule, whole(rule, example))]
    assert complete == [str(each) for each in pages.findings(rule, example)]
    assert bool(complete) == (kind == "violating")


def test_nothing_is_kept_for_completion_that_no_example_needs() -> None:
    assert set(BESIDES) <= set(TYPES)


@pytest.mark.parametrize("type_", TYPES)
def test_the_sdk_is_read_as_it_is(type_: str) -> None:
    read = resource_class(type_)
    module = import_module(f"pulumi_{read.package}")
    for part in filter(None, read.module.split(".")):
        module = getattr(module, part)
    class_ = getattr(module, read.name)
    parameters = set(inspect.signature(class_._internal_init).parameters)
    assert parameters - {"__self__", "resource_name", "opts", "__props__"} == {
        each.python for each in read.inputs.values()
    }
    assert all(hasattr(class_, python) for python in read.outputs.values())
    inputs = import_module(f"{module.__name__}._inputs") if any(p.block for p in read.inputs.values()) else None
    waiting = {each.block for each in read.inputs.values() if each.block}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        block = getattr(inputs, f"{name}Dict")
        properties = read.block(name).values()
        assert {each.python for each in properties} == set(block.__annotations__)
        assert {each.python for each in properties if each.required} == block.__required_keys__
        waiting |= {each.block for each in properties if each.block} - seen


def test_the_pages_of_the_sdk_are_told_apart_by_what_they_hold() -> None:
    function = resource_class(FUNCTION)
    assert function.path == "aws.lambda_.Function"
    assert (function.inputs["environment"].kind, function.inputs["layers"].kind) == (Kind.BLOCK, Kind.VALUE)
    assert function.block("FunctionEnvironmentArgs")["variables"].kind is Kind.MAP
    assert resource_class("aws:dynamodb/table:Table").inputs["replicas"].kind is Kind.BLOCKS
    assert resource_class("aws:iam/rolePolicy:RolePolicy").inputs["policy"].kind is Kind.VALUE
    assert resource_class("aws:s3/bucket:Bucket").inputs["acl"].deprecated


@pytest.mark.parametrize("type_", ["aws:sqs/queue:Nothing", "aws:nowhere/queue:Queue", "nothing", "no:such/sdk:It"])
def test_what_the_sdk_has_not_is_told(type_: str) -> None:
    with pytest.raises(SdkError, match=type_):
        resource_class(type_)


@pytest.mark.parametrize(
    ("example", "wrong"),
    [
        ((Given(QUEUE, "q", {"naem": "q"}),), "has no property naem"),
        ((Given(FUNCTION, "f", {"environment": {"vars": {}}}),), "has no property vars"),
        ((Given(FUNCTION, "f", {"environment": [{}, {}]}),), "one block, not 2"),
        ((Given(QUEUE, "a", {"name": Ref("b")}), Given(QUEUE, "b", {"name": Ref("a")})), "refer to one another"),
        ((Given(QUEUE, "a", {"name": Ref("b")}),), "refers to b"),
        ((Given(QUEUE, "a", {}, {"color": ""}), Given(QUEUE, "b", {"name": Ref("a", "color")})), "no output color"),
        ((Given(QUEUE, "a-b", {}), Given(QUEUE, "a_b", {})), "same variable"),
    ],
    ids=["property", "nested", "blocks", "circle", "nobody", "output", "variable"],
)
def test_an_example_that_is_no_program_is_told(example: Example, wrong: str) -> None:
    with pytest.raises(ExampleError, match=wrong):
        program(example)


# --- the snippets


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.guards], ids=lambda rule: rule.id)
def test_the_snippets_of_a_page_are_taken_as_they_are(rule: Rule) -> None:
    snippets = re.findall(r"```toml\n(.*?)```", pages.page(rule), re.DOTALL)
    merged = tomllib.loads("".join(sorted(snippets, reverse=True)))
    found, problems = exemptions.read(merged["exemptions"], BY_ID)
    assert not problems
    limits = merged.get("limits", {})
    assert settings.read({"limits": limits}, BY_ID, LIMITS).limits == limits
    refused = {(each.type, each.name) for each in rule.violating}
    assert {(each.rule, each.type, each.name) for each in found} <= {(rule.id, *each) for each in refused}


def test_the_index_links_to_every_page() -> None:
    text = pages.index()
    assert all(f"[`{rule.id}`]({rule.id}.md)" in text for rule in RULES)


# --- pages of rules that are gone


def test_the_page_of_a_rule_that_is_gone_is_deleted_and_what_people_wrote_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generated, "documents", lambda: {pages.INDEX: pages.index})
    folder = tmp_path / pages.FOLDER
    folder.mkdir(parents=True)
    (folder / "no-such-rule.md").write_text(pages.page(RULES[0]))
    (folder / "by-hand.md").write_text("# Ours\n")
    gone = f"{pages.FOLDER}/no-such-rule.md"
    assert generated.stale(tmp_path) == (pages.INDEX, gone)
    assert generated.write(tmp_path) == (pages.INDEX, gone)
    assert sorted(file.name for file in folder.iterdir()) == ["README.md", "by-hand.md"]
    assert generated.stale(tmp_path) == ()
