"""Where we may send: never into our own network, unless this installation allows it."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

# Addresses of version 6 that carry one of version 4 to be reached: what is inside counts.
_CARRIES_IPV4 = (
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (IPv6Network("::ffff:0:0:0/96"), 0),  # IPv4-translated
    (IPv6Network("::/96"), 0),  # IPv4-compatible, :: and ::1 among them
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
)
_NEVER = (
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of one's own
    IPv6Network("2001::/32"),  # Teredo
    IPv6Network("fec0::/10"),  # site-local, as it was once
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What this installation lets endpoints be."""

    plain_http: bool = False
    private: bool = False
    """Loopback, private and link-local addresses too."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is out in the world: neither ours, nor this machine, nor everyone at once."""
    if isinstance(address, IPv6Address):
        for network, shift in _CARRIES_IPV4:
            if address in network:
                return is_public(IPv4Address((int(address) >> shift) & 0xFFFF_FFFF))
        if any(address in network for network in _NEVER):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def fault_of(url: str, allowed: Allowed) -> str | None:
    """What is wrong with an endpoint's URL, in a sentence; None if it may be tried. Names are not looked up here: what
    they resolve to counts when we connect, each time.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "A URL is printable ASCII; write names in other scripts as xn--… and the rest percent-encoded."
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "Not a URL."
    if parts.scheme not in {"https", "http"} or not host or port == 0:
        return "Not a web address; say for example https://example.org/hooks."
    if parts.username is not None or parts.password is not None or "#" in url:
        return "No user names, passwords or fragments in the URL; requests are signed instead."
    return _not_here(parts, host, allowed)


def _not_here(parts: SplitResult, host: str, allowed: Allowed) -> str | None:
    if parts.scheme == "http" and not allowed.plain_http:
        return "Only https."
    try:
        literal = ip_address(host)
    except ValueError:
        return None
    if not allowed.private and not is_public(literal):
        return "An address inside a private network."
    return None
