noinst_LIBRARIES += gateway/upstream/libupstream.a
gateway_upstream_libupstream_a_SOURCES = \
	gateway/upstream/pool.h \
	gateway/upstream/pool.c \
	gateway/upstream/upstream.h \
	gateway/upstream/upstream.c
