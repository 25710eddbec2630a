"""Sessions with AWS, however many accounts they are for.

Hides that they share what botocore knows of the services. A session that reads it for itself takes another 37 MB for
six services, and half a second of processor time (botocore 1.44, measured 2026-11-27).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import boto3
import botocore.session
from botocore.loaders import Loader

_LOCK = threading.Lock()
_loaders: list[Loader] = []
"""The one of all sessions, once there is a session."""


def opened(
    region: str | None = None, *, profile: str | None = None, issued: Mapping[str, str] | None = None
) -> boto3.Session:
    """A session with the credentials in `issued` (`AccessKeyId`, `SecretAccessKey` and, of a role, `SessionToken`), of
    the profile, or, with neither, with those that boto3 finds.

    May be called by several threads. Raises botocore's ProfileNotFound.
    """
    given = issued or {}
    with _LOCK:
        bare = botocore.session.get_session()
        if _loaders:
            bare.register_component("data_loader", _loaders[0])
        else:
            _loaders.append(bare.get_component("data_loader"))
        session = boto3.Session(
            given.get("AccessKeyId"),
            given.get("SecretAccessKey"),
            given.get("SessionToken"),
            region_name=region,
            botocore_session=bare,
            profile_name=profile,
        )
        bare.get_scoped_config()  # tells of a profile that is not there
        paths = _loaders[0].search_paths
        paths[:] = dict.fromkeys(paths)  # each session of boto3 adds its own once more
    return session
