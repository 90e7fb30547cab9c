"""The local stack as one thing: toolchain, services, deployment and knowledge base, brought up and down together."""

from __future__ import annotations

import dataclasses
import functools
import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import httpx
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from components.bundling import BundleError, bundle
from energy_support_client import Client, EnergySupportError, RetryPolicy, StaticToken
from harness import (
    aws,
    demonstration,
    emulated_settings,
    import_check,
    interrupts,
    knowledge_base,
    refusals,
    release,
    release_on_local_stack,
    stack_file,
    toolchain,
)
from harness.engine import Engine, RefusedError, Run
from harness.errors import HarnessError
from harness.knowledge_loader import KnowledgeLoader, Loaded
from harness.locks import exclusive
from harness.operated_stack import OperatedStack
from harness.paths import Paths
from harness.review import versions
from harness.search_modes import SearchModes
from harness.services import Endpoints, LocalServices, ServiceStatus
from harness.sign_in import Group, SignIn
from support import typed
from support.embedding import Embedder
from support.search_client import opensearch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from components.bundling import Bundles
    from components.settings import Settings
    from harness.emulated_settings import Replaced
    from harness.engine import Step
    from harness.progress import Progress
    from harness.release import Release
    from harness.review.versions import Version

T = TypeVar("T", bound=msgspec.Struct)

STACK: Final = emulated_settings.LOCAL
OTHER_PORTS: Final = 10_000
"""Added to the ports that the services of a stack made for AWS would like, so that both may run at once."""
DEPLOY: Final = "Deploy"
"""The step's title in progress reports."""
CONNECTIONS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=100)
"""As many as tickets are sent at a time, at most."""
RETRIES: Final = RetryPolicy(attempts=4, base_seconds=0.25, cap_seconds=1)
"""What is not there on one's own machine is not there a minute later either."""


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """What the program exports and the harness uses."""

    api_url: str = msgspec.field(name="stage_url")
    """The stage's own: nothing is reached through web ACLs, CloudFront or a custom domain here."""
    api_id: str
    user_pool_id: str
    user_pool_client_id: str
    kb_bucket: str
    search_index: str
    search_pipeline: str
    embedding_model_id: str
    functions: dict[str, str]
    """Function key -> physical name."""
    tables: dict[str, str]
    """Thing -> physical name."""
    queue_urls: dict[str, str]
    """Thing -> URL."""
    usage_plan_ids: dict[str, str]
    """Tier -> its usage plan."""
    state_machine_arn: str
    partner_key_arn: str
    """KMS key under which partners' secrets are stored."""
    releases: release.Described | None = None
    """None where a deployment releases at once."""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    run: Run
    knowledge: Loaded
    outputs: Outputs


@dataclass(frozen=True, kw_only=True)
class StackStatus:
    services: tuple[ServiceStatus, ...]
    api_url: str | None
    """None until something was deployed."""

    @property
    def healthy(self) -> bool:
        return self.api_url is not None and all(service.state == "running" for service in self.services)


@dataclass(frozen=True, kw_only=True)
class Compared:
    run: Run
    version: Version
    refused: RefusedError | None = None
    """Why policies refuse it, if they do."""


