noinst_LIBRARIES += gateway/base/libbase.a
gateway_base_libbase_a_SOURCES = \
	gateway/base/arena.h \
	gateway/base/buf.h \
	gateway/base/check.h \
	gateway/base/check.c \
	gateway/base/clock.h \
	gateway/base/err.h \
	gateway/base/hash.h \
	gateway/base/id.h \
	gateway/base/json.h \
	gateway/base/lock.h \
	gateway/base/log.h \
	gateway/base/netaddr.h \
	gateway/base/span.h \
	gateway/base/utf8.h
