"""Commands for what a user ships, a file for each theme."""

from isometry.commands.audit import audit
from isometry.commands.bundle import bundle
from isometry.commands.explore import explore
from isometry.commands.export import export
from isometry.commands.index import add, compact, delete, index, search, update, verify
from isometry.commands.openset import calibrate, drift, match
from isometry.commands.serve import serve
from isometry.commands.why import why

COMMANDS = (
    audit, bundle, export, explore, serve, why, index, search, add,
    update, delete, compact, verify, calibrate, match, drift,
)  # fmt: skip
