"""A registry's module and version constraint → where its package is.

Hides the registry protocol (https://developer.hashicorp.com/terraform/internals/module-registry-protocol).
"""

from __future__ import annotations

from urllib.parse import urljoin

import msgspec

from agent.clean import clean
from agent.declared.module_sources.address import RegistryModule, SourceError
from agent.declared.module_sources.constraints import ConstraintError, Version, constraints, newest
from agent.declared.module_sources.web import Web, shown


class _Published(msgspec.Struct):
    version: str


class _Module(msgspec.Struct):
    versions: tuple[_Published, ...] = ()


class _Versions(msgspec.Struct):
    modules: tuple[_Module, ...] = ()


class _Location(msgspec.Struct):
    location: str = ""


# Before threads are: where two decode a type for the first time at once, msgspec 0.22 crashes.
_VERSIONS, _LOCATION = msgspec.json.Decoder(_Versions), msgspec.json.Decoder(_Location)


def published(module: RegistryModule, web: Web) -> tuple[str, ...]:
    """Every version of a module. Raises `SourceError`."""
    url = f"{_service(module, web)}{_path(module)}/versions"
    status, _, body = web.get(url)
    if status == 404:
        raise SourceError(f"the registry {module.host} has no module {_path(module)}")
    if status in (401, 403):
        raise SourceError(f"the registry {module.host} denies access: give a token in {_variable(module.host)}")
    if status != 200:
        raise SourceError(f"{shown(url)} answers {status}")
    try:
        answer = _VERSIONS.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise SourceError(f"{shown(url)} answers what is no list of versions") from None
    return tuple(each.version for one in answer.modules for each in one.versions)


def chosen(module: RegistryModule, constraint: str, versions: tuple[str, ...]) -> Version:
    """The version that `terraform init` would take of these. Raises `SourceError`."""
    try:
        found = newest(versions, constraints(constraint))
    except ConstraintError as error:
        raise SourceError(str(error)) from None
    if found is None:
        raise SourceError(
            f"the registry {module.host} has no version of {_path(module)} that meets {clean(constraint, 80)!r}"
        )
    return found


def location(module: RegistryModule, version: Version, web: Web) -> str:
    """Where the package of a version is, as an address to fetch from. Raises `SourceError`."""
    url = f"{_service(module, web)}{_path(module)}/{version}/download"
    status, headers, body = web.get(url)
    found = headers.get("x-terraform-get", "")
    if not found and status == 200:
        try:
            found = _LOCATION.decode(body).location
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            found = ""
    if status not in (200, 204) or not found:
        raise SourceError(f"{shown(url)} answers {status} and not where the package is")
    return urljoin(url, found) if found.startswith(("/", "./", "../")) else found


def _service(module: RegistryModule, web: Web) -> str:
    """The address below which the registry's modules are, with a slash at the end."""
    url = f"https://{module.host}/.well-known/terraform.json"
    status, _, body = web.get(url)
    try:
        told = msgspec.json.decode(body, type=dict[str, msgspec.Raw]) if status == 200 else {}
        path = msgspec.json.decode(told["modules.v1"], type=str) if "modules.v1" in told else ""
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        path = ""
    if not path:
        raise SourceError(f"{module.host} is no module registry: {shown(url)} names no modules.v1")
    return urljoin(url, path).rstrip("/") + "/"


def _path(module: RegistryModule) -> str:
    return f"{module.namespace}/{module.name}/{module.system}"


def _variable(host: str) -> str:
    return "TF_TOKEN_" + host.replace("-", "__").replace(".", "_")
