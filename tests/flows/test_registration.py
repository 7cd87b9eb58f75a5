"""RFC 3665 §2: registration."""

from tests.flows.actors import World


def test_challenge_then_success(world: World) -> None:
    a = world.phone("101")
    world.exchange.registrar  # noqa: B018 (the binding is looked at by its effect below)
    response = a.register()
    assert response.status == 200
    (contact,) = response.contacts
    assert contact.param("expires") == "3600"


def test_wrong_password(world: World) -> None:
    a = world.phone("101")
    a.password = "wrong"
    response = a.register()
    assert response.status == 403
    assert 'text="bad_credentials"' in (response.get("Reason") or "")


def test_too_brief(world: World) -> None:
    response = world.phone("101").register(expires=5)
    assert response.status == 423
    assert int(response.get("Min-Expires") or 0) > 5


def test_cancelling_all_registrations(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    assert b.register(expires=0, contact="*").status == 200
    a.call("102").fails(480)
    b.silent()


def test_a_terminated_line_may_not_register(world: World) -> None:
    phone = world.phone("106")
    assert phone.register().status == 403


def test_a_suspended_line_registers(world: World) -> None:
    assert world.phone("105").register().status == 200


def test_another_line_may_not_be_registered(world: World) -> None:
    a = world.phone("101")
    request = a.authorized(a.request("REGISTER", "sip:vigie", to="<sip:102@vigie>"))
    a.put(request)
    a.expect(403)


def test_a_binding_expires(world: World) -> None:
    a, _b = world.phone("101"), world.phone("102")
    world.after(3601)
    a.register()
    a.call("102").fails(480)
