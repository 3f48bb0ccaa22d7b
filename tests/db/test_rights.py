"""I11: the rights of all readers of the plain feed, asked together."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User

from sessions.access import credentials, tokens
from sessions.account_models import ApiToken
from sessions.control.send import create_session
from transport.rows.rights import Right, lapsed

pytestmark = pytest.mark.django_db


def scope(token: str) -> dict[str, object]:
    return {"headers": [(b"authorization", f"Bearer {token}".encode())]}


@pytest.fixture
def rights() -> list[Right]:
    made = []
    for name in ("ada", "bob", "cleo"):
        user = User.objects.create_user(name)
        session = create_session(owner=user, agent="demo")
        credential = credentials.credential_of(scope(tokens.create_token(user)), user)
        made.append(Right(user.pk, session.pk, credential))
    return made


def test_rights_of_all_readers_take_two_queries(rights, django_assert_num_queries) -> None:
    with django_assert_num_queries(2):
        assert lapsed(rights) == set()


def test_each_end_of_a_right_ends_that_one_alone(rights) -> None:
    ada, bob, cleo = rights
    foreign = Right(ada.user_id, bob.session_id, ada.credential)
    unknown = Right(ada.user_id, uuid4(), ada.credential)
    assert lapsed([ada, foreign, unknown]) == {foreign, unknown}
    ApiToken.objects.filter(user_id=ada.user_id).delete()
    assert lapsed(rights) == {ada}
    User.objects.filter(pk=bob.user_id).update(is_active=False)
    assert lapsed(rights) == {ada, bob}
    User.objects.filter(pk=cleo.user_id).update(password="another")
    assert lapsed(rights) == set(rights)
