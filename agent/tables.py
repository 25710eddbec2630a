"""The tables of `driftwarden.toml`: every key, its type and its default.

Hides nothing: what types cannot say is checked where the file is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

_AccountId = Annotated[str, Meta(pattern=r"^(\d{12})?$")]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the configuration."""


class Estate(_Part, frozen=True):
    """What is looked after."""

    name: str = "estate"
    complete: bool = False
    """Whether the stacks are all there are: only then is a resource that none of them declares a violation."""
    known_states: tuple[str, ...] = ()
    """States that are known to exist, whether or not a stack reads them: `s3://bucket/key`."""


class Stack(_Part, frozen=True):
    """A Terraform root module with its state."""

    name: str
    dir: str
    """Path, within `repo` where that is given; or `git::URL//path?ref=…`."""
    state: str = ""
    """Path relative to `dir`, or `s3://bucket/key`; empty: the backend block, else `terraform.tfstate`."""
    account: _AccountId = ""
    """Account of its resources; empty: the account of the credentials."""
    region: str = "us-east-1"
    owner: str = ""
    environment: str = ""
    """What it serves: `production`, `staging`."""
    repo: str = ""
    """URL of the Git repository that `dir` is in; empty: `dir` is on this machine."""
    ref: str = ""
    """Branch, tag or commit that is declared; empty: the repository's default branch."""
    key: str = ""
    """File of a read-only deploy key; empty: the credentials Git finds by itself."""
    commit: Annotated[str, Meta(pattern=r"^([0-9a-f]{7,64})?$")] = ""
    """Commit that was last applied, where neither state nor pipeline tells."""
    workspace: str = ""
    """Terraform workspace; empty: the one selected in `dir`, else `default`."""
    var_files: tuple[str, ...] = ()
    """Files of variables besides those Terraform reads by itself, relative to `dir`, in order."""
    vars: dict[str, Any] = {}
    """Variables, as `-var` gives them: they win."""
    backend_config: tuple[str, ...] = ()
    """What `terraform init -backend-config` is given: files relative to `dir`, or `key=value`."""
    plan: str = ""
    """Plan as JSON (`terraform show -json`), relative to `dir`, read in place of the code."""
    hcl: bool = True
    """Whether there is code to read. Without, state is compared with live, and what is not applied is not known."""
    mode: Literal["", "observe", "file"] = ""
    """Whether cases about it are filed; empty: as `[tickets] mode` says."""
    schedule: str = ""
    """When the daemon scans it by itself, as in `[schedule]`; empty: only with the whole estate."""


class Account(_Part, frozen=True):
    """An AWS account to read, and with which credentials."""

    id: _AccountId = ""
    """Expected account id; empty: whatever the credentials belong to."""
    regions: Annotated[tuple[str, ...], Meta(min_length=1)] = ("us-east-1",)
    profile: str = ""
    role_arn: str = ""
    external_id: str = ""
    environment: str = ""
    """What it serves: `production`, `staging`."""


class TrailSource(_Part, frozen=True):
    """Where CloudTrail events come from."""

    source: str | tuple[str, ...] = "lookup"
    """One or several of `lookup` (LookupEvents), `s3://bucket/prefix`, `s3-notifications:QUEUE-URL` (the bucket's
    notifications, straight or through SNS), `eventbridge:QUEUE-URL`, and a directory of log files."""
    lookback: str = "7d"
    """How far back a scan looks; the verdicts of that long are re-evaluated."""
    keep: str = "90d"
    """How long what was read of the trail is kept."""
    validate: bool = False
    """Whether log files in S3 are checked against CloudTrail's digests; every file is then fetched once more."""

    @property
    def sources(self) -> tuple[str, ...]:
        """`source`, however it was written."""
        return (self.source,) if isinstance(self.source, str) else self.source


class PipelineConfig(_Part, frozen=True):
    """A trusted deployer. The role alone is no proof: one of the others must be given."""

    name: str
    role: str
    subject: str = ""
    source_identity: str = ""
    source_ips: tuple[str, ...] = ()
    service: Annotated[str, Meta(pattern=r"^([a-z0-9.-]+\.amazonaws\.com(\.cn)?)?$")] = ""
    """AWS service that STS issues the role to: `codedeploy.amazonaws.com`."""


PathName = Literal["pipeline", "manual", "standing", "emergency"]
TestName = Literal[
    "actor",
    "pipeline",
    "ticket",
    "state",
    "window",
    "scope",
    "implementer",
    "separation",
    "content",
    "permitted",
    "review",
    "checks",
    "freeze",
    "breakglass",
]
"""The paths and tests of `agent.authorise`; a test holds the two together."""
RoleName = Literal["documenter", "reviewer", "approver", "admin"]


