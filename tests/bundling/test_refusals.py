"""What cannot be bundled, or would be refused by Lambda, gives one error that names the place and the mend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.bundling import Archive, BundleError, BundleTarget, limits

if TYPE_CHECKING:
    from tests.bundling.conftest import Repository

MB = 1024 * 1024


def archive(name: str, *, packed: int = 1000, unpacked: int = 1000) -> Archive:
    return Archive(name, Path(f"{name}.zip"), "0" * 64, packed, unpacked, 0.0, from_cache=True)


def refusal(repository: Repository, target: BundleTarget) -> str:
    with pytest.raises(BundleError) as caught:
        repository.bundle(target)
    assert caught.value.mend.endswith((".", "/"))
    return str(caught.value)


def test_a_folder_without_a_handler_is_refused(repository: Repository, arm64: BundleTarget) -> None:
    repository.write("lambdas/half_done/service.py", "")
    assert "half_done is no function: it has no handler.py" in refusal(repository, arm64)


def test_what_git_leaves_of_a_removed_function_is_passed_over(repository: Repository, arm64: BundleTarget) -> None:
    repository.write("lambdas/removed/__pycache__/handler.cpython-311.pyc", "")
    assert list(repository.bundle(arm64).functions) == ["hello"]


def test_a_syntax_error_is_told_with_file_and_line(repository: Repository, arm64: BundleTarget) -> None:
    path = repository.write("lambdas/hello/handler.py", "def handler(event, context):\n    return (\n")
    message = refusal(repository, arm64)
    assert f"{path}:2:" in message
    assert "was never closed" in message


def test_a_handler_by_another_name_is_refused(repository: Repository, arm64: BundleTarget) -> None:
    path = repository.write("lambdas/hello/handler.py", "def main(event, context): ...\n")
    assert f"{path}: defines no `handler`" in refusal(repository, arm64)


@pytest.mark.parametrize(
    "code", ["handler = print", "handler: object = 1", "from support.clients import sqs as handler"]
)
def test_a_handler_may_be_any_name_bound_at_the_top(repository: Repository, arm64: BundleTarget, code: str) -> None:
    repository.write("lambdas/hello/handler.py", code + "\n")
    assert "hello" in repository.bundle(arm64).functions


@pytest.mark.parametrize(
    "module",
    ["pandas", "pulumi", "components.names", "support.missing", "support.clients.sqs", "create_ticket.handler"],
)
def test_an_import_that_lambda_could_not_resolve_is_told_with_file_and_line(
    repository: Repository, arm64: BundleTarget, module: str
) -> None:
    path = repository.write("lambdas/hello/handler.py", f"import json\nimport {module}\ndef handler(e, c): ...\n")
    message = refusal(repository, arm64)
    assert f"{path}:2: imports {module}" in message


def test_imports_that_do_not_run_or_may_fail_are_passed_over(repository: Repository, arm64: BundleTarget) -> None:
    repository.write(
        "lambdas/hello/handler.py",
        """\
        from typing import TYPE_CHECKING
        import boto3, msgspec.json, six
        from support import clients
        try:
            import pandas
        except ImportError:
            pandas = None
        if TYPE_CHECKING:
            from types_boto3_sqs import SQSClient

        def handler(event, context): ...
        """,
    )
    assert "hello" in repository.bundle(arm64).functions


def test_a_module_gone_from_the_layer_fails_the_functions_that_import_it(
    repository: Repository, arm64: BundleTarget
) -> None:
    repository.bundle(arm64)
    (repository.root / "lambdas/support/clients.py").rename(repository.root / "lambdas/support/renamed.py")
    repository.write("lambdas/hello/handler.py", "import support.clients\ndef handler(e, c): ...\n")
    assert "imports support.clients" in refusal(repository, arm64)


@pytest.mark.parametrize("script", ["#!/bin/bash\r\nexec true\r\n", "exec true\n"])
def test_a_wrapper_script_that_linux_cannot_start_is_refused(
    repository: Repository, arm64: BundleTarget, script: str
) -> None:
    path = repository.write("lambdas/streaming/streaming-runtime", "")
    path.write_bytes(script.encode())
    assert f"{path}: Lambda could not start this script" in refusal(repository, arm64)


def test_a_client_of_an_unknown_service_is_refused(repository: Repository, arm64: BundleTarget) -> None:
    repository.write("lambdas/support/clients.py", 'import boto3\nc = lambda: boto3.client("sqss")\n')
    assert "botocore has no model of sqss" in refusal(repository, arm64)


def test_a_client_whose_service_is_computed_is_refused(repository: Repository, arm64: BundleTarget) -> None:
    repository.write("lambdas/support/clients.py", "import boto3\n\ndef make(name):\n    return boto3.client(name)\n")
    assert "support/clients.py:4: the service of this client is not a literal" in refusal(repository, arm64)


def test_a_lock_file_with_a_wrong_hash_is_refused_in_uvs_words(repository: Repository, arm64: BundleTarget) -> None:
    repository.write("requirements/lambda.txt", f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    message = refusal(repository, arm64)
    assert "uv cannot install" in message
    assert "make lock" in message


def test_without_uv_the_error_says_where_it_was_looked_for(
    elsewhere: Repository, arm64: BundleTarget, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    message = refusal(elsewhere, arm64)
    assert "neither on PATH nor beside" in message


@pytest.mark.parametrize(
    ("runtime", "architecture", "problem"),
    [
        ("nodejs22.x", "arm64", "not a Python runtime"),
        ("python3.13", "riscv64", "not an architecture"),
        ("python3.11", "arm64", "Amazon Linux 2"),
    ],
)
def test_a_target_that_lambda_does_not_have_is_refused(runtime: str, architecture: str, problem: str) -> None:
    with pytest.raises(BundleError, match=problem):
        BundleTarget(runtime, architecture)  # type: ignore[arg-type]  # as from a stack file


def test_the_host_is_a_target_whatever_its_python() -> None:
    assert BundleTarget.host().uv_platform is None


LAYERS = (archive("dependencies", unpacked=100 * MB), archive("support"))


def test_archives_within_the_limits_pass() -> None:
    limits.check(LAYERS, [archive("get_ticket", packed=50 * MB - 1, unpacked=140 * MB)])


@pytest.mark.spec("functions.sizes")
@pytest.mark.parametrize(
    ("layers", "function", "problem"),
    [
        (LAYERS * 3, archive("f"), "6 layers"),
        (LAYERS, archive("get_ticket", packed=50 * MB), "get_ticket: 52,428,800 bytes packed"),
        (LAYERS, archive("f", unpacked=160 * MB), "the limit is 262,144,000"),
        ((archive("dependencies", packed=52_625_409),), archive("f"), "dependencies: 70,167,212 bytes in base64"),
    ],
)
def test_archives_over_a_limit_are_refused_with_name_size_and_limit(
    layers: tuple[Archive, ...], function: Archive, problem: str
) -> None:
    with pytest.raises(BundleError, match=problem) as caught:
        limits.check(layers, [function])
    assert "Remove what the functions do not import" in caught.value.mend


def test_every_limit_that_is_passed_is_told_at_once() -> None:
    heavy = [replace(archive("a", packed=60 * MB)), archive("b", unpacked=300 * MB)]
    with pytest.raises(BundleError, match=r"(?s)a: .*b: "):
        limits.check(LAYERS, heavy)


@pytest.mark.spec("functions.sizes")
def test_the_limits_are_checked_when_the_program_bundles(
    repository: Repository, arm64: BundleTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_UNPACKED_BYTES", 1_000_000)
    assert "unpacked together with dependencies and support, the limit is 1,000,000" in refusal(repository, arm64)


def test_a_source_that_is_no_text_is_told_with_its_file(repository: Repository, arm64: BundleTarget) -> None:
    path = repository.write("lambdas/hello/handler.py", "handler = print\0\n")
    assert str(path) in refusal(repository, arm64)
