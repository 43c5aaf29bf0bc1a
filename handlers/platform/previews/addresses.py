"""Tells public internet addresses, which users can make the server connect to, from all others.

`ipaddress` knows most networks that are not public: private, shared, loopback, link-local and
documentation networks. It considers some others as global; those are listed here.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

NOT_PUBLIC_4 = (
    ip_network("192.0.0.0/24"),  # IETF protocols; some clouds serve instance metadata there
    ip_network("192.88.99.0/24"),  # 6to4 relays
    ip_network("168.63.129.16/32"),  # Azure's platform services for its virtual machines
)
GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All addresses that IANA allocates. Mapped, NAT64, local and multicast addresses are outside."""
NOT_PUBLIC_6 = (
    ip_network("2001::/23"),  # IETF protocols: Teredo, benchmarks, ORCHID
    ip_network("2001:db8::/32"),  # documentation
    ip_network("2002::/16"),  # 6to4: contains an IPv4 address
    ip_network("3fff::/20"),  # documentation
)


def is_public(address: str) -> bool:
    """Whether `address`, a literal without a zone, is a global unicast address."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return _is_public_4(found) if isinstance(found, IPv4Address) else _is_public_6(found)


def _is_public_4(found: IPv4Address) -> bool:
    if not found.is_global or found.is_multicast or found.is_reserved:
        return False
    return not any(found in network for network in NOT_PUBLIC_4)


def _is_public_6(found: IPv6Address) -> bool:
    if found.scope_id is not None or found not in GLOBAL_UNICAST or not found.is_global:
        return False
    return not any(found in network for network in NOT_PUBLIC_6)
