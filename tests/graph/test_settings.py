"""Every setting, missing, malformed, out of range or misspelt, is refused by name; all of it in one report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import pulumi
import pytest
from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from components import settings
from components.bundling import BundleTarget
from harness import graph as graphs
from harness.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

REQUIRED = ("environment", "account_id", "region")


def leaves() -> list[tuple[str, FieldInfo]]:
    """Every single setting, as its key without the namespace."""
    found: list[tuple[str, FieldInfo]] = []
    for name, field in settings.Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += [(f"{name}.{child}", info) for child, info in field.annotation.model_fields.items()]
        else:
            found.append((name, field))
    return found


def groups() -> list[str]:
    return sorted({key.split(".")[0] for key, _ in leaves() if "." in key})


def changed(config: dict[str, str], key: str, value: object) -> dict[str, str]:
    """The configuration with one setting replaced."""
    group, _, name = key.partition(".")
    full = f"energy-support:{group}"
    if not name:
        return {**config, full: value if isinstance(value, str) else json.dumps(value)}
    return {**config, full: json.dumps({**json.loads(config.get(full, "{}")), name: value})}


def faults(config: Mapping[str, str]) -> dict[str, settings.Fault]:
    with pytest.raises(settings.SettingsError) as refused:
        settings.parse(config)
    return {fault.key: fault for fault in refused.value.faults}


def wrong_type(key: str, field: FieldInfo) -> object:
    """A value of no type that the setting could take. (Everything is text to a setting of the stack's own that is.)"""
    if field.annotation is str and "." not in key:
        return "!"
    return "nonsense" if get_origin(field.annotation) in {Mapping, tuple} else {"nonsense": 1}


@pytest.mark.parametrize(("key", "field"), leaves(), ids=[key for key, _ in leaves()])
def test_a_setting_of_the_wrong_type_is_refused_with_its_key_and_an_example(
    key: str, field: FieldInfo, config: dict[str, str]
) -> None:
    found = faults(changed(config, key, wrong_type(key, field)))
    assert list(found) == [f"energy-support:{key}"]
    example = found[f"energy-support:{key}"].example
    assert example == json.dumps((field.examples or [None])[0])


@pytest.mark.parametrize(("key", "field"), leaves(), ids=[key for key, _ in leaves()])
def test_every_setting_is_described_and_has_an_example(key: str, field: FieldInfo) -> None:
    assert field.description
    assert field.examples, key


@pytest.mark.parametrize("group", groups())
def test_the_examples_of_a_group_are_right_together(group: str, config: dict[str, str]) -> None:
    """Some are of use with others only: a domain's name with its certificate."""
    for key, field in leaves():
        if key.startswith(f"{group}."):
            config = changed(config, key, example(field))
    settings.parse(config)


@pytest.mark.parametrize("key", [key for key, _ in leaves() if "." not in key])
def test_the_example_of_a_setting_of_the_stack_is_right(key: str, config: dict[str, str]) -> None:
    settings.parse(changed(config, key, example(dict(leaves())[key])))


def outside(annotation: Any, constraints: Iterable[object], example: Any = None) -> list[Any]:
    """Values of the right kind that a setting must not have."""
    found = [value for constraint in constraints for value in beyond(constraint, example)]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        found += outside(annotation.__origin__, annotation.__metadata__, example)
    elif origin is Literal:
        found += ["nonsense"] if isinstance(inner[0], str) else [min(inner) - 1, max(inner) + 1]
    elif origin is tuple:
        found += [[each] for each in outside(inner[0], ())]
    elif origin is Mapping:
        name, good = next(iter(example.items()))
        found += [{each: good} for each in outside(inner[0], ())] + [{name: each} for each in outside(inner[1], ())]
    elif origin is not None:
        # One that may be none.
        (given,) = (each for each in inner if each is not type(None))
        found += outside(given, ())
    return found


def beyond(constraint: object, example: Any) -> Iterator[Any]:
    """What a constraint does not let through."""
    match constraint:
        case Ge(ge=float() | int() as least):
            yield least - 1
        case Gt(gt=float() | int() as least):
            yield least
        case Le(le=float() | int() as most):
            yield most + 1
        case MinLen(min_length=least):
            yield example[: least - 1]
        case MaxLen(max_length=most):
            yield [example[0]] * (most + 1)
        case FieldInfo(metadata=constraints):
            for each in constraints:
                yield from beyond(each, example)
        case object(pattern=str()):
            # No pattern of ours takes it.
            yield "!"


def out_of_range() -> list[tuple[str, Any]]:
    return [
        (key, value) for key, field in leaves() for value in outside(field.annotation, field.metadata, example(field))
    ]


def example(field: FieldInfo) -> Any:
    return (field.examples or [None])[0]


def test_every_setting_has_a_range() -> None:
    """All but switches, of which both values are right."""
    bounded = {key for key, _ in out_of_range()}
    assert {key for key, _ in leaves() if key not in bounded} == {
        key for key, field in leaves() if field.annotation is bool
    }


@pytest.mark.parametrize(("key", "value"), out_of_range())
def test_a_setting_out_of_its_range_is_refused(key: str, value: Any, config: dict[str, str]) -> None:
    found = faults(changed(config, key, value))
    assert setting_of(found) == {key}
    assert next(iter(found.values())).example


def setting_of(found: Iterable[str]) -> set[str]:
    """The settings that are reported, also where what is wrong lies inside of one."""
    names = {name.removeprefix("energy-support:") for name in found}
    keys = [key for key, _ in leaves()]
    return {next((key for key in keys if f"{name}.".startswith(f"{key}.")), name) for name in names}


def without_a_value() -> list[str]:
    """Settings that must have one: all but those that may be none."""
    return [key for key, field in leaves() if type(None) not in get_args(field.annotation)]


@pytest.mark.parametrize("key", without_a_value())
def test_a_setting_without_a_value_is_refused(key: str, config: dict[str, str]) -> None:
    found = faults(changed(config, key, None))
    assert list(found) == [f"energy-support:{key}"]
    assert found[f"energy-support:{key}"].problem == "has no value"
    assert found[f"energy-support:{key}"].example


MUTATIONS: dict[str, Callable[[], list[tuple[str, Any]]]] = {
    "no value": lambda: [(key, None) for key in without_a_value()],
    "wrong type": lambda: [(key, wrong_type(key, field)) for key, field in leaves()],
    "out of range": lambda: list(dict(out_of_range()).items()),
    "unknown key": lambda: [(f"{key}_x", 1) for key, _ in leaves()],
}
"""What can be wrong with a setting -> all settings, each with a value that is wrong in that way."""


@pytest.mark.parametrize("kind", MUTATIONS)
def test_all_settings_wrong_at_once_are_reported_at_once(kind: str, config: dict[str, str]) -> None:
    wrong = MUTATIONS[kind]()
    for key, value in wrong:
        config = changed(config, key, value)
    assert setting_of(faults(config)) == {key for key, _ in wrong}


def test_no_setting_at_all_is_reported_with_all_that_must_be_given() -> None:
    assert set(faults({})) == {f"energy-support:{key}" for key in REQUIRED}


@pytest.mark.parametrize("key", REQUIRED)
def test_a_setting_without_a_default_must_be_given(key: str, config: dict[str, str]) -> None:
    del config[f"energy-support:{key}"]
    fault = faults(config)[f"energy-support:{key}"]
    assert fault.problem == "is missing"
    assert fault.example


@pytest.mark.parametrize("group", ["", *groups()])
def test_an_unknown_key_is_refused_and_the_likely_one_named(group: str, config: dict[str, str]) -> None:
    known = next(key for key, _ in leaves() if (key.split(".")[0] == group if group else "." not in key))
    misspelt = known[:-1]
    fault = faults(changed(config, misspelt, 1))[f"energy-support:{misspelt}"]
    assert fault.problem.startswith("is not a setting; did you mean ")
    assert fault.example is None


@pytest.mark.parametrize("group", groups())
def test_a_group_that_is_no_group_is_refused(group: str, config: dict[str, str]) -> None:
    fault = faults(changed(config, group, "text"))[f"energy-support:{group}"]
    assert fault.problem == "must hold settings, one to a line"
    assert isinstance(json.loads(fault.example or ""), dict)


CONTRADICTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("functions", {"runtime": "host"}, "functions.runtime"),
    ("functions", {"architecture": "host"}, "functions.runtime"),
    ("functions", {"runtime": "python3.11"}, "functions.runtime"),
    (
        "functions",
        {"reserved_concurrency": {"process_ticket": 901}, "account_concurrency": 1000},
        "functions.reserved_concurrency",
    ),
    (
        "functions",
        {"reserved_concurrency": {"process_ticket": 99}},
        "functions.reserved_concurrency.process_ticket",
    ),
    ("api", {"standard_rate": 51}, "api.premium_rate"),
    ("api", {"premium_burst": 19}, "api.premium_burst"),
    ("api", {"premium_daily_quota": 100}, "api.premium_daily_quota"),
    ("search", {"instance_count": 3, "zones": 2}, "search.instance_count"),
    ("search", {"engine_version": "OpenSearch_2.9"}, "search.engine_version"),
    ("models", {"generation_model_id": "amazon.nova-pro-v1:0"}, "models.generation_regions"),
    ("models", {"generation_regions": []}, "models.generation_regions"),
]


