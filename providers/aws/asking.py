"""A question to AWS -> every page of the answer, from every region, or an error that says what to do about it."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import cache
from typing import Any, NamedTuple, TypeVar

from providers.asking import Ask, NoCredentialsError
from providers.names import NAMED
from providers.tables import Diagnostic, InputError

T = TypeVar("T")
FIRST_REGION = "us-east-1"
ONE_ENDPOINT = {"aws-cn": "cn-northwest-1"}  # where price lists and savings plans are asked for, by partition
AT_ONCE = 8  # regions; EC2 counts calls by region, so that they do not throttle one another
LOG_IN = "log in (aws sso login, AWS_PROFILE, or access keys in the environment)"
EXPIRED = (
    "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClientException",
    "AuthFailure", "InvalidSignatureException", "SignatureDoesNotMatch",
)  # fmt: skip
MISREAD = (KeyError, TypeError, ValueError, AttributeError, IndexError)
_GPU_FAMILY = re.compile(r"(?:p\d|gr?\d|trn\d|inf\d|dl\d)[a-z0-9-]*\.")
_IN_A_REGION = re.compile(r"([a-z]+(?:-[a-z]+)+-\d+)-(?:.*)")


class Regions(NamedTuple):
    """What each region answered, the regions that did not, and why."""

    answers: dict[str, Any]
    lost: list[str]
    found: list[Diagnostic]


class Rows:
    """Counts rows that are understood, and names those that are not."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._understood, self._misread = 0, list[str]()

    @contextmanager
    def row(self, name: object) -> Iterator[None]:
        """Note whether what happens inside makes sense of a row; what does not is left out."""
        try:
            yield
        except MISREAD:
            self._misread.append(str(name))
        else:
            self._understood += 1

    def found(self, *, may_be_empty: bool = False) -> list[Diagnostic]:
        """Return what to say of rows that nobody understands.

        Raises:
            InputError: there were none that anybody understands.
        """
        if not self._understood and (self._misread or not may_be_empty):
            problem = "answers in a shape that is not known" if self._misread else "answers nothing at all"
            raise InputError(self._where, problem, "install a newer version of tranche, or try again later")
        if not self._misread:
            return []
        shown = ", ".join(self._misread[:NAMED])
        message = f"{len(self._misread):,} rows of {self._where} are not understood and left out: {shown}"
        hint = "install a newer version of tranche, or give these prices in a file of --offers"
        return [Diagnostic(level="warning", code="rows-not-understood", message=message, hint=hint, where=self._where)]


def is_gpu_type(instance_type: str) -> bool:
    """Return whether a type belongs to a family with GPUs or accelerators, known or new.

    >>> is_gpu_type("p6-b200.48xlarge"), is_gpu_type("m7i.large")
    (True, False)
    """
    return _GPU_FAMILY.match(instance_type) is not None


def place_of(code: str) -> tuple[str, str | None]:
    """Return region and zone of a code, which is a region or a local zone.

    >>> place_of("us-west-2"), place_of("us-west-2-lax-1")
    (('us-west-2', None), ('us-west-2', 'us-west-2-lax-1'))
    """
    within = _IN_A_REGION.fullmatch(code)
    return (within[1], code) if within else (code, None)


@contextmanager
def client_of(service: str, url: str | None, region: str | None = None) -> Iterator[Any]:
    """Give a boto3 client that tries again where it is throttled, with boto3's own chain of credentials.

    Args:
        service: such as ec2.
        url: where to ask instead of AWS.
        region: where; without one, the only place that answers for all regions, or else the first.
    """
    from botocore.config import Config

    session = _session()
    home = session.region_name or FIRST_REGION
    if service != "ec2":
        home = ONE_ENDPOINT.get(session.get_partition_for_region(home), FIRST_REGION)
    config = Config(retries={"mode": "standard", "max_attempts": 5})
    with closing(session.client(service, region_name=region or home, endpoint_url=url, config=config)) as client:
        yield client


