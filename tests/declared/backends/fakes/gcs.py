"""Google Cloud Storage's JSON interface as far as reading objects and their generations goes."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from fakes.server import Reply, Request

BEGAN = datetime(2026, 1, 2, tzinfo=UTC)


class Gcs:
    """One bucket, `states`, with versioning."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.objects: dict[str, list[bytes]] = {}
        self.keys: set[str] = set()
        """Customer-supplied keys that were given."""

    def reply(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return (
                401 if "authorization" not in request.headers else 403,
                {},
                b'{"error": {"message": "Invalid Credentials"}}',
            )
        self.keys.add(request.headers.get("x-goog-encryption-key", ""))
        bucket, _, name = request.path.removeprefix("/storage/v1/b/").partition("/o")
        if bucket != "states":
            return 404, {}, b'{"error": {"message": "bucket"}}'
        if not name:
            return self.listed(request)
        # An object's name is one segment, its slashes escaped.
        assert request.target.partition("?")[0].count("/") == 6
        generations = self.objects.get(name.removeprefix("/"), [])
        number = int(request.query.get("generation") or len(generations))
        if not 0 < number <= len(generations):
            return 404, {}, b"No such object"
        assert request.query["alt"] == "media"
        when = format_datetime(BEGAN + timedelta(minutes=number), usegmt=True)
        return 200, {"x-goog-generation": str(number), "Last-Modified": when}, generations[number - 1]

    def listed(self, request: Request) -> Reply:
        """Pages of two, oldest first."""
        every = [
            {
                "name": name,
                "generation": str(number),
                "updated": (BEGAN + timedelta(minutes=number)).isoformat().replace("+00:00", "Z"),
                "size": str(len(data)),
            }
            for name, generations in sorted(self.objects.items())
            if name.startswith(request.query["prefix"])
            for number, data in enumerate(generations, 1)
        ]
        begin = int(request.query.get("pageToken") or 0)
        page: dict[str, object] = {"items": every[begin : begin + 2]}
        if begin + 2 < len(every):
            page["nextPageToken"] = str(begin + 2)
        return 200, {}, json.dumps(page).encode()