@pytest.mark.parametrize(("group", "values", "key"), CONTRADICTIONS)
def test_settings_that_contradict_each_other_are_refused(
    group: str, values: dict[str, Any], key: str, config: dict[str, str]
) -> None:
    config[f"energy-support:{group}"] = json.dumps(values)
    assert list(faults(config)) == [f"energy-support:{key}"]


def test_everything_that_is_wrong_is_reported_at_once(config: dict[str, str]) -> None:
    expected = set()
    for key, field in leaves():
        if key == "account_id":
            del config["energy-support:account_id"]
        elif key.startswith("search."):
            continue
        else:
            config = changed(config, key, wrong_type(key, field))
        expected.add(f"energy-support:{key}")
    for key in ("nonsense", *[f"{group}.nonsense" for group in groups() if group != "search"]):
        config = changed(config, key, 1)
        expected.add(f"energy-support:{key}")
    # A rule between two fields that are right by themselves, in a group that is otherwise right.
    config["energy-support:search"] = json.dumps({"instance_count": 3, "zones": 2})
    expected.add("energy-support:search.instance_count")
    assert set(faults(config)) == expected


def test_a_wrong_setting_stops_the_program_without_a_traceback(config: dict[str, str]) -> None:
    del config["energy-support:region"]
    with pytest.raises(pulumi.RunError, match="energy-support:region: is missing"):
        graphs.build_with("prod", config)


