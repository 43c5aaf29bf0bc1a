"""The first https link in a text that can be public is fetched for the preview."""

import pytest

from handlers.platform.previews.links import first_link


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://page.example", "https://page.example"),
        ("Look: https://page.example/a?b=c#d.", "https://page.example/a?b=c#d"),
        ("(see https://page.example/a)", "https://page.example/a"),
        ("https://page.example/a_(b) and", "https://page.example/a_(b)"),
        ("see:https://page.example/a, or", "https://page.example/a"),
        ("HTTPS://PAGE.example/A", "https://page.example/A"),
        ("<https://page.example/>", "https://page.example/"),
        ("[https://page.example/a]]", "https://page.example/a"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://page.example:8443/", "https://page.example:8443/"),
        ("https://1.1.1.1/ https://page.example/", "https://1.1.1.1/"),
        ("http://a.example/ https://b.example/ https://c.example/", "https://b.example/"),
        ("https://10.0.0.1/ https://page.example/", "https://page.example/"),
        ("https://a:b@page.example/ https://b.example/", "https://b.example/"),
    ],
)
def test_the_first_public_https_link_is_found(text: str, link: str):
    assert first_link(text) == link


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no link",
        "http://page.example/",
        "https:page.example",
        "https://",
        "https://.",
        "https://localhost/",
        "https://printer/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://user@page.example/",
        "https://page.example:99999/",
        "https://page.example:x/",
        "http://a.example/?to=https://page.example/",
        "xhttps://page.example/",
        "https://page.example/" + "a" * 3_000,
        "https://10.0.0.1/ " * 400 + "https://page.example/",
    ],
)
def test_other_links_are_not_found(text: str):
    assert first_link(text) is None
