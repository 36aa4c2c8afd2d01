"""A stand-in for curl where there is none: the few options the README uses."""

import argparse
import sys
from urllib.parse import quote

import httpx


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-X")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d", action="append", default=[])
    said = parser.parse_intermixed_args()
    headers = {name: value.strip() for name, _, value in (line.partition(":") for line in said.H)}
    body = "&".join(said.d) if said.d else None
    if body is not None and "Content-Type" not in headers:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = quote(body, safe="=&+%:@'")
    answer = httpx.request(said.X or ("POST" if said.d else "GET"), said.url, headers=headers, content=body)
    sys.stdout.write(answer.text)


if __name__ == "__main__":
    main()
