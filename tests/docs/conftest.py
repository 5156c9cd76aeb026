"""The model and test that `test_alternatives` gives to each tool are no tests of ours."""

collect_ignore = ["alternatives"]
