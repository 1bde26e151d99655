"""The newcomer's view: two strangers swap on real regtest nodes. `python -m tests.demo`."""
