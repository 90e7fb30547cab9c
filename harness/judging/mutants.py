"""Everything that can be done to what the rules guard, to see whether they notice: no mutant is picked by hand.

For each rule, each of its guards and each resource of the guard's type where the guard matters: the property taken
away, made weaker, not known, and said in another way that means the same. What is to be expected comes from the guard
alone, never from asking the rule about a twin. What cannot be told from the guard is no mutant, but counted, with the
reason.

Policy documents have more mutants (`harness.judging.document_mutants`): statement by statement, what IAM would take for
weaker, what may be unknown in them, and other ways to write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from harness.judging import document_mutants, shapes
from harness.judging.analyzer import UNKNOWN, Judged, secret
from harness.judging.shapes import GONE, Steps
from policies.rule import Level
from policies.rules import RULES
from policies.rules.iam_places import documents
from policies.values import PROTECT, look_all

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.judging.worlds import Seen, World
    from policies.rule import Condition, Guard, Rule
    from policies.rules.iam_places import Place
    from policies.values import Found, Resource, Value


class Kind(Enum):
    """What was done."""

    DELETED = "taken away"
    WEAKER = "made weaker"
    RESHAPED = "made weaker, in another shape"
    UNKNOWN = "not known"
    COMPANIONS = "companions taken away"
    DOCUMENT = "policy document made weaker"
    SAME = "same meaning, in another shape"

    @property
    def must_fire(self) -> bool:
        """Whether the rule must refuse it; if not, and it is not `UNKNOWN`, it must say nothing."""
        return self not in {Kind.UNKNOWN, Kind.SAME}


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of a stack."""

    rule: Rule
    guard: Guard | None
    """None where companions were taken away."""
    kind: Kind
    urn: str
    """Resource that was changed, or that lost its companions."""
    path: str
    what: str
    """What was done, in words."""
    told: Judged | None = None
    """The resource, changed."""
    without: frozenset[str] = frozenset()
    """URNs of what was taken away."""
    rules: tuple[Rule, ...] = ()
    """Where any of several may notice it, or none of them must say anything: these, of which `rule` is the first."""
    bare: bool = False
    """The resource was made for the mutant, and lacks what other guards ask for."""


@dataclass(frozen=True, kw_only=True)
class Equivalent:
    """No mutant, because it would mean the same, or because nothing can be expected of it."""

    rule: Rule
    guard: Guard | None
    because: str


DISABLED: Final = "the rule is disabled in this stack"
EXEMPTED: Final = "an exemption covers the resource"
ELSEWHERE: Final = "the guard's condition does not hold for the resource"
ALONE: Final = "the guard matters beside resources that are not there"
EMPTY: Final = "a list without elements has nothing to judge"
NOT_ASKED: Final = "no rule asks it of documents of this type"
SO_ALREADY: Final = "the property has that value, and the rule tells of it"
MAY_BE_MISSING: Final = "the guard says that it may be missing"
DECIDES_NOTHING: Final = "the guard's condition answers the same whatever the property is"
CONDITION_GONE: Final = "the guard's condition went away with it"

One: TypeAlias = "Mutant | Equivalent"

_MAPS: Final = frozenset({"tags", "tagsAll", "variables", "dimensions", "triggers"})
"""Properties whose keys the program chooses: no version of a provider shows them as lists."""
_TRIED: Final[tuple[str | bool | None, ...]] = (None, True, False, "", "another")
"""Values that may change a condition's answer."""


