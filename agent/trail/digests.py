"""A trail's digest files: what proves that its log files are all there and unaltered, and where that proof fails.

Hides how chains are walked, forward and in steps: each digest once, each log file once, and nothing twice after a
break. Not looked for: a log file that no digest lists, and what lies in a bucket that a trail had before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Protocol

from agent.model import Gap, GapCause, Scope
from agent.trail.digest_bucket import ALTERED, FAILED, GONE, STAMP, DigestBucket, Got, Place, UnsettledError, ends
from agent.trail.digest_chain import Found, Link, UnreadableError, follows, proof
from agent.trail.source import EVERYWHERE, LOOKBACK, TYPE, Checkpoint, Delivery, Feed, Window

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_VERSION = 1
_STEP = 24  # digests of one delivery: a day of one region
_AHEAD = 4  # digests fetched while one is looked at
_NAMED = 5  # log files named in one gap
_HOURLY = timedelta(hours=4)  # a digest is written every hour: after four, something is wrong and not only late
_RESUMED = timedelta(days=30)  # a chain that ended so long before the interval is not taken up again
_REFUSED = 50  # refused digests remembered of one chain


class CloudTrail(Protocol):
    """The one operation of a boto3 `cloudtrail` client that is used."""

    def list_public_keys(self, **arguments: Any) -> Mapping[str, Any]:
        """One page of the region's public keys: `Fingerprint`, `Value` (DER)."""


FEED = "digests"
"""How the name of this feed begins."""


def feed(
    client: S3Client,
    cloudtrail: Callable[[str], CloudTrail],
    bucket: str,
    prefix: str = "",
    *,
    accounts: Collection[str] = (),
    regions: Collection[str] = (),
    workers: int = 16,
) -> Feed:
    """Gaps that digests below `prefix` (what stands before `AWSLogs/`) tell of, in these accounts and regions.

    No records come of it. `cloudtrail` gives the client of a region, for its public keys. `client` should allow
    `workers` connections. A shard is one trail of one account and region; `verified` reads its checkpoints.
    """
    top = f"{prefix.strip('/')}/AWSLogs/".lstrip("/")

    def deliveries(window: Window) -> Iterator[Delivery]:
        with ThreadPoolExecutor(workers, thread_name_prefix="trail-digests") as pool:
            reading = _Reading(DigestBucket(client, bucket), pool, _Keys(cloudtrail), window)
            places: list[Place] = []
            try:
                places = list(reading.bucket.places(top, accounts, regions))
            except UnsettledError as error:
                yield Delivery((Gap(EVERYWHERE, f"digests: {error}"),))
            chains: dict[Place, list[_Chain]] = {}
            for place in places:
                yield from reading.region(place, chains)
            if unproven := tuple(reading.unproven(chains)):
                yield Delivery(unproven)

    return Feed(f"{FEED} s3://{bucket}/{top}", deliveries)


def verified(checkpoints: Mapping[str, Checkpoint]) -> Mapping[tuple[str, str], datetime]:
    """(account, region) → until when digests prove its log files, but for the gaps that were told.

    `checkpoints` are those of this feed, by shard.
    """
    found: dict[tuple[str, str], datetime] = {}
    for shard, checkpoint in checkpoints.items():
        known = _resumed(shard, checkpoint)
        if known is not None and known.last is not None:
            at = (known.place.account, known.place.region)
            found[at] = max(found.get(at, known.last.end), known.last.end)
    return found


# --- one chain and its checkpoint ----------------------------------------------------------------------------


@dataclass(slots=True)
class _Chain:
    """One trail's digests of one account and region, and how far they were walked."""

    place: Place
    trail: str
    shard: str
    keys: list[str] = field(default_factory=list)
    """In the bucket and not dealt with, oldest first."""
    last: Link | None = None
    """The last digest that was verified."""
    refused: list[str] = field(default_factory=list)
    """Keys of later digests that were not believed: they were told."""

    @property
    def checkpoint(self) -> Checkpoint:
        found: dict[str, Any] = {
            "version": _VERSION,
            "account": self.place.account,
            "region": self.place.region,
            "home": self.place.home,
            "trail": self.trail,
            "refused": self.refused,
        }
        if self.last is not None:
            end = self.last.end.isoformat()
            found["last"] = [self.last.key, self.last.sha256, self.last.signature, end]
        return found

    def gap(self, cause: GapCause, why: str) -> Gap:
        return Gap(self.place.scope(self.trail), f"trail {self.trail}: {why}", cause=cause)

    def refuse(self, key: str, why: str) -> Gap:
        """This digest is not believed, and so nothing is that it would have proven."""
        self.refused = [*self.refused, key][-_REFUSED:]
        since = f"{self.last.end:%FT%TZ}" if self.last is not None else "the digest before it"
        return self.gap("tampered", f"{why}; nothing proves the log files from {since} to {ends(key)}Z")

    def verify(self, link: Link) -> None:
        """The chain reaches to this digest."""
        self.last = link
        self.refused = [key for key in self.refused if ends(key) > ends(link.key)]

    def reach(self, now: datetime) -> str:
        """Until when it goes, verified or not; what claims to be of the future must be verified to count."""
        claimed = (end for key in (*self.keys, *self.refused) if (end := ends(key)) <= f"{now:{STAMP}}")
        return max((*claimed, ends(self.last.key) if self.last is not None else ""))


