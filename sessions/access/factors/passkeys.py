"""Passkeys (WebAuthn): keys of a device or a security key, good for one host name."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import logging
from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import IntegrityError
from django.http import HttpRequest
from django.http.request import split_domain_port
from fido2.server import Fido2Server
from fido2.webauthn import AttestedCredentialData, AuthenticatorData, PublicKeyCredentialUserEntity
from fido2.webauthn import ResidentKeyRequirement as Resident
from fido2.webauthn import UserVerificationRequirement as Verification

from sessions.access.factors import rows
from sessions.access.factors.rows import Kind
from sessions.access.origin import is_origin_of_site
from sessions.account_models import SecondFactor

logger = logging.getLogger(__name__)

MAX_PASSKEYS: Final = 20
_STATE: Final = "passkey_challenge"
# An answer of a browser has one or two thousand.
_MAX_ANSWER_CHARS: Final = 20_000


def host_of(request: HttpRequest) -> str | None:
    """Return the name that passkeys of this site belong to; addresses cannot have any."""
    host, _ = split_domain_port(request.get_host())
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host
    return None


def begin_making(request: HttpRequest, user: User) -> dict[str, Any]:
    """Return the options of navigator.credentials.create."""
    options, state = _server(request).register_begin(
        PublicKeyCredentialUserEntity(
            id=_handle(user), name=user.get_username(), display_name=user.get_username()
        ),
        credentials=[credential for _, credential in _known(user, host_of(request))],
        resident_key_requirement=Resident.DISCOURAGED,
        user_verification=Verification.DISCOURAGED,
    )
    request.session[_STATE] = state
    return dict(options)


def make(request: HttpRequest, user: User, answer: str, name: str) -> bool:
    """Keep the passkey of an answer to `begin_making`; return False for one that is not good."""
    if rows.of(user, Kind.PASSKEY).count() >= MAX_PASSKEYS:
        return False
    made = _judged(request, answer, lambda state, given: _registered(request, state, given))
    if made is None or made.credential_data is None:
        return False
    credential = made.credential_data
    try:
        SecondFactor.objects.create(
            user=user,
            kind=Kind.PASSKEY,
            key=_key(credential.credential_id),
            name=name.strip()[:100] or "Passkey",
            data=json.dumps(
                {"host": host_of(request), "key": base64.b64encode(credential).decode("ascii")}
            ),
            counter=made.counter,
        )
    except IntegrityError:
        return False
    return True


def begin_use(request: HttpRequest, user: User) -> dict[str, Any] | None:
    """Return the options of navigator.credentials.get, None without a passkey for this host."""
    known = _known(user, host_of(request))
    if not known:
        return None
    options, state = _server(request).authenticate_begin(
        [credential for _, credential in known], user_verification=Verification.DISCOURAGED
    )
    request.session[_STATE] = state
    return dict(options)


def accept(request: HttpRequest, user: User, answer: str) -> bool:
    """Return whether an answer to `begin_use` is signed by a passkey of the account."""
    known = _known(user, host_of(request))
    used = _judged(request, answer, lambda state, given: _signed(request, state, given, known))
    if used is None:
        return False
    row, counter = used
    # Passkeys that a person's devices share count nothing; a copy of one that counts is behind.
    if counter or row.counter:
        return rows.use(row, counter)
    return True


def hosts(user: User) -> set[str]:
    """Return the hosts that the account has passkeys for."""
    return {place_of(row) for row in rows.of(user, Kind.PASSKEY)}


def place_of(row: SecondFactor) -> str:
    """Return the host of a passkey."""
    return str(json.loads(row.data)["host"])


def _registered(request: HttpRequest, state: Any, given: Any) -> AuthenticatorData:
    return _server(request).register_complete(state, given)


def _signed(
    request: HttpRequest,
    state: Any,
    given: Any,
    known: list[tuple[SecondFactor, AttestedCredentialData]],
) -> tuple[SecondFactor, int]:
    keys = [credential for _, credential in known]
    used = _server(request).authenticate_complete(state, keys, given)
    said = base64.urlsafe_b64decode(given["response"]["authenticatorData"] + "==")
    return known[keys.index(used)][0], AuthenticatorData(said).counter


def _judged(request: HttpRequest, answer: str, judge: Callable[[Any, Any], Any]) -> Any:
    """Return the result of judge, None for an answer that it refuses. A challenge is used once."""
    state = request.session.pop(_STATE, None)
    if state is None or len(answer) > _MAX_ANSWER_CHARS:
        return None
    try:
        return judge(state, json.loads(answer))
    except Exception:  # its parsers raise many kinds of errors for a forged answer
        logger.info("a passkey's answer was refused", exc_info=True)
        return None


def _known(user: User, host: str | None) -> list[tuple[SecondFactor, AttestedCredentialData]]:
    found = [(row, json.loads(row.data)) for row in rows.of(user, Kind.PASSKEY)]
    return [
        (row, AttestedCredentialData(base64.b64decode(data["key"])))
        for row, data in found
        if data["host"] == host
    ]


def _server(request: HttpRequest) -> Fido2Server:
    party: Any = {"id": host_of(request) or "", "name": "Backstay"}
    return Fido2Server(party, verify_origin=lambda origin: is_origin_of_site(request, origin))


def _handle(user: User) -> bytes:
    """Return the account's name for authenticators, which says nothing about the person."""
    return hashlib.sha256(f"backstay user {user.pk}".encode()).digest()


def _key(credential_id: bytes) -> str:
    return hashlib.sha256(credential_id).hexdigest()
