"""The WebSocket frames that we write in addition to packets."""


def close_frame(code: int) -> bytes:
    return b"\x88\x02" + code.to_bytes(2, "big")


def pong_frame(payload: bytes) -> bytes:
    """The answer to a PING, whose payload has at most 125 bytes."""
    return bytes((0x8A, len(payload))) + payload