def _resumed(shard: str, checkpoint: Checkpoint) -> _Chain | None:
    """A chain as its checkpoint left it; None for a checkpoint that is none of ours."""
    texts = [checkpoint.get(name) for name in ("account", "region", "home", "trail")]
    account, region, home, trail = (text if isinstance(text, str) else "" for text in texts)
    last, refused = checkpoint.get("last"), checkpoint.get("refused")
    if checkpoint.get("version") != _VERSION or not (account and region and trail):
        return None
    found = _Chain(Place(account, region, home), trail, shard)
    found.refused = [key for key in refused if isinstance(key, str)] if isinstance(refused, list) else []
    if last is None:
        return found
    if not isinstance(last, list) or len(last) != 4 or not all(isinstance(text, str) for text in last):
        return None
    try:
        end = datetime.fromisoformat(last[3])
    except ValueError:
        return None
    found.last = Link(last[0], last[1], last[2], end)
    return found if end.tzinfo is not None else None


class _Keys:
    """Public keys by region and fingerprint, each asked for once."""

    def __init__(self, client: Callable[[str], CloudTrail]) -> None:
        self._client = client
        self._known: dict[tuple[str, str], bytes | None] = {}

    def of(self, region: str, found: Found) -> bytes | None:
        """The key a digest says it is signed with; None: AWS lists none. Raises `UnsettledError`."""
        at = (region, found.digest.fingerprint)
        if at not in self._known:
            try:
                keys = self._listed(region, found.start, found.end)
            except FAILED as error:
                raise UnsettledError(f"ListPublicKeys in {region}: {error}") from error
            self._known |= {at: None} | {(region, fingerprint): key for fingerprint, key in keys.items()}
        return self._known[at]

    def _listed(self, region: str, start: datetime, end: datetime) -> dict[str, bytes]:
        """Keys whose digests may be of this time."""
        found: dict[str, bytes] = {}
        more: dict[str, Any] = {}
        while True:
            page = self._client(region).list_public_keys(StartTime=start, EndTime=end, **more)
            found |= {str(key.get("Fingerprint")): key.get("Value", b"") for key in page.get("PublicKeyList", ())}
            token = page.get("NextToken")
            if not token or token == more.get("NextToken"):
                return found
            more = {"NextToken": token}


# --- the walk ------------------------------------------------------------------------------------------------


