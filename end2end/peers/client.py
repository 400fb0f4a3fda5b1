"""The official Python client: lists the tools at an address and calls one.

python client.py URL KEY TOOL ARGUMENTS [legacy]
"""

import asyncio
import json
import sys

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client


async def main() -> None:
    url, key, tool, arguments = sys.argv[1:5]
    mode = sys.argv[5] if len(sys.argv) > 5 else "auto"
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode) as client:
            tools = (await client.list_tools()).tools
            result = await client.call_tool(tool, json.loads(arguments))
            print(json.dumps({
                "tools": [tool.name for tool in tools],
                "version": client.protocol_version,
                "result": result.model_dump(mode="json", by_alias=True, exclude_none=True),
            }))


asyncio.run(main())
