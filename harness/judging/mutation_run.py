"""Judges the mutants: how many of them each rule noticed, and which it did not.

A mutant reaches its rule through the SDK's proxies, and then the rule alone is asked; what the pack does with its
answer afterwards (levels, reports) is the same for all. Asking the whole pack about each mutant would take half an hour
instead of minutes; a sample of them is asked both ways (tests/policies/test_mutants.py), and both agree.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness.judging import mutants, worlds
from harness.judging.mutants import Kind, Mutant
from policies import judge
from policies.judge import BY_ID
from policies.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.judging.worlds import Seen, World
    from harness.progress import Progress
    from policies.rule import Guard, Rule, Verdict
    from policies.stack import Stack

EXAMPLES: Final = "examples"
"""Stands for the rules' compliant examples, as a stack."""


@dataclass(frozen=True, kw_only=True)
class Survivor:
    """A mutant that its rule did not notice, or a change that means the same and that it noticed."""

    rule: str
    stack: str
    resource: str
    path: str
    kind: str
    what: str
    told: tuple[str, ...] = ()
    """What the rule said of it instead."""

    def __str__(self) -> str:
        said = f" (it said: {'; '.join(self.told)})" if self.told else ""
        return f"{self.rule}: {self.stack}, {self.resource} `{self.path}` {self.kind}: {self.what}{said}"


@dataclass
class Tally:
    """What came of the mutants of one rule."""

    made: Counter[str] = field(default_factory=Counter)
    """By kind."""
    killed: Counter[str] = field(default_factory=Counter)
    """By kind; for those that mean the same: how many it passed."""
    equivalent: Counter[str] = field(default_factory=Counter)
    """By reason."""
    guards: Counter[str] = field(default_factory=Counter)
    """Mutants that must be noticed, by type and path of the guard."""
    survivors: list[Survivor] = field(default_factory=list)
    already: int = 0
    """What the rule says of the stack as it is."""

    def add(self, other: Tally) -> None:
        self.made += other.made
        self.killed += other.killed
        self.equivalent += other.equivalent
        self.guards += other.guards
        self.survivors += other.survivors
        self.already += other.already

    def count(self, *kinds: Kind) -> tuple[int, int]:
        """(made, killed) of some kinds."""
        return sum(self.made[kind.value] for kind in kinds), sum(self.killed[kind.value] for kind in kinds)


FIRING: Final = tuple(kind for kind in Kind if kind.must_fire)


@dataclass
class Report:
    """What the proof came to."""

    stacks: tuple[str, ...]
    rules: dict[str, Tally] = field(default_factory=dict)
    """By id."""

    def add(self, other: Report) -> None:
        for rule, tally in other.rules.items():
            self.rules.setdefault(rule, Tally()).add(tally)

    @property
    def total(self) -> Tally:
        """Of all rules."""
        total = Tally()
        for tally in self.rules.values():
            total.add(tally)
        return total

    @property
    def survivors(self) -> list[Survivor]:
        return self.total.survivors

    @property
    def unproved(self) -> list[str]:
        """Guards of which no mutant was made, so that nothing shows that they guard."""
        return [
            f"{rule_id}: {name}"
            for rule_id, tally in self.rules.items()
            for name in dict.fromkeys(_name(guard) for guard in BY_ID[rule_id].guards)
            if not tally.guards[name]
        ]


def _name(guard: Guard) -> str:
    return f"{guard.type} {guard.path}"


def prove(world: World, rules: Iterable[Rule] = RULES) -> Report:
    """Judge every mutant of a stack."""
    asked = list(rules)
    trials = _Trials(world, asked)
    report = Report((world.name,), {rule.id: trials[rule.id].run() for rule in asked})
    for each in mutants.of_documents(world, asked):
        trials[each.rule.id].judge(each, trials)
    return report


def examples(rule: Rule) -> Iterator[World]:
    """The compliant example of a rule; and once more for each guarded type that is not in it but like one that is.

    Types that mean the same, such as a bucket of either version, have guards that say the same; then the example is
    told in the other type's words.
    """
    present = {given.type for given in rule.compliant}
    yield worlds.of_example(EXAMPLES, rule.compliant)
    for type_ in sorted(rule.types - present):
        for other in _alike(rule, type_, present):
            yield worlds.of_example(EXAMPLES, rule.compliant, instead={other: type_})


def _alike(rule: Rule, type_: str, present: set[str]) -> list[str]:
    """The types of an example that a rule guards as it guards another type."""
    paths = {guard.path for guard in rule.guards if guard.type == type_}
    return [
        other
        for other in sorted(rule.types & present)
        if paths <= {guard.path for guard in rule.guards if guard.type == other}
    ]


def prove_example(rule: Rule) -> Report:
    """Judge every mutant of the example of a rule, in every type that the rule guards."""
    report = Report((EXAMPLES,))
    for world in examples(rule):
        # Not the documents': an example is what one rule wants, and not always what the others would call a document.
        report.add(Report((EXAMPLES,), {rule.id: _Trial(world, rule).run()}))
    present = {given.type for given in rule.compliant}
    for type_ in sorted(rule.types - present):
        if not _alike(rule, type_, present):
            world = worlds.of_example(EXAMPLES, ())
            report.rules[rule.id].add(_Trial(world, rule).of(mutants.of_bare(world, rule, type_)))
    return report


class _Trials(dict[str, "_Trial"]):
    """Of one stack, by the rule's id."""

    def __init__(self, world: World, rules: Iterable[Rule]) -> None:
        super().__init__({rule.id: _Trial(world, rule) for rule in rules})
        self._world = world

    def __missing__(self, rule: str) -> _Trial:
        """Of a rule that was not asked for, and that may notice another one's mutant."""
        self[rule] = _Trial(self._world, BY_ID[rule])
        return self[rule]


