"""Plans: what holds for every expansion, and the form in which the journal keeps them."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootstrap_core.secrets import Secret
from provision.layout.errors import PlanFormatError
from provision.layout.expansion import expand
from provision.layout.model import (
    Binding,
    BindingSlot,
    Bootstrap,
    Channel,
    Client,
    Connection,
    Dialect,
    InlineProfile,
    JsonValue,
    Layout,
    ProfileReference,
)
from provision.layout.plan import Plan, plan_from_json, plan_to_json
from tests.layout.samples import CountedIdentifiers, gateway

texts = st.text(st.characters(codec="utf-8"), max_size=8)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, json_values, max_size=3)
plain = texts.filter(lambda text: "{{" not in text)
profiles = st.one_of(
    st.none(),
    st.builds(ProfileReference, id=texts, name=texts),
    st.builds(
        InlineProfile,
        name=texts,
        content_template=texts,
        content_format=st.sampled_from(["json", "raw"]),
        defaults=objects,
        binding_slots=st.lists(
            st.builds(
                BindingSlot,
                name=texts,
                type=st.sampled_from(["client", "channel"]),
                required=st.booleans(),
                fields=st.lists(texts, max_size=2).map(tuple),
            ),
            max_size=2,
        ).map(tuple),
    ),
)


def without_templates(value: JsonValue) -> JsonValue:
    return json.loads(json.dumps(value).replace("{{", "{"))


metadata = objects.map(without_templates)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    client_count, channel_count = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    gateway_index = draw(st.integers(-1, client_count - 1))
    clients = tuple(
        Client(
            f"client{index}",
            draw(plain),
            identity=draw(st.none() | plain),
            metadata=draw(metadata),
            tags=tuple(draw(st.lists(plain, max_size=2))),
            bootstrap=index == gateway_index,
            certificate=draw(st.booleans()),
        )
        for index in range(client_count)
    )
    channels = tuple(
        Channel(f"channel{index}", draw(plain), metadata=draw(metadata))
        for index in range(channel_count)
    )
    client_keys = st.sampled_from([client.key for client in clients])
    channel_keys = st.sampled_from([channel.key for channel in channels])
    connections = st.builds(
        Connection,
        st.lists(client_keys, min_size=1, unique=True).map(tuple),
        st.lists(channel_keys, min_size=1, unique=True).map(tuple),
        st.sampled_from([("publish",), ("subscribe",), ("publish", "subscribe")]),
    )
    bindings = st.one_of(
        st.builds(Binding, texts, st.just("client"), client_keys),
        st.builds(Binding, texts, st.just("channel"), channel_keys),
    )
    return Layout(
        "generated",
        dialect=draw(st.sampled_from(Dialect)),
        clients=clients,
        channels=channels,
        connections=tuple(draw(st.lists(connections, max_size=4))),
        bootstrap=Bootstrap(
            provision=draw(st.booleans()),
            render_context=draw(metadata),
            content=draw(json_values),
        ),
        profile=draw(profiles),
        bindings=tuple(draw(st.lists(bindings, max_size=3))),
    )


def plan_of(layout: Layout, name: str | None = "gw") -> Plan:
    return expand(layout, gateway(name), CountedIdentifiers())


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layouts(), st.none() | texts)
@pytest.mark.slow
def test_a_plan_survives_the_journal_exactly(layout: Layout, name: str | None) -> None:
    plan = plan_of(layout, name)
    restored = plan_from_json(json.loads(json.dumps(plan_to_json(plan), allow_nan=False)))
    assert restored == plan
    assert plan_to_json(restored) == plan_to_json(plan)
    assert all(isinstance(client.secret, Secret) for client in restored.clients)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layouts())
@pytest.mark.slow
def test_what_a_plan_refers_to_is_in_it(layout: Layout) -> None:
    plan = plan_of(layout)
    client_ids = [client.id for client in plan.clients]
    channel_ids = [channel.id for channel in plan.channels]
    assert len({*client_ids, *channel_ids}) == len(client_ids) + len(channel_ids)
    for group in plan.connections:
        assert group.types
        assert set(group.client_ids) <= set(client_ids)
        assert set(group.channel_ids) <= set(channel_ids)
    for binding in plan.bindings:
        assert binding.resource_id in (channel_ids if binding.type == "channel" else client_ids)
    assert {certificate.client_id for certificate in plan.certificates} <= set(client_ids)
    if plan.config is None:
        assert (plan.profile, plan.bindings) == (None, ())
    else:
        assert plan.gateway is not None
        assert plan.config.id == plan.gateway.id


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layouts())
@pytest.mark.slow
def test_connect_calls_make_exactly_the_layouts_connections_each_pair_once(layout: Layout) -> None:
    plan = plan_of(layout)
    keys = {part.id: part.key for part in (*plan.clients, *plan.channels)}
    wanted: dict[tuple[str, str], set[str]] = {}
    for connection in layout.connections:
        for client in connection.clients:
            for channel in connection.channels:
                wanted.setdefault((client, channel), set()).update(connection.types)
    made = [(keys[pair.client_id], keys[pair.channel_id]) for pair in plan.pairs]
    assert len(made) == len(set(made))
    assert {
        (keys[pair.client_id], keys[pair.channel_id]): set(pair.types) for pair in plan.pairs
    } == wanted


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layouts())
@pytest.mark.slow
def test_the_same_identifiers_give_the_same_plan(layout: Layout) -> None:
    assert plan_of(layout) == plan_of(layout)


LAYOUT = Layout("x", clients=(Client("a", "a"),))


def test_the_journals_form_has_a_version() -> None:
    assert plan_to_json(plan_of(LAYOUT, "Straße"))["version"] == 2


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "not a journalled plan"),
        ("", "not a journalled plan"),
        ([], "not a journalled plan"),
        ({"plan": {}}, "not a journalled plan"),
        ({"version": 3, "plan": {}}, "version 3; this release reads up to 2"),
        ({"version": 1, "plan": {}}, "does not have the fields of version 1"),
        ({"version": 1, "plan": []}, "does not have the fields of version 1"),
        ({"version": 2, "plan": {}}, "does not have the fields of version 2"),
        ({"version": 2, "plan": []}, "does not have the fields of version 2"),
    ],
)
def test_another_form_is_refused(document: JsonValue, message: str) -> None:
    with pytest.raises(PlanFormatError, match=message):
        plan_from_json(document)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"secret":"secret-2"', '"secret":5'),
        ('"name":"a-gw"', '"nmae":"a-gw"'),
        ('"name":"a-gw"', '"name":5'),
        ('"profile":null', '"profile":{"other":{}}'),
        ('"dialect":"provision"', '"dialect":"cobol"'),
        ('"tags":[]', '"tags":[],"more":1'),
    ],
)
def test_a_damaged_plan_is_refused_without_showing_its_secrets(old: str, new: str) -> None:
    plan = expand(LAYOUT, gateway(external_id="gw"), CountedIdentifiers())
    text = json.dumps(plan_to_json(plan), separators=(",", ":"))
    assert old in text
    with pytest.raises(PlanFormatError) as caught:
        plan_from_json(json.loads(text.replace(old, new)))
    assert "secret-2" not in repr(caught.value) + repr(caught.value.__cause__)
