noinst_LIBRARIES += gateway/redis/libredis.a
gateway_redis_libredis_a_SOURCES = \
	gateway/redis/answers.c gateway/redis/answers.h \
	gateway/redis/cluster.c \
	gateway/redis/command.c gateway/redis/command.h \
	gateway/redis/connect.c \
	gateway/redis/link.c gateway/redis/link.h gateway/redis/link_inside.h \
	gateway/redis/redis.c gateway/redis/redis.h gateway/redis/redis_inside.h \
	gateway/redis/resolve.c gateway/redis/resolve.h \
	gateway/redis/sentinel.c \
	gateway/redis/service.c gateway/redis/service.h \
	gateway/redis/slots.c gateway/redis/slots.h \
	gateway/redis/watch.c gateway/redis/watch.h
# Lua to C, for the folders that have scripts.
EXTRA_DIST += gateway/redis/embed.sh

if HAVE_CMOCKA
REDIS_TEST_LIBS = gateway/redis/libredis.a gateway/tls/libtls.a gateway/loop/libloop.a \
	gateway/base/libbase.a $(HIREDIS_LIBS) $(OPENSSL_LIBS) $(EV_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_redis_value
tests_unit_test_redis_value_SOURCES = tests/unit/test_redis_value.c
tests_unit_test_redis_value_LDADD = $(REDIS_TEST_LIBS)
check_PROGRAMS += tests/unit/test_redis
REDIS_RIG = tests/unit/redis_rig.c tests/unit/redis_rig.h \
	tests/unit/redis_lab.c tests/unit/redis_lab.h
tests_unit_test_redis_SOURCES = tests/unit/test_redis.c $(REDIS_RIG) $(TLS_LAB)
nodist_tests_unit_test_redis_SOURCES = tests/unit/script_lua.c
tests_unit_test_redis_LDADD = $(REDIS_TEST_LIBS)
check_PROGRAMS += tests/unit/test_redis_sentinel
tests_unit_test_redis_sentinel_SOURCES = tests/unit/test_redis_sentinel.c $(REDIS_RIG) $(TLS_LAB)
tests_unit_test_redis_sentinel_LDADD = $(REDIS_TEST_LIBS)
check_PROGRAMS += tests/unit/test_redis_cluster
tests_unit_test_redis_cluster_SOURCES = tests/unit/test_redis_cluster.c $(REDIS_RIG) $(TLS_LAB)
tests_unit_test_redis_cluster_LDADD = $(REDIS_TEST_LIBS)
endif
CLEANFILES += tests/unit/script_lua.c
EXTRA_DIST += tests/unit/data/script.lua
tests/unit/script_lua.c: tests/unit/data/script.lua gateway/redis/embed.sh
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SHELL) $(srcdir)/gateway/redis/embed.sh \
		$(srcdir)/tests/unit/data/script.lua test_script >$@.tmp && mv $@.tmp $@
