"""Is everything there that the program needs, and does it work?

Modules here import nothing heavy at their top: a library that cannot be imported is what this
package is to find.
"""

from ddeal_core.diagnosis.examination import CHECKS, examine
from ddeal_core.diagnosis.finding import Finding, State, without_personal_names
from ddeal_core.diagnosis.report import broken, to_json, to_text

__all__ = [
    "CHECKS",
    "Finding",
    "State",
    "broken",
    "examine",
    "to_json",
    "to_text",
    "without_personal_names",
]
