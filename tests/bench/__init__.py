"""The benchmark: this server and its peers under the same load, in the same run.

`make bench` runs it. A generator in C (`sioload/`) plays many clients on one epoll loop, so that
it costs less than what it measures. Each server has a core to itself and the load has the others.
What counts is CPU time per unit of work, read from /proc: it holds on a machine that others use
too, where throughput does not. Servers are measured in the order A B B A, so that what changes on
the machine meanwhile falls on all of them.
"""
