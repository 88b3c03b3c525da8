"""The llamanb command in a terminal: one file per sub-command."""
