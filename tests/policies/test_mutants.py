"""The pack cannot be fooled: every mutant of everything that the rules guard is noticed, and nothing else is.

In two of the stacks, one of them production, and in the rules' own examples; ``harness policies --mutants`` does it in
all of them.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from harness import graph
from harness.judging import mutants, mutation_report, mutation_run, reads, worlds
from harness.judging.analyzer import Analyzer
from harness.judging.mutants import Kind, Mutant
from harness.paths import REPOSITORY
from policies.judge import BY_ID
from policies.rule import Level, Verdict
from policies.rules import RULES
from policies.values import Unknown, look_up

if TYPE_CHECKING:
    from harness.judging.mutation_run import Report
    from harness.judging.worlds import World
    from policies.rule import Check, Rule
    from policies.values import Resource, Value

STACKS: Final = ("local", "prod")
PARTS: Final = 4
"""Of the rules of a stack, so that workers share the time."""
# A stack's graph takes most of it, on each worker that meets it first.
pytestmark = pytest.mark.timeout(300)


@functools.cache
def world_of(stack: str) -> World:
    return worlds.of_graph(graph.build(stack))


def part_of(number: int) -> list[Rule]:
    return [rule for place, rule in enumerate(RULES) if place % PARTS == number]


def assert_proved(report: Report) -> None:
    assert not [str(each) for each in report.survivors]
    made, killed = report.total.count(*Kind)
    assert made == killed


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("stack", STACKS)
def test_every_mutant_of_a_stack_is_noticed_and_the_same_in_other_words_is_not(stack: str, part: int) -> None:
    assert_proved(mutation_run.prove(world_of(stack), part_of(part)))


def test_every_mutant_of_the_examples_is_noticed_and_no_guard_goes_unproved() -> None:
    report = mutation_run.of_stack(mutation_run.EXAMPLES)
    assert_proved(report)
    # What is beside a resource in its example may leave nothing for a guard to say.
    for rule in {guard.partition(":")[0] for guard in report.unproved}:
        report.add(mutation_run.prove(world_of("prod"), [BY_ID[rule]]))
    assert not report.unproved
    # Of our own stacks there are more than ten times as many.
    assert report.total.count(*mutation_run.FIRING)[0] >= 400


def survivors(rule: Rule) -> set[str]:
    """Kinds of what a rule gets wrong in its own example."""
    return {each.kind for world in mutation_run.examples(rule) for each in mutation_run.prove(world, [rule]).survivors}


def test_the_proof_finds_out_a_rule_that_sees_nothing_or_passes_what_is_not_known_or_minds_the_shape() -> None:
    rule = BY_ID["logs-retention"]
    (guard,) = rule.guards
    assert survivors(rule) == set()

    def watching(check: Check) -> Rule:
        weaker = replace(guard, want=None, when=None, weaker=(0,))
        return replace(rule, guards=(weaker,), check=check)

    def days(resource: Resource) -> Value:
        return look_up(resource, guard.path).value

    blind = watching(lambda _resource, _settings: ())
    assert survivors(blind) == {kind.value for kind in Kind} - {
        Kind.SAME.value,
        Kind.COMPANIONS.value,
        Kind.DOCUMENT.value,
    }
    too_low = Verdict(guard.path, "is too low")
    open_ = watching(lambda resource, _: [] if isinstance(days(resource), Unknown) or days(resource) else [too_low])
    assert survivors(open_) == {Kind.UNKNOWN.value, Kind.RESHAPED.value}
    strict = watching(lambda resource, _: [] if isinstance(days(resource), float) and days(resource) else [too_low])
    assert survivors(strict) == {Kind.SAME.value}


_PLACE: Final = "says which VPC it is about, and each VPC is judged whatever it says"
_TAGS: Final = "tags of its own only make up for those that the provider is judged for not giving"
_BOUND: Final = "bounds a grant further, and helps only where it is known: the grant is refused otherwise"
UNGUARDED: Final = {
    "aws:ec2/vpc:Vpc defaultSecurityGroupId": "is AWS's answer, which no program gives",
    "aws:ec2/subnet:Subnet vpcId": _PLACE,
    "aws:ec2/vpcEndpoint:VpcEndpoint vpcId": _PLACE,
    "aws:ec2/vpcEndpoint:VpcEndpoint vpcEndpointType": "decides whether its guards matter, and is unknown there",
    "aws:lambda/function:Function vpcConfig.securityGroupIds": "says which groups stand inward, beside guarded subnets",
    "aws:lb/loadBalancer:LoadBalancer securityGroups": "says which groups stand at the front, which may be open",
    "pulumi:providers:aws-native assumeRoleWithWebIdentity": "is one of the ways of signing in that hold no key",
    "pulumi:providers:aws-native assumeRoleWithWebIdentity.webIdentityToken": "is short-lived",
    **{
        f"{type_} {path}": _TAGS
        for type_ in ("aws:ec2/securityGroup:SecurityGroup", "aws:ec2/subnet:Subnet", "aws:ec2/vpc:Vpc")
        for path in ("tags", "tags.Name")
    },
    "aws:iam/rolePolicy:RolePolicy role": "says whose policy it is, and each policy is judged alone too",
    "aws:lambda/permission:Permission eventSourceToken": _BOUND,
    "aws:lambda/permission:Permission principalOrgId": _BOUND,
    "aws:lambda/permission:Permission sourceAccount": _BOUND,
}
"""What rules read and none guards, and why that is no hole."""


def test_rules_read_nothing_that_no_rule_guards() -> None:
    """What is in no guard has no mutant."""
    read = {
        f"{each.type} {each.path}"
        for rule in RULES
        for world in (*mutation_run.examples(rule), world_of("prod"))
        for each in reads.unguarded(world, rule)
    }
    assert read == UNGUARDED.keys()


SAMPLE: Final = 6
"""Mutants of each rule that are judged by the whole pack."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_whole_pack_says_of_a_mutant_what_its_rule_says_alone(rule: Rule) -> None:
    for world in list(mutation_run.examples(rule))[:1]:
        made = [each for each in mutants.of(world, rule) if isinstance(each, Mutant)]
        for mutant in made[:: max(1, len(made) // SAMPLE)]:
            told = [mutant.told if mutant.told and urn == mutant.urn else each.told for urn, each in world.seen.items()]
            judged = Analyzer().judge([each for each in told if each.urn not in mutant.without])
            found = [each for each in judged if each.rule == rule.id]
            if mutant.kind is Kind.SAME:
                assert not found
            elif mutant.kind is Kind.UNKNOWN:
                assert found
            else:
                mandatory = rule.level is Level.MANDATORY
                assert any(each.mandatory == mandatory and not each.unknown for each in found)


def test_the_proof_that_is_published_is_about_the_rules_that_there_are() -> None:
    """Made anew by `harness policies --mutants`, which takes minutes."""
    assert mutation_report.stale((REPOSITORY / mutation_report.PATH).read_text(encoding="utf-8")) == []