class _Reading:
    """One reading of the bucket."""

    def __init__(self, bucket: DigestBucket, pool: ThreadPoolExecutor, keys: _Keys, window: Window) -> None:
        self.bucket = bucket
        self._pool = pool
        self._keys = keys
        self._window = window
        self._since = window.start - LOOKBACK

    def region(self, place: Place, chains: dict[Place, list[_Chain]]) -> Iterator[Delivery]:
        """Everything the region's digests tell; its chains are put into `chains`."""
        try:
            chains[place] = self._chains(place)
        except UnsettledError as error:
            yield Delivery((Gap(place.scope(), f"digests: {error}"),))
            return
        for one in chains[place]:
            yield from self._walk(one)

    def _chains(self, place: Place) -> list[_Chain]:
        """The chains of a region, each with its digests that were not dealt with yet, oldest first."""
        chains: dict[str, _Chain] = {}
        for shard, checkpoint in self._window.checkpoints.items():
            known = _resumed(shard, checkpoint)
            if known is not None and known.place == place:
                old = known.last is not None and known.last.end < self._since - _RESUMED
                chains |= {} if old else {shard: known}
        since = min([self._since, *(one.last.end for one in chains.values() if one.last is not None)])
        for digest in self.bucket.digests(place, since):
            shard = f"{place.account}/{place.region}/{digest.home}/{digest.trail}"
            one = chains.setdefault(shard, _Chain(place, digest.trail, shard))
            reached = ends(one.last.key) if one.last is not None else f"{self._since:{STAMP}}"
            if digest.ends > reached and digest.key not in one.refused:
                one.keys.append(digest.key)
        return sorted(chains.values(), key=lambda one: one.shard)

    def _walk(self, one: _Chain) -> Iterator[Delivery]:
        told: list[Gap] = []
        passing: tuple[Gap, ...] = ()
        pairs = pairwise(chain(self._fetched(one.keys), (None,)))
        for number, (got, after) in enumerate(pairs, 1):
            try:
                told += self._checked(one, got, after) if got is not None else ()
            except UnsettledError as error:
                passing = (one.gap(error.cause, f"not verified: {error}"),)
                break
            if number % _STEP == 0:
                yield Delivery((), one.shard, one.checkpoint, tuple(told))
                told = []
        if one.keys:
            yield Delivery(passing, one.shard, one.checkpoint, tuple(told))

    def _fetched(self, keys: list[str]) -> Iterator[Got]:
        """The digests in order, a few of them on their way."""
        flying: deque[Future[Got]] = deque()
        for key in keys:
            flying.append(self._pool.submit(self.bucket.digest, key))
            if len(flying) > _AHEAD:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()

    def _checked(self, one: _Chain, got: Got, after: Got | None) -> list[Gap]:
        """What a digest tells; it is the chain's last one from then on, or refused. Raises `UnsettledError`."""
        key, found = got
        if isinstance(found, UnsettledError):
            raise found
        if isinstance(found, UnreadableError):
            return [one.refuse(key, f"digest {self.bucket.url(key)} is not as CloudTrail wrote it: {found}")]
        public = self._keys.of(one.place.region, found)
        named_by = after[1] if after is not None and isinstance(after[1], Found) else None
        signature = proof(found, public, named_by) if public is not None else None
        if signature is None:
            flaw = "signed with a key that AWS does not list" if public is None else "its signature does not verify"
            why = f"digest {self.bucket.url(key)}: {flaw}"
            if after is None:  # the digest after it will repeat its signature
                raise UnsettledError(why, "tampered")
            return [one.refuse(key, why)]
        gaps = [*self._before(one, found), *self._logs(one, found)]
        one.verify(Link(key, found.sha256, signature, found.end))
        return gaps

    def _before(self, one: _Chain, found: Found) -> list[Gap]:
        """What lies between the last verified digest and this one, which is verified too."""
        digest, last, start = found.digest, one.last, f"{found.start:%FT%TZ}"
        since = f"from {last.end:%FT%TZ} " if last is not None else ""
        previous = digest.previous_key or ""
        if digest.begins:
            if last is None and not self._logged_before(one.place, found.start):
                return []
            why = "logging or log file validation was off: no digest covers what was delivered"
            return [one.gap("stopped", f"{why} {since}until {start}")]
        if previous in one.refused or (last is None and ends(previous) <= f"{self._since:{STAMP}}"):
            return []
        if digest.previous_bucket != self.bucket.name:
            why = f"the digest before {start} lies in bucket {digest.previous_bucket}, which is not read"
            return [one.gap("unreadable", why)]
        url = self.bucket.url(previous)
        if last is not None and previous == last.key:
            changed = f"digest {url} is not the one that the digest after it names"
            return [] if follows(digest, last) else [one.gap("tampered", changed)]
        why = f"digest {url} is missing, and the digest after it names it; nothing proves the log files"
        return [one.gap("tampered", f"{why} {since}until {start}")]

    def _logged_before(self, place: Place, start: datetime) -> bool:
        """Whether the interval has log files that the region's first digest cannot cover."""
        first = self.bucket.first_log(place, self._since)
        return bool(first) and first < f"{start - timedelta(hours=1):{STAMP}}"

    def _logs(self, one: _Chain, found: Found) -> list[Gap]:
        """Of the log files a digest lists: the missing, the altered, and those that could not be checked."""
        files = found.digest.log_files
        flaws: dict[str, list[str]] = {}
        for file, flaw in zip(files, self._pool.map(self.bucket.flaw, files), strict=True):
            if flaw:
                flaws.setdefault(flaw, []).append(file.key.rsplit("/", 1)[-1])
        gaps = []
        for flaw, names in sorted(flaws.items()):
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            span = f"{found.start:%FT%TZ} to {found.end:%FT%TZ}"
            why = f"{len(names)} of the {len(files)} log files delivered from {span}: {flaw}"
            cause: GapCause = "tampered" if flaw in (GONE, ALTERED) else "unreadable"
            gaps.append(one.gap(cause, f"{why}: {', '.join(names[:_NAMED])}{more}"))
        return gaps

    # --- what no digest covers -------------------------------------------------------------------------------

    def unproven(self, chains: Mapping[Place, list[_Chain]]) -> Iterator[Gap]:
        """Regions whose digests stopped, and those that have log files and never had a digest."""
        now = self._window.end
        late = f"{now - _HOURLY:{STAMP}}"
        reaches = {place: max((one.reach(now) for one in found), default="") for place, found in chains.items()}
        bare: list[Place] = []
        for place, reach in reaches.items():
            if reach:
                why = f"no digest since {reach}Z: logging or log file validation is off, or digests are missing"
                yield from [Gap(place.scope(), why, cause="stopped")] if reach < late else ()
                continue
            try:
                first = self.bucket.first_log(place, self._since)
            except UnsettledError as error:
                yield Gap(place.scope(), f"digests: {error}")
                continue
            bare += [place] if first and first < late else []
        yield from _bare(bare, {place.account for place, reach in reaches.items() if reach})


def _bare(places: Collection[Place], proven: Collection[str]) -> Iterator[Gap]:
    """Log file validation is off: told once for an account without digests, and once where none has any."""
    why = "log file validation is off: nothing proves that log files are complete and unaltered"
    scopes = {place.scope() if place.account in proven else Scope(place.account, type=TYPE) for place in places}
    found = scopes if proven else {EVERYWHERE} if places else set()
    yield from (Gap(scope, why, cause="narrowed") for scope in sorted(found, key=str))
