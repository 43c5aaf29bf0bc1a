"""python-socketio as in its documentation, on uvloop, without storage or authorization."""

import sys
from typing import Any

import socketio
import uvloop
from aiohttp import web

server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")
Message = dict[str, Any]


@server.on("connect", namespace="/chat")
async def connect(sid: str, environ: Any, auth: Any = None) -> None:
    """Accept every client."""


@server.on("join", namespace="/chat")
async def join(sid: str, data: Message) -> Message:
    await server.enter_room(sid, data["room"], namespace="/chat")
    return {"ok": True}


@server.on("send", namespace="/chat")
async def send(sid: str, message: Message) -> Message:
    await server.emit("message", message, room=message["room"], namespace="/chat")
    return {"ok": True}


if __name__ == "__main__":
    app = web.Application()
    server.attach(app)
    uvloop.install()
    port = int(sys.argv[1])
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None, backlog=4096)
