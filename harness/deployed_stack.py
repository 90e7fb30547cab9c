"""A stack that was deployed to AWS, as its operator reaches it: the stack's outputs and the operator's own credentials.

The outputs come from the Pulumi state that the operator is logged in to (`pulumi login`, or PULUMI_BACKEND_URL), the
credentials from boto3's default chain (AWS_PROFILE, AWS_ACCESS_KEY_ID, single sign-on …).
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pulumi import automation as auto

from harness import stack_file, toolchain
from harness.engine import said
from harness.engine_process import EngineCommand
from harness.errors import HarnessError
from harness.operated_stack import OperatedStack
from harness.release import Described, Release
from harness.release_by_codedeploy import CodeDeploy
from support import typed

if TYPE_CHECKING:
    from components.settings import Settings
    from harness.paths import Paths
    from harness.progress import Progress

T = TypeVar("T", bound=msgspec.Struct)

_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})


class _Releases(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs that a release needs."""

    functions: dict[str, str]
    """Function key -> physical name."""
    releases: Described | None = None
    """None where a deployment releases at once."""


@dataclass(frozen=True)
class DeployedStack(OperatedStack):
    """``stack`` as Pulumi names it: ``prod``, or with its organisation ``acme/energy-support/prod``."""

    paths: Paths
    stack: str
    progress: Progress

    @functools.cached_property
    def settings(self) -> Settings:
        return stack_file.read(self.paths.root, self._short)

    @functools.cached_property
    def outputs(self) -> dict[str, object]:
        """What the last `pulumi up` exported.

        Raises:
            HarnessError: the stack cannot be found, or nothing was deployed.
        """
        # Before anything that takes time.
        _ = self.settings
        cli = toolchain.ensure_pulumi(self.paths, self.progress)
        step = f"Outputs of {self.stack}"
        self.progress.start(step)
        with tempfile.TemporaryDirectory() as folder:
            found = self._read_outputs(cli, Path(folder))
        if not found:
            raise HarnessError(f"Nothing is deployed in stack {self.stack}.", "Deploy it by `pulumi up` first.")
        self.progress.finish(step, f"{len(found)} read")
        return found

    def outputs_as(self, type_: type[T]) -> T:
        try:
            return typed.convert(self.outputs, type_)
        except msgspec.ValidationError as error:
            raise HarnessError(
                f"The outputs of stack {self.stack} are not this program's: {error}", "Deploy it by `pulumi up`."
            ) from error

    def client(self, service: str) -> Any:
        """With the operator's credentials."""
        return self._session.client(service, config=_CONFIG)  # type: ignore[call-overload]  # any name

    def release(self) -> Release | None:
        """What moves calls to new versions; None where the deployment does."""
        outputs = self.outputs_as(_Releases)
        if outputs.releases is None:
            return None
        shifter = CodeDeploy(self.client("codedeploy"), outputs.releases.application)
        return Release(self.client("lambda"), outputs.functions, outputs.releases, shifter)

    # --- details

    @property
    def _short(self) -> str:
        """Of ``organisation/project/stack`` the last part, which the stack's file is named by."""
        return self.stack.rpartition("/")[2]

    @functools.cached_property
    def _session(self) -> boto3.Session:
        """Signed in to the stack's own account: another one may have tables of the same names."""
        session = boto3.Session(region_name=self.settings.region)
        try:
            account = session.client("sts", config=_CONFIG).get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise HarnessError(
                f"AWS does not know you: {error}", "Sign in (`aws sso login`), or set AWS_PROFILE, then try again."
            ) from error
        if account != self.settings.account_id:
            raise HarnessError(
                f"You are signed in to the account {account}, and stack {self.stack} lives in "
                f"{self.settings.account_id}.",
                "Choose the credentials of that account, for example by AWS_PROFILE.",
            )
        return session

    def _read_outputs(self, cli: Path, folder: Path) -> dict[str, object]:
        """By the Automation API, over copies of the project's files: the engine may write to them."""
        for name in ("Pulumi.yaml", f"Pulumi.{self._short}.yaml"):
            shutil.copyfile(self.paths.root / name, folder / name)
        try:
            stack = auto.select_stack(
                stack_name=self.stack,
                work_dir=str(folder),
                opts=auto.LocalWorkspaceOptions(
                    pulumi_command=EngineCommand(cli, folder / "plugins"),
                    env_vars={"PULUMI_SKIP_UPDATE_CHECK": "1"},
                ),
            )
            return {name: output.value for name, output in stack.outputs().items()}
        except auto.errors.StackNotFoundError as error:
            raise HarnessError(
                f"Pulumi knows no stack {self.stack} where you are logged in.",
                "See `pulumi whoami -v` and `pulumi stack ls`; log in to the right one, or set PULUMI_BACKEND_URL.",
            ) from error
        except auto.errors.CommandError as error:
            raise HarnessError(
                f"Pulumi cannot read stack {self.stack}: {said(error)}",
                "Log in by `pulumi login`, or set PULUMI_BACKEND_URL and PULUMI_CONFIG_PASSPHRASE, then try again.",
            ) from error
