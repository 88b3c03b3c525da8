"""One door file per optional package (none in this release)."""
