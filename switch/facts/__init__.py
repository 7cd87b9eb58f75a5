"""What a decision needs, in memory: accounts, lines, sites, networks; swapped whole on reload."""
