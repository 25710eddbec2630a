"""Modules that are not on disk: paths, registries, archives and repositories, and what hostile ones do not get."""

import hashlib
import io
import json
import os
import ssl
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from declared.registry import Registry, archive, serving
from declared.repositories import commit, git, repository

from agent.declared import module_sources
from agent.declared.git_address import Address
from agent.declared.module_sources import Reach, Web, package_of, tokens
from agent.declared.module_sources import archive as unpacking
from agent.declared.module_sources.address import Local, Page, RegistryModule, SourceError, parse_remote, parse_source
from agent.declared.module_sources.constraints import ConstraintError, constraints, newest, version

CODE = {"main.tf": "# top\n", "modules/queue/main.tf": "# queue\n"}


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def registry(listening: Registry) -> Registry:
    for kept in (listening.modules, listening.files, listening.answers, listening.asked, listening.authorised):
        kept.clear()
    return listening


@pytest.fixture
def reach(registry: Registry) -> Reach:
    return Reach(web=Web(ssl.create_default_context(cafile=str(registry.authorities))), local=True)


class Cache:
    """Resolves into a cache of its own."""

    def __init__(self, folder: Path, reach: Reach) -> None:
        self.folder = folder
        self.reach = reach

    def __call__(
        self, source: str, version: str = "", *, network: bool = True, start: Path | None = None
    ) -> Path | str:
        return module_sources.resolve(source, version, start or self.folder, self.folder / "cache", network, self.reach)

    def found(self, source: str, version: str = "", *, network: bool = True) -> str:
        """Content of the module's main.tf."""
        place = self(source, version, network=network)
        assert isinstance(place, Path), place
        return (place / "main.tf").read_text()

    def why(self, source: str, version: str = "", *, network: bool = True, start: Path | None = None) -> str:
        said = self(source, version, network=network, start=start)
        assert isinstance(said, str), said
        assert "terraform init" in said
        return said


@pytest.fixture
def resolve(tmp_path: Path, reach: Reach) -> Cache:
    return Cache(tmp_path, reach)


# --- addresses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("./modules/a", Local("./modules/a")),
        ("../a", Local("../a")),
        ("acme/queue/aws", RegistryModule("registry.terraform.io", "acme", "queue", "aws", "")),
        ("acme/queue/aws//modules/a", RegistryModule("registry.terraform.io", "acme", "queue", "aws", "modules/a")),
        ("tf.Acme.example/a/b/aws", RegistryModule("tf.acme.example", "a", "b", "aws", "")),
        ("tf.acme.example:8443/a/b/aws", RegistryModule("tf.acme.example:8443", "a", "b", "aws", "")),
        ("github.com/acme/queue", Address("https://github.com/acme/queue.git")),
        ("github.com/acme/queue//modules/a?ref=v1", Address("https://github.com/acme/queue.git", "modules/a", "v1")),
        ("github.com/acme/queue.git", Address("https://github.com/acme/queue.git")),
        ("github.com/acme/queue/modules/a", Address("https://github.com/acme/queue.git", "modules/a")),
        ("git@github.com:acme/queue.git", Address("ssh://git@github.com/acme/queue.git")),
        ("bitbucket.org/acme/queue", Address("https://bitbucket.org/acme/queue.git")),
        ("git::https://h.example/q.git?ref=v1&depth=1", Address("https://h.example/q.git", "", "v1")),
        ("git::github.com/acme/queue", Address("https://github.com/acme/queue.git")),
        ("https://h.example/q.zip", Page("https://h.example/q.zip", "", "zip")),
        ("https://h.example/q.tar.gz//a/b?x=1", Page("https://h.example/q.tar.gz?x=1", "a/b", "tar.gz")),
        ("https://h.example/q?archive=tgz", Page("https://h.example/q", "", "tgz")),
        ("https://h.example/q?archive=zip&checksum=md5:00", Page("https://h.example/q", "", "zip", "md5:00")),
        ("https://h.example/q", Page("https://h.example/q", "", "")),
    ],
)
def test_sources(text: str, source: object) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("modules/a", "local paths begin with ./"),
        ("/srv/modules/a", "a path of one machine"),
        ("github.com/acme", "write github.com/organisation/repository"),
        ("s3::https://s3.amazonaws.com/b/k.zip", "modules in S3 are not fetched: run `terraform init`"),
        ("gcs::https://x/y.zip", "Google Cloud Storage"),
        ("hg::https://x/y", "Mercurial"),
        ("http://h.example/q.zip", "sources over http://"),
        ("git::http://h.example/q.git", "begins with http://"),
        ("https://h.example/q.zip//../../etc", "leads out"),
        ("acme/queue/aws//../x", "leads out"),
        ("https://h.example/q?archive=rar", "archives are unpacked of the kinds"),
        ("https://h.example:port/q", "cannot be read"),
    ],
)
def test_sources_that_are_not_fetched(text: str, says: str) -> None:
    with pytest.raises(SourceError, match=says.replace("?", r"\?")):
        parse_source(text)