def test_keys_of_other_namespaces_are_left_alone(config: dict[str, str]) -> None:
    settings.parse({**config, "aws:region": "eu-west-1", "pulumi:tags": "{}"})


def test_settings_cannot_be_changed(config: dict[str, str]) -> None:
    parsed = settings.parse(config)
    with pytest.raises(ValueError, match="frozen"):
        parsed.api.throttle_rate = 1


def test_the_local_stack_runs_on_the_interpreter_that_runs_the_program(config: dict[str, str]) -> None:
    config["energy-support:functions"] = json.dumps({"runtime": "host", "architecture": "host"})
    assert settings.parse(config).functions.target == BundleTarget.host()


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_partition_follows_from_the_region(region: str, partition: str, config: dict[str, str]) -> None:
    config["energy-support:region"] = region
    assert settings.parse(config).partition == partition


def test_only_the_settings_module_reads_the_configuration_or_knows_of_environments() -> None:
    sources = [*REPOSITORY.glob("components/**/*.py"), REPOSITORY / "__main__.py"]
    for source in sources:
        if source.name != "settings.py":
            text = source.read_text()
            assert "pulumi.Config" not in text, source.name
            assert "get_stack" not in text, source.name
            assert not any(f'== "{stack}"' in text for stack in ("local", "dev", "staging", "prod")), source.name


def test_literal_values_are_offered_in_the_report(config: dict[str, str]) -> None:
    fault = faults(changed(config, "search.zones", 4))["energy-support:search.zones"]
    assert all(str(value) in fault.problem for value in get_args(settings.Search.model_fields["zones"].annotation))
