"""What was injected into what, how often, and how often everything held."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Table:
    """Rows by fault."""

    rows: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def note(self, fault: str, where: str, held: bool) -> None:
        """One point."""
        row = self.rows.setdefault((fault, where), [0, 0])
        row[0] += 1
        row[1] += not held

    def text(self) -> str:
        """One line for each fault and place, and one for all."""
        lines = [f"{'fault':<34} {'where':<34} {'points':>6} {'held':>6} {'broken':>6}"]
        for (fault, where), (points, broken) in self.rows.items():
            lines.append(f"{fault:<34} {where:<34} {points:>6} {points - broken:>6} {broken:>6}")
        points, broken = (sum(row[number] for row in self.rows.values()) for number in (0, 1))
        return "\n".join([*lines, f"{'all':<69} {points:>6} {points - broken:>6} {broken:>6}"])


TABLE = Table()
