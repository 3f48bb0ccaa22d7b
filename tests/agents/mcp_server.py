"""A small MCP server by pipe: two tools, where its secret is the right one."""

import json
import os
import sys

for line in sys.stdin:
    message = json.loads(line)
    print("a word of the program", flush=True)
    if "id" not in message:
        continue
    if os.environ.get("MCP_SECRET") != "right":
        reply = {"error": {"code": -32000, "message": "no access"}}
    elif message["method"] == "initialize":
        info = {"name": "small", "version": "1"}
        reply = {
            "result": {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": info}
        }
    else:
        reply = {"result": {"tools": [{"name": "a"}, {"name": "b"}]}}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **reply}), flush=True)