def of(world: World, rule: Rule) -> Iterator[One]:
    """All mutants of a stack for one rule."""
    if world.settings.level(rule, world.stack_name) is Level.DISABLED:
        yield from (Equivalent(rule=rule, guard=guard, because=DISABLED) for guard in rule.guards)
        return
    for guard in rule.guards:
        for seen in world.of_type(guard.type):
            if any(each.covers(rule, seen.together) for each in world.settings.exemptions):
                yield Equivalent(rule=rule, guard=guard, because=EXEMPTED)
            else:
                yield from _Place(world, rule, guard, seen).mutants()
    for companion in rule.companions:
        for seen in world.of_type(companion.of):
            taken = frozenset(each.urn for each in companion.find(world.stack, seen.together))
            if taken:
                names = ", ".join(sorted(urn.rpartition("::")[2] for urn in taken))
                yield Mutant(
                    rule=rule,
                    guard=None,
                    kind=Kind.COMPANIONS,
                    urn=seen.told.urn,
                    path="",
                    what=f"without {names}",
                    without=taken,
                )


def of_documents(world: World, rules: Iterable[Rule]) -> Iterator[One]:
    """Mutants of the policy documents of a stack, each of which is some rules' business.

    Args:
        world: the stack.
        rules: those whose mutants are asked for; a mutant belongs to the first rule that may notice it.
    """
    wanted = {rule.id for rule in rules}
    for seen in world.seen.values():
        for place, found in documents(seen.alone):
            if place.path != "body":
                for each in _of_document(world, seen, place, found):
                    if each.rule.id in wanted:
                        yield each


def _of_document(world: World, seen: Seen, place: Place, found: Found) -> Iterator[One]:
    asked = tuple(
        rule
        for rule in RULES
        if any(guard.type == place.type and guard.path == place.path for guard in rule.guards)
        and world.settings.level(rule, world.stack_name) is not Level.DISABLED
        and not any(each.covers(rule, seen.together) for each in world.settings.exemptions)
    )
    source = cast("str | Mapping[str, object]", found.value)

    def made(kind: Kind, what: str, document: object, rules: tuple[Rule, ...]) -> Mutant:
        told = seen.told
        if kind is not Kind.SAME:
            top = shapes.steps(found.path)[0]
            told = replace(told, made_from={name: urns for name, urns in told.made_from.items() if name != top})
        return Mutant(
            rule=rules[0],
            guard=next(guard for guard in rules[0].guards if guard.type == place.type and guard.path == place.path),
            kind=kind,
            urn=told.urn,
            path=found.path,
            what=what,
            told=replace(told, inputs=shapes.put(told.inputs, shapes.steps(found.path), document)),
            rules=rules,
        )

    if asked:
        for mutant in document_mutants.violations(source, place.kind.value):
            rules = tuple(rule for rule in asked if rule.id in mutant.rules)
            if rules:
                yield made(Kind.DOCUMENT, mutant.name, mutant.document, rules)
            else:
                yield Equivalent(rule=asked[0], guard=None, because=NOT_ASKED)
        for mutant in document_mutants.unknowns(source, UNKNOWN):
            yield made(Kind.UNKNOWN, mutant.name, mutant.document, asked)
        for rewrite in document_mutants.rewrites(source):
            yield made(Kind.SAME, rewrite.name, rewrite.document, asked)


def of_bare(world: World, rule: Rule, type_: str) -> Iterator[One]:
    """Mutants of a resource of a guarded type that has nothing but one guarded property at a time.

    For types that neither our stacks nor the rule's example have. What the rule says of other properties of the
    resource, which are missing, counts for nothing.
    """
    urn = f"urn:pulumi:{world.stack_name}::energy-support::{type_}::bare"
    bare = world.changed(Judged(type=type_, name="bare", urn=urn, inputs={}))
    for guard in rule.guards:
        if guard.type == type_:
            given = guard.path != PROTECT and "[]" not in guard.path
            if not guard.absent and given and (guard.when is None or guard.when(bare.alone) is True):
                yield Mutant(
                    rule=rule,
                    guard=guard,
                    kind=Kind.DELETED,
                    urn=urn,
                    path=guard.path,
                    what="not given",
                    told=bare.told,
                    bare=True,
                )
            for each in _Place(world, rule, guard, bare).mutants():
                yield replace(each, bare=True) if isinstance(each, Mutant) else each


