"""Where the files that ship with the package are, installed or in a checkout."""

from importlib import resources
from importlib.resources.abc import Traversable


def shipped(name: str) -> Traversable:
    """A folder or file shipped beside the code, for example `rules`.

    A wheel carries them under `agent/shipped_files`; a checkout has them at its root.
    """
    package = resources.files("agent")
    inside = package / "shipped_files" / name
    return inside if inside.is_dir() or inside.is_file() else package / ".." / name
