"""docs/findings.md is the table of codes."""

from findings_page import PAGE, drawn


def test_the_page_is_what_the_table_makes():
    assert PAGE.read_text() == drawn(), "make docs"