def _session() -> Any:  # noqa: ANN401
    """Return a new session, whose credentials are looked up anew, with descriptions of services that are read once."""
    import boto3
    from botocore.session import get_session

    core = get_session()
    core.register_component("data_loader", _descriptions(core.get_config_variable("data_path")))
    return boto3.session.Session(botocore_session=core)


@cache
def _descriptions(paths: str | None) -> Any:  # noqa: ANN401
    """Return what reads descriptions of services; that of EC2 takes longer than most answers."""
    from botocore.loaders import create_loader

    return create_loader(paths)


def pages(ask: Ask, call: Callable[..., Any], *, token: str = "NextToken", **asked: Any) -> Iterator[Any]:  # noqa: ANN401, S107 - AWS's name of a page
    """Return the pages of an answer, and tell of each.

    Raises:
        StoppedError: the work is to end.
    """
    more: dict[str, str] = {}
    while True:
        ask.expect(1)
        answer = call(**asked, **more)
        ask.advance()
        yield answer
        if not answer.get(token):
            return
        more = {token: answer[token]}


@contextmanager
def told(where: str, permission: str) -> Iterator[None]:
    """Turn what boto3 says into an error that says what to do; `permission` is an action of IAM.

    Raises:
        NoCredentialsError: there are none.
        InputError: they have expired, they do not allow it, or AWS cannot be reached.
    """
    from botocore import exceptions as said

    try:
        yield
    except (said.NoCredentialsError, said.ProfileNotFound, said.PartialCredentialsError):
        raise NoCredentialsError(where, "finds no credentials of AWS", LOG_IN) from None
    except (said.SSOError, said.TokenRetrievalError, said.CredentialRetrievalError):
        raise InputError(where, "finds credentials of AWS that have expired or cannot be read", LOG_IN) from None
    except said.ClientError as error:
        raise _refusal(where, permission, error.response.get("Error", {})) from None
    except said.BotoCoreError as error:
        raise InputError(where, f"cannot be reached ({type(error).__name__})", "check the network") from None


def by_region(ask: Ask, where: str, url: str | None, permission: str, read: Callable[[Any, str], T]) -> Regions:
    """Ask every enabled region that is wanted; `read` is given a client of EC2 and the region, in a thread.

    Raises:
        NoCredentialsError: there are none.
        InputError: no region answers.
        StoppedError: the work is to end.
    """
    with told(where, "ec2:DescribeRegions"), client_of("ec2", url) as client:
        names = sorted(one["RegionName"] for one in client.describe_regions()["Regions"])
    wanted = [name for name in names if ask.wants(name)]

    def one(region: str) -> T | InputError:
        try:
            with told(f"{where} in {region}", permission), client_of("ec2", url, region) as client:
                return read(client, region)
        except InputError as error:
            return error

    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        answers = dict(zip(wanted, pool.map(one, wanted), strict=True))
    finally:
        pool.shutdown(cancel_futures=True)
    return _sorted_out(answers)


def _sorted_out(answers: dict[str, Any]) -> Regions:
    refusals = {region: answer for region, answer in answers.items() if isinstance(answer, InputError)}
    if refusals and len(refusals) == len(answers):
        raise next(iter(refusals.values()))
    hint = "what was known of the region stays; try again later, or leave it out with --region"
    found = [
        Diagnostic(level="warning", code="region-lost", message=str(error), hint=hint, where=region)
        for region, error in refusals.items()
    ]
    kept = {region: answer for region, answer in answers.items() if region not in refusals}
    return Regions(kept, list(refusals), found)


def _refusal(where: str, permission: str, error: dict[str, str]) -> InputError:
    code = error.get("Code", "an error without a name")
    if code in EXPIRED:
        return InputError(where, f"says that the credentials have expired or are wrong ({code})", LOG_IN)
    words = (error.get("Message") or "no reason given").splitlines()[0]
    return InputError(where, f"says no ({code}: {words})", f"allow {permission}, or try again later")