# --- versions ------------------------------------------------------------------------------------------------

VERSIONS = (
    *("0.9.0", "1.0.0-beta", "1.0.0", "1.0.1", "1.1.0-rc1", "1.1.0", "1.2.0", "1.2.3", "1.2.3.4", "1.10.0"),
    *("2.0.0-alpha", "2.0.0-alpha.2", "2.0.0", "2.1.0-beta.1", "3.2.0+build1", "10.0.0-rc1", "junk"),
)
CHOSEN = {
    **{"1.0.0": "1.0.0", "= 1.0.0": "1.0.0", "v1.0.0": "1.0.0", "=1.0": "1.0.0", "1.2.3.4": "1.2.3.4"},
    **{"!= 3.2.0": "2.0.0", "~> 1.0": "1.10.0", "~> 1": "3.2.0+build1", "~> 1.0.0": "1.0.1", "~>1.1": "1.10.0"},
    **{"~> 1.2.0": "1.2.3.4", "~> 1.2.3": "1.2.3.4", "~> 1.2.3.0": "1.2.3.4", "~> v1.0": "1.10.0", "~> 0.9": "0.9.0"},
    **{">= 1.0, < 2": "1.10.0", "> 1.0.0, <= 1.2": "1.2.0", "< 1": "0.9.0", ">1.2.3,<1.2.4": "1.2.3.4"},
    **{"~> 1.0, != 1.10.0": "1.2.3.4", " ~>   1.2  ": "1.10.0", "01.0.0": "1.0.0", "3.2.0+other": "3.2.0+build1"},
    **{"1.0.0, 1.0.0": "1.0.0", "> 2.0.0-alpha": "3.2.0+build1", "<= 1.0.0-beta": "0.9.0"},
    **{"10.0.0-rc1": "10.0.0-rc1", "=10.0.0-rc1": "10.0.0-rc1", "10-rc1": "10.0.0-rc1", " 10.0.0-rc1 ": "10.0.0-rc1"},
    **{"2.0.0-alpha.2": "2.0.0-alpha.2", "1.0.0-beta": "1.0.0-beta"},
}
"""Constraint → the version that Terraform 1.11 takes of these."""
NONE = (
    *(">= 10", ">= 10.0.0-rc1", "= 10.0.0-rc1", "v10.0.0-rc1", "~> 10.0.0-rc1", "~> 2.0.0-alpha", "1.0.0-BETA"),
    *("10.0.0-rc1, >= 1", "10.0.0-rc1,10.0.0-rc1", ">= 2.0.0-alpha, < 2.0.0", "2.0.0-alpha.02", "1.0.0-beta+x"),
)
"""Constraints that none of them meets."""
NO_CONSTRAINTS = ("1.x", "latest", "1.2.*", "=> 1.0", "== 1.0.0", "1.0.0,", ",", "~> 1.0 || 2.0", "1.0 2.0", "^1.0")


