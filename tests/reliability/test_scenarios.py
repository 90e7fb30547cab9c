"""The ways that a ticket can go, each to the end that it should have when nothing else goes wrong."""

from __future__ import annotations

import pytest

from harness.reliability.scenarios import SCENARIOS, Scenario
from harness.reliability.tables import SOLUTIONS
from harness.reliability.world import OTHER_BODY, World


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_a_ticket_ends_as_it_should_and_in_time(scenario: Scenario, world: World) -> None:
    began = world.clock.seconds
    scenario.script(world)
    took = world.clock.seconds - began
    assert world.finish() == []
    assert sorted(world.outcomes()) == sorted(scenario.outcomes)
    assert sorted(world.failures()) == sorted(scenario.failures)
    assert took <= scenario.within
    assert scenario.solutions in (None, world.writer.written)


def test_a_call_that_is_made_again_gets_the_first_answer_also_when_the_ticket_has_moved_on(world: World) -> None:
    first = world.post("key")
    world.run()
    assert world.outcomes() == ["READY"]
    again = world.post("key")
    assert (first.status, again.status) == (202, 202)
    assert again.text == first.text


def test_calls_at_the_same_time_are_one_ticket_and_one_solution(world: World) -> None:
    answers = {world.post("key").text for _ in range(3)}
    world.run()
    assert len(answers) == 1
    assert len(world.tables.all(SOLUTIONS)) == world.writer.written == 1


def test_another_body_with_the_same_key_is_refused_for_a_day_and_after_it(world: World) -> None:
    world.post("key")
    world.run()
    assert world.post("key", OTHER_BODY).status == 422
    world.run(for_=2 * 86_400)
    assert world.post("key", OTHER_BODY).status == 422
