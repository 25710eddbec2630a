"""One scan, as the command line and every later caller run it: collect → line → store → file.

Runs in the child process that `child.py` starts. Hides the install key, and that of a scan that did not reach its end
nothing is kept.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent import ticketing
from agent.child import EXIT, FENCED, MISUSE, signs
from agent.clean import clean
from agent.collect import Sessions, read_people
from agent.config import Config, ConfigError, duration, load, reading
from agent.gather import Progress, gather, late_of
from agent.gather.conclude import Done, Scene, conclude, file, filed, heard_now, looked, scene
from agent.gather.focused import Asked, Place, asked_of, ingested, opened, pool
from agent.gather.means import Means
from agent.gather.unjudged import Unjudged
from agent.heard import Heard
from agent.judge import Rule
from agent.resources import load as load_specs
from agent.rules import RuleError, load_rules, ruleset_sha256, staged
from agent.store import Fenced, Store, StoreError, connect, schedules
from agent.trail.coverage import CONTROLS
from agent.upkeep.keys import KEY_BYTES, install_key, key_of

__all__ = ["KEY_BYTES", "Done", "TrailUnreadError", "install_key", "means_of", "polled", "run", "run_look"]

QUIET = timedelta(minutes=10)
"""So often it is written down that a look at the trail found nothing new; see `report.weekly.checked`."""


class TrailUnreadError(Exception):
    """A look at the trail had nothing new to judge, and not all of the trail could be read."""


def run(
    config: Config, *, fence: int | None = None, dry_run: bool = False, progress: Progress = lambda _: None
) -> Done:
    """One scan of the whole estate in this process. With `dry_run` its plan is worked out and nothing of it is kept or
    filed. `fence`: the number of the leader this runs for.

    Raises ConfigError, RuleError and StoreError: what no scan can begin with.
    """
    means = means_of(config)
    with connect(config.store_url(), fence=fence) as store, scene(config, means, store, not dry_run, progress) as at:
        if not dry_run:
            _note_schedule(at)
        return _whole(at, dry_run, fence is not None)


def run_look(
    config: Config, asked: Asked, *, fence: int | None = None, progress: Progress = lambda _: None
) -> Done | None:
    """One scan of less than the whole estate; None where there was nothing to look at.

    Raises as `run`, and TrailUnreadError.
    """
    means = means_of(config, with_rules=False)
    with connect(config.store_url(), fence=fence) as store, scene(config, means, store, True, progress) as at:
        _note_schedule(at)
        return _focused(at, asked)


def means_of(config: Config, *, with_rules: bool = True) -> Means:
    """What a scan works with; without rules where nothing may come to be judged: they take seconds to read.

    Raises ConfigError and RuleError.
    """
    started = datetime.now(UTC)
    sessions = Sessions(config)
    rules = rules_of(config) if with_rules else ()
    return Means(
        rules,
        ruleset_sha256(rules),
        ticketing.open_systems(config),
        load_specs(),
        key_of(config),
        sessions,
        read_people(config, sessions, started),
        started,
        config,
    )


def rules_of(config: Config) -> tuple[Rule, ...]:
    """As the configuration stages them. Raises RuleError."""
    return tuple(staged(load_rules([reading(config.path(folder)) for folder in config.rules.dirs]), config.rules))


def _whole(at: Scene, dry_run: bool, led: bool) -> Done:
    """A scan of everything."""
    started, store = at.means.started, at.store
    with _workplace(store, dry_run) as place:
        run_id = at.begin("whole", started, place)
        got = gather(
            place,
            run_id,
            at.config,
            key=at.means.key,
            specs=at.means.specs,
            started=started,
            progress=at.progress,
            behind=store if dry_run else None,
            mark_all=led,
        )
        heard = Heard() if dry_run else heard_now(at)
        done = conclude(at, run_id, "whole", got, heard, dry_run=dry_run)
    if dry_run:
        return done
    # What waits for a look, and what came late and is told still, may be as old as anything that is kept.
    needed = late_of(store, at.config).oldest(datetime.now(UTC))
    store.journal.forget(min(filter(None, (started - duration(at.config.trail.keep), needed))), CONTROLS)
    return filed(at, done)


def _focused(at: Scene, asked: Asked) -> Done | None:
    """A scan of less."""
    heard = heard_now(at) if asked.kind in ("open", "remind") else Heard()
    if asked.kind != "remind" or _waits(at):
        with pool() as calls:
            place = opened(at.store, at.config, at.means, calls)
            if asked.kind == "trail":
                return polled(at, place)
            done = looked(_with_rules(at, place), place, asked, heard=heard)
            if done is not None:
                return filed(at, done)
    file(at)
    return None


def polled(at: Scene, place: Place) -> Done | None:
    """The trail's sources, queues too, read from where they stood; what is new is judged and filed. None: nothing is.

    Raises StoreError, ConfigError and RuleError, and TrailUnreadError where nothing is new and not all could be read.
    """
    began = datetime.now(UTC)
    trail = ingested(place, at.progress)
    if Unjudged(at.store).due(datetime.now(UTC)):
        done = looked(_with_rules(at, place), place, Asked("trail"), brought=[trail])
        if done is not None:
            return filed(at, done)
    _told_quiet(at, began, bool(trail.gaps))
    file(at)
    if trail.gaps:
        raise TrailUnreadError("; ".join(dict.fromkeys(gap.why for gap in trail.gaps)))
    return None


def _with_rules(at: Scene, place: Place) -> Scene:
    """They are read where something is to be judged; whoever judges again and again has them."""
    if not at.means.rules:
        rules = rules_of(at.config)
        place.means = replace(at.means, rules=rules, ruleset=ruleset_sha256(rules))
    return replace(at, means=place.means)


def _told_quiet(at: Scene, began: datetime, incomplete: bool) -> None:
    """Now and then it is written down that the trail had nothing new: where nothing happens, that nothing ran must not
    look the same."""
    now = datetime.now(UTC)
    if all(now - one.started_at >= QUIET for one in at.store.scans.last(1)):
        run_id = at.begin("trail", began)
        at.store.scans.idle(run_id, now, "incomplete" if incomplete else "clean")


def _note_schedule(at: Scene) -> None:
    """So that a past week is held against the schedule it had."""
    said = at.config.schedule
    schedules.note(at.store.settings, schedules.Schedule(said.scan, said.trail, said.timezone), datetime.now(UTC))


def _waits(at: Scene) -> bool:
    """Whether anything may be due that time alone brings about."""
    return bool(at.store.cases.open()) or bool(at.store.declarations.listed())


@contextlib.contextmanager
def _workplace(store: Store, dry_run: bool) -> Iterator[Store]:
    """Where the units of a scan are worked: a dry run's in a store that goes with it."""
    if not dry_run:
        yield store
        return
    with tempfile.TemporaryDirectory(prefix="driftwarden-") as folder, connect(f"sqlite:///{folder}/dry-run.db") as own:
        yield own