def test_versions_that_are_chosen() -> None:
    assert {text: str(newest(VERSIONS, constraints(text))) for text in CHOSEN} == CHOSEN
    assert {text: newest(VERSIONS, constraints(text)) for text in NONE} == dict.fromkeys(NONE)
    assert str(newest(VERSIONS, ())) == "3.2.0+build1"


@pytest.mark.parametrize("text", [*NO_CONSTRAINTS, "1" * 2000])
def test_constraints_that_are_none(text: str) -> None:
    with pytest.raises(ConstraintError, match="version constraint"):
        constraints(text)


def test_the_order_of_versions() -> None:
    words = ["1.0.0-1", "1.0.0-2", "1.0.0-11", "1.0.0-a", "1.0.0-a.1", "1.0.0-a.b", "1.0.0-b"]
    ordered = [*words, "1.0.0", "1.0.0.1", "1.2", "1.10", "v2"]
    parsed = [found for found in map(version, ordered) if found is not None]
    backwards = [*reversed(parsed)]
    assert sorted(backwards) == parsed
    assert len(parsed) == len(ordered)
    assert version("1.2") == version("v1.2.0") == version("1.2.0.0+x")
    assert str(version("v1.2-rc1+x")) == "1.2.0-rc1+x"


@pytest.mark.terraform
def test_terraform_chooses_the_same(registry: Registry, tmp_path: Path) -> None:
    for each in VERSIONS:
        registry.publish("acme/queue/aws", each, {"main.tf": ""})
    assert installed(tmp_path / "chosen", registry, CHOSEN) == list(CHOSEN.values())
    for number, wrong in enumerate((*NONE, *NO_CONSTRAINTS)):
        if number % 4 == 0:  # a process each: those that are most alike are left out
            assert installed(tmp_path / f"none{number}", registry, [wrong]) == [], wrong


def installed(folder: Path, registry: Registry, wanted: Iterable[str]) -> list[str]:
    """Versions that the real Terraform installs, one for each constraint; none where it refuses."""
    folder.mkdir()
    calls = [
        f'module "m{n:03}" {{\n  source  = "{registry.host}/acme/queue/aws"\n  version = {json.dumps(each)}\n}}\n'
        for n, each in enumerate(wanted)
    ]
    (folder / "main.tf").write_text("".join(calls))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    env = {**kept, "SSL_CERT_FILE": str(registry.authorities), "CHECKPOINT_DISABLE": "1"}
    try:
        done = subprocess.run(
            ["terraform", "get", "-no-color"], cwd=folder, env=env, capture_output=True, timeout=120, check=False
        )
    except FileNotFoundError:
        pytest.skip("the terraform binary is not on PATH")
    if done.returncode:
        return []
    modules = json.loads((folder / ".terraform/modules/modules.json").read_bytes())["Modules"]
    return [each["Version"] for each in sorted(modules, key=lambda each: each["Key"]) if each["Key"]]


# --- local paths ---------------------------------------------------------------------------------------------


def test_a_local_path(resolve: Cache) -> None:
    (resolve.folder / "root").mkdir()
    (resolve.folder / "modules").mkdir()
    assert resolve("../modules", start=resolve.folder / "root") == resolve.folder / "modules"
    assert f"there is no directory {resolve.folder}/none" in resolve.why("./none")
    assert "`version` belongs to modules of a registry" in resolve.why("git::https://h.example/q.git", "1.0.0")


def test_a_path_does_not_lead_out_of_its_package(resolve: Cache, registry: Registry) -> None:
    registry.publish("acme/queue/aws", "1.0.0", CODE)
    top = resolve(f"{registry.host}/acme/queue/aws")
    assert isinstance(top, Path)
    assert resolve("./modules/queue", start=top) == top / "modules" / "queue"
    assert resolve("../../modules/queue", start=top / "modules" / "queue") == top / "modules" / "queue"
    assert "leads out of its package" in resolve.why("../..", start=top)
    assert package_of(top / "modules" / "queue", resolve.folder / "cache") == top
    assert package_of(resolve.folder, resolve.folder / "cache") is None


