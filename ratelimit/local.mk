noinst_LIBRARIES += ratelimit/libratelimit.a
ratelimit_libratelimit_a_SOURCES = \
	ratelimit/breaker.h \
	ratelimit/breaker.c \
	ratelimit/bucket.h \
	ratelimit/bucket.c \
	ratelimit/call.h \
	ratelimit/fields.c \
	ratelimit/heartbeat.h \
	ratelimit/heartbeat.c \
	ratelimit/inspect.h \
	ratelimit/inspect.c \
	ratelimit/internal.h \
	ratelimit/key.h \
	ratelimit/key.c \
	ratelimit/lease.h \
	ratelimit/lease.c \
	ratelimit/limiter.h \
	ratelimit/limiter.c \
	ratelimit/recover.c \
	ratelimit/status.c \
	ratelimit/table.h \
	ratelimit/table.c \
	ratelimit/trip.c \
	ratelimit/worker.h

if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/test_bucket \
	tests/unit/test_bucket_lua \
	tests/unit/test_heartbeat \
	tests/unit/test_inspect \
	tests/unit/test_lease \
	tests/unit/test_limit_fields \
	tests/unit/test_limit_key \
	tests/unit/test_limiter \
	tests/unit/test_limiter_redis \
	tests/unit/test_table
endif
tests_unit_test_bucket_SOURCES = tests/unit/test_bucket.c
tests_unit_test_bucket_LDADD = ratelimit/libratelimit.a gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_bucket_lua_SOURCES = tests/unit/test_bucket_lua.c \
	tests/unit/redis_lab.c tests/unit/redis_lab.h
tests_unit_test_bucket_lua_LDADD = ratelimit/libratelimit.a gateway/base/libbase.a \
	$(HIREDIS_LIBS) $(CMOCKA_LIBS)
tests_unit_test_heartbeat_SOURCES = tests/unit/test_heartbeat.c \
	tests/unit/redis_lab.c tests/unit/redis_lab.h
tests_unit_test_heartbeat_LDADD = ratelimit/libratelimit.a $(REDIS_TEST_LIBS)
tests_unit_test_inspect_SOURCES = tests/unit/test_inspect.c
tests_unit_test_inspect_LDADD = ratelimit/libratelimit.a gateway/conf/libconf.a \
	$(REDIS_TEST_LIBS) $(YAML_LIBS)
tests_unit_test_lease_SOURCES = tests/unit/test_lease.c
tests_unit_test_lease_LDADD = ratelimit/libratelimit.a gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_limit_fields_SOURCES = tests/unit/test_limit_fields.c
tests_unit_test_limit_fields_LDADD = ratelimit/libratelimit.a gateway/base/libbase.a \
	$(CMOCKA_LIBS)
tests_unit_test_limit_key_SOURCES = tests/unit/test_limit_key.c
tests_unit_test_limit_key_LDADD = ratelimit/libratelimit.a gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_limiter_SOURCES = tests/unit/test_limiter.c
tests_unit_test_limiter_LDADD = ratelimit/libratelimit.a gateway/conf/libconf.a \
	$(REDIS_TEST_LIBS) $(YAML_LIBS)
tests_unit_test_limiter_redis_SOURCES = tests/unit/test_limiter_redis.c \
	tests/unit/redis_lab.c tests/unit/redis_lab.h
tests_unit_test_limiter_redis_LDADD = ratelimit/libratelimit.a gateway/conf/libconf.a \
	$(REDIS_TEST_LIBS) $(YAML_LIBS)
tests_unit_test_table_SOURCES = tests/unit/test_table.c
tests_unit_test_table_LDADD = ratelimit/libratelimit.a gateway/base/libbase.a $(CMOCKA_LIBS)
# What runs inside Redis, as C source.
nodist_ratelimit_libratelimit_a_SOURCES = \
	ratelimit/bucket_lua.c \
	ratelimit/heartbeat_lua.c
CLEANFILES += $(nodist_ratelimit_libratelimit_a_SOURCES)
EXTRA_DIST += ratelimit/bucket.lua ratelimit/heartbeat.lua
EMBED_LUA = $(AM_V_GEN)$(MKDIR_P) $(@D) && $(SHELL) $(srcdir)/gateway/redis/embed.sh
ratelimit/bucket_lua.c: ratelimit/bucket.lua gateway/redis/embed.sh
	$(EMBED_LUA) $(srcdir)/ratelimit/bucket.lua ratelimit_bucket >$@.tmp && mv $@.tmp $@
ratelimit/heartbeat_lua.c: ratelimit/heartbeat.lua gateway/redis/embed.sh
	$(EMBED_LUA) $(srcdir)/ratelimit/heartbeat.lua ratelimit_heartbeat >$@.tmp && \
		mv $@.tmp $@
