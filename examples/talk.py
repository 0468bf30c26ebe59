#!/usr/bin/env python3
"""Talks to a Parlance server from a terminal, with nothing but Python's standard library.

    python3 examples/talk.py TOKEN [--msgpack] [--server 127.0.0.1:8080]

Each line that you type is one request in JSON, without its number:  {"op": "user.find", "d": {"username": "bob"}}
Each line that it prints is one frame from the server. With --msgpack the same requests travel as MessagePack; bytes are
written as {"$bytes": "<base64url>"} either way. End it with Ctrl-D; it waits for the answers it is owed. It is an example to read, not a client to build on:
it does not resume, refresh its token or check the server's answers.
"""

import argparse
import base64
import json
import os
import socket
import struct
import sys
import threading


def pack(value):
    """A value as MessagePack."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 128 else b"\xcf" + struct.pack(">Q", value) if value > 0 else b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode()
        return b"\xdb" + struct.pack(">I", len(text)) + text
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))
    if list(value) == ["$bytes"]:
        content = base64.urlsafe_b64decode(value["$bytes"] + "==")
        return b"\xc6" + struct.pack(">I", len(content)) + content
    return b"\xdf" + struct.pack(">I", len(value)) + b"".join(pack(k) + pack(v) for k, v in value.items())


def unpack(data, at=0):
    """The value that stands at this place, and the place after it."""
    mark, at = data[at], at + 1
    if mark < 0x80 or mark >= 0xE0:
        return (mark if mark < 0x80 else mark - 256), at
    if mark in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[mark], at
    numbers = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
    if mark in numbers:
        return struct.unpack_from(numbers[mark], data, at)[0], at + struct.calcsize(numbers[mark])
    if mark < 0xC0:
        kind, count = ("map", mark & 15) if mark < 0x90 else ("list", mark & 15) if mark < 0xA0 else ("text", mark & 31)
    else:
        kinds = {0xC4: ("bytes", 1), 0xC5: ("bytes", 2), 0xC6: ("bytes", 4), 0xD9: ("text", 1), 0xDA: ("text", 2), 0xDB: ("text", 4)}
        kinds |= {0xDC: ("list", 2), 0xDD: ("list", 4), 0xDE: ("map", 2), 0xDF: ("map", 4)}
        kind, width = kinds[mark]
        count, at = int.from_bytes(data[at : at + width], "big"), at + width
    if kind in ("text", "bytes"):
        content, at = data[at : at + count], at + count
        return (content.decode() if kind == "text" else {"$bytes": base64.urlsafe_b64encode(content).decode().rstrip("=")}), at
    items = []
    for _ in range(count * (2 if kind == "map" else 1)):
        item, at = unpack(data, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2])) if kind == "map" else items), at


def send(stream, opcode, payload):
    """One masked frame, as every client must send it."""
    mask = os.urandom(4)
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size) if size < 65536 else b"\xff" + struct.pack(">Q", size)
    stream.sendall(bytes([0x80 | opcode]) + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))


def listen(stream, reader, answered):
    """Prints what arrives until the server closes; counts the answers."""
    while True:
        head = reader.read(2)
        if len(head) < 2:
            return print("# the connection broke", flush=True)
        opcode, size = head[0] & 15, head[1]
        size = size if size < 126 else struct.unpack(">H", reader.read(2))[0] if size == 126 else struct.unpack(">Q", reader.read(8))[0]
        payload = reader.read(size)
        if opcode in (1, 2):
            value = json.loads(payload) if opcode == 1 else unpack(payload)[0]
            print(json.dumps(value, ensure_ascii=False, separators=(",", ":")), flush=True)
            if "id" in value:
                answered.release()
        elif opcode == 9:
            send(stream, 10, payload)
        elif opcode == 8:
            return print(f"# closed with {struct.unpack('>H', payload[:2])[0] if payload else 'no code'}", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("token")
    arguments.add_argument("--msgpack", action="store_true")
    arguments.add_argument("--server", default="127.0.0.1:8080")
    given = arguments.parse_args()
    host, port = given.server.rsplit(":", 1)
    protocol = "parlance.v1+msgpack" if given.msgpack else "parlance.v1+json"
    stream = socket.create_connection((host, int(port)))
    key = base64.b64encode(os.urandom(16)).decode()
    head = f"GET /v1/ws HTTP/1.1\r\nHost: {given.server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    stream.sendall(head.encode())
    reader = stream.makefile("rb")
    status = reader.readline().decode()
    while reader.readline() not in (b"\r\n", b""):
        pass
    if " 101 " not in status:
        sys.exit(f"the server did not upgrade the connection: {status.strip()}\n{reader.read(2000).decode()}")
    answered = threading.Semaphore(0)
    listener = threading.Thread(target=listen, args=(stream, reader, answered), daemon=True)
    listener.start()

    def request(number, value):
        value = {"id": number, **value}
        send(stream, 2 if given.msgpack else 1, pack(value) if given.msgpack else json.dumps(value).encode())

    request(1, {"op": "auth", "d": {"token": given.token}})
    answered.acquire(timeout=10)
    number = 1
    for line in filter(str.strip, sys.stdin):
        try:
            request(number + 1, json.loads(line))
            number += 1
        except (ValueError, TypeError) as error:
            print(f"# not sent: {error}", flush=True)
    for _ in range(1, number):
        answered.acquire(timeout=10)
    send(stream, 8, struct.pack(">H", 1000))
    listener.join(5)


if __name__ == "__main__":
    main()
