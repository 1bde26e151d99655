"""`python -m swapd.cli`. Owns nothing: see main."""

from swapd.cli.main import main

main()
