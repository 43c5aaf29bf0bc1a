"""The language that domains are written in: contracts, commands, consumers, context, refusals."""
