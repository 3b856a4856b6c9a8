noinst_LIBRARIES += gateway/access/libaccess.a
gateway_access_libaccess_a_SOURCES = \
	gateway/access/acl.h \
	gateway/access/auth.h \
	gateway/access/bans.h \
	gateway/access/bans_share.h \
	gateway/access/identity.h \
	gateway/access/prefixes.h
