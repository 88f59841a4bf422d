"""APP-6: the address a request is counted under, whatever the client says of itself."""

from __future__ import annotations

import json

import pytest

from tests.limits.limits import HOME, address_of, freeze, rename
from tests.support.callers import Connection, as_user, call, refused
from tests.support.limits import allow
from tests.support.people import make_people, make_user


def set_source(conn: Connection, header: str, proxies: int = 0) -> None:
    for name, value in (("client_address_header", header), ("trusted_proxies", str(proxies))):
        conn.execute(
            "update settings.entries set value = %s where name = %s", [value, f"limits.{name}"]
        )


@pytest.mark.parametrize(
    ("given", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7\t", "203.0.113.7"),
        ("203.0.113.7:51234", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:cb00:7107", "203.0.113.7"),
        ("", "unknown"),
        ("unknown", "unknown"),
        ("203.0.113", "unknown"),
        ("203.0.113.7.", "203.0.113.7"),
        ("203.0.113.7.9", "unknown"),
        ("203.0.113.999", "203.0.113.999"),  # as a proxy would write it
        ("9" * 20 + ".0.113.7", "unknown"),
        ("fe80::1%eth0", "unknown"),
        ("[2001:db8::1", "unknown"),
        ("'; drop table limits.rules; --", "unknown"),
        ("9" * 100_000, "unknown"),
    ],
)
def test_an_address_is_counted_in_one_form(db: Connection, given: str, counted: str) -> None:
    assert address_of(db, json.dumps({"cf-connecting-ip": given})) == counted


@pytest.mark.parametrize(
    "request_headers",
    [
        "{}",
        '{"x-forwarded-for": "203.0.113.7"}',
        '{"cf-connecting-ip": null}',
        "[]",
        None,
    ],
)
def test_without_the_header_the_address_is_unknown(
    db: Connection, request_headers: str | None
) -> None:
    """No other header is tried: a client would only have to leave the first one out."""
    assert address_of(db, request_headers) == "unknown"


@pytest.mark.parametrize(
    ("proxies", "chain", "counted"),
    [
        (0, "203.0.113.7", "203.0.113.7"),
        (0, "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (1, "203.0.113.7, 10.0.0.1", "203.0.113.7"),
        (1, "198.51.100.1,198.51.100.2,203.0.113.7,10.0.0.1", "203.0.113.7"),
        (2, "spoofed, 203.0.113.7, 10.0.0.2, 10.0.0.1", "203.0.113.7"),
        (1, "203.0.113.7", "unknown"),
        (2, "203.0.113.7, 10.0.0.1", "unknown"),
        (1, ",", "unknown"),
    ],
)
def test_hops_are_counted_from_the_right(
    db: Connection, proxies: int, chain: str, counted: str
) -> None:
    """What stands left of the last trusted proxy's word was said by the client."""
    set_source(db, "x-forwarded-for", proxies)
    assert address_of(db, json.dumps({"x-forwarded-for": chain})) == counted


def test_a_spoofed_header_opens_no_other_bucket(db: Connection) -> None:
    freeze(db)
    allow(db, "update_profile", ip=3)
    people = make_people(db, 4)
    for n, user in enumerate(people[:3]):
        rename(db, user, HOME, x_forwarded_for=f"198.51.100.{n}", x_real_ip=f"198.51.100.{n}")
    with refused(db, "rate_limited"):
        rename(db, people[3], HOME, x_forwarded_for="198.51.100.99")


def test_a_spoofed_hop_opens_no_other_bucket(db: Connection) -> None:
    freeze(db)
    set_source(db, "x-forwarded-for", 1)
    allow(db, "update_profile", ip=3)
    people = make_people(db, 4)
    for n, user in enumerate(people[:3]):
        with as_user(db, user, headers={"x-forwarded-for": f"198.51.100.{n}, {HOME}, 10.0.0.1"}):
            call(db, "update_profile", bio="hello")
    last = as_user(db, people[3], headers={"x-forwarded-for": f"198.51.100.9, {HOME}, 10.0.0.1"})
    with last, refused(db, "rate_limited"):
        call(db, "update_profile", bio="hello")


def test_requests_without_a_usable_address_share_one_bucket(db: Connection) -> None:
    """Leaving the header out, or sending nonsense, is no way around the limit."""
    freeze(db)
    allow(db, "update_profile", ip=3)
    people = make_people(db, 4)
    for user, given in zip(people, ({}, {"cf-connecting-ip": "x"}, {"host": "a"}), strict=False):
        with as_user(db, user, headers=given):
            call(db, "update_profile", bio="hello")
    with as_user(db, people[3], headers={"cf-connecting-ip": "y"}), refused(db, "rate_limited"):
        call(db, "update_profile", bio="hello")


def test_a_network_of_ipv6_addresses_is_one_address(db: Connection) -> None:
    """Everybody with IPv6 has 2^64 of them."""
    freeze(db)
    allow(db, "update_profile", ip=2)
    people = make_people(db, 4)
    rename(db, people[0], "2001:db8:1:2::1")
    rename(db, people[1], "2001:DB8:1:2:ffff::2")
    with refused(db, "rate_limited"):
        rename(db, people[2], "2001:db8:1:2:aaaa:bbbb:cccc:dddd")
    rename(db, people[2], "2001:db8:1:3::1")


def test_the_persons_limit_holds_wherever_they_call_from(db: Connection) -> None:
    """Counted per person, not per address only."""
    freeze(db)
    allow(db, "update_profile", user=3)
    user = make_user(db)
    for n in range(3):
        rename(db, user, f"203.0.113.{n}")
    with refused(db, "rate_limited"):
        rename(db, user, "203.0.113.4")
