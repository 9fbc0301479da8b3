"""A public class has one name and a name one class, all through the product.

So a reader who meets a name knows what it is without looking at the imports.
"""

import ast
from collections import defaultdict
from pathlib import Path

SOURCES = ["jobrunner/src", "api/src", "operator/src", "simulate/src"]
#: Its classes are named as the bodies of the API are: `models.Job` is what the API tells of a job.
BODIES = "api/src/zerog_api/models"
#: Names that two modules may use, because each never meets the other.
TWICE = {
    "Call": "that a client makes · that the API describes",
    "Fault": "that a class finds · that a client is told",
    "Known": "an extension of the command line · a caller of the API",
    "Metrics": "of the API · of the operator",
    "Rates": "measured by the API · by the operator",
    "Stopped": "the signal in the job · the event of it in the record's life",
    "Worker": "the process · its imitation in the simulation",
}
#: Constants with one value and one home.
CONSTANTS = {"UNFINISHED", "DEFAULT_URL", "MAX_DOCUMENT_BYTES", "ALIVE_SECONDS"}


def test_a_name_means_one_thing(root: Path) -> None:
    homes = defaultdict(set)
    for source in SOURCES:
        for path in (root / source).rglob("*.py"):
            if path.is_relative_to(root / BODIES):
                continue
            for node in ast.parse(path.read_text()).body:
                match node:
                    case ast.ClassDef(name=name) if not name.startswith("_"):
                        homes[name].add(str(path.relative_to(root / source)))
                    case ast.Assign(targets=[ast.Name(name)]) if name in CONSTANTS:
                        homes[name].add(str(path.relative_to(root / source)))

    assert {name: found for name, found in homes.items() if len(found) > 1}.keys() == TWICE.keys()
    assert homes.keys() >= CONSTANTS
