"""`hub doctor`: looks at a database and at the machine it is asked from, and changes nothing.

Each check is a function that yields findings. A check that lacks rights says so in a note; one
that meets something missing says what is missing. `examine()` runs them all.
"""

from procrastinate_app.doctor.examine import CHECKS, examine
from procrastinate_app.doctor.finding import Finding, Level

__all__ = ["CHECKS", "Finding", "Level", "examine"]
