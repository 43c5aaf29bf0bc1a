"""The building blocks of domains: contracts, commands, consumers, context and refusals."""