class PolicyConfig(_Part, frozen=True):
    """Which tests are required where. Of several that fit a change the first counts."""

    environments: tuple[str, ...] = ("*",)
    types: tuple[str, ...] = ("*",)
    """Resource types, wildcards."""
    risks: tuple[Literal["*", "low", "medium", "high"], ...] = ("*",)
    paths: dict[PathName, tuple[TestName, ...]] = {}
    """Path → required tests; a path left out keeps its default, an empty list closes it."""
    approvals: Annotated[int, Meta(ge=0)] | None = None
    """At least so many; left out: as the risk asks."""


class EmergencyRoleConfig(_Part, frozen=True):
    """A role that is for emergencies alone."""

    name: str
    role: str
    """Wildcard over the role's ARN."""


class BreakglassConfig(_Part, frozen=True):
    """The emergency path."""

    document_within: str = "24h"
    """How long after the last call of a session its document may take."""
    remind: tuple[str, ...] = ("12h", "2h")
    """How long before the deadline reminders are sent."""
    offline_within: str = "24h"
    """How much later than it was signed a statement may arrive and still count from then."""
    longest: str = "12h"
    """How long a window declared ahead may last."""


class AuthorityConfig(_Part, frozen=True):
    """What makes a change authorised."""

    pipeline: tuple[PipelineConfig, ...] = ()
    people: dict[str, str] = {}
    """AWS principal (name, or wildcard over the ARN) → user in the ticket system."""
    paths: dict[PathName, tuple[TestName, ...]] = {}
    """Path → required tests; a path left out keeps its default, an empty list closes it."""
    policy: tuple[PolicyConfig, ...] = ()
    emergency: tuple[EmergencyRoleConfig, ...] = ()
    breakglass: BreakglassConfig = BreakglassConfig()
    approved_states: tuple[str, ...] = ("approved", "scheduled", "implement", "implementing", "in progress")
    done_states: tuple[str, ...] = ("implemented", "review", "closed", "done", "resolved", "complete")
    """States that say a ticket's change was made."""
    approvals: Annotated[int, Meta(ge=0)] = 1
    """At least so many, whatever the risk asks."""
    risk: bool = True
    """Whether changes are scored by `rules/risk.yaml`, and approvals follow."""
    tolerance: str = "0m"
    grace: str = "15m"
    ticket_patterns: tuple[str, ...] = ()
    """Regular expressions a ticket reference matches; empty: the built-in ones."""
    permitted: dict[str, tuple[str, ...]] = {}
    """Environment (wildcard) → groups of the identity map that may change it; empty: not asked."""
    calendars: tuple[str, ...] = ()
    """Change freezes: `freeze.ics`, or `ssm:NAME` for an SSM Change Calendar."""
    plans: str = ""
    """Folder of approved plans as JSON, which tickets name by fingerprint; empty: none."""
    standing: str = ""
    """Folder of pre-approved changes, one YAML file each; empty: none."""
    environment_tag: str = "Environment"
    """Tag that may raise a resource to production."""
    production: tuple[str, ...] = ("production", "prod")
    """What production is called."""
    signers: str = ""
    """`allowed_signers` file of ssh-keygen: whose signatures count; empty: nobody's."""
    roles: dict[RoleName, tuple[str, ...]] = {}
    """Role → people (ids of the identity map) and `group:NAME`."""


class ExceptionsConfig(_Part, frozen=True):
    """Governed permissions to differ."""

    dir: str = "exceptions"
    """Folder of YAML files, under version control."""
    longest: str = "90d"
    """How long one may last."""


class BaselineConfig(_Part, frozen=True):
    """Drift that was there when the estate was adopted."""

    dir: str = "baseline"
    """Folder of YAML files, under version control."""
    longest: str = "365d"
    """How long one may last."""


class IdentitiesConfig(_Part, frozen=True):
    """Who is who: which principals are which people, and what accounts are called."""

    file: str = ""
    """A YAML file of people and accounts; it wins over AWS."""
    identity_center: Annotated[
        str, Meta(pattern=r"^(auto|d-[0-9a-f]{10}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$")
    ] = ""
    """Id of an IAM Identity Center's identity store, or `auto` for the only one there is."""
    organizations: bool = False
    """Whether Organizations is asked for the names of accounts."""
    region: str = ""
    """Region of Identity Center; empty: the first of the first account."""
    role_arn: str = ""
    """Role to ask both with, in the management or the delegated account; empty: the first account's credentials."""


class TicketsConfig(_Part, frozen=True):
    """Where authority is looked up, and where cases are filed. Each system has a table `[tickets.NAME]` of its own."""

    file_to: str = ""
    """The system that gets the cases; empty: the only one configured."""
    mode: Literal["observe", "file"] = "observe"
    """`observe`: found and reported, nothing filed."""
    systems: dict[str, Any] = {}
    """Name → its table, of the type `Settings` in the system's file; taken out of the file by `load`."""


class StoreConfig(_Part, frozen=True):
    """Where driftwarden keeps what it knows."""

    url: str = "sqlite:///driftwarden.db"
    """`sqlite:///path`, the path relative to the configuration, or `postgresql://…`."""
    key: str = "driftwarden.key"
    """File of the install key that seals sensitive values; made when missing. Keep it apart from the store."""
    cache: str = ".driftwarden-cache"
    """Folder of parsed configuration files, so that what did not change is not parsed again. Safe to delete."""


