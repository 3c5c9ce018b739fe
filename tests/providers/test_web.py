"""JSON over HTTP: it tries again where it is told to, and keys stay where they were sent."""

import pytest

from providers.tables import InputError
from providers.web import Web


def test_it_tries_again_until_there_is_an_answer(serve):
    url, asked = serve((429, {}), (503, {}), (200, {"a": 1}))
    assert Web("Seller", backoff_s=0).get(f"{url}/x") == {"a": 1}
    assert len(asked) == 3


def test_it_gives_up_in_the_end(serve):
    url, asked = serve((503, {}))
    with pytest.raises(
        InputError, match=r"^Seller \(127\.0\.0\.1:\d+/x\): does not answer after 5 more tries; try again"
    ):
        Web("Seller", backoff_s=0).get(f"{url}/x", {"key": "secret"})
    assert len(asked) == 6


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, {}, "answers 401 Unauthorized; check that the key is right and has not expired"),
        (403, {}, "answers 403 Forbidden; check what the key may read"),
        (404, {}, "answers 404 Not Found; try again later"),
        (200, b"<html>", "answers something that is no JSON"),
    ],
)
def test_a_refusal_says_who_and_what_and_no_secret(serve, status, body, said):
    url, _ = serve((status, body))
    with pytest.raises(InputError) as refused:
        Web("Seller", headers={"X-API-KEY": "secret"}).get(f"{url}/x", {"key": "secret"})
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


def test_nobody_there():
    with pytest.raises(InputError, match="cannot be reached"):
        Web("Seller", backoff_s=0).get("http://127.0.0.1:1/x")


def test_a_key_is_never_sent_on_to_another_address(serve):
    url, _ = serve(lambda _: (302, None))  # to where nobody answers
    with pytest.raises(InputError, match="answers 302"):
        Web("Seller", headers={"X-API-KEY": "secret"}).get(f"{url}/x")
    with pytest.raises(InputError, match="cannot be reached"):
        Web("Seller", backoff_s=0).get(f"{url}/x")
