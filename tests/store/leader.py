"""A process that leads a store, and does what it is told on stdin: `leader.py URL`.

Each line it reads is a word: `lock`, `take`, `beat`, `write`, `hold` (stays inside `exclusive("line")` until the next
line), `stay` (stays inside a write until the next line). To each it answers with one line.
"""

import sys
from datetime import UTC, datetime

from agent.store import Fenced, Store, StoreError, StoreLock, connect, schema


def answers(url: str) -> None:
    fence: int | None = None
    store: Store = connect(url)
    lock = StoreLock(store.database)
    for word in map(str.strip, sys.stdin):
        try:
            if word == "lock":
                say(str(lock.acquire()))
            elif word == "take":
                fence = store.leadership.take("child", datetime.now(UTC))
                store = connect(url, fence=fence)
                say(str(fence))
            elif word == "beat":
                say(str(store.leadership.beat(fence or 0)))
            elif word == "write":
                store.jobs.due("job", datetime.now(UTC))
                say("written")
            elif word == "hold":
                with store.exclusive("line"):
                    say("inside")
                    sys.stdin.readline()
                say("outside")
            elif word == "stay":
                with store.database.write() as connection:
                    connection.execute(schema.jobs.delete())
                    say("inside")
                    sys.stdin.readline()
                say("outside")
        except Fenced:
            say("fenced")
        except StoreError as error:
            say(f"error: {error}")


def say(answer: str) -> None:
    sys.stdout.write(f"{answer}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    answers(sys.argv[1])
