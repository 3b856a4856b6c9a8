noinst_LIBRARIES += gateway/base/libbase.a
gateway_base_libbase_a_SOURCES = \
	gateway/base/arena.c gateway/base/arena.h \
	gateway/base/buf.c gateway/base/buf.h \
	gateway/base/check.h \
	gateway/base/check.c \
	gateway/base/clock.c gateway/base/clock.h \
	gateway/base/err.c gateway/base/err.h \
	gateway/base/hash.c gateway/base/hash.h \
	gateway/base/id.c gateway/base/id.h \
	gateway/base/json.c gateway/base/json.h \
	gateway/base/lock.c gateway/base/lock.h \
	gateway/base/log.c gateway/base/log.h \
	gateway/base/netaddr.c gateway/base/netaddr.h \
	gateway/base/span.c gateway/base/span.h \
	gateway/base/utf8.c gateway/base/utf8.h