@dataclass(frozen=True)
class _Place:
    """A guard on one resource."""

    world: World
    rule: Rule
    guard: Guard
    seen: Seen

    @property
    def _resource(self) -> Resource:
        """As the rule sees it."""
        return self.seen.together if self.rule.check_stack is not None else self.seen.alone

    def mutants(self) -> Iterator[One]:
        yield from self._conditions_unknown()
        if self.guard.when is not None and self.guard.when(self._resource) is not True:
            yield self._equivalent(ELSEWHERE)
            return
        if self.guard.beside is not None and not self.guard.beside(self.world.stack, self.seen.together):
            yield self._equivalent(ALONE)
            return
        if self.guard.path == PROTECT:
            # An option is always known, and has one shape.
            yield self._mutant(Kind.WEAKER, (PROTECT,), "is false", replace(self.seen.told, protect=False))
            return
        if self.guard.path == PROTECT:
            # The engine always knows its own option, and has one way to say it.
            yield self._mutant(Kind.DELETED, (PROTECT,), "taken away", replace(self.seen.told, protect=False))
            return
        places = [(shapes.steps(found.path), found.value) for found in look_all(self._resource, self.guard.path)]
        if not places:
            yield self._equivalent(EMPTY)
            # There may be an element, and it may be a weak one.
            places = [(shapes.steps(self.guard.path.replace("[]", "[0]")), None)]
        for place, value in places:
            yield from self._deleted(place, value)
            yield from self._weaker(place, value)
            yield from self._unknown(place, value)
            yield from self._same(place, value)

    # --- taken away ---------------------------------------------------------------------------------------------------

    def _deleted(self, place: Steps, value: Value) -> Iterator[One]:
        """The property, and each block that holds it."""
        if value is None:
            return
        if self.guard.absent and None not in self.guard.weaker:
            yield self._equivalent(MAY_BE_MISSING)
            return
        for end in range(len(place), 0, -1):
            if self._in_list(place, end):
                yield self._equivalent(EMPTY)
                return
            ancestor = place[:end]
            told = self._changed(ancestor, GONE)
            if not self._still_applies(told):
                yield self._equivalent(CONDITION_GONE)
                continue
            yield self._mutant(Kind.DELETED, ancestor, "taken away", told)
            yield self._mutant(Kind.DELETED, ancestor, "null", self._changed(ancestor, None))

    def _in_list(self, place: Steps, end: int) -> bool:
        """Whether what ends there is an element of a list, or a list whose elements are guarded, or holds one."""
        return isinstance(place[end - 1], int) or any(isinstance(step, int) for step in place[end:])

    def _still_applies(self, told: Judged) -> bool:
        if self.guard.when is None:
            return True
        seen = self.world.changed(told)
        return self.guard.when(seen.together if self.rule.check_stack is not None else seen.alone) is not False

    # --- weaker -------------------------------------------------------------------------------------------------------

    def _weaker(self, place: Steps, current: Value) -> Iterator[One]:
        wanted = self.guard.want.weaker(self.world.settings) if self.guard.want is not None else ()
        for value in (*self.guard.weaker, *wanted):
            if value is None:
                continue
            if value == current:
                yield self._equivalent(SO_ALREADY)
                continue
            told = self._changed(place, value)
            yield self._mutant(Kind.WEAKER, place, f"is {_shown(value)}", told)
            for what, reshaped in self._reshaped(told, place, value):
                yield self._mutant(Kind.RESHAPED, place, f"is {_shown(value)}, {what}", reshaped)

    # --- not known ----------------------------------------------------------------------------------------------------

    def _unknown(self, place: Steps, value: Value) -> Iterator[Mutant]:
        """The property, each block and list that holds it, and the first member of a list that is judged by members."""
        for end in range(len(place), 0, -1):
            yield self._mutant(Kind.UNKNOWN, place[:end], "not known", self._changed(place[:end], UNKNOWN))
        if self.guard.want is not None and shapes.is_list(value) and value:
            member = (*place, 0)
            yield self._mutant(Kind.UNKNOWN, member, "not known", self._changed(member, UNKNOWN))

    def _conditions_unknown(self) -> Iterator[One]:
        """Each property that decides whether the guard matters: it may, while that is not known."""
        when = self.guard.when
        if when is None:
            return
        read = _Read(self._resource.properties)
        when(replace(self._resource, properties=read))
        for name in sorted(read.keys_read & self.seen.told.inputs.keys()):
            if self._decides(name, when):
                told = self._changed((name,), UNKNOWN)
                yield self._mutant(Kind.UNKNOWN, (name,), "not known, and decides whether the guard matters", told)
            else:
                yield self._equivalent(DECIDES_NOTHING)

    def _decides(self, name: str, when: Condition) -> bool:
        """Whether the condition answers otherwise for any other value: those of other resources, and some more."""
        others = [each.alone.properties.get(name) for each in self.world.of_type(self.guard.type)]
        tried = (*others, *_TRIED, *(value for each in self.rule.guards if each.path == name for value in each.weaker))
        properties = self._resource.properties
        answer = when(self._resource)
        return any(
            when(replace(self._resource, properties={**properties, name: value})) is not answer for value in tried
        )

    # --- the same -----------------------------------------------------------------------------------------------------

    def _same(self, place: Steps, value: Value) -> Iterator[Mutant]:
        told = self.seen.told
        if (given := shapes.value_at(told.inputs, place)) is not None and value is not None:
            for what, reshaped in self._reshaped(told, place, given):
                yield self._mutant(Kind.SAME, place, what, reshaped)

    def _reshaped(self, told: Judged, place: Steps, value: object) -> Iterator[tuple[str, Judged]]:
        """What is told, in every other shape that means the same: how, and the result."""
        yield "a secret", replace(told, inputs=shapes.changed(told.inputs, place, secret))
        if len(place) > 1:
            yield "in a secret", replace(told, inputs=shapes.changed(told.inputs, place[:1], secret))
        for end in range(1, len(place)):
            if isinstance(place[end - 1], int) or place[end - 1] in _MAPS:
                continue
            block = shapes.value_at(told.inputs, place[:end])
            if isinstance(block, Mapping):
                flipped = shapes.changed(told.inputs, place[:end], shapes.as_list_of_one)
                yield f"{shapes.named(place[:end])} as a list of one", replace(told, inputs=flipped)
            elif shapes.is_list(block) and len(block) == 1 and isinstance(block[0], Mapping):
                flipped = shapes.changed(told.inputs, place[:end], shapes.as_block)
                yield f"{shapes.named(place[:end])} as a block", replace(told, inputs=flipped)
        for what, text in shapes.texts_of(value):
            yield what, replace(told, inputs=shapes.put(told.inputs, place, text))

    # --- making -------------------------------------------------------------------------------------------------------

    def _changed(self, place: Steps, value: object) -> Judged:
        """The resource with another value at a place, which then is made from no other resource."""
        told = self.seen.told
        return replace(
            told,
            inputs=shapes.put(told.inputs, place, value),
            outputs={name: each for name, each in told.outputs.items() if name != place[0]},
            made_from={name: urns for name, urns in told.made_from.items() if name != place[0]},
        )

    def _mutant(self, kind: Kind, place: Steps, what: str, told: Judged) -> Mutant:
        return Mutant(
            rule=self.rule,
            guard=self.guard,
            kind=kind,
            urn=told.urn,
            path=shapes.named(place),
            what=what,
            told=told,
        )

    def _equivalent(self, because: str) -> Equivalent:
        return Equivalent(rule=self.rule, guard=self.guard, because=because)


@dataclass
class _Read(Mapping[str, "Value"]):
    """Properties that remember which of them were read."""

    properties: Mapping[str, Value]
    keys_read: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> Value:
        self.keys_read.add(name)
        return self.properties[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.properties)

    def __len__(self) -> int:
        return len(self.properties)


_LONGEST: Final = 60


def _shown(value: Value) -> str:
    text = re.sub(r"\s+", " ", repr(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
