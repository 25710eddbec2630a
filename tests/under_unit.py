"""Runs a command as a systemd unit would confine it, where PID 1 is not systemd.

    python tests/under_unit.py UNIT WRITABLE[:WRITABLE…] COMMAND ARGUMENT…

Hides the kernel's calls for it. Of the unit it applies: the file system read-only but for WRITABLE, /proc with nothing
but processes, a user that is not root and has no capabilities and can gain none, the filters of system calls
(SystemCallFilter, MemoryDenyWriteExecute, RestrictAddressFamilies, RestrictNamespaces, RestrictSUIDSGID,
LockPersonality), umask, limits and Environment. Not: the dynamic user, PrivateTmp, PrivateDevices, control groups. It
takes root, libseccomp and Linux 5.12.
"""

import ctypes
import errno
import os
import resource
import shlex
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

ALLOW = 0x7FFF0000
REFUSE = 0x00050000
"""Plus an error number."""
EQUAL, MASKED = 4, 7
"""libseccomp's SCMP_CMP_EQ and SCMP_CMP_MASKED_EQ."""
NEW_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x00000080)
WRITE_EXECUTE, EXECUTE, SHM_EXECUTE, SET_ID = 6, 4, 0o100000, (0o4000, 0o2000)
PRIVATE, BIND, RECURSIVE = 1 << 18, 1 << 12, 1 << 14
NEW_USER = 0x10000000
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, READ_ONLY = 442, -100, 0x8000, 1
CAPSET, CAPBSET_DROP, NO_NEW_PRIVS = 126, 24, 38

libc = ctypes.CDLL(None, use_errno=True)


class Argument(ctypes.Structure):
    """What libseccomp compares of a call's argument."""

    _fields_ = (
        ("number", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def settings(unit: Path) -> dict[str, list[str]]:
    """Setting of `[Service]` → its values in order; an empty one takes back those before."""
    found: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in unit.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name] = [*found[name], value] if value else [""]
    return {name: [value for value in values if value] for name, values in found.items()}


def calls(words: Iterable[str]) -> set[str]:
    """The system calls that names and @sets stand for, as the systemd of this machine knows them."""
    found: set[str] = set()
    for word in words:
        if not word.startswith("@"):
            found.add(word)
            continue
        told = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True)
        lines = [line.strip() for line in told.stdout.splitlines()[1:]]
        found |= calls(line for line in lines if line and not line.startswith("#"))
    return found


def allowed(filters: Iterable[str]) -> set[str]:
    """What the lines of SystemCallFilter leave; the first must name what is allowed."""
    left: set[str] = set()
    for line in filters:
        words = calls(line.removeprefix("~").split())
        left = left - words if line.startswith("~") else left | words
    return left


class Filter:
    """One seccomp filter, as libseccomp makes it."""

    def __init__(self, otherwise: int) -> None:
        self.library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self.library.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.library.seccomp_init(ctypes.c_uint32(otherwise)))

    def rule(self, action: int, name: str, *compared: tuple[int, int, int, int]) -> None:
        """A call this machine does not have is left out."""
        number = self.library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return
        arguments = (Argument * max(1, len(compared)))(*(Argument(*one) for one in compared))
        done = self.library.seccomp_rule_add_array(
            self.context, ctypes.c_uint32(action), number, ctypes.c_uint(len(compared)), arguments
        )
        if done:
            raise OSError(-done, f"seccomp: {name}: {os.strerror(-done)}")

    def load(self) -> None:
        done = self.library.seccomp_load(self.context)
        if done:
            raise OSError(-done, f"seccomp: {os.strerror(-done)}")


