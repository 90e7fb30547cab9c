"""The OpenSearch client. Its library costs half of boto3's import, so it is imported when the client is made."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Final

import boto3

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

TIMEOUT: Final = 5
"""Seconds that a request may take."""


@cache
def opensearch(endpoint: str) -> OpenSearch:
    """A client for ``endpoint``: the bare host of a domain (TLS, signed), or a URL, which is used as it is."""
    from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth, Urllib3HttpConnection  # noqa: PLC0415 - see above

    domain = "://" not in endpoint
    auth = Urllib3AWSV4SignerAuth(boto3.Session().get_credentials(), os.environ["AWS_REGION"]) if domain else None
    return OpenSearch(
        hosts=[f"https://{endpoint}:443" if domain else endpoint],
        http_auth=auth,
        connection_class=Urllib3HttpConnection,
        timeout=TIMEOUT,
        max_retries=1,
        retry_on_timeout=False,
        maxsize=20,
    )
