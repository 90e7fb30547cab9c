"""Cursors cannot be made up, changed, or used for another customer."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.cursors import Cursors
from support.problems import InvalidRequestError
from support.repositories.ticket_table import Position

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

POSITION = Position(1_769_860_800, "tkt_0123456789ab")


@pytest.fixture
def kms(aws: None) -> KMSClient:
    client: KMSClient = boto3.client("kms")
    return client


@pytest.fixture
def cursors(kms: KMSClient) -> Cursors:
    key = kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")["KeyMetadata"]["Arn"]
    return Cursors(kms, key)


def test_a_cursor_leads_back_to_its_place(cursors: Cursors) -> None:
    assert cursors.read("C1", cursors.make("C1", POSITION)) == POSITION


def test_a_cursor_fits_into_a_url_and_the_contract(cursors: Cursors) -> None:
    cursor = cursors.make("C" + "9" * 63, Position(9_999_999_999, "tkt_" + "f" * 64))
    assert len(cursor) <= 1024
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_cursor_is_of_no_use_for_another_customer(cursors: Cursors) -> None:
    with pytest.raises(InvalidRequestError):
        cursors.read("C2", cursors.make("C1", POSITION))


def test_a_cursor_signed_by_another_key_is_refused(cursors: Cursors, kms: KMSClient) -> None:
    other = kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")["KeyMetadata"]["Arn"]
    with pytest.raises(InvalidRequestError):
        cursors.read("C1", Cursors(kms, other).make("C1", POSITION))


@pytest.mark.parametrize("position", range(0, 90, 7))
def test_a_changed_cursor_is_refused(cursors: Cursors, position: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(cursors.make("C1", POSITION) + "=="))
    raw[position % len(raw)] ^= 1
    with pytest.raises(InvalidRequestError) as caught:
        cursors.read("C1", base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="))
    assert caught.value.errors[0].path == "cursor"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(text=st.text())
def test_no_made_up_cursor_is_taken(cursors: Cursors, text: str) -> None:
    with pytest.raises(InvalidRequestError):
        cursors.read("C1", text)