@dataclass(frozen=True)
class LocalStack(OperatedStack):
    """Commands that change it hold the services' lock, so that two never work on one stack."""

    paths: Paths = field(default_factory=Paths.find)

    @classmethod
    def of(cls, stack: str) -> Self:
        """The local deployment of a stack's settings: one that is made for AWS has a folder, and ports, of its own."""
        paths = Paths.find()
        if stack == STACK:
            return cls(paths)
        own = cls(dataclasses.replace(paths, local=paths.local / "stacks" / stack))
        stack_file.read(paths.root, stack)
        if not own._mark.exists():
            own._mark.parent.mkdir(parents=True, exist_ok=True)
            own._mark.write_text(stack)
        return own

    @functools.cached_property
    def stack(self) -> str:
        """Whose settings are deployed in this folder."""
        with suppress(FileNotFoundError):
            return self._mark.read_text()
        return STACK

    @functools.cached_property
    def replaced_settings(self) -> tuple[Replaced, ...]:
        """Settings of the stack that the emulator cannot take."""
        return emulated_settings.replaced(self.paths.root, self.stack)

    @property
    def _changes(self) -> Mapping[str, object]:
        return {one.key: one.here for one in self.replaced_settings}

    @functools.cached_property
    def settings(self) -> Settings:
        """What is deployed, or would be.

        Raises:
            HarnessError: settings are wrong; names all of them.
        """
        return stack_file.read(self.paths.root, self.stack, self._changes)

    @functools.cached_property
    def region(self) -> str:
        return self.settings.region

    @functools.cached_property
    def services(self) -> LocalServices:
        return LocalServices(self.paths, self.region, ports_from=0 if self.stack == STACK else OTHER_PORTS)

    @property
    def _standing(self) -> LocalServices:
        """The services to look at or to stop, which must be possible whatever the settings say."""
        return LocalServices(self.paths, region="")

    @property
    def _mark(self) -> Path:
        return self.paths.local / "stack"

    # --- life

    def up(self, progress: Progress) -> Deployed:
        """Bring everything up; what stands already is kept, what drifted is mended."""
        with self.services.alone("harness up"):
            cli, endpoints = self._prepare(progress)
            run = self._deploy(cli, endpoints, progress)
            outputs = typed.convert(run.outputs, Outputs)
            self._outputs_file.write_bytes(msgspec.json.encode(outputs))
            return Deployed(run=run, knowledge=self._load_documents(outputs, endpoints, progress), outputs=outputs)

    def down(self, progress: Progress) -> tuple[str, ...]:
        """Stop every service; the names of those that ran."""
        services = self._standing
        with services.alone("harness down"):
            running = tuple(service.name for service in services.status() if service.pid is not None)
            services.stop(progress)
            return running

    def reset(self, progress: Progress) -> None:
        """Stop every service and delete all that the stack stored."""
        services = self._standing
        with services.alone("harness reset"):
            services.reset(progress)
            shutil.rmtree(self.paths.local / "engine", ignore_errors=True)
            self._outputs_file.unlink(missing_ok=True)

    def status(self) -> StackStatus:
        api_url = None
        with suppress(HarnessError):
            api_url = self.outputs().api_url
        return StackStatus(services=self._standing.status(), api_url=api_url)

    def preview(self, stack: str, progress: Progress) -> Run:
        """What an `up` of any stack would change; nothing but ``local`` has a state here, so all of it is new there.

        Raises:
            HarnessError: there is no such stack, its settings are wrong, or the program cannot make it.
        """
        # Before anything that takes time.
        stack_file.read(self.paths.root, stack)
        cli = toolchain.ensure_pulumi(self.paths, progress)
        if stack != self.stack:
            # Two at a time would get in each other's way.
            lock = self.paths.local / "previews" / f"{stack}.lock"
            with exclusive(lock, on_wait=lambda: progress.start(f"Preview {stack}")):
                return self._run(self._engine(cli, stack, None), "preview", progress, refresh=False)
        running = all(service.state == "running" for service in self.services.status())
        endpoints = self.services.endpoints() if running else None
        with self.services.alone("harness preview"):
            return self._run(self._engine(cli, stack, endpoints), "preview", progress, refresh=running)

    def compare(self, stack: str, against: str, progress: Progress) -> Compared:
        """What the sources here change in a stack since another version of them (a commit, branch or tag).

        Raises:
            HarnessError: there is no such stack or version, or one of the two programs cannot make it.
        """
        stack_file.read(self.paths.root, stack)
        cli = toolchain.ensure_pulumi(self.paths, progress)
        lock = self.paths.local / "previews" / f"{stack}.lock"
        with exclusive(lock, on_wait=lambda: progress.start(f"Preview {stack}")):
            version = versions.assume(self.paths, cli, stack, against, progress)
            engine = Engine(root=self.paths.root, state=version.state, stack=stack, cli=cli)
            try:
                return Compared(run=self._run(engine, "preview", progress, refresh=False), version=version)
            except RefusedError as error:
                return Compared(run=error.run, version=version, refused=error)

    # --- what stands

    def outputs(self) -> Outputs:
        """What the last `up` exported.

        Raises:
            HarnessError: there was none.
        """
        try:
            return typed.decode(self._outputs_file.read_bytes(), Outputs)
        except (FileNotFoundError, msgspec.MsgspecError) as error:
            raise HarnessError("Nothing is deployed here.", "Run `make local` or `harness up` first.") from error

    def outputs_as(self, type_: type[T]) -> T:
        return typed.convert(msgspec.to_builtins(self.outputs()), type_)

    def id_token(self, group: Group, customer_id: str | None = None) -> str:
        """A token of a new user of that group; a customer acts for ``customer_id``, an operator for nobody."""
        outputs = self.outputs()
        with _answering():
            sign_in = SignIn(self.client("cognito-idp"), outputs.user_pool_id, outputs.user_pool_client_id)
            return sign_in.id_token(group, customer_id if group == "customer" else None)

    @contextmanager
    def signed_in(self, group: Group, customer_id: str | None = None) -> Iterator[Client]:
        """The API, called by a user of that group. What it refuses in the block is told as a :class:`HarnessError`."""
        token = StaticToken(self.id_token(group, customer_id))
        with (
            _answering(),
            # The proxies of the user's environment lead away from this machine.
            httpx.Client(limits=CONNECTIONS, trust_env=False) as http,
            Client(self.outputs().api_url, token, retries=RETRIES, http=http) as client,
        ):
            yield client

    @contextmanager
    def as_customer(self, customer_id: str = demonstration.CUSTOMER_ID) -> Iterator[Client]:
        """The API, signed in as a customer."""
        with self.signed_in("customer", customer_id) as client:
            yield client

    @contextmanager
    def as_operator(self) -> Iterator[Client]:
        """The API, signed in as an operator."""
        with self.signed_in("operator") as client:
            yield client

    def release(self, seconds: float = release_on_local_stack.SECONDS) -> Release | None:
        """What moves calls to new versions, each step taking so long; None where the deployment does."""
        outputs = self.outputs()
        if outputs.releases is None:
            return None
        functions = self.client("lambda")
        steps = release_on_local_stack.LocalSteps(
            functions, self.client("cloudwatch"), release.Steps.of(outputs.releases.configuration), seconds=seconds
        )
        return release.Release(functions, outputs.functions, outputs.releases, steps)

    def client(self, service: str) -> Any:
        """Of the emulator's administrator."""
        return self._client(service, self.services.endpoints().emulator)

    def search_modes(self) -> SearchModes:
        """The deployed index, searched with the functions' own queries."""
        outputs, endpoints = self.outputs(), self.services.endpoints()
        return SearchModes(
            client=opensearch(endpoints.search),
            index=outputs.search_index,
            pipeline=outputs.search_pipeline,
            embedder=Embedder(self._client("bedrock-runtime", endpoints.bedrock), outputs.embedding_model_id),
        )

    # --- details

    def _client(self, service: str, endpoint: str) -> Any:
        """The only way to a client here: none without a local endpoint, which would be AWS's own."""
        return aws.session(self.region).client(service, endpoint_url=endpoint, config=aws.config())  # type: ignore[call-overload]  # any name

    @property
    def _outputs_file(self) -> Path:
        return self.paths.local / "outputs.json"

    def _prepare(self, progress: Progress) -> tuple[Path, Endpoints]:
        """CLI, archives and services side by side: on the first run each of them takes long."""
        with ThreadPoolExecutor(thread_name_prefix="prepare") as pool:
            try:
                cli = pool.submit(toolchain.ensure_pulumi, self.paths, progress)
                archives = pool.submit(self._archives, progress)
                endpoints = pool.submit(self.services.start, progress)
                for done in as_completed((cli, archives, endpoints)):
                    # Stopped because another failed, which says why.
                    with suppress(interrupts.StopRequestedError):
                        done.result()
            except BaseException:
                interrupts.interrupt()
                raise
            return cli.result(), endpoints.result()

    def _archives(self, progress: Progress) -> None:
        bundles = make_bundles(self.stack, self.paths.root, progress, self._changes)
        import_check.check(bundles, self.paths.root, self.paths.local / "imported")

    def _deploy(self, cli: Path, endpoints: Endpoints, progress: Progress) -> Run:
        return self._run(self._engine(cli, self.stack, endpoints), "up", progress, refresh=True)

    def _engine(self, cli: Path, stack: str, endpoints: Endpoints | None) -> Engine:
        return Engine(
            root=self.paths.root,
            state=self.paths.local / ("engine" if stack == self.stack else "previews"),
            stack=stack,
            cli=cli,
            settings=self._changes if stack == self.stack else {},
            endpoint=endpoints.emulator if endpoints else None,
            api_url=endpoints.front if endpoints else None,
        )

    def _run(self, engine: Engine, operation: str, progress: Progress, *, refresh: bool) -> Run:
        title = DEPLOY if operation == "up" else f"Preview {engine.stack}"
        progress.start(title, total=engine.size())

        def on_step(_: Step) -> None:
            progress.advance(title)

        run = engine.up(on_step) if operation == "up" else engine.preview(on_step, refresh=refresh)
        progress.finish(title, f"{len(run.changes)} of {len(run.resources)} resources changed")
        return run

    def _load_documents(self, outputs: Outputs, endpoints: Endpoints, progress: Progress) -> Loaded:
        loader = KnowledgeLoader(
            s3=self._client("s3", endpoints.emulator),
            bucket=outputs.kb_bucket,
            search_url=endpoints.search,
            index=outputs.search_index,
        )
        with _answering():
            return loader.load({document.key: document.text for document in knowledge_base.documents()}, progress)


@contextmanager
def _answering() -> Iterator[None]:
    """What the local services answer against all expectation is a fault of the stack: say so."""
    try:
        yield
    except EnergySupportError as error:
        raise refusals.told(error) from error
    except (BotoCoreError, ClientError, httpx.HTTPError) as error:
        raise HarnessError(
            f"The local stack does not answer as it should: {error}",
            "See `harness status`; `harness up` mends what is not as the program says.",
        ) from error


def make_bundles(stack: str, root: Path, progress: Progress, changes: Mapping[str, object] | None = None) -> Bundles:
    """The archives of ``stack``, with ``changes`` to its settings, from the cache where nothing changed.

    Raises:
        HarnessError: something cannot be bundled, or is over a limit of Lambda.
    """
    target = stack_file.read(root, stack, changes).functions.target
    title = "Archives"
    progress.start(title)
    built: list[str] = []
    try:
        bundles = bundle(target, built.append, root=root)
    except BundleError as error:
        raise HarnessError(error.message, error.mend) from error
    progress.finish(title, f"{len(built)} of {len(bundles.archives)} built" if built else "nothing changed")
    return bundles
