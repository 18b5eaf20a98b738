"""A bare FastAPI application that gives back the body it was sent. Not a benchmark itself.

It takes the same body as `POST /recommend`, checked by a pydantic model, and is served as `shortlist serve` is: one
process of uvicorn with httptools, no access log. What it costs is what FastAPI asks for any answer at all.

    python benchmarks/echo_server.py
"""

import json
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Body(BaseModel):
    """What a recommendation is asked with."""

    query: dict[str, str | int | float | bool | None]
    k: int = 10
    history: list[str | int] = []
    exclude_seen: bool = True


@app.post("/recommend")
async def echo(body: Body) -> Any:
    """The body again."""
    return body


def main() -> None:
    """Listen at a free port and print it."""
    # Named TCP, or asyncio would not switch Nagle's delay off: each answer would wait 40 ms.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    print(json.dumps({"url": f"http://127.0.0.1:{bound.getsockname()[1]}"}), flush=True)
    config = uvicorn.Config(app, http="httptools", ws="none", loop="asyncio", access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    main()
