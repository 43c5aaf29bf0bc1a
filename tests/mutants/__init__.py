"""Takes features out one after the other, and looks whether a test notices the loss.

`python -m tests.mutants --help` says how it is started. It works on a copy of the source.

mutant       a change of the source, and the tests that must fail with it
kernel, connections, platform, consulting, client    the mutants
copy         the copy of the source, and a mutant applied to it
run          runs pytest or `node --test` in the copy, and reads what failed
test_list    the list fits the source
"""