def restrictions(unit: dict[str, list[str]]) -> Filter:
    """What depends on arguments, each as systemd's src/shared/seccomp-util.c has it."""
    made = Filter(ALLOW)
    if unit.get("MemoryDenyWriteExecute") == ["yes"]:
        made.rule(REFUSE | errno.EPERM, "mmap", (2, MASKED, WRITE_EXECUTE, WRITE_EXECUTE))
        made.rule(REFUSE | errno.EPERM, "mprotect", (2, MASKED, EXECUTE, EXECUTE))
        made.rule(REFUSE | errno.EPERM, "pkey_mprotect", (2, MASKED, EXECUTE, EXECUTE))
        made.rule(REFUSE | errno.EPERM, "shmat", (2, MASKED, SHM_EXECUTE, SHM_EXECUTE))
    if families := " ".join(unit.get("RestrictAddressFamilies", [])).split():
        kept = {int(getattr(socket, family)) for family in families}
        for family in set(range(46)) - kept:
            made.rule(REFUSE | errno.EAFNOSUPPORT, "socket", (0, EQUAL, family, 0))
    if unit.get("RestrictNamespaces") == ["yes"]:
        made.rule(REFUSE | errno.ENOSYS, "clone3")
        for name, number in (("unshare", 0), ("clone", 0), ("setns", 1)):
            for flag in NEW_NAMESPACES:
                made.rule(REFUSE | errno.EPERM, name, (number, MASKED, flag, flag))
    if unit.get("RestrictSUIDSGID") == ["yes"]:
        for name, number in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2)):
            for bit in SET_ID:
                made.rule(REFUSE | errno.EPERM, name, (number, MASKED, bit, bit))
    if unit.get("LockPersonality") == ["yes"]:
        for number in (2, 8):
            made.rule(REFUSE | errno.EPERM, "personality", (0, EQUAL, number, 0))
    return made


def checked(done: int, what: str) -> None:
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def read_only(writable: Iterable[str], processes: str) -> None:
    """A mount namespace with everything read-only but these folders; `processes`: as in ProtectProc."""
    checked(libc.unshare(NEW_NAMESPACES[0]), "unshare")
    checked(libc.mount(b"none", b"/", None, RECURSIVE | PRIVATE, None), "mount /")
    checked(libc.mount(b"proc", b"/proc", b"proc", 0, f"subset=pid,hidepid={processes}".encode()), "mount /proc")
    for folder in writable:
        checked(libc.mount(folder.encode(), folder.encode(), None, BIND, None), f"mount {folder}")
    steps = (("/", AT_RECURSIVE, READ_ONLY, 0), *((folder, 0, 0, READ_ONLY) for folder in ("/proc", *writable)))
    for folder, recursive, make, clear in steps:
        wanted = (ctypes.c_uint64 * 4)(make, clear, 0, 0)
        done = libc.syscall(MOUNT_SETATTR, AT_FDCWD, folder.encode(), recursive, wanted, ctypes.sizeof(wanted))
        checked(done, f"mount_setattr {folder}")


def nobody_special() -> None:
    """Root is a user like others from here on, by number as well: what is its own stays its own."""
    checked(libc.unshare(NEW_USER), "unshare")
    for name, said in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
        Path("/proc/self", name).write_text(said, encoding="ascii")


def powerless() -> None:
    """No capability now, and none by whatever is executed."""
    for number in range(64):
        if libc.prctl(CAPBSET_DROP, number, 0, 0, 0):
            break
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    checked(libc.syscall(CAPSET, header, nothing), "capset")
    checked(libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def confine(unit: dict[str, list[str]], writable: Iterable[str]) -> None:
    """This process, for good."""
    filters = Filter(REFUSE | errno.EPERM)
    for name in allowed(unit["SystemCallFilter"]):
        filters.rule(ALLOW, name)
    limits = restrictions(unit)
    read_only(writable, unit.get("ProtectProc", ["off"])[-1])
    for name, of in (("LimitNOFILE", resource.RLIMIT_NOFILE), ("LimitCORE", resource.RLIMIT_CORE)):
        most = int(unit[name][-1])
        resource.setrlimit(of, (most, most))
    os.umask(int(unit["UMask"][-1], 8))
    nobody_special()
    powerless()
    limits.load()
    filters.load()


def main() -> None:
    """Confines this process, and becomes the command."""
    unit, (writable, *command) = settings(Path(sys.argv[1])), sys.argv[2:]
    given = dict(word.split("=", 1) for line in unit["Environment"] for word in shlex.split(line))
    environment = {**given, "HOME": writable.split(":")[0], **os.environ}
    confine(unit, writable.split(":"))
    os.execvpe(command[0], command, environment)


if __name__ == "__main__":
    main()
