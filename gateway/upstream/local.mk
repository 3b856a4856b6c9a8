noinst_LIBRARIES += gateway/upstream/libupstream.a
gateway_upstream_libupstream_a_SOURCES = gateway/upstream/upstream.h 
