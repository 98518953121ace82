"""Values that a field of the venue's objects may hold against all documentation."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["odd", "written"]

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**20),
    st.floats(),
    st.sampled_from(("", " ", "-", "-1", "--1", "1.2.3", ".5", "5.", "-0", "007", "0", "1" * 19)),
    st.sampled_from(("1E-8", "1_0", "NaN", "inf", "²", "٣", " 5", "{}", "[]", "true", "9" * 200)),
    st.sampled_from(("1719999999000", "2024-07-03T09:46:39Z", "0001-01-01T00:00:00Z")),
    st.text(max_size=5),
    st.just({}),
    st.just({"USDT": 1}),
    st.just({"USDT": "1E5"}),
    st.just([]),
)


def written(detail: object) -> str:
    """With every digit: 1.0 and 1.00 are equal as numbers."""
    return repr(detail)
