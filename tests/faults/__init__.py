"""What happens when something gives way: disks, databases, clocks, the other end of a wire."""
