"""The weekly report: what was checked, what needs a decision, and how authority stood, in five minutes.

Hides that a report of a past week is the same whenever it is made, and what of it the store keeps.
"""

from agent.report.weekly.delivery import Delivered, post, weekly_job
from agent.report.weekly.making import Weekly, keep, make, write
from agent.report.weekly.page import html, markdown
from agent.report.weekly.week import Week, WeekError, ending, last, named

__all__ = [
    "Delivered",
    "Week",
    "WeekError",
    "Weekly",
    "ending",
    "html",
    "keep",
    "last",
    "make",
    "markdown",
    "named",
    "post",
    "weekly_job",
    "write",
]