def _main(arguments: Sequence[str]) -> int:
    """The child process: `python -m agent.run CONFIG [--look WHAT] [--fence N] [--dry-run] [--quiet|--signs]`.

    The scan document is on stdout; `null` where there was nothing to look at. Progress is on stderr; with `--quiet` it
    is not, and with `--signs` only that there is any, for the daemon (`child.signs`).
    """
    # Dozens of threads wait for short answers; handing the interpreter's lock over every 5 ms costs CPU time.
    sys.setswitchinterval(0.05)
    began = time.monotonic()
    sign = signs() if "--signs" in arguments else None
    quiet = sign is not None or "--quiet" in arguments

    def progress(said: str) -> None:
        if sign is not None:
            sign()
        elif said and not quiet:
            sys.stderr.write(f"\r\x1b[K{time.monotonic() - began:5.1f} s  {said[:100]}")

    done: Done | None
    try:
        asked = _options(arguments)
        fence = int(asked["--fence"]) if "--fence" in asked else None
        config = load(Path(arguments[0]))
        look = asked_of(asked.get("--look", "whole"), config)
        if look.kind != "whole":
            done = run_look(config, look, fence=fence, progress=progress)
        else:
            done = run(config, fence=fence, dry_run="--dry-run" in arguments, progress=progress)
    except TrailUnreadError as error:
        sys.stderr.write(f"driftwarden: the trail could not be read: {clean(str(error))}\n")
        sys.stdout.write("null")
        return EXIT["incomplete"]
    except (ConfigError, RuleError, StoreError) as error:
        sys.stderr.write(f"driftwarden: {error}\n")
        return FENCED if isinstance(error, Fenced) else MISUSE
    if not quiet:
        sys.stderr.write("\r\x1b[K")
    if done is None:
        sys.stdout.write("null")
        return EXIT["clean"]
    for why in done.filed.errors if done.filed else ():
        sys.stderr.write(f"driftwarden: not filed: {clean(why)}\n")
    sys.stdout.write(json.dumps(done.document))
    return EXIT[done.scan.status]


def _options(arguments: Sequence[str]) -> dict[str, str]:
    """Options that have a value."""
    return {name: value for name, value in itertools.pairwise(arguments) if name in ("--look", "--fence")}


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
