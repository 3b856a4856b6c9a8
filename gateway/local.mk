bin_PROGRAMS += yett
yett_SOURCES = \
	gateway/cli/audit_search.c \
	gateway/cli/audit_search.h \
	gateway/cli/ban.c \
	gateway/cli/cache.c \
	gateway/cli/check.c \
	gateway/cli/check.h \
	gateway/cli/check_controls.c \
	gateway/cli/cli.h \
	gateway/cli/control_client.c \
	gateway/cli/control_client.h \
	gateway/cli/explain.c \
	gateway/cli/drain.c \
	gateway/cli/limit.c \
	gateway/cli/geo.c \
	gateway/cli/protect.c \
	gateway/cli/protect.h \
	gateway/cli/run.c \
	gateway/cli/schema.c \
	gateway/cli/status.c \
	gateway/cli/version.c \
	gateway/admin.c \
	gateway/admin.h \
	gateway/admin_bans.c \
	gateway/admin_cache.c \
	gateway/admin_commands.h \
	gateway/admin_limits.c \
	gateway/admin_pools.c \
	gateway/admin_status.c \
	gateway/control.c \
	gateway/control.h \
	gateway/main.c \
	gateway/metrics.c \
	gateway/metrics.h \
	gateway/names.c \
	gateway/names.h \
	gateway/pipeline.c \
	gateway/pipeline.h \
	gateway/reload.c \
	gateway/reload.h \
	gateway/reload_cache.c \
	gateway/reload_cache.h \
	gateway/reload_compress.c \
	gateway/reload_compress.h \
	gateway/reload_controls.c \
	gateway/reload_controls.h \
	gateway/reload_headers.c \
	gateway/reload_headers.h \
	gateway/reload_pages.c \
	gateway/reload_pages.h \
	gateway/rounds.c \
	gateway/rounds.h \
	gateway/talk.c \
	gateway/talk.h \
	gateway/worker.c \
	gateway/worker.h
# The shim over libmodsecurity is C++: link with the C++ driver.
nodist_EXTRA_yett_SOURCES = dummy.cxx
yett_LDADD = $(YETT_ARCHIVES) $(ALLOCATOR_LIBS) $(YETT_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_talk
endif
tests_unit_test_talk_SOURCES = tests/unit/test_talk.c gateway/talk.c
tests_unit_test_talk_LDADD = gateway/net/libnet.a gateway/loop/libloop.a \
	gateway/base/libbase.a $(EV_LIBS) $(CMOCKA_LIBS)
