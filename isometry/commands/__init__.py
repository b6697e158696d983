"""Commands for what a user ships, a file for each theme."""

from isometry.commands.bundle import bundle

COMMANDS = (bundle,)
