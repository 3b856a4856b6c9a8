# tests/lint: what `make lint` runs
EXTRA_DIST += tests/lint/lint.py
LINT_FLAGS =

lint:
	@/usr/bin/python3 $(srcdir)/tests/lint/lint.py --source $(srcdir) --build . $(LINT_FLAGS)

.PHONY: lint
