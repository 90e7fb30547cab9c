"""What the engine cannot do is told in a few lines that name the place; the programs are small, the engine is real."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from harness import toolchain
from harness.engine import Engine
from harness.engine_process import EngineCommand
from harness.errors import HarnessError
from harness.tracebacks import brief

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.paths import Paths
    from harness.progress import Progress

# Where no CLI is to be found it is built, once on a machine, which takes minutes.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def engine(small: Path, tmp_path: Path, paths: Paths, silent: Progress) -> Engine:
    """An engine over the small program; nothing to call, so it previews."""
    return Engine(root=small, state=tmp_path / "a state", stack="local", cli=toolchain.ensure_pulumi(paths, silent))


@pytest.fixture
def refusal(engine: Engine) -> Callable[[str], HarnessError]:
    """The fault of a program."""

    def preview(program: str) -> HarnessError:
        (engine.root / "__main__.py").write_text(textwrap.dedent(program))
        with pytest.raises(HarnessError) as caught:
            engine.preview()
        assert "Traceback" not in caught.value.message
        assert "site-packages" not in caught.value.message
        return caught.value

    return preview


def test_folders_may_have_spaces_and_a_refused_program_is_previewed_once_it_is_mended(
    engine: Engine, refusal: Callable[[str], HarnessError]
) -> None:
    error = refusal("import pulumi\npulumi.CustomResource('aws:sqs/quue:Quue', 'odd', {})\n")
    assert "no resource type aws:sqs/quue:Quue" in error.message
    assert "odd: " in error.message
    (engine.root / "__main__.py").write_text("import pulumi\npulumi.export('answer', 42)\n")
    assert engine.preview().changes == ()


def test_a_package_without_a_provider_is_named(refusal: Callable[[str], HarnessError]) -> None:
    error = refusal("import pulumi\npulumi.CustomResource('gcp:storage/bucket:Bucket', 'it', {})\n")
    assert "pulumi-resource-gcp" in error.message


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("x = 1\ndef (\n", "SyntaxError: invalid syntax ({main}, line 2)"),
        ("import json\n\njson.loads('{')\n", "line 1 column 2 (char 1) ({main}, line 3)"),
        ("import pulumi\nraise pulumi.RunError('no good')\n", "no good"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3 ({main}, line 2)"),
        (
            "import pulumi\npulumi.Output.from_input(0).apply(lambda n: 1 / n)\n",
            "ZeroDivisionError: division by zero ({main}, line 2)",
        ),
    ],
)
def test_a_program_that_fails_is_told_by_its_line(
    engine: Engine, refusal: Callable[[str], HarnessError], program: str, told: str
) -> None:
    error = refusal(program)
    assert told.format(main=engine.root / "__main__.py") in error.message
    assert error.message.count(told[:10]) == 1
    assert "run the command again" in error.mend


def test_archives_that_cannot_be_made_are_told_in_the_bundlers_words(refusal: Callable[[str], HarnessError]) -> None:
    error = refusal(
        """
        import pulumi
        from components.bundling import BundleError

        try:
            raise BundleError("f: too big", "Make it smaller.")
        except BundleError as error:
            raise pulumi.RunError(str(error)) from error
        """
    )
    assert (error.message, error.mend) == ("f: too big", "Make it smaller.")


def test_what_a_policy_refuses_is_told_with_its_mend(refusal: Callable[[str], HarnessError]) -> None:
    error = refusal("import pulumi\npulumi.CustomResource('aws:sqs/queue:Queue', 'bare', {'name': 'bare'})\n")
    assert error.message.startswith("Policies refuse stack local")
    assert "kmsMasterKeyId" in error.message
    assert "(bare)" in error.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: [", "Pulumi.yaml is no project file: while parsing"),
        ("", "Pulumi.yaml is no project file"),
        ("name: energy-support\nruntime: cobol\n", "Pulumi.yaml is no project file: .*cobol"),
        ("name: of two words\n", "cannot open stack local: project names may only contain"),
    ],
)
def test_a_project_file_that_is_wrong_is_named(engine: Engine, text: str, told: str) -> None:
    (engine.root / "Pulumi.yaml").write_text(text)
    with pytest.raises(HarnessError, match=told):
        engine.preview()


def test_a_stack_whose_secrets_lie_in_an_account_is_previewed_without_it(engine: Engine) -> None:
    """`pulumi stack init` with a key of AWS writes so into the stack's file (docs/deploying.md)."""
    file = engine.root / "Pulumi.local.yaml"
    provider = "secretsprovider: awskms://alias/support-pulumi?region=eu-central-1\nencryptedkey: QUFBQQ==\n"
    file.write_text(provider + file.read_text())
    (engine.root / "__main__.py").write_text("import pulumi\npulumi.export('secret', pulumi.Output.secret(42))\n")
    for _ in ("as a new stack", "as one that is known"):
        assert engine.preview().changes == ()
    assert file.read_text().startswith(provider)


def test_a_command_that_the_cli_does_not_know_is_an_error(tmp_path: Path, engine: Engine) -> None:
    command = EngineCommand(engine.cli, tmp_path)
    with pytest.raises(Exception, match="unknown command"):
        command.run(["unknown"], str(tmp_path), {"PULUMI_HOME": str(tmp_path)})


def test_an_engine_that_is_killed_says_so(tmp_path: Path) -> None:
    command = EngineCommand(tmp_path / "engine", tmp_path)
    (tmp_path / "engine").write_text("#!/bin/sh\nkill -KILL $$\n")
    (tmp_path / "engine").chmod(0o755)
    with pytest.raises(HarnessError, match="ended by SIGKILL") as caught:
        command.run([], str(tmp_path), {})
    assert "run the command again" in caught.value.mend.lower()


def test_text_without_a_traceback_stays_as_it_is(tmp_path: Path) -> None:
    assert brief('File "x", line 3', tmp_path) == 'File "x", line 3'
