"""The fault harness: people use a running server while its parts are broken, then all is compared.

`python -m tests.chaos --help` says how it is started.

plan       what will be broken, and when: from the seed alone
site       the parts: instances of run.py, PostgreSQL, Redis, and the wires to the instances
faults     how each thing is broken and mended, and how long until all hear again
line, connection, numbers, device    a client that comes back by itself
shown      what a client shows its person
cast, load    who is there, and what they do all the time
records    what is noted down meanwhile
truth, checker    what the database says, and what of the notes does not agree with it
run, report    one run from its start to its table
rolling    a run in which nothing breaks: all instances are restarted in turn, behind a proxy
"""
