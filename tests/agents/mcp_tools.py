"""An MCP server by pipe whose tools show an image and a file, and ask a question."""

import json
import sys

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAA"
    "AABJRU5ErkJggg=="
)
TOOLS = ("picture", "page", "form")
FORM = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
    "required": ["colour"],
}


def write(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def text(words):
    return {"content": [{"type": "text", "text": words}]}


def asked():
    """Ask a question; return its answer."""
    params = {"message": "Which colour?", "requestedSchema": FORM}
    write(id="ask", method="elicitation/create", params=params)
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("id") == "ask":
            return message.get("result") or message["error"]
    return {}


def result(name):
    if name == "picture":
        return {"content": [{"type": "image", "data": PIXEL, "mimeType": "image/png"}]}
    if name == "page":
        page = {"uri": "file:///page.txt", "mimeType": "text/plain", "text": "the page"}
        return {"content": [{"type": "resource", "resource": page}]}
    return text(json.dumps(asked()))


def answer(message):
    method, params = message["method"], message.get("params") or {}
    if method == "initialize":
        info = {"name": "shown", "version": "1"}
        known = {"protocolVersion": params["protocolVersion"], "serverInfo": info}
        return known | {"capabilities": {"tools": {}}}
    if method == "tools/list":
        schema = {"type": "object", "properties": {}}
        hints = {"readOnlyHint": True}
        told = {"description": "A tool of the tests.", "inputSchema": schema, "annotations": hints}
        return {"tools": [{"name": name, **told} for name in TOOLS]}
    return result(params["name"]) if method == "tools/call" else {}


def main():
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message and "method" in message:
            write(id=message["id"], result=answer(message))


if __name__ == "__main__":
    main()
