"""mcp-server-time, which speaks by standard input and output, at an address.

python time_server.py PORT
"""

import asyncio
import sys

from mcp_server_time.server import create_server

asyncio.run(create_server("UTC").run_streamable_http_async(port=int(sys.argv[1])))
