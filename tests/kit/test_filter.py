"""The text filter is a port: one domain provides it; without one, every text passes."""

from pathlib import Path

import pytest

from handlers import SYSTEMS
from handlers.kit.domain import Domain
from handlers.kit.filter import NoFilter, TextRefused
from handlers.kit.registry import Registry, load_domains
from handlers.kit.rules import Rules
from handlers.kit.settings import UnusableSetting
from handlers.kit.uniqueness import WrongDeclaration
from handlers.platform.moderation.rules import ModerationRules
from server.settings import WrongSetting, read_settings
from tests.parts.ports import free_port
from tests.platform.chat.scenes import say, talk, texts
from tests.platform.uploads.uploading import uploader
from tests.world import World

RULES = Rules()


def rules_with(words: Path) -> Rules:
    """Rules with this word list."""
    return Rules(ModerationRules(words_file=str(words)))


class Strict:
    """Refuses every text."""

    def check(self, *texts: str) -> str:
        raise TextRefused


@pytest.fixture
async def world(make_world) -> World:
    port = free_port()
    return await make_world(port=port, PARLEY_PUBLIC_URL=f"http://127.0.0.1:{port}")


def test_the_domain_that_provides_the_filter_opens_it():
    opened = []

    def open_strict(rules: Rules) -> Strict:
        opened.append(rules)
        return Strict()

    domains = (Domain("first"), Domain("strict", opens_filter=open_strict), Domain("last"))
    with pytest.raises(TextRefused):
        Registry(domains).open_filter(RULES).check("anything")
    assert opened == [RULES]


def test_two_domains_that_provide_a_filter_stop_the_start():
    domains = [Domain(name, opens_filter=lambda rules: Strict()) for name in "ab"]
    with pytest.raises(WrongDeclaration) as refused:
        Registry(tuple(domains))
    assert [domain.place in str(refused.value) for domain in domains] == [True, True]


def test_a_setting_that_the_filter_cannot_use_stops_the_start_in_one_line():
    def open_nothing(rules: Rules) -> Strict:
        raise UnusableSetting("bell_list", "it has no bell in it")

    deaf = Registry((Domain("deaf", opens_filter=open_nothing),))
    with pytest.raises(WrongSetting, match=r"\APARLEY_BELL_LIST: it has no bell in it\Z"):
        read_settings({}, deaf)


def test_moderation_filters_by_a_word_list(tmp_path):
    words = tmp_path / "words"
    words.write_text("refuse: rotten\nflag: fishy\n")
    answering = load_domains(SYSTEMS).open_filter(rules_with(words))
    assert answering.check("a fishy one") == "fishy"
    with pytest.raises(TextRefused):
        answering.check("a rotten one")


async def test_without_a_domain_that_provides_a_filter_every_text_passes(world, tmp_path):
    words = tmp_path / "words"
    words.write_text("refuse: rotten\nflag: fishy\n")
    silent = tuple(d for d in load_domains(SYSTEMS).domains if d.name != "moderation")
    world.app.kernel.filter = Registry(silent).open_filter(rules_with(words))
    assert isinstance(world.app.kernel.filter, NoFilter)
    ana, ben = await world.person("ana"), await world.person("ben")
    chat = await talk(ana, ben)
    await say(ana, chat, "rotten and fishy")
    async with uploader(world, ana) as files:
        file = await files.upload(b"rotten", "text/plain", name="rotten.txt")
    sending = {"conversation_id": chat, "client_id": "c", "upload_id": file["id"]}
    await ana.call("/chat", "send_media", **sending, text="rotten")
    assert await texts(ben, chat) == ["rotten and fishy", "rotten"]
    await world.settle()
    assert await world.stored("MESSAGE_NOTICED") == []
