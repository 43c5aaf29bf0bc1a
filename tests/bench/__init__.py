"""The benchmark: this server and its peers under the same load, in the same run.

`make bench` runs it. A load generator in C (`sioload/`) simulates many clients on one epoll loop,
so that it uses less CPU than the servers. Each server has a core to itself and the load has the
others. The main figure is CPU time per unit of work, read from /proc: unlike throughput, it is
reliable on a machine that is also used for other work. Servers are measured in the order A B B A,
so that changes on the machine affect all of them.
"""