# --- registries ----------------------------------------------------------------------------------------------


def test_a_registry(resolve: Cache, registry: Registry) -> None:
    for each in ("1.0.0", "1.1.0", "2.0.0"):
        registry.publish("acme/queue/aws", each, {"main.tf": each, "modules/queue/main.tf": f"queue {each}"})
    source = f"{registry.host}/acme/queue/aws"
    assert resolve.found(source) == "2.0.0"
    assert resolve.found(source, "~> 1.0") == "1.1.0"
    assert resolve.found(f"{registry.host}/acme/queue/aws//modules/queue", "1.0.0") == "queue 1.0.0"
    assert "has no version of acme/queue/aws that meets '> 3'" in resolve.why(source, "> 3")
    assert "version constraint cannot be read" in resolve.why(source, "latest")
    assert "has no module acme/none/aws" in resolve.why(f"{registry.host}/acme/none/aws")
    assert "the package has no folder modules/none" in resolve.why(f"{source}//modules/none")


def test_what_was_fetched_needs_no_network(resolve: Cache, registry: Registry) -> None:
    registry.publish("acme/queue/aws", "1.0.0", CODE)
    source = f"{registry.host}/acme/queue/aws"
    assert "the network is not to be used" in resolve.why(source, network=False)
    assert registry.asked == []
    assert resolve.found(source) == "# top\n"
    asked = len(registry.asked)
    assert resolve.found(source) == resolve.found(source, network=False) == "# top\n"
    assert len(registry.asked) == asked
    registry.publish("acme/queue/aws", "1.1.0", {"main.tf": "# newer\n"})
    resolve.reach = replace(resolve.reach, fresh=0.0)
    assert resolve.found(source) == "# newer\n"
    registry.asked.clear()
    assert resolve.found(source, "1.0.0") == "# top\n"
    assert [path for path in registry.asked if "archives" in path] == []  # a version is fetched once


def test_a_registry_that_answers_with_a_repository(resolve: Cache, registry: Registry) -> None:
    sha = repository(resolve.folder / "origin", CODE)
    registry.modules["acme/queue/aws"] = {"1.0.0": f"git::file://{resolve.folder}/origin//modules?ref={sha}"}
    assert resolve.found(f"{registry.host}/acme/queue/aws//queue", "1.0.0") == "# queue\n"


def test_a_registry_that_answers_relative_or_in_json(resolve: Cache, registry: Registry) -> None:
    registry.files["/v1/modules/acme/queue/aws/1.0.0/package.tgz"] = archive(CODE)
    registry.modules["acme/queue/aws"] = {"1.0.0": "./package.tgz"}
    assert resolve.found(f"{registry.host}/acme/queue/aws", "1.0.0") == "# top\n"
    registry.publish("acme/other/aws", "1.0.0", CODE)
    told = json.dumps({"location": registry.modules["acme/other/aws"]["1.0.0"]}).encode()
    registry.answers["/v1/modules/acme/other/aws/1.0.0/download"] = (200, {}, told)
    assert resolve.found(f"{registry.host}/acme/other/aws") == "# top\n"


def test_a_private_registry_gets_its_token_and_nobody_else(resolve: Cache, registry: Registry) -> None:
    registry.publish("acme/queue/aws", "1.0.0", CODE)
    web = replace(resolve.reach.web, tokens={registry.host: "s3cr3t"})
    resolve.reach = replace(resolve.reach, web=web)
    resolve.found(f"{registry.host}/acme/queue/aws")
    assert set(registry.authorised) == {"Bearer s3cr3t"}
    registry.authorised.clear()
    resolve.reach = replace(resolve.reach, web=replace(web, tokens={"other.example": "s3cr3t"}), fresh=0.0)
    resolve.found(f"{registry.host}/acme/queue/aws")
    assert set(registry.authorised) == {""}
    assert "s3cr3t" not in repr(resolve.reach)


