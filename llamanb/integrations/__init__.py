"""One door file per outside program or optional package; ``clients`` joins the programs."""