class ReportConfig(_Part, frozen=True):
    """Where reports are written, and whom the weekly one is sent to."""

    dir: str = "reports"
    to: tuple[str, ...] = ()
    """E-mail addresses; empty: it is written and not sent."""


class SmtpConfig(_Part, frozen=True):
    """How e-mail is sent."""

    host: str = ""
    """Empty: no e-mail."""
    port: Annotated[int, Meta(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`none` is for a relay on this machine."""
    user: str = ""
    password: str = ""
    sender: str = ""
    """Address it comes from; empty: `driftwarden@` and the name of this machine."""


class DaemonConfig(_Part, frozen=True):
    """`driftwarden daemon`."""

    socket: str = "driftwarden.sock"
    """Unix socket through which people reach the daemon; empty: none."""
    people: dict[str, str] = {}
    """Unix user, or `uid:1001`, → id in the identity map."""
    listen: str = "127.0.0.1:9464"
    """Loopback address of `/healthz`, `/readyz` and `/metrics`; empty: none."""
    grace: str = "30s"
    """How long running work may take after SIGTERM before it is killed."""
    heartbeat: str = ""
    """URL of a dead man's switch, asked for after each scan of the estate that ended; empty: none."""
    log: Literal["debug", "info", "warning"] = "info"
    """The least that is logged."""


class ScheduleConfig(_Part, frozen=True):
    """When the daemon does what: every so long (`6h`), or the five fields of cron (`0 8 * * mon`)."""

    timezone: str = "UTC"
    """Time zone of cron fields: `Europe/Berlin`."""
    jitter: str = "2m"
    """Up to so much later, differently for each job."""
    scan: str = "6h"
    """The whole estate."""
    trail: str = "5m"
    """What the trail brought is judged, and what it touched read again."""
    reevaluate: str = "1h"
    """Open findings are read and judged again: tickets come late."""
    remind: str = "15m"
    """Replies are read, emergencies reminded of."""
    report: str = "0 8 * * mon"
    """The weekly report."""
    backup: str = "0 3 * * *"
    """Backups, where `[backup] dir` is given."""
    prune: str = "30 3 * * *"
    """What is kept longer than `[retention]` asks, evidence never."""


class RetentionConfig(_Part, frozen=True):
    """How long the store keeps what; `[trail] keep` says it of the trail."""

    evidence: str = "2557d"
    """Ledger, verdicts and their grounds, cases, declarations: seven years. Only two people together remove it."""
    scans: str = "400d"
    """Documents of scans."""
    work: str = "30d"
    """What is of use to nobody but driftwarden: units of scans, deliveries that arrived, runs of jobs."""


class BackupConfig(_Part, frozen=True):
    """Copies of store and keys."""

    dir: str = ""
    """Folder; empty: none are made by themselves."""
    keep: Annotated[int, Meta(ge=1)] = 14
    """The newest so many stay."""


class RulesConfig(_Part, frozen=True):
    """Rules besides those that ship."""

    dirs: tuple[str, ...] = ()
    enforce: tuple[str, ...] = ()
    """Rules, by id or wildcard, that are enforced though they ship as `observe`."""
    observe: tuple[str, ...] = ()
    """Rules that are only observed though they ship as `enforce`: told, and no case and no exit code."""


class Config(_Part, frozen=True):
    """The whole configuration, checked; paths as written, relative to `base`."""

    estate: Estate = Estate()
    stack: tuple[Stack, ...] = ()
    account: Annotated[tuple[Account, ...], Meta(min_length=1)] = (Account(),)
    trail: TrailSource = TrailSource()
    authority: AuthorityConfig = AuthorityConfig()
    identities: IdentitiesConfig = IdentitiesConfig()
    tickets: TicketsConfig = TicketsConfig()
    exceptions: ExceptionsConfig = ExceptionsConfig()
    baseline: BaselineConfig = BaselineConfig()
    store: StoreConfig = StoreConfig()
    report: ReportConfig = ReportConfig()
    rules: RulesConfig = RulesConfig()
    smtp: SmtpConfig = SmtpConfig()
    daemon: DaemonConfig = DaemonConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    retention: RetentionConfig = RetentionConfig()
    backup: BackupConfig = BackupConfig()

    base: str = ""
    """Directory of the file; set by `load`."""
    origin: str = ""
    """Name of the file in it; set by `load`."""
    sha256: str = ""
    """Digest of the file's bytes; set by `load`."""

    def path(self, name: str) -> Path:
        """A path of the configuration, relative to the file it stands in."""
        return Path(self.base) / name

    def store_url(self) -> str:
        """The store's URL, a SQLite path made absolute."""
        scheme, found, path = self.store.url.partition(":///")
        return f"{scheme}:///{self.path(path)}" if found and scheme == "sqlite" else self.store.url
