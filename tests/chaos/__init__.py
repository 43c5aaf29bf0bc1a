"""Chaos tests: simulated users use a server while its parts break, then all state is compared.

`python -m tests.chaos --help` explains how to start a run.

plan       which faults occur, and when; determined by the seed
site       the parts: instances of run.py, PostgreSQL, Redis, and the wires to the instances
faults     how each fault is caused and repaired, and how long the recovery takes
line, connection, numbers, device    a client that reconnects by itself
shown      the state that a client displays
cast, load    the users, and their activity
records    the record of a run
truth, checker    the state of the database, and how the record differs from it
run, report    one run from the start to its report
rolling    a run without faults: all instances are restarted in turn, behind a proxy
"""
