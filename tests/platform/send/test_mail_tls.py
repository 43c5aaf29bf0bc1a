"""Mails and the mail server's password are sent over verified TLS or not at all."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from handlers.platform.send.contracts import SendNotification
from handlers.platform.send.mail import Mailer
from handlers.platform.send.outcomes import SENT, Outcome
from handlers.platform.send.smtp import by_smtp, read_mail_url
from server.settings import WrongSetting, read_settings
from storage.engine.clock import SystemClock
from tests.parts.mail import Mailbox, make_certificate, running_mailbox

TO = "ana@example.org"
LOGIN = "parley:p%40ss@"


async def outcome_of(url: str) -> Outcome:
    content: dict[str, Any] = {
        "dispatch_id": "one",
        "channel": "email",
        "kind": "pincode",
        "to": TO,
        "subject": "Your Parley pincode",
        "text": "Your pincode is 123456",
        "html": "<p>Your pincode is 123456</p>",
    }
    mailer = Mailer(by_smtp(url), "Parley <parley@localhost>", SystemClock())
    return await asyncio.wait_for(mailer.send(SendNotification(**content)), 20)


async def send(url: str) -> None:
    assert await outcome_of(url) == SENT


def url_of(mailbox: Mailbox, login: str = LOGIN, scheme: str = "smtp", host: str = "") -> str:
    return f"{scheme}://{login}{host or mailbox.host}:{mailbox.port}"


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate for 127.0.0.1 that this machine trusts."""
    file = make_certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


async def fault_of(url: str) -> str:
    """What the operator reads about a mail that was not sent by a fault of ours."""
    outcome = await outcome_of(url)
    assert (outcome.verdict, outcome.reason) == ("fault", "tls_failed")
    return outcome.reply


async def test_a_password_is_not_sent_to_a_server_without_tls():
    async with running_mailbox() as mailbox:
        assert "STARTTLS" in await fault_of(url_of(mailbox))
        assert (mailbox.logins, mailbox.mails) == ([], [])


async def test_a_password_is_sent_to_a_server_with_a_valid_certificate(trusted):
    async with running_mailbox(trusted) as mailbox:
        await send(url_of(mailbox))
        assert mailbox.logins == [("parley", "p@ss", True)]
        assert [mail.recipients for mail in mailbox.mails] == [(TO,)]


async def test_smtps_accepts_a_valid_certificate(trusted):
    async with running_mailbox(trusted, whole=True) as mailbox:
        await send(url_of(mailbox, scheme="smtps"))
        assert [login[:2] for login in mailbox.logins] == [("parley", "p@ss")]
        assert len(mailbox.mails) == 1


@pytest.mark.parametrize("whole", [False, True], ids=["starttls", "smtps"])
@pytest.mark.parametrize("host", ["127.0.0.1", "mail.example.org"], ids=["untrusted", "wrong host"])
async def test_a_server_with_an_invalid_certificate_gets_nothing(
    tmp_path, monkeypatch, trusted, whole, host
):
    """The certificate is untrusted, or trusted but for another host."""
    (tmp_path / "other").mkdir()
    wrong = make_certificate(tmp_path / "other", host)
    if host != "127.0.0.1":
        monkeypatch.setenv("SSL_CERT_FILE", str(wrong))
    async with running_mailbox(wrong, whole=whole) as mailbox:
        words = await fault_of(url_of(mailbox, scheme="smtps" if whole else "smtp"))
        assert words.startswith("self-signed" if host == "127.0.0.1" else "IP address mismatch")
        assert (mailbox.logins, mailbox.mails) == ([], [])


async def test_a_mail_server_on_this_machine_needs_no_tls(tmp_path):
    async with running_mailbox() as mailbox:
        await send(url_of(mailbox, login=""))
        assert len(mailbox.mails) == 1
    untrusted = make_certificate(tmp_path, "127.0.0.1")
    async with running_mailbox(untrusted) as mailbox:
        await send(url_of(mailbox, login=""))
        assert len(mailbox.mails) == 1


async def test_a_remote_server_without_tls_gets_mail_only_if_configured(monkeypatch):
    monkeypatch.setattr("handlers.platform.send.smtp.is_loopback", lambda host: False)
    async with running_mailbox() as mailbox:
        assert "STARTTLS" in await fault_of(url_of(mailbox, login=""))
        assert mailbox.mails == []
        await send(url_of(mailbox, login="") + "?tls=opportunistic")
        assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    ("url", "tls"),
    [
        ("smtp://localhost", "opportunistic"),
        ("smtp://[::1]:25", "opportunistic"),
        ("smtp://a:b@localhost", "required"),
        ("smtp://mail.example.org", "required"),
        ("smtp://mail.example.org?tls=opportunistic", "opportunistic"),
        ("smtps://mail.example.org", "implicit"),
    ],
)
def test_tls_is_required_for_remote_servers_and_passwords(url, tls):
    assert read_mail_url(url).tls == tls


@pytest.mark.parametrize(
    "url",
    [
        "smtp://a:secret@mail.example.org?tls=opportunistic",
        "smtps://mail.example.org?tls=opportunistic",
        "smtp://mail.example.org?tls=off",
        "smtp://mail.example.org?verify=no",
        "smtp://a:sec/ret@mail.example.org",
    ],
)
def test_a_mail_url_that_weakens_tls_stops_startup(url):
    with pytest.raises(WrongSetting, match="PARLEY_MAIL_URL") as refused:
        read_settings({"PARLEY_MAIL_URL": url})
    assert "sec" not in str(refused.value)
