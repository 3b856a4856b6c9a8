# tests/lint: what `make lint` runs, and the test of it
EXTRA_DIST += tests/lint/lint.py tests/lint/test_lint.py tests/lint/test_tally.py
LINT_FLAGS =

lint:
	@PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -q -p no:cacheprovider \
	    $(srcdir)/tests/lint
	@/usr/bin/python3 $(srcdir)/tests/lint/lint.py --source $(srcdir) --build . $(LINT_FLAGS)

clean-local: clean-lint
clean-lint:
	-rm -rf lint-cache

.PHONY: lint clean-lint