class _Trial:
    """One rule in one stack."""

    def __init__(self, world: World, rule: Rule) -> None:
        self._world = world
        self._rule = rule
        self._tally = Tally()
        self._alone: dict[str, frozenset[Verdict]] = {}
        self._together = frozenset(self._judged_together(world.stack))

    def run(self) -> Tally:
        self._tally.already = len(self._together) + sum(
            len(self._as_it_is(seen)) for type_ in self._rule.types for seen in self._world.of_type(type_)
        )
        return self.of(mutants.of(self._world, self._rule))

    def of(self, made: Iterable[mutants.One]) -> Tally:
        """Judge some mutants of the stack."""
        for each in made:
            self.judge(each, {})
        return self._tally

    def judge(self, mutant: mutants.One, others: Mapping[str, _Trial]) -> None:
        """Judge one mutant.

        Args:
            mutant: one whose first rule this is, or why there is none.
            others: the trials of the other rules that may notice it.
        """
        if not isinstance(mutant, Mutant):
            self._tally.equivalent[mutant.because] += 1
            return
        kind = mutant.kind.value
        self._tally.made[kind] += 1
        if mutant.guard is not None and mutant.kind is not Kind.SAME:
            self._tally.guards[_name(mutant.guard)] += 1
        new = self.verdicts(mutant)
        for other in mutant.rules[1:]:
            # For some mutants one is enough; the same in other words, all must pass.
            if is_noticed(mutant, new) is (mutant.kind is Kind.SAME):
                new += others[other.id].verdicts(mutant)
        if is_noticed(mutant, new):
            self._tally.killed[kind] += 1
        else:
            self._tally.survivors.append(
                Survivor(
                    rule=self._rule.id,
                    stack=self._world.name,
                    resource=mutant.urn.split("::", 2)[-1],
                    path=mutant.path,
                    kind=kind,
                    what=mutant.what,
                    told=tuple(f"`{each.path}` {each.problem}" for each in new),
                )
            )

    def verdicts(self, mutant: Mutant) -> list[Verdict]:
        """What the rule says of a mutant and not of the stack as it is."""
        if mutant.told is None:
            return sorted(
                set(self._judged_together(self._world.stack_with(without=mutant.without))) - self._together, key=str
            )
        changed = self._world.changed(mutant.told)
        before = self._as_it_is(self._world.seen[mutant.urn]) if not mutant.bare else frozenset()
        new = set(self._judged_alone(changed)) - before
        if self._rule.check_stack is not None:
            new |= set(self._judged_together(self._world.stack_with([changed]))) - self._together
        if mutant.bare:
            new = {each for each in new if _is_about(each, mutant)}
        return sorted(new, key=str)

    def _as_it_is(self, seen: Seen) -> frozenset[Verdict]:
        urn = seen.told.urn
        if urn not in self._alone:
            self._alone[urn] = frozenset(self._judged_alone(seen))
        return self._alone[urn]

    def _judged_alone(self, seen: Seen) -> Iterator[Verdict]:
        for verdict in self._rule.judge(seen.alone, self._world.settings):
            if not (verdict.unknown and judge.is_settled(verdict, seen.together)):
                yield verdict

    def _judged_together(self, stack: Stack) -> Iterator[Verdict]:
        if self._rule.check_stack is not None:
            yield from self._rule.check_stack(stack, self._world.settings)


def is_noticed(mutant: Mutant, new: Sequence[Verdict]) -> bool:
    """Whether what a rule newly says of a mutant is what was to be expected."""
    if mutant.kind is Kind.SAME:
        return not new
    refused = any(not each.unknown for each in new)
    if mutant.kind is Kind.UNKNOWN and not refused:
        # A rule about several resources may name what it therefore cannot judge, on another one.
        return any(mutant.rule.check_stack is not None or mutant.rules or _is_about(each, mutant) for each in new)
    return refused


def _is_about(verdict: Verdict, mutant: Mutant) -> bool:
    """Whether a verdict names the property that was changed, something in it, or a block that holds it."""
    here, there = mutant.path, verdict.path
    return here == there or here.startswith((f"{there}.", f"{there}[")) or there.startswith((f"{here}.", f"{here}["))


# --- all of it --------------------------------------------------------------------------------------------------------


def run(stacks: Sequence[str], progress: Progress) -> Report:
    """The proof for some stacks and for the rules' examples, each stack in a process of its own."""
    step = "mutants"
    report = Report((*stacks, EXAMPLES))
    progress.start(step, total=len(report.stacks))
    context = multiprocessing.get_context("spawn")
    workers = min(len(report.stacks), os.cpu_count() or 1)
    with concurrent.futures.ProcessPoolExecutor(max_workers=workers, mp_context=context) as pool:
        # The largest first, so that no processor waits for it at the end.
        waiting = [pool.submit(of_stack, stack) for stack in reversed(report.stacks)]
        for _ in concurrent.futures.as_completed(waiting):
            progress.advance(step)
    for done in reversed(waiting):
        report.add(done.result())
    report.rules = {rule.id: report.rules[rule.id] for rule in RULES if rule.id in report.rules}
    made, killed = report.total.count(*FIRING, Kind.UNKNOWN)
    progress.finish(step, f"{killed:,} of {made:,} noticed")
    return report


def of_stack(stack: str) -> Report:
    """The proof for one stack, or for the examples."""
    if stack == EXAMPLES:
        report = Report((EXAMPLES,))
        for rule in RULES:
            report.add(prove_example(rule))
        return report
    # Imports Pulumi's SDK and the whole program.
    from harness import graph  # noqa: PLC0415

    return prove(worlds.of_graph(graph.build(stack)))
