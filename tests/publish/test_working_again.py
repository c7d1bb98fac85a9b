"""What the short texts say is working again while other incidents are open."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statuspage.domain.component import ComponentState, Indicator
from statuspage.domain.incident import IncidentState
from statuspage.i18n import KNOWN_LOCALES, gettext
from statuspage.publish.headline import working_again
from statuspage.publish.reader import Reader
from statuspage.publish.texts import short_texts
from statuspage.publish.view import ComponentView, IncidentView, PageView
from tests.publish import views

TOP_UP, BALANCE = views.COMPONENTS[:2]
TOP_UP_AGAIN = replace(TOP_UP, state=ComponentState.OPERATIONAL)
RESTORED = replace(
    views.INCIDENT, component_ids=(TOP_UP.id, BALANCE.id), state=IncidentState.RESTORED_CATCHING_UP, not_affected=()
)
SUSPENDED = replace(
    views.INCIDENT,
    id="s22sssssssss",
    title=views.words("Платежи приостановлены", "缴费暂停", "Payments are suspended"),
    component_ids=(TOP_UP.id,),
)


def degraded(view: PageView) -> PageView:
    """The services as they are while payments catch up."""
    catching_up = ComponentState.DEGRADED_PERFORMANCE
    return replace(view, components=tuple(replace(one, state=catching_up) for one in view.components))


def told(*incidents: IncidentView) -> dict[str, str]:
    return short_texts(Reader(degraded(replace(views.OUTAGE, incidents=incidents)), "en"))


def test_what_another_incident_holds_is_not_said_to_work_again() -> None:
    """SMS, voice and notice name what the repair gave back; when it gave nothing back, they say nothing of it."""
    for channel in ("sms", "ivr", "shop"):
        assert "Also: working again: balance." in told(RESTORED, SUSPENDED)[channel]
        both = replace(SUSPENDED, component_ids=(TOP_UP.id, BALANCE.id))
        assert "Also" not in told(RESTORED, both)[channel]


def test_what_the_incident_itself_left_down_is_not_said_to_work_again() -> None:
    """Restored but for one service: that one is not named."""
    down = replace(BALANCE, state=ComponentState.MAJOR_OUTAGE)
    view = replace(views.REPAIRED, components=(TOP_UP_AGAIN, down), incidents=(RESTORED,))
    assert working_again(view, RESTORED) == (TOP_UP_AGAIN,)


def _named(place: int) -> ComponentView:
    """A service with a name that no sentence of ours holds."""
    mark = f"ж{place}ж"
    state = ComponentState.DEGRADED_PERFORMANCE
    return replace(views.COMPONENTS[0], id=f"c{place}", name=views.words(mark, mark, mark), state=state)


SERVICES = tuple(_named(place) for place in range(5))
INCIDENTS = st.lists(
    st.tuples(
        st.sampled_from([IncidentState.IDENTIFIED, IncidentState.MONITORING, IncidentState.RESTORED_CATCHING_UP]),
        st.sampled_from([Indicator.MINOR, Indicator.MAJOR, Indicator.CRITICAL, Indicator.MAINTENANCE]),
        st.frozensets(st.sampled_from([one.id for one in SERVICES]), min_size=1),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("locale", KNOWN_LOCALES)
@settings(max_examples=60, deadline=None)
@given(INCIDENTS)
def test_nothing_is_named_as_working_again_that_an_open_incident_has_down(
    locale: str, drawn: list[tuple[IncidentState, Indicator, frozenset[str]]]
) -> None:
    """In no channel and language; what fails is told by its title, so a service's name only stands where it works."""
    incidents = tuple(
        replace(SUSPENDED, id=f"i{place}", state=state, impact=impact, component_ids=tuple(sorted(touched)))
        for place, (state, impact, touched) in enumerate(drawn)
    )
    view = replace(views.OUTAGE, components=SERVICES, incidents=incidents)
    held = {one for incident in incidents if not incident.repaired for one in incident.component_ids}
    bare = gettext(locale, "page.headline.repaired_bare").lower()
    for text in short_texts(Reader(view, locale)).values():
        assert not [one.id for one in SERVICES if one.id in held and one.name[locale].body in text.lower()]
        assert not held or bare not in text.lower()
