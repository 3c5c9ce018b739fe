"""Bills in S3, through boto3 and its own credential chain; AWS_ENDPOINT_URL_S3 names another server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from providers.storage import Entry, address_parts, landing, refusal
from providers.tables import InputError

LOGIN = "log in (aws sso login, AWS_PROFILE, or a role of this machine)"
RIGHT = "s3:ListBucket and s3:GetObject"
ATTEMPTS = 5


class Bucket:
    """One bucket, and what the address asks for in it."""

    def __init__(self, address: str) -> None:
        import boto3
        from botocore.config import Config

        self.name, self.prefix = address_parts(address, "s3")
        self.address = f"s3://{self.name}"
        with _told(self.address):
            self._client: Any = boto3.session.Session().client(
                "s3", config=Config(retries={"mode": "standard", "max_attempts": ATTEMPTS})
            )

    def entries(self, beginning: str) -> list[Entry]:
        """Return the objects whose keys begin so, by key."""
        with _told(f"{self.address}/{beginning}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=beginning)
            return [_entry(one) for page in pages for one in page.get("Contents", ())]

    def download(self, entry: Entry, path: Path, advance: Callable[[int], None]) -> None:
        """Write one object to a file; what breaks off is asked for again by boto3, piece by piece."""
        from boto3.s3.transfer import TransferConfig

        name = f"{self.address}/{entry.key}"
        with landing(path, entry.size, name) as part, _told(name):
            alone = TransferConfig(use_threads=False)  # several objects are fetched at once instead
            self._client.download_file(self.name, entry.key, str(part), Callback=advance, Config=alone)


def _entry(one: dict[str, Any]) -> Entry:
    return Entry(one["Key"], one["Size"], f"{one['LastModified']:%Y-%m-%dT%H:%M:%SZ}", one["ETag"])


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what boto3 raises into what to do about it."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound

    try:
        yield
    except (NoCredentialsError, ProfileNotFound) as error:
        raise InputError(name, f"needs credentials of AWS ({error})", LOGIN) from None
    except ClientError as error:
        raise _refused(name, error.response) from None
    except (BotoCoreError, Boto3Error) as error:
        raise InputError(
            name, f"could not be read ({error})", "check the network and the region, then try again"
        ) from None


def _refused(name: str, response: Any) -> InputError:  # noqa: ANN401 - botocore's own shape
    code = str(response.get("Error", {}).get("Code", ""))
    if code == "InvalidObjectState":
        return InputError(name, "is archived (Glacier)", "restore it first")
    if "Token" in code:  # ExpiredToken, InvalidToken, TokenRefreshRequired
        return InputError(name, f"was refused ({code})", LOGIN)
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return refusal(name, status, login=LOGIN, right=RIGHT)