def test_tokens_of_the_environment() -> None:
    given = {"TF_TOKEN_app_terraform_io": "a", "TF_TOKEN_my__registry_example": "b", "OTHER": "c", "TF_TOKEN_x": ""}
    assert tokens(given) == {"app.terraform.io": "a", "my-registry.example": "b"}


@pytest.mark.parametrize(
    ("path", "answer", "says"),
    [
        ("/.well-known/terraform.json", (404, {}, b""), "is no module registry"),
        ("/.well-known/terraform.json", (200, {}, b"[]"), "is no module registry"),
        ("/.well-known/terraform.json", (200, {}, b'{"modules.v1": 7}'), "is no module registry"),
        ("/.well-known/terraform.json", (200, {}, b'{"modules.v1": "http://h.example/"}'), "not an https:// address"),
        ("/v1/modules/acme/queue/aws/versions", (401, {}, b""), "denies access: give a token in TF_TOKEN_127_0_0_1"),
        ("/v1/modules/acme/queue/aws/versions", (500, {}, b"oops"), "answers 500"),
        ("/v1/modules/acme/queue/aws/versions", (200, {}, b"<html>"), "no list of versions"),
        ("/v1/modules/acme/queue/aws/versions", (200, {}, b"[" * 100_000), "no list of versions"),
        ("/v1/modules/acme/queue/aws/versions", (200, {}, b" " * 9_000_000), "more than 8,000,000 bytes"),
        ("/v1/modules/acme/queue/aws/versions", (200, {"Content-Encoding": "gzip"}, b""), "answers compressed"),
        ("/v1/modules/acme/queue/aws/1.0.0/download", (204, {}, b""), "not where the package is"),
        ("/v1/modules/acme/queue/aws/1.0.0/download", (204, {"X-Terraform-Get": "/etc"}, b""), "names no source"),
        ("/v1/modules/acme/queue/aws/1.0.0/download", (204, {"X-Terraform-Get": "a/b/aws"}, b""), "is no path"),
        ("/v1/modules/acme/queue/aws/1.0.0/download", (204, {"X-Terraform-Get": "file:///etc"}, b""), "over file://"),
    ],
)
def test_registries_that_answer_otherwise(
    path: str, answer: tuple[int, dict[str, str], bytes], says: str, resolve: Cache, registry: Registry
) -> None:
    registry.publish("acme/queue/aws", "1.0.0", CODE)
    registry.answers[path] = answer
    assert says in resolve.why(f"{registry.host}/acme/queue/aws")


def test_a_host_that_nobody_vouches_for(resolve: Cache, registry: Registry) -> None:
    resolve.reach = Reach()
    assert "does not answer: ConnectError" in resolve.why(f"{registry.host}/acme/queue/aws")


# --- archives ------------------------------------------------------------------------------------------------


def zipped(files: dict[str, str], **modes: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive_:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = modes.get(name.replace(".", "_").replace("/", "_"), stat.S_IFREG | 0o644) << 16
            archive_.writestr(info, text, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("tar", "w"), ("tar.gz", "w:gz"), ("tgz", "w:gz"), ("tar.bz2", "w:bz2"), ("tbz2", "w:bz2"), ("txz", "w:xz")],
)
def test_tar_archives(kind: str, mode: str, resolve: Cache, registry: Registry) -> None:
    registry.files[f"/q.{kind}"] = archive(CODE, mode)
    assert resolve.found(f"{registry.url}/q.{kind}//modules/queue") == "# queue\n"
    registry.files["/plain"] = archive(CODE, mode)
    assert resolve.found(f"{registry.url}/plain?archive={kind}") == "# top\n"


def test_zip_archives_and_the_only_folder(resolve: Cache, registry: Registry) -> None:
    registry.files["/q.zip"] = zipped({f"queue-1.0/{name}": text for name, text in CODE.items()})
    assert resolve.found(f"{registry.url}/q.zip//*/modules/queue") == "# queue\n"
    registry.files["/two.zip"] = zipped({"a/x": "", "b/x": ""})
    assert "2 folders where the source's * stands for one" in resolve.why(f"{registry.url}/two.zip//*")


