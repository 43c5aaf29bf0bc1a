"""Packets from clients: any text is a packet or malformed; the payload stays unchanged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio.packet import Packet

from server.wire import (
    ClientPacket,
    MalformedPacket,
    ack_text,
    auth_of,
    connect_error_text,
    connect_text,
)

NAMES = st.text(st.characters(codec="utf-8"), max_size=64)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.text(min_size=1, max_size=200)
    | st.from_regex(r"[0-6](/\w{0,9},)?\d{0,20}[\[\]{}\",:\w\\]{0,60}")
)
def test_any_text_at_all_is_a_packet_or_is_malformed(text):
    try:
        packet = ClientPacket(encoded_packet=text)
    except MalformedPacket:
        return
    if packet.packet_type == 2:
        name, payload = packet.data
        assert isinstance(name, str)
        json.loads(payload)


@given(NAMES, JSON, st.integers(0, 10**15 - 1) | st.none())
def test_an_event_packet_is_parsed_and_its_payload_stays_unchanged(name, payload, number):
    shown = "" if number is None else str(number)
    packet = ClientPacket(encoded_packet=f"2/chat,{shown}{json.dumps([name, payload])}")
    assert (packet.packet_type, packet.namespace, packet.id) == (2, "/chat", number)
    assert packet.data[0] == name
    assert json.loads(packet.data[1]) == payload


@pytest.mark.parametrize(
    ("text", "namespace"),
    [
        ("0", "/"),
        ("0{}", "/"),
        ("0/chat", "/chat"),
        ("0/chat,", "/chat"),
        ("0/chat?token=x,{}", "/chat"),
        ("1/chat,", "/chat"),
    ],
)
def test_the_namespace_is_read_in_all_its_forms(text, namespace):
    assert ClientPacket(encoded_packet=text).namespace == namespace


@pytest.mark.parametrize("text", ["0/chat", "0/chat,", "0/chat,null", "0/chat,{}"])
def test_a_connect_without_auth_has_an_empty_one(text):
    assert auth_of(ClientPacket(encoded_packet=text).data) == {}


@pytest.mark.parametrize("data", ["[]", '"x"', "7.0", "true", "false", '""'])
def test_an_auth_that_is_no_object_is_malformed(data):
    with pytest.raises(MalformedPacket):
        ClientPacket(encoded_packet=f"0/chat,{data}")


def test_an_acknowledgement_has_the_socket_io_format():
    assert ack_text("/chat", 12, b'{"ok":true}') == b'43/chat,12[{"ok":true}]'
    assert ack_text("/", 0, b"{}") == b"430[{}]"


@pytest.mark.parametrize("data", [None, {}, {"a": 1}, [], ["2", "x"], 0, True, b"20", ""])
def test_a_packet_that_is_not_text_is_malformed(data):
    with pytest.raises(MalformedPacket):
        ClientPacket(data)


@pytest.mark.parametrize("namespace", ["/", "/chat"])
def test_an_entry_and_its_refusal_are_read_by_python_socketio(namespace):
    error = {"message": "Say who you are: „ä“.", "data": {"code": "TOKEN_MISSING"}}
    for text, kind, data in (
        (connect_text(namespace, "a sid"), 0, {"sid": "a sid"}),
        (connect_error_text(namespace, error), 4, error),
        (connect_error_text(namespace, "Unable to connect"), 4, "Unable to connect"),
    ):
        packet = Packet(encoded_packet=text)
        assert (packet.packet_type, packet.namespace or "/") == (kind, namespace)
        assert (packet.id, packet.data) == (None, data)
