"""Fixtures that several folders share: one moto server per session, and the real terraform binary against it.

They hide where the server listens and how terraform finds its provider. State is global in moto: a test that writes
asks for `moto_reset`, and a session fixture that applies an estate keeps what it read, not what stays on the server.
"""

import gc
import gzip
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from botocore.loaders import Loader

if TYPE_CHECKING:
    from small_estate import Estate

    from agent.demo.recorder import Recorder

REGION = "us-east-1"
os.environ["COLUMNS"] = "120"  # tables are as wide as the tests read them, whatever terminal runs these


TERRAFORM = {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "GOGC": "400"}
"""Variables of every terraform: with Go's usual setting the AWS provider spends a fifth of its start on collection."""

LONG = ("terraform", "slow")
"""Marks, or fixtures, of tests that take long."""


EXAMPLES = int(os.environ.get("DRIFTWARDEN_EXAMPLES", "30"))
"""Of hundred examples that a property is to be tried with; `make property-sweep` takes them all."""
FEW = 12
"""Examples that are never too many."""


def with_fewer_examples(test: Any, done: set[int]) -> None:
    """A property's function is tried with its share of examples from now on; once, whatever it is parametrized by."""
    if id(test) not in done:
        done.add(id(test))
        whole = test._hypothesis_internal_use_settings
        share = max(min(whole.max_examples, FEW), whole.max_examples * EXAMPLES // 100)
        test._hypothesis_internal_use_settings = hypothesis.settings(whole, max_examples=share)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests come first: begun last, one of them would keep a worker busy when all others are done."""
    done = set[int]()
    for item in items:
        if item.get_closest_marker("sweep") is None and hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
            with_fewer_examples(getattr(item, "obj", None), done)
    long = {
        item.path
        for item in items
        for name in LONG
        if item.get_closest_marker(name) or name in getattr(item, "fixturenames", ())
    }
    items.sort(key=lambda item: item.path not in long)


def pytest_collection_finish() -> None:
    """Ten thousand tests and their modules stay: to look through them for garbage again and again takes a tenth of the
    suite's processor time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Where `DRIFTWARDEN_ABSENT` is set, a skip whose reason names no part that is absent here is a failure."""
    report = yield
    absent = os.environ.get("DRIFTWARDEN_ABSENT")
    if absent and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not re.search(absent, reason):
            report.outcome = "failed"
            report.longrepr = f"skipped, though this machine can run it: {reason}"
    return report


@pytest.fixture(scope="session", autouse=True)
def service_models() -> Iterator[None]:
    """What AWS's services look like is read once in a process, not once in every boto3 session of every test.

    Clients of one session share these models anyway; to parse them takes a tenth of a second for each client.
    """
    read: dict[tuple[object, ...], Any] = {}

    def once(load: Callable[..., Any]) -> Callable[..., Any]:
        def shared(loader: Loader, *arguments: Any, **named: Any) -> Any:
            key = (load, *loader.search_paths, *arguments, *sorted(named.items()))
            if key not in read:
                read[key] = load(loader, *arguments, **named)
            return read[key]

        return shared

    with pytest.MonkeyPatch.context() as patch:
        for name in ("load_service_model", "load_data_with_path"):
            patch.setattr(Loader, name, once(getattr(Loader, name)))
        yield


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Endpoint URL of a moto server process that lives as long as the session."""
    folder = tmp_path_factory.mktemp("moto")
    log, images = folder / "server.log", folder / "amis.json"
    # Without 1,300 further images every region's EC2, which each reset makes anew, takes 2 ms instead of 150.
    shipped = resources.files("moto") / "ec2" / "resources" / "amis.json.gz"
    images.write_bytes(gzip.decompress(shipped.read_bytes()))
    # Not with MOTO_IAM_LOAD_MANAGED_POLICIES: it adds two seconds to every reset.
    with log.open("wb") as sink:
        server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("moto_process.py")), "-H", "127.0.0.1", "-p", "0"],
            stdout=sink,
            stderr=sink,
            env=os.environ | {"MOTO_AMIS_PATH": str(images)},
        )
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        server.wait(timeout=60)


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", log.read_text(errors="replace"))
        if found:
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"moto server did not start:\n{log.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="session")
def moto_variables(moto_server: str) -> Mapping[str, str]:
    """Environment variables that send every AWS client to the moto server, and nowhere else."""
    return {
        "AWS_ENDPOINT_URL": moto_server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@pytest.fixture(scope="module")
def cloud(
    moto_server: str, moto_variables: Mapping[str, str], reset_moto: Callable[[], None]
) -> Iterator[tuple["Recorder", dict[str, str]]]:
    """The small estate's cloud, which a module's tests share, and the variables that lead there."""
    import small_estate  # takes half of the product with it, which most tests have no need of

    reset_moto()
    with small_estate.cloud(moto_server, moto_variables) as made:
        yield made
    reset_moto()


@pytest.fixture
def estate(cloud: tuple["Recorder", dict[str, str]], tmp_path: Path) -> "Estate":
    """The small estate over that cloud, in a fresh folder."""
    import small_estate

    return small_estate.estate(tmp_path, *cloud)


@pytest.fixture
def aws_env(monkeypatch: pytest.MonkeyPatch, moto_variables: Mapping[str, str]) -> Mapping[str, str]:
    """The test's own process talks to the moto server."""
    _point_at_moto(monkeypatch, moto_variables)
    return moto_variables


def _point_at_moto(patch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)


@pytest.fixture(scope="session")
def reset_moto(moto_server: str) -> Callable[[], None]:
    """Call it to empty the moto server (for session fixtures; a test asks for `moto_reset`)."""

    def reset() -> None:
        request = urllib.request.Request(f"{moto_server}/moto-api/reset", method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()

    return reset


@pytest.fixture
def moto_reset(reset_moto: Callable[[], None]) -> Iterator[None]:
    """The moto server is empty before the test and after it."""
    reset_moto()
    yield
    reset_moto()


@pytest.fixture(scope="session")
def on_moto(moto_variables: Mapping[str, str]) -> Callable[[], AbstractContextManager[None]]:
    """`with on_moto():` the process talks to the moto server inside the block (for session fixtures)."""

    @contextmanager
    def block() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            _point_at_moto(patch, moto_variables)
            yield

    return block


@pytest.fixture(scope="session")
def terraform(moto_variables: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`terraform(root)` copies the root module, applies it to the moto server and returns the applied copy.

    `DRIFTWARDEN_TF_PLUGIN_DIR` names a local mirror of the providers; without it `terraform init` asks the registry.
    """
    binary = shutil.which("terraform")
    if binary is None:
        pytest.skip("the terraform binary is not on PATH")
    plugins = os.environ.get("DRIFTWARDEN_TF_PLUGIN_DIR", "")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    env = kept | moto_variables | TERRAFORM

    def run(root: Path, *arguments: str) -> None:
        done = subprocess.run(
            [binary, *arguments], cwd=root, env=env, capture_output=True, text=True, timeout=240, check=False
        )
        if done.returncode:
            raise RuntimeError(f"terraform {arguments[0]} in {root}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")

    def apply(root: Path, *arguments: str) -> Path:
        copy = tmp_path_factory.mktemp(root.name) / root.name
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".terraform*", "terraform.tfstate*"))
        try:
            run(copy, "init", "-input=false", "-no-color", *([f"-plugin-dir={plugins}"] if plugins else []))
        except RuntimeError as error:
            if plugins:
                raise
            pytest.skip(
                f"terraform could not fetch the AWS provider; DRIFTWARDEN_TF_PLUGIN_DIR names a mirror: {error}"
            )
        run(copy, "apply", "-auto-approve", "-input=false", "-no-color", *arguments)
        return copy

    return apply