def test_checksums(resolve: Cache, registry: Registry) -> None:
    registry.files["/q.zip"] = zipped(CODE)
    right = hashlib.sha256(registry.files["/q.zip"]).hexdigest()
    assert resolve.found(f"{registry.url}/q.zip?checksum=sha256:{right}") == "# top\n"
    assert resolve.found(f"{registry.url}/q.zip?checksum={right.upper()}") == "# top\n"
    for text, says in (
        (f"sha256:{'0' * 64}", "is not what its checksum says"),
        (f"md5:{right}", "none of md5"),
        ("file:https://h.example/sums", "none of md5"),
        ("sha256:xyz", "none of md5"),
    ):
        assert says in resolve.why(f"{registry.url}/q.zip?checksum={text}")


def entry(name: str, type_: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        one = tarfile.TarInfo(name)
        one.type, one.linkname = type_, target
        tar.addfile(one, io.BytesIO(b""))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (entry("../../evil"), "leads out of it"),
        (entry("/tmp/evil"), "leads out of it"),
        (entry("a/.git/config"), "leads out of it"),
        (entry("evil", tarfile.LNKTYPE, "/etc/passwd"), "a hard link or a device"),
        (entry("evil", tarfile.CHRTYPE), "a hard link or a device"),
        (entry("evil", tarfile.FIFOTYPE), "a hard link or a device"),
        (archive({"a": "1"}, "w")[:512], "cannot be unpacked"),
        (b"<html>", "cannot be unpacked"),
    ],
)
def test_tar_archives_that_are_refused(packed: bytes, says: str, resolve: Cache, registry: Registry) -> None:
    registry.files["/q.tar"] = packed
    assert says in resolve.why(f"{registry.url}/q.tar")
    assert [path for path in resolve.folder.rglob("*") if path.name == "evil" or path.name.startswith("draft-")] == []


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (zipped({"../../evil": ""}), "leads out of it"),
        (zipped({"/tmp/evil": ""}), "leads out of it"),
        (zipped({"a": "", "a/b": ""}), "a file and a folder of one name"),
        (b"PK\x03\x04 nothing", "cannot be unpacked"),
    ],
)
def test_zip_archives_that_are_refused(packed: bytes, says: str, resolve: Cache, registry: Registry) -> None:
    registry.files["/q.zip"] = packed
    assert says in resolve.why(f"{registry.url}/q.zip")


def test_links_in_archives_stay_inside(resolve: Cache, registry: Registry) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, target in (("main.tf", "real.tf"), ("out", "../../../.."), ("etc", "/etc")):
            one = tarfile.TarInfo(name)
            one.type, one.linkname = tarfile.SYMTYPE, target
            tar.addfile(one)
        one = tarfile.TarInfo("real.tf")
        one.size = 1
        tar.addfile(one, io.BytesIO(b"x"))
    registry.files["/q.tar"] = packed.getvalue()
    registry.files["/q.zip"] = zipped(
        {"main.tf": "real.tf", "real.tf": "x", "out": "/etc"}, main_tf=0o120777, out=0o120777
    )
    for kind in ("tar", "zip"):
        place = resolve(f"{registry.url}/q.{kind}")
        assert isinstance(place, Path)
        assert (place / "main.tf").read_text() == "x"
        assert not (place / "out").exists()
        assert "folder out" in resolve.why(f"{registry.url}/q.{kind}//out")


