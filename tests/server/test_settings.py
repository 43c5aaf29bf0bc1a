"""Settings are read and checked at the start, refused with one clear line, and all listed."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from handlers.consulting.call.rules import CallRules
from handlers.consulting.consultants.rules import ConsultantRules
from handlers.platform.pincodes.rules import PincodeRules
from server.settings import WrongSetting, describe_settings, read_settings
from tests.world import ROOT, SECRET


def test_everything_has_a_default():
    settings = read_settings({})
    assert settings.environment.port == 8000
    assert settings.database_url == "sqlite:///var/parley.db"
    assert settings.rules.of(PincodeRules).pincode_tries == 5


def test_a_setting_is_read_by_its_type():
    settings = read_settings(
        {
            "PARLEY_PORT": "9000",
            "PARLEY_MESSAGES_PER_S": "2.5",
            "PARLEY_ORIGINS": "https://a.example, https://b.example,",
            "PARLEY_CONSULTANTS_START_ACTIVE": "false",
            "PARLEY_ICE_SERVERS": '[{"urls":["stun:stun.example"]}]',
            "HOME": "/root",
        }
    )
    assert settings.environment.port == 9000
    assert settings.declared["messages_per_s"] == 2.5
    assert settings.environment.origins == ("https://a.example", "https://b.example")
    assert settings.rules.of(ConsultantRules).consultants_start_active is False
    assert settings.rules.of(CallRules).ice_servers[0].urls == ["stun:stun.example"]


@pytest.mark.parametrize(
    "environ",
    [
        {"PARLEY_PROT": "9000"},
        {"PARLEY_PORT": "http"},
        {"PARLEY_PORT": "70000"},
        {"PARLEY_COMMANDS_BURST": "9" * 400},
        {"PARLEY_LIMITS": "on"},
        {"PARLEY_PINCODE_TRIES": "0"},
        {"PARLEY_PASSWORD_LENGTH_MIN": "4"},
        {"PARLEY_DATABASE_URL": "mysql://x"},
        {"PARLEY_MAIL_URL": "pigeon://x"},
        {"PARLEY_SECRET": "short"},
        {"PARLEY_DATABASE_URL": "postgresql://u@h/d"},
        {"PARLEY_REDIS_URL": "redis://h"},
        {"PARLEY_TRUSTED_PROXIES": "everybody"},
        {"PARLEY_ICE_SERVERS": "[{"},
        {"PARLEY_ICE_SERVERS": '[{"urls":["stun:a"],"urls":["stun:b"]}]'},
        {"PARLEY_PORT": " "},
        {"PARLEY_PORT": "0x10"},
        {"PARLEY_HOST": " "},
        {"PARLEY_HOST": "127.0.0.1 "},
        {"PARLEY_HOST": "127.0.0.1\n"},
        {"PARLEY_DATA_DIR": " "},
        {"PARLEY_SECRET": " " * 40},
        {"PARLEY_SECRET": "x" * 20 + "\n" * 20},
        {"PARLEY_MESSAGES_PER_S": "inf"},
        {"PARLEY_MESSAGES_PER_S": "nan"},
        {"PARLEY_MESSAGES_PER_S": "-0"},
        {"PARLEY_CONSUMER_BACKOFF_S": "Infinity"},
        {"PARLEY_CONSUMER_TRIES": "9" * 20},
        {"PARLEY_EVENTS_KEPT_DAYS": "40000"},
        {"PARLEY_CONSULTANTS_START_ACTIVE": "yes please"},
        {"PARLEY_ORIGINS": ","},
        {"PARLEY_TRUSTED_PROXIES": " , "},
        {"PARLEY_TRUSTED_PROXIES": "10.0.0.1/8"},
        {"PARLEY_MAIL_FROM": "nobody"},
        {"PARLEY_MAIL_FROM": "Parley <parley@example.com>\nBcc: all@example.com"},
        {"PARLEY_FILES_URL": "s3://"},
        {"PARLEY_DATABASE_URL": "sqlite:///"},
        {"PARLEY_DATABASE_URL": "sqlite:///:memory:"},
        {"PARLEY_PUBLIC_URL": "https://parley.example/?a=b"},
        {"PARLEY_PUBLIC_URL": "https://parley.example/#a"},
        {"PARLEY_SYSTEMS": "consulting,lerning"},
    ],
    ids=str,
)
def test_an_invalid_setting_is_refused_in_one_line_that_names_it(environ):
    (variable,) = environ
    with pytest.raises(WrongSetting) as refused:
        read_settings(environ)
    text = str(refused.value)
    assert "\n" not in text
    assert variable in text or "PARLEY_SECRET" in text


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresqlx://u@h/d", "must begin with sqlite:/// or postgresql://"),
        ("postgresql+psycopg2://u@h/d", "must begin with sqlite:/// or postgresql://"),
        ("postgresql:/h/d", "must begin with sqlite:/// or postgresql://"),
        ("sqlite:///x?mode=ro", "must not have options"),
        ("postgresql://u@h/d?sslmode=require", "the option 'sslmode'"),
        ("postgresql://u:canary@h:port/d", "percent-encode"),
    ],
)
def test_an_invalid_database_url_is_refused(url, why):
    with pytest.raises(WrongSetting, match=re.escape(why)) as refused:
        read_settings({"PARLEY_DATABASE_URL": url, "PARLEY_SECRET": SECRET})
    assert str(refused.value).startswith("PARLEY_DATABASE_URL ")
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("url", ["postgresql://u@/d?host=/run&ssl=require", "sqlite:///a b.db"])
def test_a_valid_database_url_is_accepted(url):
    given = {"PARLEY_DATABASE_URL": url, "PARLEY_SECRET": SECRET}
    assert read_settings(given).database_url == url


def test_an_empty_setting_counts_as_none_and_a_secret_may_come_from_a_file():
    assert read_settings({"PARLEY_PORT": ""}).environment.port == 8000
    assert read_settings({"PARLEY_SECRET": SECRET + "\n"}).secret() == SECRET + "\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARLEY_ICE_SERVERS", '[{"urls":["turn:x"],"credential":"canary"'),
        ("PARLEY_ICE_SERVERS", '[{"urls":"turn:x","credential":"canary"}]'),
        ("PARLEY_OAUTH_PROVIDERS", '{"google":{"client_secret":"canary"}}'),
        ("PARLEY_OAUTH_PROVIDERS", '{"google":{},"google":{"client_secret":"canary"}}'),
        ("PARLEY_DATABASE_URL", "postgresql://parley:canary@localhost:port/parley"),
        ("PARLEY_DATABASE_URL", "postgresql://parley:canary@localhost/parley "),
        ("PARLEY_MAIL_URL", "smtp://parley:canary@localhost\n"),
    ],
)
def test_a_refused_setting_that_may_contain_a_secret_is_not_shown(name, value):
    with pytest.raises(WrongSetting, match=name) as refused:
        read_settings({name: value, "PARLEY_SECRET": SECRET})
    assert "canary" not in str(refused.value)


def test_a_secret_is_not_shown_when_it_is_refused():
    with pytest.raises(WrongSetting) as refused:
        read_settings({"PARLEY_SECRET": "canary"})
    assert "canary" not in str(refused.value)


def test_the_secret_is_made_once_and_kept_for_its_owner_only(tmp_path):
    made = read_settings({"PARLEY_DATA_DIR": str(tmp_path / "data")}).secret()
    assert len(made) >= 32
    assert read_settings({"PARLEY_DATA_DIR": str(tmp_path / "data")}).secret() == made
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o077 == 0
    given = {"PARLEY_DATA_DIR": str(tmp_path / "data"), "PARLEY_SECRET": SECRET}
    assert read_settings(given).secret() == SECRET


def test_a_damaged_secret_is_refused_and_never_used(tmp_path):
    (tmp_path / "secret").touch()
    with pytest.raises(WrongSetting, match="damaged"):
        read_settings({"PARLEY_DATA_DIR": str(tmp_path)}).secret()


def test_concurrent_first_starts_use_the_same_secret(tmp_path):
    settings = read_settings({"PARLEY_DATA_DIR": str(tmp_path)})
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(lambda _: settings.secret(), range(8)))
    assert len(made) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]


def test_every_setting_is_listed_with_its_purpose():
    shown = describe_settings()
    for line in shown.splitlines()[2:]:
        variable, _, purpose = line.strip().partition(" ")
        assert variable.startswith("PARLEY_")
        assert purpose.strip()
    for variable in ("PARLEY_HOST", "PARLEY_REDIS_URL", "PARLEY_PINCODE_LIFE_S", "PARLEY_LOG"):
        assert variable in shown


def test_a_wrong_setting_stops_the_start_with_one_line(tmp_path):
    started = subprocess.run(
        [sys.executable, "run.py"],
        cwd=ROOT,
        env={"PARLEY_DATA_DIR": str(tmp_path), "PARLEY_PORT": "none"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert started.returncode == 2
    assert started.stderr.startswith("parley: PARLEY_PORT")
    assert started.stderr.count("\n") == 1
