from hypothesis import given
from hypothesis import strategies as st

from flexiciency.domain.provision import PodStatus, pod_status

OK = PodStatus(accepted=True, reason_code=None)


def test_a_pod_is_ok_when_all_of_it_is() -> None:
    assert pod_status([OK, OK]) == OK


def test_one_ko_refuses_the_pod_with_the_first_reason() -> None:
    late, bad = PodStatus(accepted=False, reason_code="TooLate"), PodStatus(accepted=False, reason_code="OutOfRange")
    assert pod_status([OK, bad, late]) == bad


@given(st.lists(st.builds(PodStatus, st.booleans(), st.none() | st.sampled_from(["A", "B"])), min_size=1))
def test_a_pod_is_refused_exactly_when_some_of_it_is(statuses: list[PodStatus]) -> None:
    assert pod_status(statuses).accepted == all(status.accepted for status in statuses)
