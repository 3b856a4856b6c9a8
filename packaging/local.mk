# packaging: installing, running and checking on Debian
packaging_tests = packaging/tests/examples.sh packaging/tests/hardening.sh
TESTS += $(packaging_tests)
EXTRA_DIST += $(packaging_tests) packaging/tests/fields.py .ci/run \
	packaging/packages.sh packaging/check.sh packaging/quickstart.sh packaging/tally.py \
	packaging/demo/app.py packaging/systemd/yett.service.in \
	packaging/systemd/yett-geo-update.service.in

dist_doc_DATA = README.md LICENSE CHANGELOG.md CONTRIBUTING.md
examplesdir = $(docdir)/examples
dist_examples_DATA = packaging/examples/yett.yaml packaging/examples/full.yaml packaging/examples/cluster.yaml \
	packaging/logrotate/yett packaging/systemd/yett.sysusers \
	packaging/systemd/yett-geo-update.timer
dist_pkglibexec_SCRIPTS = packaging/geo-update
units = packaging/systemd/yett.service packaging/systemd/yett-geo-update.service
nodist_examples_DATA = $(units)
CLEANFILES += $(units)

$(units): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) packaging/systemd && \
	sed -e 's|@bindir[@]|$(bindir)|g' -e 's|@pkglibexecdir[@]|$(pkglibexecdir)|g' \
	    $(srcdir)/$@.in >$@
