noinst_LIBRARIES += gateway/access/libaccess.a
gateway_access_libaccess_a_SOURCES = \
	gateway/access/acl.c gateway/access/acl.h \
	gateway/access/auth.c gateway/access/auth.h \
	gateway/access/bans.c gateway/access/bans.h \
	gateway/access/bans_allowance.h \
	gateway/access/bans_inner.h \
	gateway/access/bans_news.c gateway/access/bans_news.h \
	gateway/access/bans_record.c gateway/access/bans_record.h \
	gateway/access/bans_scripts.h \
	gateway/access/bans_share.c gateway/access/bans_share.h \
	gateway/access/bans_table.c gateway/access/bans_table.h \
	gateway/access/bans_watch.c \
	gateway/access/bans_window.c gateway/access/bans_window.h \
	gateway/access/identity.c \
	gateway/access/identity.h \
	gateway/access/htpasswd.c gateway/access/htpasswd.h \
	gateway/access/lines.c gateway/access/lines.h \
	gateway/access/prefixes.c gateway/access/prefixes.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_acl tests/unit/test_auth tests/unit/test_prefixes
endif
tests_unit_test_acl_SOURCES = tests/unit/test_acl.c
tests_unit_test_acl_LDADD = gateway/access/libaccess.a gateway/conf/libconf.a \
	gateway/base/libbase.a $(YAML_LIBS) $(CMOCKA_LIBS)
tests_unit_test_auth_SOURCES = tests/unit/test_auth.c
tests_unit_test_auth_LDADD = gateway/access/libaccess.a gateway/conf/libconf.a \
	gateway/base/libbase.a $(YAML_LIBS) $(CRYPT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_prefixes_SOURCES = tests/unit/test_prefixes.c
tests_unit_test_prefixes_LDADD = gateway/access/libaccess.a gateway/conf/libconf.a \
	gateway/base/libbase.a $(YAML_LIBS) $(CMOCKA_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_identity
endif
tests_unit_test_identity_SOURCES = tests/unit/test_identity.c
tests_unit_test_identity_LDADD = gateway/access/libaccess.a gateway/http/libhttp.a \
	gateway/conf/libconf.a gateway/base/libbase.a $(CMOCKA_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_bans
endif
tests_unit_test_bans_SOURCES = tests/unit/test_bans.c
tests_unit_test_bans_LDADD = gateway/access/libaccess.a gateway/base/libbase.a \
	$(CMOCKA_LIBS)
# What runs inside Redis, as C source.
nodist_gateway_access_libaccess_a_SOURCES = \
	gateway/access/bans_client_lua.c \
	gateway/access/bans_index_lua.c
CLEANFILES += $(nodist_gateway_access_libaccess_a_SOURCES)
EXTRA_DIST += gateway/access/bans_client.lua gateway/access/bans_index.lua
gateway/access/bans_client_lua.c: gateway/access/bans_client.lua gateway/redis/embed.sh
	$(EMBED_LUA) $(srcdir)/gateway/access/bans_client.lua bans_client_script >$@.tmp && \
		mv $@.tmp $@
gateway/access/bans_index_lua.c: gateway/access/bans_index.lua gateway/redis/embed.sh
	$(EMBED_LUA) $(srcdir)/gateway/access/bans_index.lua bans_index_script >$@.tmp && \
		mv $@.tmp $@

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_bans_share
endif
tests_unit_test_bans_share_SOURCES = tests/unit/test_bans_share.c tests/unit/redis_lab.c \
	tests/unit/redis_lab.h
tests_unit_test_bans_share_LDADD = gateway/access/libaccess.a gateway/redis/libredis.a \
	gateway/tls/libtls.a gateway/net/libnet.a gateway/conf/libconf.a \
	gateway/loop/libloop.a gateway/base/libbase.a $(HIREDIS_LIBS) $(OPENSSL_LIBS) \
	$(YAML_LIBS) $(EV_LIBS) $(CMOCKA_LIBS)