def test_bombs(resolve: Cache, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MAX_BYTES", 1_000_000), ("_SLACK", 0), ("MAX_FILES", 10)):
        monkeypatch.setattr(unpacking, name, value)
    zeros = "0" * 3_000_000
    registry.files["/q.zip"] = zipped({"a": zeros})
    registry.files["/q.tgz"] = archive({"a": zeros})
    registry.files["/many.zip"] = zipped({str(n): "" for n in range(11)})
    registry.files["/many.tgz"] = archive({str(n): "" for n in range(11)})
    for name in ("q.zip", "q.tgz"):
        assert "unpacks into more than 1,000,000 bytes" in resolve.why(f"{registry.url}/{name}")
    for name in ("many.zip", "many.tgz"):
        assert "holds more than 10 files" in resolve.why(f"{registry.url}/{name}")
    assert list(resolve.folder.rglob("draft-*")) == []


# --- pages and redirects -------------------------------------------------------------------------------------


def test_a_page_that_names_the_source(resolve: Cache, registry: Registry) -> None:
    registry.files["/q.zip"] = zipped(CODE)
    registry.answers["/header?terraform-get=1"] = (200, {"X-Terraform-Get": f"{registry.url}/q.zip//modules"}, b"")
    head = f'<html><head><meta name="terraform-get" content="{registry.url}/q.zip"></head>'.encode()
    registry.answers["/meta?terraform-get=1"] = (200, {}, head)
    registry.answers["/circle?terraform-get=1"] = (200, {"X-Terraform-Get": f"{registry.url}/circle"}, b"")
    assert resolve.found(f"{registry.url}/header//queue") == "# queue\n"
    assert resolve.found(f"{registry.url}/meta//modules/queue") == "# queue\n"
    assert "only names another" in resolve.why(f"{registry.url}/circle")
    assert "answers 404 and names no source" in resolve.why(f"{registry.url}/none")


def test_redirects(resolve: Cache, registry: Registry) -> None:
    registry.files["/q.zip"] = zipped(CODE)
    registry.answers["/moved.zip"] = (302, {"Location": "/q.zip"}, b"")
    registry.answers["/plain.zip"] = (302, {"Location": "http://127.0.0.1:1/q.zip"}, b"")
    registry.answers["/circle.zip"] = (302, {"Location": "/circle.zip"}, b"")
    assert resolve.found(f"{registry.url}/moved.zip") == "# top\n"
    assert "http://127.0.0.1:1/q.zip is not an https:// address" in resolve.why(f"{registry.url}/plain.zip")
    assert "redirects more than 5 times" in resolve.why(f"{registry.url}/circle.zip")
    assert "answers 404: there is no such file" in resolve.why(f"{registry.url}/none.zip?X-Signature=s3cr3t")
    host = registry.host
    assert "s3cr3t" not in resolve.why(f"https://me:s3cr3t@{host}/none.zip?X-Signature=s3cr3t")


# --- repositories --------------------------------------------------------------------------------------------


def test_a_repository(resolve: Cache) -> None:
    origin = resolve.folder / "origin"
    repository(origin, CODE)
    git(origin, "tag", "v1")
    commit(origin, {"main.tf": "# two\n"})
    source = f"git::file://{origin}"
    assert resolve.found(source) == "# two\n"
    assert resolve.found(f"{source}?ref=v1") == "# top\n"
    assert resolve.found(f"{source}//modules/queue?ref=v1", network=False) == "# queue\n"
    assert "the network is not to be used" in resolve.why(f"{source}?ref=v2", network=False)
    assert "has no such branch, tag or commit" in resolve.why(f"{source}?ref=v2")
    inside = resolve(f"{source}//modules/queue?ref=v1")
    assert isinstance(inside, Path)
    top = package_of(inside, resolve.folder / "cache")
    assert top == inside.parent.parent
    assert "leads out of its package" in resolve.why("../../..", start=inside)


def test_a_repository_of_this_machine_is_not_read_for_code_that_names_it(resolve: Cache) -> None:
    repository(resolve.folder / "origin", CODE)
    resolve.reach = Reach()
    assert "only https and ssh are spoken" in resolve.why(f"git::file://{resolve.folder}/origin")
    with pytest.raises(SourceError, match="over file://"):
        parse_remote(f"file://{resolve.folder}/origin")


def test_a_cache_that_cannot_be_written(resolve: Cache, registry: Registry) -> None:
    registry.publish("acme/queue/aws", "1.0.0", CODE)
    (resolve.folder / "cache").write_text("a file")
    assert "cannot be used" in resolve.why(f"{registry.host}/acme/queue/aws")
