noinst_LIBRARIES += gateway/tls/libtls.a
gateway_tls_libtls_a_SOURCES = gateway/tls/tls.h 
